"""What the runs nearest to a claim's setting measure, beside its verdict. In reading order:

departures.py  how a setting is named in which runs depart from a claim
nearby.py      runs that depart from a claim's setting in the same way on each of its sides
elsewhere.py   what is nearest to a claim's setting, beside its verdict
"""
