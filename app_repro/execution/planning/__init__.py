"""What runs cost, before they are trained. In reading order:

- cost.py: passes over images, FLOPs and sizes of a run, counted, and how they grow; shapes of data sets.
- timing.py: training steps timed just now on this machine.
- speeds.py: seconds per image on a device, from records, benches, the nearest network or a short timing.
- advice.py: settings with which it would be done sooner, in a line each.
- gpu_advice.py: the line about a GPU's engine: what gpu-check recommends there.
- plan.py: the command `plan`: state, disk, seconds, energy and memory of each run, summed.
- plan_text.py: a plan as a table and as JSON.
- claim_costs.py: the plan of each claim (`plan --claims-cost`).
"""
