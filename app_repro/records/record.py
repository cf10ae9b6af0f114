"""The record of a run: made from its results, checked when it is read."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from app_repro.config.protocols import protocol_title
from app_repro.config.spec import RunSpec
from app_repro.core.errors import DivergedError, IntegrityError, place
from app_repro.core.files import read_sealed
from app_repro.records import metrics
from app_repro.records.code import code_digest
from app_repro.records.content import Record

SCHEMA = 1


def make(
    spec: RunSpec,
    megabatches: Sequence[Any],
    network: Any,
    *,
    data_source: Any,
    files: dict[str, str],
    provenance: Any,
    diverged: Any = None,
) -> Record:
    """The record of one run, plain values only; what it holds: records/content.py.

    `megabatches`: results per megabatch in order, as training leaves them (Megabatch); `network`: as
    flops.describe gives it (Network); `data_source`: Source; `files`: sha256 of each file left beside it;
    `provenance`: provenance.collect; `diverged`: where, of a run that did (Where).
    """
    name, switches_changed = spec.protocol
    kept: Any = [{key: value for key, value in item.items() if key != "history"} for item in megabatches]
    derived: Any = metrics.summary(megabatches, network) if megabatches and not diverged else None
    return {
        "schema": SCHEMA,
        "run_id": spec.run_id,
        "status": "diverged" if diverged else "finished",
        "diverged": diverged,
        "spec": spec.model_dump(mode="json"),
        "protocol": {"name": name, "departures": switches_changed},
        "code_digest": code_digest(),
        "accepted_code": [],
        "data_source": data_source,
        "network": network,
        "summary": derived,
        "megabatches": kept,
        "files": files,
        "provenance": provenance,
    }


def stored(content: Record) -> dict[str, Any]:
    """A record as files hold it: its spec without the later settings that are None."""
    return {**content} | {"spec": RunSpec.as_stored(content["spec"])}


def remark(content: Record) -> str:
    """What must be said of an ended run beside its status: where it diverged, which layers were emptied; or nothing."""
    if content["diverged"]:
        return str(DivergedError(**content["diverged"]))
    emptied = content["summary"]["emptied_layers"] if content["summary"] else []
    return f"nothing is left of {len(emptied)} layers: {', '.join(emptied)}" if emptied else ""


def diverged_where(content: Record) -> str:
    """Where a run diverged, in words."""
    return place(**content["diverged"]) if content["diverged"] else "place unknown"


def protocol_name(content: Record) -> str:
    """The protocol of a record with its departures: `paper`, `released, order=permuted`."""
    return protocol_title(content["protocol"]["name"], content["protocol"]["departures"])


def numbers(content: Any) -> dict[str, Any]:
    """`content` (a record or a megabatch) without times, provenance and file digests: what two equal runs agree on."""
    volatile = ("timing", "provenance", "wall_seconds", "files")

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: strip(item) for key, item in value.items() if key not in volatile}
        return [strip(item) for item in value] if isinstance(value, list) else value

    return strip(content)


def read(path: Path) -> Record:
    """A record, checked: checksum, schema, and an id that fits its spec. Raises IntegrityError naming the file.

    Its spec has every setting; a later one that the file lacks is None.
    """
    content = read_sealed(path)
    if content.get("schema") != SCHEMA:
        raise IntegrityError(f"{path}: schema {content.get('schema')!r}, this version reads {SCHEMA}; run it again")
    if "thinned" in content:
        raise IntegrityError(f"{path}: published by an older version, which left results out; publish the run again")
    try:
        spec, run_id = RunSpec.model_validate(content["spec"]), content["run_id"]
    except (KeyError, ValueError):
        raise IntegrityError(f"{path}: its settings are not those of a run of this version; run it again") from None
    if spec.run_id != run_id:
        raise IntegrityError(f"{path}: run id {content['run_id']} does not belong to its settings ({spec.run_id})")
    every = content["spec"] | {key: getattr(spec, key) for key in RunSpec.later()}
    return cast(Record, content | {"spec": every})
