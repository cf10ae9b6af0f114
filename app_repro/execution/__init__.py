"""Many runs: what they cost, what a plan of them says, and who trains them where. In reading order:

- cost.py: passes over images, FLOPs and sizes of a run, counted, and how they grow; shapes of data sets.
- timing.py: training steps timed just now on this machine.
- speeds.py: seconds per image on a device, from records, benches, the nearest network or a short timing.
- advice.py: settings with which it would be done sooner, in a line each.
- gpu_advice.py: the line about a GPU's engine: what gpu-check recommends there.
- plan.py: the command `plan`: state, disk, seconds, energy and memory of each run, summed.
- plan_text.py: a plan as a table and as JSON.
- claim_costs.py: the plan of each claim (`plan --claims-cost`).
- outcome.py: what every executor works with: display, how runs ended, signals.
- prefixes.py: the megabatches that siblings share, trained once.
- worker.py: one process that trains runs, each under its lock.
- local.py: worker processes on this machine.
- slurm_task.py: one task of a Slurm array, on its node.
- slurm.py: runs as tasks of Slurm arrays.
- ray.py: runs as tasks of Ray.
- executors.py: the three executors by name, bound to options of the command line.
- display.py: progress on a terminal.
- wandb_mirror.py: records as wandb runs: epochs and megabatches as they end, or of finished records.
- tracking.py: the process that mirrors a grid to wandb.
- grid.py: the command `run`.
"""
