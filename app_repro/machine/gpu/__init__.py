"""A GPU's first ten minutes: equal bits, speed, cells, and a recommendation. In reading order:

same_bits.py       captured steps, lanes and images on the host against eager runs alone, bit by bit
whole_runs.py      the same of whole runs, one of them killed
hand.py            a process that does one piece of work after the other, and can be ended
gpu_steps.py       what gpu-check has it do
gpu_cells.py       cells of the short grid within gpu-check
recommendation.py  engine, precision and lanes, by what gpu-check has found
gpu_check.py       all of it on a GPU (`app-repro gpu-check`)
"""
