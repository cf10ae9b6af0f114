"""Every run ever started: a folder each, found, extended and taken over. In reading order:

finished.py   a finished run by its name, and where its weights lie
histories.py what runs leave per epoch beside their records, laid out or published
store.py      one folder per run: lock, states, results, record; data/runs laid out from it
sources.py    control arms in the store: the run on whose mask one is trained, and whether it has another by now
merge.py      runs taken from one store into another, checked against their seals
"""
