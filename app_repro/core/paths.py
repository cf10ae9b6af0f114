"""Default paths of the project's files, relative to the working directory."""

import os
from pathlib import Path

PACKAGE = Path(__file__).parent.parent
"""The folder of this package; its parent is the checkout."""
PARAMS = Path("params.yaml")
"""The settings of the experiments."""
RAW, SPLITS = Path("data/raw"), Path("data/splits")
"""Decoded data sets, and the index files of their streams."""
RUNS, REPORT = Path("data/runs"), Path("data/report")
"""The finished runs of the grid, and what is made of them."""
PUBLISHED = Path("data/published")
"""Records measured by this project."""
BENCHES = PUBLISHED / "bench"
"""Measured speeds of machines."""
CLAIMS = Path("data/claims.csv")
"""The reported numbers."""
DEMO = Path("data/demo")
"""The demo's own workspace."""


def locate() -> Path:
    """The store's folder: $APP_REPRO_STORE, else .store in the working directory.

    In a temporary workspace of `dvc exp run` it is the .store of the main checkout.
    """
    if named := os.environ.get("APP_REPRO_STORE"):
        return Path(named)
    here = Path.cwd()
    for folder in here.parents:
        if folder.parts[-3:] == (".dvc", "tmp", "exps"):
            return folder.parents[2] / ".store"
    return here / ".store"


def store_at(folder: Path | None) -> Path:
    """The store's folder: `folder`, or what locate() finds if it is None."""
    return folder or locate()
