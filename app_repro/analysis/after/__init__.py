"""Channels removed after training, without fine-tuning. In reading order:

- reconstruction.py: BatchNorm measured anew and weights fitted after channels were removed;
- shrink_options.py: what `shrink` is asked for, checked;
- shrunk.py: one network at several densities, adjusted and tested, a row each;
- shrink.py: the command `shrink`;
"""
