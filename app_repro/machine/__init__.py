"""This machine: what it lacks, how fast it is, and the workspaces in which the pipeline runs. In reading order:

checks       what a machine must offer: disk, memory, locks, git, data sets
gpus         GPU, driver, kernels that repeat, a compiler
doctor       all checks as findings with remedies (`app-repro doctor`)
reference    the released training loop, plainly: what the bench compares with
ceilings     the roofline of a device, measured
trials       the cases of the bench, timed in turn
speed_table  the results of a bench as tables
bench        all of it on this machine (`app-repro bench`)
workspace    a folder in which DVC runs the pipeline
demo         the pipeline on the embedded digits (`app-repro demo`)
container    the entry point of the image
"""
