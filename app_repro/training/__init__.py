"""One run: networks, batches, steps, and the loop over megabatches that stops after any step and resumes.

- device.py: the devices there are, what one is called, its memory.
- determinism.py: how a process is set up so that bits repeat.
- networks.py: the networks, built and initialised by seed.
- flops.py: what a network costs, counted from shapes.
- images.py: the images of a data set on a device or the host; augmentation.
- phases.py: what a megabatch shows, and the order of each epoch.
- batches.py: an order of images, batch by batch.
- host_batches.py: the same, of images that stay on the host.
- engines.py: how a step is launched: eager, or as a CUDA graph.
- optimizer.py: SGD and its learning rate.
- energies.py: energy and noise of the gradients at pruned and at kept weights.
- flows.py: what reaches pruned weights: nothing, or gradients to dense weights beside the network.
- steps.py: one training step, one evaluation step.
- fit.py: one megabatch's epochs; the best one is restored.
- controls.py: what a control arm takes of its source: mask, weights, epochs.
- protocol.py: a run's network, phases and masks, from its settings.
- groups.py: the pattern of a run that keeps N of each M weights, and who takes no part.
- widths.py: the channels of a run that removes channels, and the size of its network.
- checkpoint.py: an unfinished run as bytes; a finished one's network.
- results.py: what is said of a megabatch and of an epoch that ended.
- run.py: the loop of one run: prune, train, test, save, resume.
- preflight.py: what a run would fail of, found before training.
"""
