"""The lines of the figures: finished records by setting, with names that tell them apart."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app_repro.claims.judgement import mean_of, spread_of
from app_repro.config.methods import METHODS, PAPER_METHODS
from app_repro.config.protocols import PROTOCOLS
from app_repro.records import settings
from app_repro.records.content import Record
from app_repro.records.record import protocol_name
from app_repro.records.runs import RunRecord
from app_repro.report.figures.chart import parts

Row = dict[str, Any]
"""A row of the CSV beside a figure: plain values, percent and points where the name says so."""

TITLES = {name: method.appearance.title for name, method in METHODS.items()}
"""The methods as the paper names them in its figures."""

SETTING = ("dataset", "arch", "protocol", "T", "part")
"""What one panel of a figure is about."""


@dataclass(frozen=True)
class Line:
    """Finished runs that differ in their seed alone (and in the settings that a figure varies)."""

    dataset: str
    arch: str
    protocol: str
    T: int
    method: str
    variant: str
    """What tells it from other lines of its panel and method: "tau 17.5"; empty where nothing must."""
    runs: tuple[Record, ...]
    part: str = ""
    """What its panel is about where a setting has several (parts.py)."""

    @property
    def label(self) -> str:
        """Its name in a figure."""
        return ", ".join(filter(None, [TITLES.get(self.method, self.method), self.variant]))

    @property
    def keys(self) -> Row:
        """What every row of this line begins with."""
        names = (*SETTING, "method", "variant", "label")
        return {name: getattr(self, name) for name in names}


_PRUNED = ("tau", "criterion", "granularity", "nm_n", "nm_m", "flow", "scope")
_FIRST = (*_PRUNED, "replay", "buffer_size", "epochs", "few_shot", "image_size", "train_limit")
_OF_PANEL = ("arch", "method", "protocol", "sb")
_LAST = ("official", "data_digest", "dataset")
_LABELS = (*_FIRST, *(name for name in settings.SETTINGS if name not in (*_FIRST, *_OF_PANEL, *_LAST)), *_LAST)
"""Settings that may stand in a line's label, the telling ones first."""


def lines(records: Iterable[Record], across: Sequence[str] = ()) -> list[Line]:
    """Finished records by setting, in the order of the tables; settings in `across` may differ within a line. A record
    may stand in several parts of its setting.
    """
    panels: dict[tuple[Any, ...], list[Record]] = {}
    for content in records:
        if content["status"] == "finished":
            spec = content["spec"]
            length = 0 if "sb" in across else spec["sb"]
            key = (short(spec["dataset"]), spec["arch"], protocol_name(content), length)
            panels.setdefault(key, []).append(content)
    named = [name for name in _LABELS if name not in across]
    made = []
    for key in sorted(panels, key=_rank):
        values_of = [settings.of_run(RunRecord(Path(content["run_id"]), content)) for content in panels[key]]
        for part, places in parts.parted(values_of, ["method", *named]):
            by_method: dict[str, list[int]] = {}
            for place in places:
                by_method.setdefault(panels[key][place]["spec"]["method"], []).append(place)
            for method in sorted(by_method, key=_rank_of_method):
                own = [(panels[key][place], values_of[place]) for place in by_method[method]]
                made += [Line(*key, method, text, runs, part) for text, runs in _variants(own, named).items()]
    return made


def _variants(own: Sequence[tuple[Record, dict[str, Any]]], named: Sequence[str]) -> dict[str, tuple[Record, ...]]:
    """Runs of one method by what tells them from the others, in the order of these settings."""
    names = settings.telling_apart([values for _, values in own], named)
    variants: dict[str, list[Record]] = {}
    for content, values in sorted(own, key=lambda one: [_order(one[1][name]) for name in names]):
        text = ", ".join(dict.fromkeys(filter(None, (_told(name, values) for name in names))))
        variants.setdefault(text, []).append(content)
    return {text: tuple(runs) for text, runs in variants.items()}


def _order(value: Any) -> tuple[float, str]:
    """Numbers by size, before words."""
    return (value, "") if isinstance(value, int | float) else (math.inf, str(value))


def is_plain(content: Record) -> bool:
    """Whether a record is what the figures of the paper are about (RunRecord.is_plain)."""
    return RunRecord(Path(content["run_id"]), content).is_plain


def short(dataset: str) -> str:
    """A data set's name; of a folder of images its last part, which is what people know it by."""
    kind, _, path = dataset.partition(":")
    return f"{kind}:{path.rstrip('/').rpartition('/')[2]}" if path else kind


def _rank(key: tuple[Any, ...]) -> tuple[Any, ...]:
    dataset, arch, protocol, length = key
    bundle = protocol.partition(",")[0]
    place = list(PROTOCOLS).index(bundle) if bundle in PROTOCOLS else len(PROTOCOLS)
    return dataset, arch, place, protocol, length


def _rank_of_method(method: str) -> int:
    methods = list(METHODS)
    return methods.index(method) if method in methods else len(methods)


def _told(name: str, values: Mapping[str, Any]) -> str:
    """A setting in a label; a criterion speaks for itself, and so does a flow under which nothing is scored. The two
    numbers of N:M are one pattern.
    """
    value = values[name]
    if name == "criterion" and value is None:
        return ""
    if name in ("nm_n", "nm_m"):
        return settings.pattern(values)
    if name == "official":
        return "data as published" if value else "data not as published"
    if name == "data_digest":
        return f"data {value[:8]}"
    shown = "none" if value is None else str(value)
    return shown if name == "criterion" else f"{name} {shown}"


def panel(row: Row) -> str:
    """A row's setting as the title of its panel."""
    named = [row[name] for name in ("dataset", "arch", "protocol") if row.get(name)]
    length = [f"T = {row['T']}"] if row.get("T") else []
    return ", ".join([*named, *length, *([row["part"]] if row.get("part") else [])])


def by(rows: Iterable[Any], *names: str) -> dict[Any, list[Any]]:
    """Rows grouped by one value or several, in the order of their first row."""
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[names[0]] if len(names) == 1 else tuple(row[name] for name in names), []).append(row)
    return groups


def mean_sd(values: Sequence[float], factor: float = 1.0) -> tuple[float, float | None]:
    """Mean and standard deviation over seeds (None for one seed), times `factor` afterwards: rounded as in a table."""
    return factor * mean_of(values), factor * spread_of(values) if len(values) > 1 else None


def shown(mean: float, sd: float | None, digits: int = 2) -> str:
    """`97.89 ± 0.19`, or the value alone for one seed."""
    return f"{mean:.{digits}f}" + ("" if sd is None or sd != sd else f" ± {sd:.{digits}f}")


def remarks(records: Sequence[Record], wanted: Sequence[str] = PAPER_METHODS) -> str:
    """What the reader must know of any figure: methods without runs, single seeds, diverged runs; a sentence each."""
    finished = [content for content in records if content["status"] == "finished"]
    sentences = []
    present = {content["spec"]["method"] for content in finished}
    if present and (missing := [method for method in wanted if method not in present]):
        flags = " or ".join(f"`dvc exp run -S method={method}`" for method in missing)
        sentences.append(f"No runs of {' and '.join(TITLES[method] for method in missing)}: {flags} adds them.")
    if finished and max(len(line.runs) for line in lines(finished)) == 1:
        sentences.append("One seed each: no spread over seeds is known.")
    if (count := len(records) - len(finished)) > 0:
        sentences.append(f"{count} diverged run{'s are' if count > 1 else ' is'} left out.")
    return " ".join(sentences)


def sentence(*parts: str) -> str:
    """Sentences that are there, joined."""
    return " ".join(filter(None, parts))


def listing(parts: Sequence[str], most: int = 4) -> str:
    """`a; b; c.`, at most `most` of them and how many more there are."""
    rest = [f"{len(parts) - most} more in the CSV"] if len(parts) > most else []
    return "; ".join([*parts[:most], *rest]) + "." if parts else ""
