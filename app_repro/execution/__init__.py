"""Many runs: what they cost, what a plan of them says, and who trains them where. In reading order:

- planning/: what runs cost, and a plan of them.
- workers/: who trains runs: processes here, Slurm, Ray.
- executors.py: the three executors by name, bound to options of the command line.
- display.py: progress on a terminal.
- wandb_mirror.py: records as wandb runs: epochs and megabatches as they end, or of finished records.
- tracking.py: the process that mirrors a grid to wandb.
- grid.py: the command `run`.
"""
