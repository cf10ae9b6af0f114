"""Examines masks and finished networks without training them.

- masks_only.py: the masks of each protocol as they are without training, as rows and as a table;
- first_masks.py: the masks before megabatch 1 exactly as runs have them, for the claims about them;
- trained.py: finished runs and the weights that they left in the store;
- calibration.py: training images, noise and test images that a finished network is shown;
- corrupted/: accuracy and geometry on corrupted images;
- regimes/: how pairs of runs that differ in their SGD noise alone are connected;
- command.py: the command `analyse`;
- after/: channels removed after training, and the command `shrink`;
- classify.py: images classified with an exported file, without torch, or with a run;
- export.py: a run's network as an ONNX file, checked against torch and timed.
"""
