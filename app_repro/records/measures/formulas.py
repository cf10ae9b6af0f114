"""Metrics computed from the results of megabatches (`done`, a run's first ones or all) and the network's sizes."""

import itertools
from collections.abc import Mapping, Sequence
from statistics import fmean

from app_repro.records.content import Megabatch, Network, Record


def test_accuracy(done: Sequence[Megabatch], network: Network | None = None) -> float:
    """Share of test images classified correctly after the last of `done`."""
    return 1 - done[-1]["test_errors"] / done[-1]["test_samples"]


def cer(done: Sequence[Megabatch], network: Network | None = None) -> int:
    """Sum of test errors over the megabatches."""
    return sum(item["test_errors"] for item in done)


def mean_error(done: Sequence[Megabatch], network: Network) -> float:
    """Test errors of all megabatches over the images tested, a fraction."""
    return cer(done) / (len(done) * done[0]["test_samples"])


def are(done: Sequence[Megabatch], network: Network) -> list[float]:
    """Change of the test error rate from each megabatch to the next."""
    tested = done[0]["test_samples"]
    return [(b["test_errors"] - a["test_errors"]) / tested for a, b in itertools.pairwise(done)]


def parameters_kept(done: Sequence[Megabatch], network: Network) -> int:
    """Parameters left after the last pruning; those that are never pruned count whole."""
    if (counted := done[-1].get("parameters")) is not None:
        return counted
    weights = sum(layer["weights"] for layer in network["layers"].values())
    return network["parameters"] - weights + sum(done[-1]["kept"])


def flops(network: Network, kept: Sequence[int] | None = None) -> int:
    """FLOPs (two per multiply-add) of one image's forward pass. `kept`: weights left per layer; scales its FLOPs."""
    layers = network["layers"].values()
    if kept is None:
        return sum(layer["flops"] for layer in layers) + network["other_flops"]
    pairs = zip(layers, kept, strict=True)
    return network["other_flops"] + sum(round(item["flops"] * n / item["weights"]) for item, n in pairs)


def flops_at_density(item: Megabatch, network: Network) -> int:
    """FLOPs of one image's forward pass under the mask of a megabatch: those counted of the network that was left where
    channels were removed, else those of each prunable layer scaled by its density.
    """
    return 2 * item["macs"] if "macs" in item else flops(network, item["kept"])


def macs(done: Sequence[Megabatch], network: Network) -> int:
    """Multiply-adds of one image's forward pass under the last mask, half of its FLOPs."""
    return flops_at_density(done[-1], network) // 2


def macs_share(done: Sequence[Megabatch], network: Network) -> float:
    """The same as a fraction of the unpruned network's."""
    return flops_at_density(done[-1], network) / flops(network)


def train_flops(done: Sequence[Megabatch], network: Network) -> int:
    """FLOPs of all training, unpruned."""
    # a training pass costs three forward ones: forward, gradients of the inputs, gradients of the weights
    return sum(3 * item["trained_samples"] * flops(network) for item in done)


def train_flops_at_density(done: Sequence[Megabatch], network: Network) -> int:
    """FLOPs of all training, where those of a prunable layer are scaled by its density."""
    return sum(3 * item["trained_samples"] * flops_at_density(item, network) for item in done)


def layer_densities(megabatch: Megabatch, network: Network) -> dict[str, float]:
    """Share of its weights that each prunable layer keeps under the mask of a megabatch, by the name of its weight."""
    pairs = zip(network["layers"].items(), megabatch["kept"], strict=True)
    return {name: kept / layer["weights"] for (name, layer), kept in pairs}


def emptied_layers(done: Sequence[Megabatch], network: Network) -> list[str]:
    """Names of the prunable layers of which nothing is left."""
    return [name for name, kept in zip(network["layers"], done[-1]["kept"], strict=True) if kept == 0]


def noise_ratio(flow: Mapping[str, Sequence[float | None]]) -> float | None:
    """Noise of the gradients at pruned weights over that at kept ones, each a mean over the epochs of `flow`
    (content.Megabatch); None where there are no such weights."""
    pruned, kept = ([value for value in flow[f"noise_{part}"] if value is not None] for part in ("pruned", "kept"))
    return fmean(pruned) / fmean(kept) if pruned and kept and fmean(kept) > 0 else None


def noise_of(done: Sequence[Megabatch], network: Network) -> float | None:
    """`noise_ratio` at the last of `done`; None of a run that is not of N:M."""
    return done[-1].get("noise_ratio")


def samples_per_second(content: Record) -> float | None:
    """Training samples over wall time, pruning and evaluation included."""
    samples, seconds = content["summary"].get("trained_samples"), content["summary"].get("wall_seconds")
    return samples / seconds if samples and seconds else None
