"""What a run leaves: results per megabatch, metrics derived from them, provenance."""

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from app_repro.config.protocols import protocol_title
from app_repro.config.spec import RunSpec
from app_repro.core.errors import DivergedError, IntegrityError, place
from app_repro.core.files import read_sealed
from app_repro.core.paths import PACKAGE
from app_repro.records import metrics
from app_repro.records.code import code_digest

SCHEMA = 1


def make(
    spec: RunSpec,
    megabatches: Sequence[Any],
    network: Any,
    *,
    data_source: dict[str, Any],
    files: dict[str, str],
    provenance: dict[str, Any],
    diverged: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The record of one run, plain values only.

    `megabatches`: results per megabatch in order; `network`: {"parameters": int, "layers": {name: {"weights": int,
    "flops": int}}, "other_flops": int}, FLOPs of one image's forward pass; `files`: sha256 of each file left beside it.
    """
    name, departures = spec.protocol
    return {
        "schema": SCHEMA,
        "run_id": spec.run_id,
        "status": "diverged" if diverged else "finished",
        "diverged": diverged,
        "spec": spec.model_dump(mode="json"),
        "protocol": {"name": name, "departures": departures},
        "code_digest": code_digest(),
        "accepted_code": [],
        "data_source": data_source,
        "network": network,
        "summary": metrics.summary(megabatches, network) if megabatches and not diverged else None,
        "megabatches": [{key: value for key, value in item.items() if key != "history"} for item in megabatches],
        "files": files,
        "provenance": provenance,
    }


def stored(content: dict[str, Any]) -> dict[str, Any]:
    """A record as files hold it: its spec without the later settings that are None."""
    return content | {"spec": RunSpec.as_stored(content["spec"])}


def remark(content: dict[str, Any]) -> str:
    """What must be said of an ended run beside its status: where it diverged, which layers were emptied; or nothing."""
    if content["diverged"]:
        return str(DivergedError(**content["diverged"]))
    emptied = content["summary"]["emptied_layers"] if content["summary"] else []
    return f"nothing is left of {len(emptied)} layers: {', '.join(emptied)}" if emptied else ""


def diverged_where(content: dict[str, Any]) -> str:
    """Where a run diverged, in words."""
    return place(**content["diverged"]) if content["diverged"] else "place unknown"


def protocol_name(content: dict[str, Any]) -> str:
    """The protocol of a record with its departures: `paper`, `released, order=permuted`."""
    return protocol_title(content["protocol"]["name"], content["protocol"]["departures"])


def numbers(content: dict[str, Any]) -> dict[str, Any]:
    """`content` (a record or a megabatch) without times, provenance and file digests: what two equal runs agree on."""
    volatile = ("timing", "provenance", "wall_seconds", "files")

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: strip(item) for key, item in value.items() if key not in volatile}
        return [strip(item) for item in value] if isinstance(value, list) else value

    return strip(content)


def read(path: Path) -> dict[str, Any]:
    """A record, checked: checksum, schema, and an id that fits its spec. Raises IntegrityError naming the file.

    Its spec has every setting; a later one that the file lacks is None.
    """
    content = read_sealed(path)
    if content.get("schema") != SCHEMA:
        raise IntegrityError(f"{path}: schema {content.get('schema')!r}, this version reads {SCHEMA}; run it again")
    try:
        spec, run_id = RunSpec.model_validate(content["spec"]), content["run_id"]
    except (KeyError, ValueError):
        raise IntegrityError(f"{path}: its settings are not those of a run of this version; run it again") from None
    if spec.run_id != run_id:
        raise IntegrityError(f"{path}: run id {content['run_id']} does not belong to its settings ({spec.run_id})")
    return content | {"spec": content["spec"] | {key: getattr(spec, key) for key in RunSpec.later()}}


SHARING = {"lanes": "APP_REPRO_LANES", "runs_together": "APP_REPRO_RUNS_TOGETHER"}
"""Variables by which a worker process is told how many runs are side by side in it, and on its device in all."""


def provenance(device: dict[str, Any]) -> dict[str, Any]:
    """Where the numbers come from: git commit, versions, machine; `device` as it is, and how many runs share it."""
    sharing = {key: int(os.environ[name]) for key, name in SHARING.items() if name in os.environ}
    packages = ("torch", "torchvision", "numpy", "app-repro")
    return {
        "git": _git(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in packages},
        "platform": f"{platform.system()} {platform.machine()}",
        "device": device | sharing,
        "command": Path(sys.argv[0]).name,
    }


def _version(package: str) -> str | None:
    loaded = getattr(sys.modules.get(package), "__version__", None)  # torch's own names its CUDA too
    if loaded:
        return str(loaded)
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git() -> dict[str, Any]:
    """Commit and dirty flag of the checkout this package lies in; outside one the image's commit, if it names one."""

    def ask(*words: str) -> str | None:
        try:
            command = ["git", "-C", str(PACKAGE), *words]
            return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
        except (OSError, subprocess.SubprocessError):
            return None

    status = ask("status", "--porcelain", "--untracked-files=no")
    commit = ask("rev-parse", "HEAD") or os.environ.get("APP_REPRO_REVISION") or None
    return {"commit": commit, "dirty": None if status is None else bool(status)}
