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
    "core": {"errors", "files", "paths", "checkout", "seeds", "locks"},
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
        *("content", "metrics", "settings", "record", "runs", "frame", "store", "merge", "publish", "provenance"),
        *("formulas", "sources", "finished", "analyses", "first_masks"),
    },
    "claims": {
        *("statement", "claims_file", "variance", "matching", "judgement", "contrasts", "controls", "ablations"),
        *(
            "verify",
            "elsewhere",
            "printing",
            "power",
            "needs",
            "reported",
            "tag_contrasts",
            "robustness",
            "connectivity",
            "regimes",
            "kinds/registry",
            "kinds/shape",
        ),
    },
    "training": {
        *(
            "run",
            "protocol",
            "controls",
            "networks",
            "flops",
            "device",
            "determinism",
            "checkpoint",
            "preflight",
            "images",
        ),
        *("host_batches", "engines", "steps"),
    },
    "execution": {"grid", "plan", "plan_text", "claim_costs", "cost", "tracking"},
    "analysis": {"masks_only", "first_masks", "command", "classify", "export", "after/shrink"},
    "report": {
        *("write", "modelcard", "page/write", "tables/main", "tables/contrasts", "tables/runs"),
        *("figures/write", "figures/audit", "findings/write"),
    },
    "machine": {
        *("doctor", "checks", "bench", "products", "granularity", "speed_table", "demo", "gpu_check"),
    },
    "cli": {"pipeline"},
}
"""Each room, and those of its files that other rooms may name; records/frame is there for people and notebooks."""

INSIDE = {("machine", "training"), ("machine", "execution")}
"""A room, and one that it may look into: the bench times the parts of a run and of its workers."""

TORCH = {"pruning", "training", "analysis"}
"""Rooms whose files may import torch at their top."""

MOST_FILES = {
    "core": 6,
    "config": 12,
    "pruning": 8,
    "data": 14,
    "records": 17,
    "claims": 30,
    "training": 22,
    "execution": 20,
    "analysis": 25,
    "report": 61,
    "machine": 20,
    "cli": 9,
}
"""How many files a room may have, its __init__.py aside."""


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
