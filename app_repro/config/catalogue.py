"""Names of criteria, networks, control arms and engines, each with a line about it and its tags: plain values.

The code behind the names is in pruning/criteria.py and in networks.py, controls.py and engines.py of training, which
import torch.
A test checks that they have the same names in the same order. Methods and their tags are in methods.py; taxonomy.py
makes the tags of a whole run of both.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class CriterionTags:
    """How a criterion scores weights, in the terms of Cheng et al. 2023 (arXiv:2308.06767)."""

    description: str
    """The score of a weight w under the loss L, and where it comes from."""
    family: Literal["magnitude", "random", "sensitivity", "gradient flow", "path flow"]
    data: Literal["none", "images", "images of each class"]
    """Data that it needs; the image of ones that synflow uses counts as none."""
    labels: bool
    steps: int = 1
    """Rounds of scoring and pruning until a density is reached."""
    derivative: int = 1
    """Highest derivative of the loss (or of the output) that it takes."""


@dataclass(frozen=True)
class NetworkTags:
    """Family and depth of a network."""

    description: str
    family: Literal["resnet", "small resnet", "wide resnet", "vgg"]
    """"small resnet": the narrow ones for CIFAR (He et al. 2016, section 4.2), of 16, 32 and 64 channels."""
    depth: int
    """Layers with weights of the published network, without those of shortcuts."""


@dataclass(frozen=True)
class EngineTags:
    """How an engine launches the work of a step."""

    description: str
    launches: Literal["kernels", "graph"]
    """Kernel by kernel, or captured as a CUDA graph. On a CPU "compiled" launches kernels, and "graph" is refused."""
    compiler: bool
    """Whether the network's passes go through torch.compile."""


@dataclass(frozen=True)
class GranularityTags:
    """What a granularity removes as one."""

    description: str
    kept: str
    """What its masks are made of."""
    removed: Literal["unstructured", "N:M", "channel"]
    """What is removed at a time, in the terms of Cheng et al. 2023."""
    speedup: bool
    """Whether any hardware gains from it: networks get smaller, not only emptier."""


@dataclass(frozen=True)
class FlowTags:
    """What reaches the weights that an N:M mask prunes."""

    description: str
    rate: float | None = None
    """How fast beta falls per megabatch, unless the settings say otherwise; None: there is no beta."""


@dataclass(frozen=True)
class ControlTags:
    """What a control arm keeps of the run that it is a control of, its source (Liu et al. 2019, arXiv:1810.05270)."""

    description: str
    mask: Literal["the source's", "shuffled in each layer", "random over all layers"]
    """Where the weights are that it keeps: as many as the source's final mask, in each layer or in all together."""
    weights: Literal["the source's initial", "drawn anew"]
    """The weights that its training begins with."""
    budget: Literal["epochs", "FLOPs"]
    """What it trains for: as many epochs as the source, or the FLOPs of the unpruned network."""


CRITERIA: dict[str, CriterionTags] = {
    "snip": CriterionTags("|w dL/dw| (Lee et al. 2019)", "sensitivity", "images", labels=True),
    "magnitude": CriterionTags("|w| (Han et al. 2015)", "magnitude", "none", labels=False, derivative=0),
    "random": CriterionTags("a random number (Frankle et al. 2021)", "random", "none", labels=False, derivative=0),
    "grasp": CriterionTags(
        "w Hg: what the gradient norm would lose (Wang et al. 2020)",
        "gradient flow",
        "images of each class",
        labels=True,
        derivative=2,
    ),
    "synflow": CriterionTags(
        "|w dR/dw|, R the output of |w| for an image of ones (Tanaka et al. 2020)",
        "path flow",
        "none",
        labels=False,
        steps=100,
    ),
    "taylor": CriterionTags(
        "(w dL/dw)^2, summed over batches (Molchanov et al. 2019)", "sensitivity", "images", labels=True
    ),
}

NETWORKS: dict[str, NetworkTags] = {
    "resnet18": NetworkTags("ResNet-18 with basic blocks", "resnet", 18),
    "resnet34": NetworkTags("ResNet-34 with basic blocks", "resnet", 34),
    "resnet50": NetworkTags("ResNet-50 with bottlenecks", "resnet", 50),
    "resnet101": NetworkTags("ResNet-101 with bottlenecks", "resnet", 101),
    "wide_resnet50_2": NetworkTags("ResNet-50 with bottlenecks twice as wide", "wide resnet", 50),
    "wide_resnet101_2": NetworkTags("ResNet-101 with bottlenecks twice as wide", "wide resnet", 101),
    "vgg16_bn": NetworkTags("VGG-16 with BatchNorm", "vgg", 16),
    "resnet8s": NetworkTags("ResNet-8 for small images, 16 to 64 channels", "small resnet", 8),
    "resnet20s": NetworkTags("ResNet-20 for small images, 16 to 64 channels", "small resnet", 20),
    "resnet44s": NetworkTags("ResNet-44 for small images, 16 to 64 channels", "small resnet", 44),
    "resnet56s": NetworkTags("ResNet-56 for small images, 16 to 64 channels", "small resnet", 56),
}

GRANULARITIES: dict[str, GranularityTags] = {
    "weight": GranularityTags("single weights, set to zero", "single weights", "unstructured", speedup=False),
    "nm": GranularityTags(
        "N of each M weights along the input channels, the others set to zero",
        "N of each M weights",
        "N:M",
        speedup=False,
    ),
    "channel": GranularityTags(
        "channels with all that makes and reads them, removed (Fang et al. 2023)",
        "whole channels",
        "channel",
        speedup=True,
    ),
}
"""What is pruned as one. "weight" is None in a run's settings, as it was before there were others."""

FLOWS: dict[str, FlowTags] = {
    "none": FlowTags("nothing: pruned weights stay 0, as in APP"),
    "ste": FlowTags("all of the gradient: straight-through estimator (Bengio et al. 2013)"),
    "srste": FlowTags("the same, and a pull of lambda w towards 0: SR-STE (Zhou et al. 2021)"),
    "mdgf_linear": FlowTags("beta of weight and gradient, beta falling linearly (Bambhaniya et al. 2024)", rate=2.0),
    "mdgf_exp": FlowTags("beta of weight and gradient, beta falling exponentially (Bambhaniya et al. 2024)", rate=10.0),
}
"""What reaches pruned weights within a megabatch of N:M sparsity."""

CONTROLS: dict[str, ControlTags] = {
    "ticket": ControlTags(
        "the source's mask from the start, on its initial weights", "the source's", "the source's initial", "epochs"
    ),
    "scratch-e": ControlTags(
        "the source's mask on new weights, for as many epochs", "the source's", "drawn anew", "epochs"
    ),
    "scratch-b": ControlTags(
        "the source's mask on new weights, for the FLOPs of the unpruned network",
        "the source's",
        "drawn anew",
        "FLOPs",
    ),
    "shuffle": ControlTags(
        "as ticket, the mask permuted inside each layer", "shuffled in each layer", "the source's initial", "epochs"
    ),
    "random": ControlTags(
        "as ticket, as many weights kept anywhere", "random over all layers", "the source's initial", "epochs"
    ),
}

CONTROL_ONLY = ("control", "budget_cap")
"""Settings without which a control arm's settings are those of its source."""

ENGINES: dict[str, EngineTags] = {
    "eager": EngineTags("each operation as it is called", "kernels", compiler=False),
    "graph": EngineTags("a step captured once and replayed; the bits of eager", "graph", compiler=False),
    "compiled": EngineTags("the same with fused kernels; other bits", "graph", compiler=True),
}
