"""The figures of the studies beside the paper's. In reading order:

widths        channels by layer, where they are removed
flow          gradients at pruned weights against those at kept ones
controls      control arms beside their source
corruptions   what each corruption costs
angle_length  classes at the last linear layer
margins       the margin against severity; robustness over the stream
redundancy    which corruptions move the same images
regime        siblings by load and temperature, and the path between two
"""
