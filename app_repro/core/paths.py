"""Default paths of the project's files, relative to the working directory."""

import os
from pathlib import Path

from app_repro.core.errors import PlaceError

PACKAGE = Path(__file__).parent.parent
"""The folder of this package; its parent is the checkout."""
PARAMS = Path("params.yaml")
"""The settings of the experiments."""
SOURCES = Path("data/sources.json")
"""Digests of the folders of own images, as they were last looked at."""
RAW, SPLITS = Path("data/raw"), Path("data/splits")
"""Decoded data sets, and the index files of their streams."""
RUNS, REPORT = Path("data/runs"), Path("data/report")
"""The finished runs of the grid, and what is made of them."""
ANALYSES = Path("data/analyses")
"""What was measured on the weights of the grid's finished runs."""
PUBLISHED = Path("data/published")
"""Records measured by this project."""
BENCHES = PUBLISHED / "bench"
"""Measured speeds of machines."""
CLAIMS = Path("data/claims.csv")
"""The reported numbers."""
DEMO = Path("data/demo")
"""The demo's own workspace."""


def checkout() -> Path:
    """The working directory; in a temporary workspace of `dvc exp run` the main checkout."""
    here = Path.cwd()
    exps = (folder for folder in here.parents if folder.parts[-3:] == (".dvc", "tmp", "exps"))
    return next((folder.parents[2] for folder in exps), here)


def locate() -> Path:
    """The store's folder: $APP_REPRO_STORE, else .store in the checkout, see `checkout`."""
    if named := os.environ.get("APP_REPRO_STORE"):
        return at_home(Path(named))
    return checkout() / ".store"


def store_at(folder: Path | None) -> Path:
    """The store's folder: `folder`, or what locate() finds if it is None. Raises PlaceError if it is none."""
    store = at_home(folder) if folder else locate()
    if os.path.lexists(store) and not store.is_dir():
        what = "a link to what is not there" if store.is_symlink() else "no folder"
        raise PlaceError(f"{store}: {what}; name a folder for the store", key=str(store), kind="no folder")
    return store


def at_home(path: Path) -> Path:
    """The path with ~ and ~user filled in, which a shell leaves as they are in --store=~/x. Raises PlaceError."""
    try:
        return path.expanduser()
    except RuntimeError:
        what = f"no home folder is known for {path.parts[0]}; write out the path, or set HOME"
        raise PlaceError(f"{path}: {what}", key=str(path), kind="no folder") from None
