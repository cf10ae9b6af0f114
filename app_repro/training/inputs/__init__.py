"""Images as a network is shown them. In reading order:

- images.py: the images of a data set on a device or the host; augmentation.
- phases.py: what a megabatch shows, and the order of each epoch.
- batches.py: an order of images, batch by batch.
- host_batches.py: the same, of images that stay on the host.
"""
