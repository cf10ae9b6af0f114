"""What a run leaves, and where: records, the metrics in them, which runs have the same setting. In reading order:

content.py     what record.json and the files per megabatch hold, as types with their units
metric.py      what a metric is: how it is computed, how and where it is shown, how claims may use it
formulas.py    metrics computed from results and the network's sizes
metrics.py     the metrics, one entry each
settings.py    which runs have the same setting; groups of runs, and which settings tell them apart
code.py        the digest of the code that can change a number
provenance.py  where and with what a run was trained
record.py      a record made from results, and read with its checks
runs.py        the records of folders, each run once; a run found by its name
finished.py    a finished run by its name, and where its weights lie
frame.py       records as a pandas DataFrame, a row per run and megabatch
store.py       one folder per run: lock, states, results, record; data/runs laid out from it
sources.py     control arms in the store: the run on whose mask one is trained, and whether it has another by now
merge.py       runs taken from one store into another, checked against their seals
analyses.py    what is measured on finished runs' weights: sealed files, read and laid out
first_masks.py  masks before megabatch 1, made without training, read as runs that went no further
publish.py     small checked copies of records for version control
"""
