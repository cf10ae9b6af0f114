"""Panels with more lines than a reader can follow, parted by what their runs ask."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

MOST = 8
"""Lines of a panel that is not parted."""
CRITERIA, PIECES, PATTERNS = "criteria", "each layer ranked alone", "N:M"
"""Parts beside the first, which has no title: other criteria than its own, settings where each layer or group is ranked
alone, and those whose N is given."""

Values = Mapping[str, Any]
"""A run's settings (records.settings.SETTINGS)."""


def parted(runs: Sequence[Values], names: Sequence[str]) -> list[tuple[str, list[int]]]:
    """Titles of the parts of a panel, and the places of the runs in each: all in one without a title unless the panel
    has more than MOST lines. `names`: the settings in which lines differ.

    Runs that are never pruned are in every part; with other criteria stand the same runs under the first part's.
    """
    everything = list(range(len(runs)))
    if len({tuple(repr(one[name]) for name in names) for one in runs}) <= MOST:
        return [("", everything)]
    base = _base(runs) if "criterion" in names else None
    found: dict[str, list[int]] = {"": []}
    for place, one in enumerate(runs):
        found.setdefault(_part(one, base or one["criterion"]), []).append(place)
    if sum(map(bool, found.values())) == 1:
        return [("", everything)]
    beside = {name: _beside(name, [runs[place] for place in found[name]]) for name in found}
    shown = {
        name: [place for place in everything if place in own or (name and beside[name](runs[place]))]
        for name, own in found.items()
    }
    return [(name, places) for name, places in shown.items() if found[name]]


def _base(runs: Sequence[Values]) -> Any:
    """The criterion of the first part: snip, or the first that there is."""
    known = [one["criterion"] for one in runs if one["criterion"]]
    return "snip" if "snip" in known or not known else known[0]


def _part(one: Values, base: Any) -> str:
    if one["nm_n"]:
        return PATTERNS
    if one["scope"] == "local" or one["granularity"] not in (None, "weight"):
        return PIECES
    return CRITERIA if one["criterion"] not in (None, base) else ""


def _beside(part: str, own: Sequence[Values]) -> Callable[[Values], bool]:
    """Whether a run of the first part stands in another part, too."""
    alike = {(one["method"], one["tau"]) for one in own} if part == CRITERIA else set()

    def is_beside(one: Values) -> bool:
        never_pruned = one["tau"] is None and one["granularity"] is None
        return never_pruned or (not _is_apart(one) and (one["method"], one["tau"]) in alike)

    return is_beside


def _is_apart(one: Values) -> bool:
    return bool(_part(one, one["criterion"]))
