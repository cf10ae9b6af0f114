"""A model card: one run as Markdown, with its setting, results, provenance and the command that repeats it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app_repro.claims.studies.controls import HINDSIGHT, has_hindsight
from app_repro.config.catalogue import CONTROLS
from app_repro.config.methods import METHODS
from app_repro.config.protocols import PROTOCOLS, SWITCHES
from app_repro.core import files
from app_repro.core.errors import DataError, IntegrityError, ParamsError
from app_repro.records import runs
from app_repro.records.content import Record
from app_repro.records.measures import formulas, metrics
from app_repro.records.record import diverged_where, protocol_name
from app_repro.records.runs import RunRecord
from app_repro.records.stores import sources

_OF_UNPRUNED = ("inference_flops", "train_flops")
"""Metrics whose headings in tables do not say that they are the unpruned network's; those at layer density are not."""


def show(folders: Sequence[Path], name: str, out: Path | None) -> tuple[str, tuple[str, ...]]:
    """The card of the run called `name` under `folders` (none named: runs.KNOWN), as Markdown.

    Written to `out` too: a file, or a folder that gets <run's name>.md. With it the damaged records there, a line each.
    Raises DataError for a run that is not there, IntegrityError if it may be a damaged one, ParamsError for an `out`
    that cannot be a file.
    """
    records = runs.read_any(runs.known(folders))
    try:
        run = runs.find(records.runs, name)
    except DataError as error:
        if records.damaged:
            raise IntegrityError(f"--card: no intact run {name!r}; {'; '.join(records.damaged[:3])}") from None
        raise DataError(f"--card: {error}") from None
    fresh = [other for other in sources.fresh(records.runs) if other is not run]
    text = card(run, [other for other in (run, *fresh) if other.setting == run.setting])
    if out is not None:
        target = out / f"{runs.name_of(run)}.md" if out.is_dir() or not out.suffix else out
        try:
            files.write_text(target, text)
        except (FileExistsError, NotADirectoryError, PermissionError) as error:
            raise ParamsError(f"--out {target}: {error.strerror}; name a file or a folder to write to") from None
    return text, records.damaged


def card(run: RunRecord, same: Sequence[RunRecord]) -> str:
    """The model card of `run` as Markdown; `same`: the runs of its setting, itself included."""
    import jinja2

    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    form: dict[str, Any] = {"undefined": jinja2.StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
    environment = jinja2.Environment(loader=loader, autoescape=False, **form)  # noqa: S701 - Markdown, no HTML
    return environment.get_template("modelcard.md.j2").render(facts(run, same))


def facts(run: RunRecord, same: Sequence[RunRecord]) -> dict[str, Any]:
    """Values of the template's names; every number is the record's."""
    content, spec = run.content, run.spec
    settings = {key: value for key, value in spec.items() if key not in (*SWITCHES, "seed") and value is not None}
    provenance = content["provenance"]
    return {
        "run": run,
        "name": runs.name_of(run),
        "spec": spec,
        "title": METHODS[spec["method"]].appearance.description,
        "control": _control(run),
        "protocol": protocol_name(content),
        "switches": {key: [spec[key], PROTOCOLS[content["protocol"]["name"]][key]] for key in SWITCHES},
        "settings": {key: json.dumps(value) for key, value in settings.items()},
        "diverged": diverged_where(content) if content["status"] == "diverged" else None,
        "metrics": _metrics(content, same),
        "seeds": sorted(other.seed for other in same if other.is_finished),
        "layers": _layers(content),
        "exempt": [name.removesuffix(".weight") for name in content.get("exempt_layers", ())],
        "widths": content["megabatches"][-1].get("widths") if content["megabatches"] else None,
        "tested": content["megabatches"][-1]["test_samples"] if content["megabatches"] else None,
        "source": _filled(content["data_source"], "origin", "digest"),
        "git": _filled(provenance.get("git"), "commit", "dirty"),
        "versions": provenance.get("versions") or {},
        "device": _filled(provenance.get("device"), "name", "threads", "peak_bytes"),
        "platform": provenance.get("platform"),
        "python": provenance.get("python"),
        "command": command(spec),
        "own_images": spec["dataset"].startswith("folder:"),
    }


def _control(run: RunRecord) -> dict[str, Any] | None:
    """What a control arm is, and what it took of its source; None for other runs."""
    if not run.spec["control"]:
        return None
    hindsight = f"{HINDSIGHT[0].upper()}{HINDSIGHT[1:]}." if has_hindsight(run.spec) else ""
    described: dict[str, Any] = {"description": CONTROLS[run.spec["control"]].description, "hindsight": hindsight}
    return described | dict(run.content["control"])


def _filled(known: Any, *keys: str) -> dict[str, Any]:
    """The mapping with None for each of `keys` that it lacks."""
    return dict.fromkeys(keys) | (known or {})


def _metrics(content: Record, same: Sequence[RunRecord]) -> list[tuple[str, str, str]]:
    """Heading, this run's value, and mean ± sd (n) over the seeds of its setting."""
    if content["summary"] is None:
        return []
    from app_repro.report.tables import table

    finished = [other for other in same if other.is_finished]
    rows = []
    for name, metric in metrics.of_runs("card").items():
        if (value := metrics.value(name, content)) is not None:
            over = table.mean([other.measured(name) for other in finished], metric.at("card"), ())
            heading = metric.at("card").heading + " (of the unpruned network)" * (name in _OF_UNPRUNED)
            rows.append((heading, table.number(value, metric.at("card")).shown, over.shown))
    return rows


def _layers(content: Record) -> list[tuple[str, str, str, str]]:
    """Name, weights, weights kept, density of each prunable layer after the last megabatch."""
    if not content["megabatches"] or not (kept := content["megabatches"][-1].get("kept")):
        return []
    layers = content["network"]["layers"]
    densities = formulas.layer_densities(content["megabatches"][-1], content["network"])
    return [
        (name, f"{layers[name]['weights']:,}", f"{n:,}", f"{densities[name]:.4f}")
        for name, n in zip(layers, kept, strict=True)
    ]


def command(spec: dict[str, Any]) -> str:
    """The `dvc exp run` command that trains exactly this run: it names every setting, so none of params.yaml counts."""
    from app_repro.config.presets import flag, override

    raw = {key: spec[key] for key in spec if key not in ("data_digest", "augmentation")}
    given = {"protocol": "paper"} | raw | {"variants": None}
    return "dvc exp run " + " ".join(f"-S '{flag(key)}={override(value)}'" for key, value in given.items())
