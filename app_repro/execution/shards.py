"""A grid cut into equal shares for machines that share nothing but its settings."""

import re
from collections.abc import Sequence

from app_repro.config.spec import RunSpec
from app_repro.core.errors import ParamsError

_COST = ("dataset", "image_size", "arch", "precision", "sb", "replay", "epochs", "batch_size", "method")
"""Settings that decide what a run costs: runs that agree in them are dealt out evenly."""


def shard(specs: Sequence[RunSpec], share: str) -> list[RunSpec]:
    """The runs of share "2/8": every eighth from the second on, in an order of cost and id that no grid can upset.

    Every run is in exactly one of the shares 1/n ... n/n, and shares differ by one run at most, also of each kind.
    Raises ParamsError as `position` does.
    """
    first, count = position(share)
    ordered = sorted(specs, key=lambda spec: (*(str(getattr(spec, name)) for name in _COST), spec.run_id))
    return ordered[first - 1 :: count]


def position(share: str) -> tuple[int, int]:
    """2 and 8 of "2/8". Raises ParamsError for anything but k/n with 1 <= k <= n."""
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", share)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise ParamsError(f"--shard {share[:40]}: not a share; 2/8 is the second of eight (1/8 ... 8/8)")
    return int(found[1]), int(found[2])
