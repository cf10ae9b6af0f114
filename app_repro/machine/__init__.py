"""This machine: what it lacks, how fast it is, and the workspaces in which the pipeline runs. In reading order:

checks.py       what a machine must offer: disk, memory, locks, git, data sets
gpus.py         GPU, driver, kernels that repeat, a compiler
doctor.py       all checks as findings with remedies (`app-repro doctor`)
reference.py    the released training loop, plainly: what the bench compares with
ceilings.py     the roofline of a device, measured
trials.py       the cases of the bench, timed in turn
speed_table.py  the results of a bench as tables
bench.py        all of it on this machine (`app-repro bench`)
granularity.py  what networks cost that were pruned in other ways (`app-repro bench --granularity`)
products.py     matrix products at 2:4 on a GPU (`app-repro bench --nm`)
workspace.py    a folder in which DVC runs the pipeline
demo.py         the pipeline on the embedded digits (`app-repro demo`)
container.py    the entry point of the image
"""
