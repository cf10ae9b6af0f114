"""The metrics of a run: how each is computed, named, shown and claimed. In reading order:

metric.py    what a metric is: how it is computed, how and where it is shown, how claims may use it
formulas.py  metrics computed from results and the network's sizes
metrics.py   the metrics, one entry each
"""
