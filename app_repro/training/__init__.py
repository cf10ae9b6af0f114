"""One run: networks, batches, steps, and the loop over megabatches that stops after any step and resumes.

- device.py: the devices there are, what one is called, its memory.
- determinism.py: how a process is set up so that bits repeat.
- models/: networks, and what they cost and keep.
- inputs/: images as a network is shown them, batch by batch.
- updates/: what changes weights: steps, their optimizer, gradients at pruned weights.
- fit.py: one megabatch's epochs; the best one is restored.
- controls.py: what a control arm takes of its source: mask, weights, epochs.
- protocol.py: a run's network, phases and masks, from its settings.
- checkpoint.py: an unfinished run as bytes; a finished one's network.
- results.py: what is said of a megabatch and of an epoch that ended.
- run.py: the loop of one run: prune, train, test, save, resume.
- preflight.py: what a run would fail of, found before training.
"""
