"""data/claims.csv: every reported number with its source, full setting, margin and the margin's reason; and our own."""

import csv
import io
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path

from app_repro.claims.kinds.registry import KINDS
from app_repro.claims.statement import OWN, Claim, protocols, seeds, side_specs
from app_repro.config.presets import PRESETS
from app_repro.core.errors import AppReproError, nearest, nearest_and_known
from app_repro.records import metrics

MAX_BYTES = 1_000_000


class ClaimsError(AppReproError):
    """A claims file that cannot be used."""


COLUMNS = tuple(field.name for field in fields(Claim))


def load(path: Path) -> tuple[Claim, ...]:
    """Read and validate a claims file. Raises ClaimsError: one line with line number, row, column, what is wrong."""
    rows = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    claims: dict[str, Claim] = {}
    try:
        _check_header(next(rows, []), str(path))
        for row in rows:
            if not row:
                continue
            where = f"{path}: line {rows.line_num}"
            claim = _claim(row, where)
            if claim.id in claims:
                raise ClaimsError(f"{where}: id: {claim.id!r} is given twice; ids are unique")
            claims[claim.id] = claim
    except csv.Error as error:
        raise ClaimsError(f"{path}: line {rows.line_num}: not readable as CSV: {error}") from None
    if not claims:
        raise ClaimsError(f"{path}: no claims in it; columns: {', '.join(COLUMNS)}")
    return tuple(claims.values())


def select(claims: Sequence[Claim], only: Sequence[str]) -> list[Claim]:
    """The claims named by `only`, in the order of the file; all if none is. Raises ClaimsError for an unknown one."""
    known = [claim.id for claim in claims]
    if wrong := [name for name in only if name not in known]:
        raise ClaimsError(f"no claim {wrong[0]!r}{nearest_and_known(wrong[0], known)}")
    return [claim for claim in claims if not only or claim.id in only]


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ClaimsError(f"{path}: larger than {MAX_BYTES} bytes: not a claims file")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ClaimsError(f"{path}: {error.strerror}; name a claims file with --claims") from None
    except UnicodeDecodeError:
        raise ClaimsError(f"{path}: not UTF-8 text: not a claims file") from None
    if bad := re.search(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\U0010ffff]", text):
        line = text.count("\n", 0, bad.start()) + 1
        raise ClaimsError(f"{path}: line {line}: a control character (U+{ord(bad.group()):04X}); remove it")
    return text


def _check_header(header: list[str], where: str) -> None:
    for name in header:
        if name not in COLUMNS:
            raise ClaimsError(f"{where}: unknown column {name[:40]!r}{nearest_and_known(name, COLUMNS)}")
    if tuple(header) != COLUMNS:
        raise ClaimsError(f"{where}: columns must be, in this order: {', '.join(COLUMNS)}")


def _claim(row: list[str], where: str) -> Claim:
    if len(row) != len(COLUMNS):
        raise ClaimsError(f"{where}: {len(row)} fields, {len(COLUMNS)} are needed; quote fields with commas")
    cells = {name: text.strip() for name, text in zip(COLUMNS, row, strict=True)}
    where = f"{where}: {cells['id'][:60] or 'no id'}"
    _check_words(cells, where)
    kind = KINDS[cells["kind"]]
    for name in ("value", "margin"):
        if bool(cells[name]) != (name in kind.needs):
            raise ClaimsError(f"{where}: {name}: a {cells['kind']} claim has {'one' if name in kind.needs else 'none'}")
    number, whole = _reader(cells, where)
    claim = Claim(
        **{name: cells[name] for name in _TEXTS},
        against=_names(cells["against"]),
        value=number("value"),
        rounding=number("rounding", least=0.0) or 0.0,
        margin=number("margin", least=math.ulp(0.0)),
        n_reported=whole("n_reported", cells["n_reported"]) if cells["n_reported"] else None,
        layers=_names(cells["layers"]),
        megabatches=tuple(whole("megabatches", text) for text in _names(cells["megabatches"])),
    )
    low, high = kind.against
    if not low <= len(claim.against) <= high:
        raise ClaimsError(
            f"{where}: against: a {claim.kind} claim names {low if low == high else f'{low} to {high}'} sides, "
            f"here are {len(claim.against)}; separate them by |"
        )
    _check_numbers(claim, where)
    _check_setting(claim, where)
    return claim


_NUMBERS = ("against", "value", "rounding", "margin", "n_reported", "layers", "megabatches")
_TEXTS = tuple(name for name in COLUMNS if name not in _NUMBERS)


def _check_words(cells: dict[str, str], where: str) -> None:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", cells["id"]) or len(cells["id"]) > 100:
        raise ClaimsError(f"{where}: id: {cells['id'][:60]!r} is not lower-case words with hyphens")
    for name in ("source", "quotation", "method"):
        if not cells[name]:
            raise ClaimsError(f"{where}: {name}: is empty; every claim has one")
    for name, known in (("metric", metrics.claimed()), ("kind", KINDS), ("preset", PRESETS)):
        if cells[name] not in known:
            hint = nearest(cells[name], known)
            raise ClaimsError(f"{where}: {name}: {cells[name][:60]!r} is unknown; known: {', '.join(known)}{hint}")
    units = metrics.METRICS[cells["metric"]].claim_units
    if cells["unit"] not in units:
        raise ClaimsError(f"{where}: unit: {cells['unit'][:60]!r} does not fit {cells['metric']}; {' or '.join(units)}")
    if bool(cells["margin"]) != bool(cells["margin_reason"]):
        raise ClaimsError(f"{where}: margin_reason: a margin and its reason come together")
    if (cells["source"] == OWN) != bool(cells["may_fail"]):
        raise ClaimsError(f"{where}: may_fail: our own statements ({OWN}), and only they, say why they may fail")


def _reader(cells: dict[str, str], where: str) -> tuple[Callable[..., float | None], Callable[[str, str], int]]:
    """Readers of the row's numbers, None where there is none, that name row and column."""

    def number(name: str, least: float = -math.inf) -> float | None:
        if not cells[name]:
            return None
        try:
            value = float(cells[name])
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and value >= least and abs(value) < 1e9):
            raise ClaimsError(f"{where}: {name}: {cells[name][:60]!r} is no {'positive ' if least >= 0 else ''}number")
        return value

    def whole(name: str, text: str) -> int:
        if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
            raise ClaimsError(f"{where}: {name}: {text[:60]!r} is no whole number from 1 on")
        return int(text)

    return number, whole


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split("|")) if text else ()


def _check_numbers(claim: Claim, where: str) -> None:
    kind = KINDS[claim.kind]
    if "layers" in kind.needs and not (claim.layers and claim.megabatches):
        raise ClaimsError(f"{where}: layers, megabatches: a {claim.kind} names the early layers and the megabatches")
    if "layers" not in kind.needs and (claim.layers or claim.megabatches):
        known = " or a ".join(name for name, other in KINDS.items() if "layers" in other.needs)
        raise ClaimsError(f"{where}: layers, megabatches: only a {known} has them")
    for name, other in KINDS.items():
        if other.metric and (claim.kind == name) != (claim.metric == other.metric):
            raise ClaimsError(f"{where}: metric: {other.metric} and kind {name} go together")
    if len(set(claim.sides)) < len(claim.sides):
        raise ClaimsError(f"{where}: against: names a side twice")


def _check_setting(claim: Claim, where: str) -> None:
    """The setting must expand: one cell for a number, equally many for each side, long enough for a curve."""
    try:
        first = protocols(claim)[0]
        cells = [side_specs(claim, side, first, seeds(claim)[0]) for side in claim.sides]
    except AppReproError as error:
        raise ClaimsError(f"{where}: {str(error).removeprefix(f'{claim.id}: ')}") from None
    sizes = {len(specs) for specs in cells}
    if len(sizes) > 1:
        raise ClaimsError(f"{where}: settings: the sides expand to {sizes} cells; an axis may not be a pruning setting")
    if not KINDS[claim.kind].many_cells and sizes != {1}:
        raise ClaimsError(
            f"{where}: settings: {sizes.pop()} cells, a {claim.kind} claim has one; fix every axis but seed"
        )
    shortest = min(spec.sb for specs in cells for spec in specs)
    if max(claim.megabatches, default=1) > shortest:
        raise ClaimsError(f"{where}: megabatches: {max(claim.megabatches)} is beyond sb={shortest}")
    if wrong := KINDS[claim.kind].check(claim):
        raise ClaimsError(f"{where}: {wrong}")
