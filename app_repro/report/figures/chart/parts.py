"""Panels with more lines than a reader can follow, parted by what their runs ask and how long they train."""

from collections.abc import Mapping, Sequence
from typing import Any

from app_repro.records import settings

MOST = 8
"""Lines of a panel that is not parted."""
CRITERIA, PIECES, PATTERNS = "criteria", "each layer ranked alone", "N:M"
"""Parts beside the first, which has no title: other criteria than its own, settings where each layer or group is ranked
alone, and those whose N is given (named by their pattern if it is one)."""

Values = Mapping[str, Any]
"""A run's settings (records.settings.SETTINGS)."""


def parted(runs: Sequence[Values], names: Sequence[str]) -> list[tuple[str, list[int]]]:
    """Titles of the parts of a panel, and the places of the runs in each: all in one without a title unless the panel
    has more than MOST lines. Such a one is parted by what is asked of pruned runs, and what is still too large by how
    long they train. `names`: settings in which lines differ.

    Runs that are never pruned are in every part; beside other criteria stand the same runs under the first part's.
    """
    finer = []
    for title, places in _by_question(runs, names):
        known = sorted({runs[place]["epochs"] for place in places}) if _is_large(runs, places, names) else []
        if "epochs" not in names or len(known) < 2:
            finer.append((title, places))
            continue
        for epochs in known:
            own = [place for place in places if runs[place]["epochs"] == epochs]
            finer.append((", ".join(filter(None, [title, f"epochs {epochs}"])), own))
    return finer


def _by_question(runs: Sequence[Values], names: Sequence[str]) -> list[tuple[str, list[int]]]:
    places = list(range(len(runs)))
    base = _base(runs) if "criterion" in names else None
    part_of = ["" if _is_dense(one) else _part(one, base or one["criterion"]) for one in runs]
    titles = list(dict.fromkeys(part for part, one in zip(part_of, runs, strict=True) if not _is_dense(one)))
    if not _is_large(runs, places, names) or len(titles) < 2:
        return [("", places)]
    others = {(one["method"], one["tau"]) for one, part in zip(runs, part_of, strict=True) if part == CRITERIA}

    def stands_in(place: int, title: str) -> bool:
        one = runs[place]
        is_beside = title == CRITERIA and not part_of[place] and (one["method"], one["tau"]) in others
        return part_of[place] == title or _is_dense(one) or is_beside

    ordered = [title for title in ("", CRITERIA, PIECES, PATTERNS) if title in titles]
    parts = {title: [place for place in places if stands_in(place, title)] for title in ordered}
    patterns = {settings.pattern(one) for one in runs if one["nm_n"]}
    named = {PATTERNS: patterns.pop()} if len(patterns) == 1 else {}
    return [(named.get(title, title), own) for title, own in parts.items()]


def _is_large(runs: Sequence[Values], places: Sequence[int], names: Sequence[str]) -> bool:
    seen: set[tuple[str, ...]] = set()
    for place in places:
        seen.add(tuple(repr(runs[place][name]) for name in names))
        if len(seen) > MOST:
            return True
    return False


def _is_dense(one: Values) -> bool:
    return one["tau"] is None and one["nm_n"] is None


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
