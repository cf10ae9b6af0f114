"""What a run that removes channels needs beside its mask: its coupled channels, and how large its network is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from app_repro.config.spec import RunSpec
from app_repro.data.dataset import DataSet
from app_repro.pruning.channels import Channels
from app_repro.pruning.masks import Mask, prunable
from app_repro.pruning.removal import is_compact
from app_repro.training.models import flops
from app_repro.training.protocol import channels_of
from app_repro.training.updates.steps import Steps

CHECKED = 4
"""Images for which the logits before and after a removal are compared."""


@dataclass(frozen=True)
class Widths:
    """The channels of a network, of which a mask says which are left: it alone is the state."""

    channels: Channels
    cost: flops.Cost
    """Of the network at its full widths."""

    @classmethod
    def of(cls, spec: RunSpec, data: DataSet, net: nn.Module) -> "Widths | None":
        """Those of a run of `spec` on `data`, None if it does not remove channels. net: at its full widths.

        Raises ChannelError for a network whose channels cannot be followed.
        """
        if (found := channels_of(spec, net)) is None:
            return None
        _, height, _, channels = data.train_images.shape
        cost = flops.cost(spec.arch, len(data.classes), height, channels)
        return cls(found, cost)

    def narrowed(self, steps: Steps, before: Mask, after: Mask, images: Callable[[], Tensor]) -> Steps:
        """Steps of the network under mask `after`, which it had under `before`. images: gives Steps.without's."""
        lived, lives = self.channels.alive(before), self.channels.alive(after)
        return steps if bool((lived == lives).all()) else steps.without(self.channels, lived, lives, images())

    def hold(self, net: nn.Module, mask: Mask) -> bool:
        """Whether the network has the widths of the mask."""
        return is_compact(prunable(net), self.channels, self.channels.alive(mask))

    def described(self, net: nn.Module, mask: Mask) -> dict[str, Any]:
        """For a megabatch of the record: parameters, channels that each convolution makes, multiply-adds per image."""
        return {
            "parameters": sum(parameter.numel() for parameter in net.parameters()),
            "widths": self.channels.widths(self.channels.alive(mask)),
            "macs": flops.macs(net, self.cost),
        }
