"""Networks, and what they cost and keep. In reading order:

- networks.py: the networks, built and initialised by seed.
- flops.py: what a network costs, counted from shapes.
- groups.py: the pattern of a run that keeps N of each M weights, and who takes no part.
- widths.py: the channels of a run that removes channels, and the size of its network.
"""
