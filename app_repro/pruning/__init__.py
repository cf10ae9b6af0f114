"""Which weights stay: criteria score them, a mask keeps the highest scores at a density.

- masks.py: the weights that can be pruned, and masks of them: density, nesting, zeroing, packing.
- criteria.py: weights and a scoring sample -> scores, one function per criterion.
- select.py: scores -> a mask of single weights at a density, checked.
- nm.py: scores -> a mask of N of each M weights.
- coupling.py: follows channels through a network.
- channels.py: the groups of channels that can only be removed together, and masks of them.
- removal.py: removes channels from a network, and proves that nothing else changed.
- shrinking.py: scores -> a mask of whole channels at a density, checked.
"""
