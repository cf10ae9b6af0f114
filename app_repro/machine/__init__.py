"""This machine: what it lacks, how fast it is, and the workspaces in which the pipeline runs. In reading order:

checks.py     what a machine must offer: disk, memory, locks, git, data sets
gpus.py       GPU, driver, kernels that repeat, a compiler
doctor.py     all checks as findings with remedies (`app-repro doctor`)
bench/        how fast this machine is (`app-repro bench`)
gpu/          a GPU's first ten minutes (`app-repro gpu-check`)
workspace.py  a folder in which DVC runs the pipeline
demo.py       the pipeline on the embedded digits (`app-repro demo`)
container.py  the entry point of the image
"""
