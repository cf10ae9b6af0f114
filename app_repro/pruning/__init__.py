"""Which weights stay: criteria score them, a mask keeps the highest scores at a density.

- masks.py: the weights that can be pruned, and masks of them: density, nesting, zeroing, packing.
- criteria.py: weights and a scoring sample -> scores, one function per criterion.
- select.py: scores -> a mask at a density, checked.
- nm.py: scores -> a mask of N of each M weights.
"""
