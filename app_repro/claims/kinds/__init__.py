"""Kinds of claims, each with its rule, its words and what its row needs. In reading order:

kind.py        what a kind is, and what the rules of several kinds share
value.py       a reported number, a ratio of two, a limit
difference.py  a reported difference, paired by seed
ordering.py    what is ahead of what
closer.py      which of two is nearer to a third
shape.py       curves over the megabatches that are not monotone
layers.py      early layers pruned harder by one criterion than by another
registry.py    every kind by its name
"""
