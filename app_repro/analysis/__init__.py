"""Examines masks and finished networks without training them.

- masks_only.py: the masks of each protocol as they are without training, as rows and as a table;
- draws.py: random numbers drawn for each image on its own;
- filters.py: blurs, zooms, bilinear sampling, plasma and HSV for batches of images;
- corruptions.py: images under 17 corruptions at five severities.
"""
