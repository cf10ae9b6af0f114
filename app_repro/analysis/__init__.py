"""Examines masks and finished networks without training them.

- masks_only.py: the masks of each protocol as they are without training, as rows and as a table;
- draws.py: random numbers drawn for each image on its own;
- filters.py: blurs, zooms, bilinear sampling, plasma and HSV for batches of images;
- corruptions.py: images under 17 corruptions at five severities;
- releases.py: which official files of corrupted images there are, with their md5;
- official.py: those files checked and memory-mapped, where a user has them;
- trained.py: finished runs and the weights that they left in the store;
- geometry.py: forward passes, and where images lie before the last linear layer;
- pictures.py: the images that networks of a data set are shown, clean and corrupted;
- lost_and_won.py: the images that a run classifies otherwise than the dense run beside it;
- samples.py: images drawn: under each corruption, and those lost and won;
- robustness.py: accuracy and geometry on clean and corrupted images, a block of images for all networks;
- siblings.py: runs that differ in their SGD noise alone, in pairs with one mask;
- similarity.py: CKA and agreement of two networks' answers;
- landscape.py: the straight path between two networks, with BatchNorm measured anew at each point;
- regime.py: the path between each pair of siblings, and how alike they answer;
- command.py: the command `analyse`;
- calibration.py: training images, noise and test images that a finished network is shown;
- reconstruction.py: BatchNorm measured anew and weights fitted after channels were removed;
- shrink_options.py: what `shrink` is asked for, checked;
- shrunk.py: one network at several densities, adjusted and tested, a row each;
- shrink.py: the command `shrink`;
- classify.py: images classified with an exported file, without torch, or with a run;
- export.py: a run's network as an ONNX file, checked against torch and timed.
"""
