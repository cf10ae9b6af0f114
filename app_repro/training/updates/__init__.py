"""What changes weights: steps, their optimizer, gradients at pruned weights. In reading order:

- engines.py: how a step is launched: eager, or as a CUDA graph.
- optimizer.py: SGD and its learning rate.
- energies.py: energy and noise of the gradients at pruned and at kept weights.
- flows.py: what reaches pruned weights: nothing, or gradients to dense weights beside the network.
- steps.py: one training step, one evaluation step.
"""
