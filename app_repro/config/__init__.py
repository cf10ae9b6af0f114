"""Settings: params.yaml read, checked, and expanded to one specification per run. In reading order:

protocols.py    the paper's and the released protocol, switch by switch
methods.py      when to prune and how far: dense, osp, app, with their titles, colours and tags
patterns.py     N:M patterns, and which is in force at which megabatch
catalogue.py    names of criteria, networks, control arms and engines with their tags, without torch
nm.py           which settings of N:M sparsity apply, their defaults
corruptions.py  names of the corruptions of images with their tags, and the choice of some of them
taxonomy.py     the tags of a run, from its settings
spec.py         RunSpec: every setting that can change a number of a run, and the run id
reading.py      YAML and key=value words as plain values
grid.py         params.yaml validated and expanded: load, parse, known_keys
laptop.py       the named grids of the campaign of two CPU cores
presets.py      named grids
"""
