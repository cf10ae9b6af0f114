"""The tables of the studies beside the paper's. In reading order:

granularities  single weights, N of each M and channels at the same tau, with what they cost
timings        how long networks of their shapes take, from bench files
nm             N of each M weights: patterns, schedules and flows
shrunk         channels removed after training, without fine-tuning
robustness     accuracy on corrupted images, and where images lie at the last linear layer
regime         siblings by load and temperature, and what temperature does at either end
controls       control arms beside their sources, and what tells them apart
"""
