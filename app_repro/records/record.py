"""The record of a run: made from its results, checked when it is read, told from other JSON."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from app_repro.config.protocols import protocol_title
from app_repro.config.reading import shortened
from app_repro.config.spec import RunSpec
from app_repro.core.errors import DivergedError, IntegrityError, place
from app_repro.core.files import MAX_SEALED_BYTES, read_sealed
from app_repro.records.code import code_digest
from app_repro.records.content import Record
from app_repro.records.measures import formulas, metrics

SCHEMA = 1
BESIDE = ("history", "flow")
"""What a megabatch has per epoch, in megabatch-NNN.json alone."""


def make(
    spec: RunSpec,
    megabatches: Sequence[Any],
    network: Any,
    *,
    data_source: Any,
    files: dict[str, str],
    provenance: Any,
    diverged: Any = None,
    control: Any = None,
    exempt_layers: list[str] | None = None,
) -> Record:
    """The record of one run, plain values only; what it holds: records/content.py.

    `megabatches`: results per megabatch in order, as training leaves them (Megabatch); `network`: as
    flops.describe gives it (Network); `data_source`: Source; `files`: sha256 of each file left beside it;
    `provenance`: provenance.collect; `diverged`: where, of a run that did (Where); `control`: of a control
    arm, what it took of its source (Control); `exempt_layers`: of a run of N of each M weights, the layers without.
    """
    name, switches_changed = spec.protocol
    kept: Any = [kept_of(item) for item in megabatches]
    derived: Any = metrics.summary(megabatches, network) if megabatches and not diverged else None
    content: Record = {
        "schema": SCHEMA,
        "run_id": spec.run_id,
        "status": "diverged" if diverged else "finished",
        "diverged": diverged,
        "spec": spec.model_dump(mode="json"),
        "protocol": {"name": name, "departures": switches_changed},
        "code_digest": code_digest(spec),
        "accepted_code": [],
        "data_source": data_source,
        "network": network,
        "summary": derived,
        "megabatches": kept,
        "files": files,
        "provenance": provenance,
    }
    if exempt_layers is not None:
        content["exempt_layers"] = exempt_layers
    return {**content, "control": control} if control else content


def kept_of(megabatch: Mapping[str, Any]) -> dict[str, Any]:
    """What a record keeps of a megabatch's results: all but BESIDE, of whose flow the ratio of noises stays."""
    kept = {key: value for key, value in megabatch.items() if key not in BESIDE}
    return {**kept, "noise_ratio": formulas.noise_ratio(megabatch["flow"])} if "flow" in megabatch else kept


def epochs(content: Record) -> int:
    """Epochs per megabatch that a run was trained for: those of its settings, but for a control arm on a budget."""
    control = content.get("control")
    return control["epochs"] if control else content["spec"]["epochs"]


def stored(content: Record) -> dict[str, Any]:
    """A record as files hold it: its spec without the later settings that are None."""
    return {**content} | {"spec": RunSpec.as_stored(content["spec"])}


def remark(content: Record) -> str:
    """Where an ended run diverged, or which layers were emptied, in words; an empty text for other runs."""
    if content["diverged"]:
        return str(DivergedError(**content["diverged"]))
    emptied = content["summary"]["emptied_layers"] if content["summary"] else []
    return f"nothing is left of {len(emptied)} layers: {', '.join(emptied)}" if emptied else ""


def diverged_where(content: Record) -> str:
    """Where a run diverged, in words."""
    return place(**content["diverged"]) if content["diverged"] else "place unknown"


def protocol_name(content: Record) -> str:
    """The bundle a record is nearest to and the switches that depart from it: `paper`, `released, order=permuted`."""
    return protocol_title(content["protocol"]["name"], content["protocol"]["departures"])


def numbers(content: Any) -> dict[str, Any]:
    """`content` (a record or a megabatch) without times, provenance and file digests: equal for two equal runs."""
    volatile = ("timing", "provenance", "wall_seconds", "files")

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: strip(item) for key, item in value.items() if key not in volatile}
        return [strip(item) for item in value] if isinstance(value, list) else value

    return strip(content)


def read(path: Path) -> Record:
    """A record, checked: checksum, schema, and an id that fits its spec. Its spec has every setting, None for a later
    one that the file lacks.

    Raises IntegrityError naming the file, of `kind` "schema", "thinned", "settings" or "id", or that of read_sealed.
    """
    content = read_sealed(path)
    if content.get("schema") != SCHEMA:
        what = f"schema {content.get('schema')!r}, this version reads {SCHEMA}; update this checkout, or run it again"
        raise IntegrityError(f"{path}: {what}", key=str(path), kind="schema")
    if "thinned" in content:
        what = "published by an older version, which left results out; publish the run again"
        raise IntegrityError(f"{path}: {what}", key=str(path), kind="thinned")
    try:
        spec, run_id = RunSpec.model_validate(content["spec"]), content["run_id"]
    except (KeyError, ValueError):
        unknown = content["spec"].keys() - RunSpec.model_fields.keys() if isinstance(content.get("spec"), dict) else ()
        odd = f" (unknown: {', '.join(map(shortened, sorted(unknown)))})" if unknown else ""
        what = f"its settings are not those of a run of this version{odd}; update this checkout, or run it again"
        raise IntegrityError(f"{path}: {what}", key=str(path), kind="settings") from None
    if spec.run_id != run_id:
        what = f"run id {run_id} does not belong to its settings ({spec.run_id})"
        raise IntegrityError(f"{path}: {what}", key=str(path), kind="id")
    every = content["spec"] | {key: getattr(spec, key) for key in RunSpec.later()}
    return cast(Record, content | {"spec": every})


CLAIMING = 3
"""A JSON file with so many of a record's names calls itself a record."""


def is_meant(path: Path) -> bool | None:
    """Whether a file that is no sound record is meant to be one: by its name, or by the names at its top level.

    Of what is not JSON (damaged, cut off) those at the beginnings of lines count. None if it has too few, and for a
    list of records. What cannot be read may be one.
    """
    if path.name == "record.json":
        return True
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_SEALED_BYTES if path.stat().st_size <= MAX_SEALED_BYTES else 1 << 20)
    except OSError:
        return True
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError):
        return _claims(name.decode() for name in re.findall(rb'^\s*"(\w+)":', raw, re.MULTILINE)) or None
    if isinstance(content, list):
        return None if content and isinstance(content[0], dict) and _claims(content[0]) else False
    return isinstance(content, dict) and _claims(content)


def _claims(names: Iterable[str]) -> bool:
    return len(Record.__annotations__.keys() & set(names)) >= CLAIMING
