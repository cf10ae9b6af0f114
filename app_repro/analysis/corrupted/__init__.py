"""Accuracy of pruned networks on corrupted images, and where these lie before the last layer. In reading order:

- draws.py: random numbers drawn for each image on its own;
- filters.py: blurs, zooms, bilinear sampling, plasma and HSV for batches of images;
- corruptions.py: images under 17 corruptions at five severities;
- releases.py: which official files of corrupted images there are, with their md5;
- official.py: those files checked and memory-mapped, where a user has them;
- pictures.py: the images that networks of a data set are shown, clean and corrupted;
- geometry.py: forward passes, and where images lie before the last linear layer;
- lost_and_won.py: the images that a run classifies otherwise than the dense run beside it;
- samples.py: images drawn: under each corruption, and those lost and won;
- robustness.py: accuracy and geometry on clean and corrupted images, a block of images for all networks;
"""
