"""Who trains the runs of a grid, and where. In reading order:

- outcome.py: what every executor works with: display, how runs ended, signals.
- prefixes.py: the megabatches that siblings share, trained once.
- worker.py: one process that trains runs, each under its lock.
- local.py: worker processes on this machine.
- slurm_task.py: one task of a Slurm array, on its node.
- slurm.py: runs as tasks of Slurm arrays.
- ray.py: runs as tasks of Ray.
"""
