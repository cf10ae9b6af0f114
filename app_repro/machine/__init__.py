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
same_bits.py    captured steps, lanes and images on the host against eager runs alone, bit by bit
whole_runs.py   the same of whole runs, one of them killed
hand.py         a process that does one piece of work after the other, and can be ended
gpu_steps.py    what gpu-check has it do
gpu_cells.py    cells of the short grid within gpu-check
recommendation.py   engine, precision and lanes, by what gpu-check has found
gpu_check.py    all of it on a GPU (`app-repro gpu-check`)
products.py     matrix products at 2:4 on a GPU (`app-repro bench --nm`)
workspace.py    a folder in which DVC runs the pipeline
demo.py         the pipeline on the embedded digits (`app-repro demo`)
container.py    the entry point of the image
"""
