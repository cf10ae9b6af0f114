"""The package as its house tests see it: rooms, files, and who imports whom, read from syntax trees."""

import ast
from collections.abc import Iterator
from pathlib import Path

from app_repro.core.paths import PACKAGE

ROOT = PACKAGE.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FILES = sorted(path for path in PACKAGE.rglob("*.py") if "__pycache__" not in path.parts)

ROOMS: dict[str, set[str]] = {
    "core": set(),
    "config": {"core"},
    "pruning": {"core"},
    "data": {"core", "config"},
    "records": {"core", "config"},
    "claims": {"core", "config", "records"},
    "training": {"core", "config", "data", "pruning"},
    "execution": {"core", "config", "data", "records", "training"},
    "analysis": {"core", "config", "data", "records", "pruning", "training"},
    "report": {"core", "config", "records", "claims"},
}
ROOMS["machine"] = set(ROOMS)
ROOMS["cli"] = set(ROOMS)
"""Each room, from the ground up, and the rooms that its files may import."""

PLAIN = "data/sets"
"""The one file that every room above the ground may import: plain values, which only the ground stands under."""

DOORS: dict[str, set[str]] = {
    "core": {"errors", "files", "paths", "checkout", "seeds", "locks", "collector"},
    "config": {
        "protocols",
        "methods",
        "patterns",
        "nm",
        "catalogue",
        "corruptions",
        "taxonomy",
        "spec",
        "reading",
        "grid",
        "presets",
        "laptop",
    },
    "data": {"dataset", "fetching", "splits", "megabatches", "images"},
    "pruning": {"select", "masks", "criteria", "nm", "channels", "removal", "shrinking"},
    "records": {
        *("content", "settings", "record", "runs", "frame", "publish", "provenance", "analyses", "first_masks"),
        *("measures/metrics", "measures/formulas", "stores/store", "stores/merge", "stores/sources", "stores/finished"),
        "stores/histories",
    },
    "claims": {
        *("statement", "claims_file", "variance", "matching", "judgement", "contrasts", "verify", "printing", "power"),
        *("needs", "kinds/registry", "kinds/shape", "nearest/elsewhere", "authors/reported"),
        *("studies/controls", "studies/ablations", "studies/questions", "studies/tag_contrasts"),
        *("studies/robustness", "studies/connectivity", "studies/regimes"),
    },
    "training": {
        *("run", "protocol", "controls", "device", "determinism", "checkpoint", "preflight"),
        *("models/networks", "models/flops", "inputs/images", "inputs/host_batches"),
        *("updates/engines", "updates/steps"),
    },
    "execution": {
        *("grid", "tracking", "planning/plan", "planning/plan_text", "planning/claim_costs", "planning/cost"),
    },
    "analysis": {"masks_only", "first_masks", "command", "classify", "export", "after/shrink"},
    "report": {
        *("write", "modelcard", "page/write", "tables/main", "tables/contrasts", "tables/runs"),
        *("figures/write", "figures/audit", "findings/write"),
    },
    "machine": {
        *("doctor", "checks", "demo", "bench/bench", "bench/products", "bench/granularity", "bench/speed_table"),
        "gpu/gpu_check",
    },
    "cli": {"pipeline"},
}
"""Each room, and those of its files that other rooms may name; records/frame is there for people and notebooks."""

INSIDE = {("machine", "training"), ("machine", "execution")}
"""A room, and one that it may look into: the bench times the parts of a run and of its workers."""

TORCH = {"pruning", "training", "analysis"}
"""Rooms whose files may import torch at their top."""

MOST_FILES = 12
"""How many files a folder may have, its __init__.py aside."""


def room_of(path: Path) -> str:
    """The room that a file of the package lies in; "" for one that lies in none."""
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else ""


def module_of(path: Path) -> str:
    """room/file, without ending."""
    return path.relative_to(PACKAGE).with_suffix("").as_posix()


def imports(node: ast.AST) -> Iterator[str]:
    """Modules of the package (room/file) that are imported anywhere below `node`."""
    for item in ast.walk(node):
        if isinstance(item, ast.ImportFrom) and (item.module or "").split(".")[0] == "app_repro":
            place = str(item.module).split(".")[1:]
            if PACKAGE.joinpath(*place).with_suffix(".py").is_file():
                yield "/".join(place)
            else:
                yield from ("/".join([*place, alias.name]) for alias in item.names)


def closure(room: str) -> set[str]:
    """The room, and every room that its files may come to import."""
    seen: set[str] = set()
    todo = {room}
    while todo:
        todo |= ROOMS[one := todo.pop()] - seen
        seen.add(one)
    return seen
