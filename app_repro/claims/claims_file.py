"""data/claims.csv read and validated: the paper's claims and our own, each with its source, full setting and margin."""

import csv
import io
import math
import re
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from app_repro.claims.authors.exports import other_format
from app_repro.claims.kinds.registry import KINDS
from app_repro.claims.statement import OWN, Claim, protocols, seeds, side_settings, side_specs
from app_repro.claims.studies.controls import BEFORE_THE_END, has_hindsight
from app_repro.config.presets import PRESETS
from app_repro.config.spec import RunSpec
from app_repro.core.errors import AppReproError, nearest, nearest_and_known
from app_repro.records.measures import metrics

MAX_BYTES = 1_000_000

COLUMNS = tuple(field.name for field in fields(Claim))

_LISTS, _NUMBERS = ("against", "layers", "megabatches"), ("value", "rounding", "margin", "n_reported")
_TEXTS = tuple(name for name in COLUMNS if name not in (*_LISTS, *_NUMBERS))


class ClaimsError(AppReproError):
    """A claims file that cannot be used, or a claim that is not in it.

    line: of the file, 0 where it is about no line. key: the column or id. kind: "file", "csv", "columns", "fields",
    "unknown", "empty", "twice", "form", "unfit" (columns that do not go together) or "setting".
    """

    def __init__(self, text: str, *, key: str = "", kind: str = "", line: int = 0) -> None:
        super().__init__(text, key=key, kind=kind)
        self.line = line

    def within(self, where: str, line: int = 0) -> "ClaimsError":
        """The same error, whose text begins with where it is."""
        return ClaimsError(f"{where}: {self}", key=self.key, kind=self.kind, line=line)


def _wrong(column: str, kind: str, text: str) -> ClaimsError:
    return ClaimsError(f"{column}: {text}", key=column.split(",")[0], kind=kind)


def load(path: Path) -> tuple[Claim, ...]:
    """Read and validate a claims file. Raises ClaimsError: one line with line number, row, column, what is wrong."""
    rows = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    claims: dict[str, Claim] = {}
    try:
        filled = (_unpadded(row) for row in rows if any(field.strip() for field in row))
        _check_header([name.strip() for name in next(filled, [])], path)
        for row in filled:
            claim = claim_of(row)
            if claim.id in claims:
                raise _wrong("id", "twice", f"{claim.id!r} is given twice; ids are unique")
            claims[claim.id] = claim
    except csv.Error as error:
        text = f"{path}: line {rows.line_num}: not readable as CSV: {error}"
        raise ClaimsError(text, kind="csv", line=rows.line_num) from None
    except ClaimsError as error:
        if error.kind == "columns":
            raise
        raise error.within(f"{path}: line {rows.line_num}", rows.line_num) from None
    if not claims:
        raise ClaimsError(f"{path}: no claims in it; columns: {', '.join(COLUMNS)}", kind="empty")
    return tuple(claims.values())


def select(claims: Sequence[Claim], only: Sequence[str]) -> list[Claim]:
    """The claims with the ids `only`, in the order of the file; all if `only` is empty. Raises ClaimsError."""
    known = [claim.id for claim in claims]
    if wrong := [name for name in only if name not in known]:
        raise ClaimsError(f"no claim {wrong[0]!r}{nearest_and_known(wrong[0], known)}", key=wrong[0], kind="unknown")
    return [claim for claim in claims if not only or claim.id in only]


def _unpadded(row: list[str]) -> list[str]:
    """The row without the empty columns that a spreadsheet adds at the right; its empty lines are rows of commas."""
    while len(row) > len(COLUMNS) and not row[-1].strip():
        row = row[:-1]
    return row


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ClaimsError(f"{path}: larger than {MAX_BYTES} bytes: not a claims file", kind="file")
        raw = path.read_bytes()
        if what := other_format(raw):
            raise ClaimsError(f"{path}: {what}; save it as CSV, UTF-8", kind="file")
        text = raw.decode("utf-8-sig")
    except OSError as error:
        raise ClaimsError(f"{path}: {error.strerror}; name a claims file with --claims", kind="file") from None
    except UnicodeDecodeError:
        raise ClaimsError(f"{path}: not UTF-8 text; save it as CSV, UTF-8", kind="file") from None
    if bad := re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]", text):
        line = text.count("\n", 0, bad.start()) + 1
        what = f"a control character (U+{ord(bad.group()):04X}); remove it"
        raise ClaimsError(f"{path}: line {line}: {what}", kind="file", line=line)
    return text


def _check_header(header: list[str], path: Path) -> None:
    if len(header) == 1 and (other := re.search(r"[;\t|]", header[0])):
        what = f"no commas between its columns but {other.group()!r}; save it as CSV with commas"
        raise ClaimsError(f"{path}: {what}", kind="columns")
    for name in header:
        if name not in COLUMNS:
            text = f"{path}: unknown column {name[:40]!r}{nearest_and_known(name, COLUMNS)}"
            raise ClaimsError(text, key=name, kind="columns")
    if tuple(header) != COLUMNS:
        lacking = [name for name in COLUMNS if name not in header]
        what = f"no column {', '.join(lacking)}" if lacking else "columns are out of order or twice"
        what = what if header else "empty"
        raise ClaimsError(f"{path}: {what}; they must be, in this order: {', '.join(COLUMNS)}", kind="columns")


def claim_of(row: Sequence[str]) -> Claim:
    """The claim that a row's fields make. Raises ClaimsError naming the column."""
    if len(row) != len(COLUMNS):
        text = f"{len(row)} fields, {len(COLUMNS)} are needed; quote fields with commas"
        raise ClaimsError(text, kind="fields")
    texts = {name: text.strip() for name, text in zip(COLUMNS, row, strict=True)}
    try:
        _check_words(texts)
        claim = Claim(
            **{name: texts[name] for name in _TEXTS},
            against=_names(texts["against"]),
            value=_number("value", texts["value"]),
            rounding=_number("rounding", texts["rounding"], least=0.0) or 0.0,
            margin=_number("margin", texts["margin"], least=math.ulp(0.0)),
            n_reported=_whole("n_reported", texts["n_reported"]) if texts["n_reported"] else None,
            layers=_names(texts["layers"]),
            megabatches=tuple(_whole("megabatches", text) for text in _names(texts["megabatches"])),
        )
        _check_columns(claim)
        _check_setting(claim)
    except ClaimsError as error:
        raise error.within(texts["id"][:60] or "no id") from None
    return claim


def _check_words(texts: dict[str, str]) -> None:
    """Check the texts of a row. Raises ClaimsError."""
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", texts["id"]) or len(texts["id"]) > 100:
        raise _wrong("id", "form", f"{texts['id'][:60]!r} is not lower-case words with hyphens")
    for name in ("source", "quotation", "method"):
        if not texts[name]:
            raise _wrong(name, "empty", "is empty; every claim has one")
    for name, known in (("metric", metrics.claimed()), ("kind", KINDS), ("preset", PRESETS)):
        if (word := texts[name]) not in known:
            raise _wrong(name, "unknown", f"{word[:60]!r} is unknown; known: {', '.join(known)}{nearest(word, known)}")
    units = metrics.METRICS[texts["metric"]].claim_units
    if texts["unit"] not in units:
        raise _wrong("unit", "unfit", f"{texts['unit'][:60]!r} does not fit {texts['metric']}; {' or '.join(units)}")
    if bool(texts["margin"]) != bool(texts["margin_reason"]):
        raise _wrong("margin_reason", "unfit", "a margin and its reason come together")
    if (texts["source"] == OWN) != bool(texts["may_fail"]):
        raise _wrong("may_fail", "unfit", f"our own statements ({OWN}), and only they, say why they may fail")
    for name in ("value", "margin"):
        if bool(texts[name]) != (is_needed := name in KINDS[texts["kind"]].needs):
            raise _wrong(name, "unfit", f"a {texts['kind']} claim has {'one' if is_needed else 'none'}")


def _number(column: str, text: str, least: float = -math.inf) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= least and abs(value) < 1e9):
        raise _wrong(column, "form", f"{text[:60]!r} is no {'positive ' if least >= 0 else ''}number")
    return value


def _whole(column: str, text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise _wrong(column, "form", f"{text[:60]!r} is no whole number from 1 on")
    return int(text)


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split("|")) if text else ()


def _check_columns(claim: Claim) -> None:
    """Check sides, layers and megabatches against what the claim's kind needs. Raises ClaimsError."""
    kind, sides = KINDS[claim.kind], len(claim.against)
    low, high = kind.against
    if not low <= sides <= high:
        many = low if low == high else f"{low} to {high}"
        text = f"a {claim.kind} claim names {many} sides, here are {sides}; separate them by |"
        raise _wrong("against", "unfit", text)
    if "layers" in kind.needs and not (claim.layers and claim.megabatches):
        raise _wrong("layers, megabatches", "unfit", f"a {claim.kind} names the early layers and the megabatches")
    if "layers" not in kind.needs and (claim.layers or claim.megabatches):
        known = " or a ".join(name for name, other in KINDS.items() if "layers" in other.needs)
        raise _wrong("layers, megabatches", "unfit", f"only a {known} has them")
    for name, other in KINDS.items():
        if other.metric and (claim.kind == name) != (claim.metric == other.metric):
            raise _wrong("metric", "unfit", f"{other.metric} and kind {name} go together")
    if len(set(claim.sides)) < len(claim.sides):
        raise _wrong("against", "twice", "names a side twice")


def _is_hindsight(claim: Claim, spec: RunSpec) -> bool:
    """Whether a side's numbers before the last megabatch, which the claim takes in, use knowledge of the future."""
    takes_in = claim.metric in BEFORE_THE_END or claim.kind == "shape"
    return takes_in and spec.control is not None and has_hindsight(spec.model_dump())


def _check_setting(claim: Claim) -> None:
    """Check that the setting expands to cells: one for a number, equally many for each side. Raises ClaimsError."""
    try:
        first = protocols(claim)[0]
        by_side = [side_specs(claim, side, first, seeds(claim)[0]) for side in claim.sides]
    except AppReproError as error:
        raise ClaimsError(str(error).removeprefix(f"{claim.id}: "), key="settings", kind="setting") from None
    if len({"protocol" in side_settings(side) for side in claim.sides}) > 1:
        raise _wrong("against", "unfit", "where one side names its protocol, every side does")
    sizes = {len(specs) for specs in by_side}
    if len(sizes) > 1:
        text = f"the sides expand to {sizes} cells; an axis may not be a pruning setting"
        raise _wrong("settings", "setting", text)
    if not KINDS[claim.kind].many_cells and sizes != {1}:
        text = f"{sizes.pop()} cells, a {claim.kind} claim has one; fix every axis but seed"
        raise _wrong("settings", "setting", text)
    if any(_is_hindsight(claim, spec) for specs in by_side for spec in specs):
        text = "of a control arm on a mask that was found while the stream went on uses knowledge of the future"
        raise _wrong("metric", "setting", f"{claim.metric} {text}; that of an arm of osp without a flow does not")
    shortest = min(spec.sb for specs in by_side for spec in specs)
    if max(claim.megabatches, default=1) > shortest:
        raise _wrong("megabatches", "setting", f"{max(claim.megabatches)} is beyond sb={shortest}")
    if wrong := KINDS[claim.kind].check(claim):
        raise ClaimsError(wrong, key=wrong.partition(":")[0], kind="setting")
