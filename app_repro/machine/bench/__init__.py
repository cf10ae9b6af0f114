"""How fast this machine is, measured beside the released training loop. In reading order:

reference.py    the released training loop, plainly: what the bench compares with
ceilings.py     the roofline of a device, measured
trials.py       the cases of the bench, timed in turn
speed_table.py  the results of a bench as tables
bench.py        all of it on this machine (`app-repro bench`)
granularity.py  what networks cost that were pruned in other ways (`app-repro bench --granularity`)
products.py     matrix products at 2:4 on a GPU (`app-repro bench --nm`)
"""
