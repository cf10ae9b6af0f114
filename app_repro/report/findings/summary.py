"""The page's summary: of each study the differences that are shown, the largest first."""

from collections.abc import Mapping, Sequence

from app_repro.claims.judgement import LEVEL, mean_of
from app_repro.records.measures.metrics import Scale
from app_repro.report.findings.sentences import Comparison, Study, directions, named, wrapped

BY_CHANCE = 2 * (1 - LEVEL)
"""Share of the intervals that exclude 0 where nothing differs."""


def summary(studies: Mapping[str, Study]) -> str:
    """An item per study, by the heading of its section: what is shown in its first measure, and its answers. Before
    them, how many differences are shown, and how many would be by chance.
    """
    judged = [way for study in studies.values() for _, way in _found(study) if way is not None]
    items = [wrapped(f"- [{heading}](#{_anchor(heading)}): {_said(study)}", "  ") for heading, study in studies.items()]
    return "\n\n".join([wrapped(_count(len(judged), sum(map(bool, judged)))), "\n".join(items)])


def _count(judged: int, shown: int) -> str:
    if not judged:
        return "No difference is judged yet."
    chance = f"Were every two settings equal in truth, about {BY_CHANCE * judged:.0f} would be."
    return f"Of {judged} differences in the first measure of each study {shown} are shown. {chance}"


def _said(study: Study) -> str:
    judged = [one for one in _found(study) if one[1] is not None]
    return " ".join(filter(None, [_differences(study, judged), *study.answers])) or "nothing is judged yet."


def _differences(study: Study, judged: Sequence[tuple[Comparison, str | None]]) -> str:
    """How many are shown, and those, the largest first; empty without any that is judged."""
    if not judged:
        return ""
    name, scale = _first(study)
    shown = sorted((one for one in judged if one[1]), key=lambda one: -abs(_mean(one[0], name)))
    listed = "; ".join(f"{one.sides(f'{way} than')} by {_size(one, name, scale)}" for one, way in shown)
    count = f"{len(shown) or 'none'} of {len(judged)} differences in {named(scale)}"
    return f"{count} {'is' if len(shown) < 2 else 'are'} shown{f': {listed}' if listed else ''}."


def _found(study: Study) -> list[tuple[Comparison, str | None]]:
    return directions(study.compared, _first(study)[0])


def _first(study: Study) -> tuple[str, Scale]:
    return next(iter(study.measures.items()))


def _mean(one: Comparison, name: str) -> float:
    found = one.differences[name]
    return mean_of(found.differences) if found else 0.0


def _size(one: Comparison, name: str, scale: Scale) -> str:
    unit = scale.heading.partition(", ")[2]
    return f"{abs(_mean(one, name)) * scale.factor:,.{scale.digits}f} {unit}".rstrip()


def _anchor(heading: str) -> str:
    return heading.lower().replace(" ", "-")
