"""What a run leaves, and where: records, the metrics in them, which runs have the same setting. In reading order:

content.py      what record.json and the files per megabatch hold, as types with their units
measures/       the metrics: what one is, how each is computed
settings.py     which runs have the same setting; groups of runs, and which settings tell them apart
code.py         the digest of the code that can change a number
provenance.py   where and with what a run was trained
record.py       a record made from results, and read with its checks
rivals.py       which of several records of one run is judged
runs.py         the records of folders, each run once; a run found by its name
stores/         every run ever started, finished ones, and those of other stores
frame.py        records as a pandas DataFrame, a row per run and megabatch
analyses.py     what is measured on finished runs' weights: sealed files, read and laid out
first_masks.py  masks before megabatch 1, made without training, read as runs that went no further
publish.py      small checked copies of records for version control
"""
