"""What a run that keeps N of each M weights needs beside its mask: the pattern in force, and who takes no part."""

from dataclasses import dataclass

from torch import nn

from app_repro.config import patterns
from app_repro.config.patterns import Pattern
from app_repro.config.spec import RunSpec
from app_repro.pruning import nm
from app_repro.pruning.masks import Mask, prunable
from app_repro.training.updates.flows import Flow, Live


@dataclass(frozen=True)
class Groups:
    """The groups of a run of granularity nm."""

    spec: RunSpec
    m: int
    """Length of a group of the final pattern, by which layers take part."""

    @classmethod
    def of(cls, spec: RunSpec) -> "Groups | None":
        """Those of a run of `spec`; None if it is of another granularity."""
        return None if spec.nm_m is None else cls(spec, spec.nm_m)

    def pattern(self, megabatch: int) -> Pattern:
        """The pattern in force; a control arm has its source's last mask from the start."""
        return patterns.in_force(self.spec, self.spec.sb if self.spec.control else min(megabatch, self.spec.sb))

    def set_pattern(self, flow: Flow, megabatch: int) -> bool:
        """Put a flow to dense weights under the pattern of `megabatch`; whether it is one, whose mask nothing else
        makes."""
        if isinstance(flow, Live):
            flow.set_pattern(*self.pattern(megabatch))
        return isinstance(flow, Live)

    def check(self, mask: Mask, megabatch: int) -> None:
        """Raise PruningError unless every group keeps as many weights as the pattern in force says; with candidates
        "all", whose masks are cut with the ones before, at most as many."""
        nm.check(mask, *self.pattern(megabatch), self.m, at_most=self.spec.candidates == "all")

    def exempt(self, net: nn.Module) -> list[str]:
        """Names of the layers that take no part."""
        return nm.exempt(prunable(net), self.m)
