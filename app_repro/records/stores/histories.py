"""What runs leave per epoch beside their records: curves of training and, of N:M, gradients.

Runs as laid out have it in their megabatch-NNN.json; published ones in a file each, in a folder `histories`.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from app_repro.core import files
from app_repro.core.errors import IntegrityError
from app_repro.records.record import BESIDE

FOLDER = "histories"
"""Name of the folders that hold published ones."""

Result = dict[str, Any]
"""A megabatch: `run_id`, `megabatch`, and what BESIDE names."""
Chosen = Callable[[int], Collection[int]]
"""Megabatches that are wanted of a stream, counted from 1, by its length."""


def of_run(run: Path) -> dict[str, Any] | None:
    """Those of all megabatches of the run in the folder `run`, to be published; None where it left none. Raises
    IntegrityError naming a damaged file.
    """
    results = [files.read_sealed(path) for path in _files(run)]
    if not results:
        return None
    kept = [{name: item[name] for name in ("megabatch", *BESIDE) if name in item} for item in results]
    return {"run_id": results[0]["run_id"], "megabatches": kept}


def read(folders: Iterable[Path], chosen: Chosen) -> tuple[dict[str, list[Result]], list[str]]:
    """Results of the megabatches `chosen`, by run id, of runs laid out in `folders` and of those published below them;
    damaged files, a line each. Of a run that is there twice the first counts.
    """
    found: dict[str, list[Result]] = {}
    damaged: list[str] = []
    for folder in folders:
        laid_out = (_laid_out(run, chosen, damaged) for run in sorted(folder.glob("*/")))
        published = (_published(path, chosen, damaged) for path in sorted(folder.glob(f"**/{FOLDER}/*.json")))
        for results in filter(None, (*laid_out, *published)):
            found.setdefault(results[0]["run_id"], results)
    return found, damaged


def _files(run: Path) -> list[Path]:
    """In the order of the stream, which has more than 999 megabatches at times."""
    return sorted(run.glob("megabatch-*.json"), key=lambda path: (len(path.name), path.name))


def _laid_out(run: Path, chosen: Chosen, damaged: list[str]) -> list[Result]:
    paths = _files(run)
    return list(_intact((paths[k - 1] for k in chosen(len(paths))) if paths else (), damaged))


def _published(path: Path, chosen: Chosen, damaged: list[str]) -> list[Result]:
    try:
        for content in _intact([path], damaged):
            wanted = chosen(len(content["megabatches"]))
            named = ({"run_id": content["run_id"]} | item for item in content["megabatches"])
            return [item for item in named if item["megabatch"] in wanted]
    except (KeyError, TypeError):
        damaged.append(f"{path}: no histories of this version; remove it or publish its run again")
    return []


def _intact(paths: Iterable[Path], damaged: list[str]) -> Iterator[Result]:
    for path in paths:
        try:
            yield files.read_sealed(path)
        except IntegrityError as error:
            damaged.append(str(error))
