"""Names of criteria, networks, control arms and engines with their tags: plain values, to be checked without torch.

The code behind the names is in pruning/criteria.py and in networks.py, controls.py and engines.py of training, which
import torch.
A test checks that they have the same names in the same order. Methods and their tags are in methods.py.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class CriterionTags:
    """How a criterion scores weights, in the terms of Cheng et al. 2023 (arXiv:2308.06767)."""

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

    family: Literal["resnet", "small resnet", "wide resnet", "vgg"]
    """"small resnet": the narrow ones for CIFAR (He et al. 2016, section 4.2), of 16, 32 and 64 channels."""
    depth: int
    """Layers with weights of the published network, without those of shortcuts."""


@dataclass(frozen=True)
class EngineTags:
    """How an engine launches the work of a step."""

    launches: Literal["kernels", "graph"]
    """Kernel by kernel, or captured as a CUDA graph. On a CPU "compiled" launches kernels, and "graph" is refused."""
    compiler: bool
    """Whether the network's passes go through torch.compile."""


@dataclass(frozen=True)
class ControlTags:
    """What a control arm keeps of the run that it is a control of, its source (Liu et al. 2019, arXiv:1810.05270)."""

    mask: Literal["the source's", "shuffled in each layer", "random over all layers"]
    """Where the weights are that it keeps: as many as the source's final mask, in each layer or in all together."""
    weights: Literal["the source's initial", "drawn anew"]
    """The weights that its training begins with."""
    budget: Literal["epochs", "FLOPs"]
    """What it trains for: as many epochs as the source, or the FLOPs of the unpruned network."""


CRITERIA: dict[str, CriterionTags] = {
    "snip": CriterionTags("sensitivity", "images", labels=True),
    "magnitude": CriterionTags("magnitude", "none", labels=False, derivative=0),
    "random": CriterionTags("random", "none", labels=False, derivative=0),
    "grasp": CriterionTags("gradient flow", "images of each class", labels=True, derivative=2),
    "synflow": CriterionTags("path flow", "none", labels=False, steps=100),
    "taylor": CriterionTags("sensitivity", "images", labels=True),
}

NETWORKS: dict[str, NetworkTags] = {
    "resnet18": NetworkTags("resnet", 18),
    "resnet34": NetworkTags("resnet", 34),
    "resnet50": NetworkTags("resnet", 50),
    "resnet101": NetworkTags("resnet", 101),
    "wide_resnet50_2": NetworkTags("wide resnet", 50),
    "wide_resnet101_2": NetworkTags("wide resnet", 101),
    "vgg16_bn": NetworkTags("vgg", 16),
    "resnet8s": NetworkTags("small resnet", 8),
    "resnet20s": NetworkTags("small resnet", 20),
    "resnet44s": NetworkTags("small resnet", 44),
    "resnet56s": NetworkTags("small resnet", 56),
}

CONTROLS: dict[str, ControlTags] = {
    "ticket": ControlTags("the source's", "the source's initial", "epochs"),
    "scratch-e": ControlTags("the source's", "drawn anew", "epochs"),
    "scratch-b": ControlTags("the source's", "drawn anew", "FLOPs"),
    "shuffle": ControlTags("shuffled in each layer", "the source's initial", "epochs"),
    "random": ControlTags("random over all layers", "the source's initial", "epochs"),
}

CONTROL_ONLY = ("control", "budget_cap")
"""Settings without which a control arm's settings are those of its source."""

ENGINES: dict[str, EngineTags] = {
    "eager": EngineTags("kernels", compiler=False),
    "graph": EngineTags("graph", compiler=False),
    "compiled": EngineTags("graph", compiler=True),
}
