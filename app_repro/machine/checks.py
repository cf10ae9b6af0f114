"""The checks of doctor that need no GPU, one per function: code, disk, locks, user, owner, git, data, tracking."""

import configparser
import fcntl
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch as torch_here

from app_repro.config.grid import Params, load
from app_repro.config.spec import RunSpec
from app_repro.core import checkout, files
from app_repro.core.errors import DataError, IntegrityError, PlaceError, one_line
from app_repro.core.paths import PACKAGE, REPORT, RUNS, SPLITS
from app_repro.data import dataset, sets
from app_repro.execution.planning import cost, plan
from app_repro.execution.tracking import has_key
from app_repro.execution.workers.outcome import workplaces
from app_repro.machine import workspace
from app_repro.records import provenance
from app_repro.records.stores.store import Store

SHM_BYTES = 32 << 20
"""/dev/shm of Docker's default size, 64 MB, is enough: no loader process shares batches through it."""


@dataclass(frozen=True)
class Subject:
    """What is examined."""

    params_file: Path
    raw: Path
    store: Path
    quick: bool = False
    """Leave out what takes more than a moment: kernels, every byte of the data sets."""

    def params(self) -> Params:
        """The settings. Raises ParamsError."""
        return load(self.params_file)


Answer = tuple[str, str, str]
"""State, finding, remedy."""


def settings(subject: Subject) -> Answer:
    """Whether the params file can be used."""
    cells = subject.params().specs
    return "ok", f"{subject.params_file}: {len(cells)} runs", ""


def python(_: Subject) -> Answer:
    """Whether this Python is one that results are pinned for."""
    finding = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    if (3, 11) <= sys.version_info[:2] < (3, 13):
        return "ok", finding, ""
    return "warn", finding, "results are pinned for 3.11 and 3.12: make setup PYTHON=python3.12, or the image"


def code(_: Subject) -> Answer:
    """Whether the package that runs is that of the checkout around the working directory."""
    try:
        checkout.check()
    except checkout.OtherCodeError as error:
        what, remedy = str(error).split("; ", 1)
        return "fail", what, remedy
    here = checkout.own()
    return "ok", f"{PACKAGE}, of {f'the checkout {here}' if here else 'no checkout'}", ""


def torch(_: Subject) -> Answer:
    """Whether torch is the pinned one."""
    wanted = [item for item in importlib.metadata.requires("app-repro") or [] if item.startswith("torch==")]
    finding = f"torch {torch_here.__version__}, CUDA {torch_here.version.cuda or 'none'}"
    if wanted and torch_here.__version__.split("+")[0] != wanted[0].removeprefix("torch==").split(";")[0].strip():
        return "warn", f"{finding}; pinned is {wanted[0]}", "make setup, or the image"
    return "ok", finding, ""


def disk(subject: Subject) -> Answer:
    """Room for what the plan needs, data sets included."""
    params = subject.params()
    runs = plan.planned_runs(params, subject.raw, Store(subject.store))
    need = plan.disk_needed(runs, len(workplaces(params.specs, params.device, params.workers)))
    need += sum(_data_bytes(spec, subject) for spec in _data_sets(params).values())
    free = shutil.disk_usage(files.nearest(subject.store)).free
    finding = f"{free / 1e9:,.2f} GB free for {subject.store}, the plan needs {need / 1e9:,.2f} GB, data sets included"
    return ("ok", finding, "") if free >= need else ("fail", finding, "make room, or move the store: APP_REPRO_STORE")


def _data_sets(params: Params) -> dict[str, RunSpec]:
    """Folder of each data set below the store's, and a run on it."""
    return {dataset.stored_folder(spec): spec for spec in params.specs}


def _data_bytes(spec: RunSpec, subject: Subject) -> int:
    """Room that a data set still needs: decoded images, and an archive of about that size."""
    if (subject.store / "datasets" / dataset.stored_folder(spec) / "meta.json").exists():
        return 0
    shape = cost.shape_of(spec, subject.raw)
    return 2 * (shape.train + shape.test) * shape.size**2 * shape.channels


def shm(_: Subject) -> Answer:
    """Shared memory, which containers keep small."""
    place = Path("/dev/shm")
    if not place.is_dir() or not os.access(place, os.W_OK):
        return "fail", "/dev/shm cannot be written: worker processes need it", "docker run without --ipc none"
    size = shutil.disk_usage(place).total
    finding = f"{size / 1e6:,.0f} MB"
    return ("ok", finding, "") if size >= SHM_BYTES else ("warn", finding, "docker run --shm-size 64m")


def filesystem(subject: Subject) -> Answer:
    """Rename over a file, and a lock that a second holder does not get, on the store's own file system."""
    try:
        files.check_writable(subject.store)
    except PlaceError as error:
        what, remedy = str(error).rsplit("; ", 1)
        return "fail", what, f"{remedy}: APP_REPRO_STORE"
    folder, remedy = files.nearest(subject.store), "put the store on a local disk: APP_REPRO_STORE"
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".doctor-") as name:
            first, second = Path(name) / "a", Path(name) / "b"
            first.write_text("new")
            second.write_text("old")
            first.replace(second)
            if second.read_text() != "new" or first.exists():
                return "fail", f"{folder}: a rename does not replace", remedy
            with second.open("w") as one, second.open("w") as other:
                fcntl.flock(one, fcntl.LOCK_EX | fcntl.LOCK_NB)
                try:
                    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return _name_of_place() or ("ok", f"{folder}: renames replace, locks hold", "")
            return "fail", f"{folder}: a lock keeps nobody out", remedy
    except OSError as error:
        return "fail", f"{folder}: {error.strerror}", f"let user {os.getuid()} write there, or move it: APP_REPRO_STORE"


def _name_of_place() -> Answer | None:
    """What is wrong with the name of the working directory; None if nothing is."""
    try:
        bytes(Path.cwd()).decode()
    except UnicodeDecodeError:
        return "warn", f"{Path.cwd()}: not UTF-8, and DVC cannot work there", "work in another folder"
    return None


def user(_: Subject) -> Answer:
    """Whether this user has a name and a home, or variables that stand in for them."""
    number, missing = os.getuid(), workspace.stand_in()
    if not missing:
        return "ok", f"user {number}", ""
    named = " ".join(f"{key}={value}" for key, value in missing.items())
    return "warn", f"user {number} has no entry in passwd, without which DVC stops", f"export {named}"


def ownership(subject: Subject) -> Answer:
    """Whether this user can write the store, every run in it, and the folders that the pipeline fills."""
    store, number = subject.store, os.getuid()
    place = files.nearest(store)
    finding = f"user {number}:{os.getgid()}, {place} belongs to {place.stat().st_uid}"
    fills = [store, store / "runs", store / "datasets", subject.raw, SPLITS, RUNS, REPORT, Path(".dvc/tmp")]
    places = dict.fromkeys(map(files.nearest, fills))
    if os.access(store / "runs", os.R_OK | os.X_OK):
        places |= dict.fromkeys(path for path in store.glob("runs/*") if path.is_dir())
        places |= dict.fromkeys(store.glob("runs/*/lock"))
    others = [path for path in places if not os.access(path, os.W_OK | (os.X_OK if path.is_dir() else 0))]
    if others:
        remedy = f"run as the owner (docker run --user {others[0].stat().st_uid}), or chown -R {number} it"
        if files.is_read_only(others[0]):
            remedy = "its file system is read-only: move it, the store with APP_REPRO_STORE"
        return "fail", f"{finding}; {len(others)} places cannot be written, {others[0]} first", remedy
    return "ok", finding, ""


def git(_: Subject) -> Answer:
    """Whether records will name a commit, and whether DVC has the repository that it wants."""
    folder = _above(".git")
    if folder is None:
        return _without_git(_above(".dvc/config"))
    try:
        command = ["git", "-C", str(folder), "rev-parse", "HEAD"]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return "warn", "git does not answer", "install git: records name the commit then"
    if ran.returncode == 0:
        if commit := provenance.source()["commit"]:
            return "ok", f"{folder} at {ran.stdout.strip()[:12]}; records name {commit[:12]}", ""
        return "warn", f"{folder} does not hold the package's files", "records will name no commit: clone the project"
    if "dubious ownership" in ran.stderr:
        return "warn", f"{folder} belongs to another user", f"git config --global --add safe.directory {folder}"
    return "warn", f"{folder}: {one_line(ran.stderr, 120)}", "records will name no commit"


def _above(name: str) -> Path | None:
    """The working directory, or the folder nearest above it, that holds `name`."""
    return next((item for item in (Path.cwd(), *Path.cwd().parents) if (item / name).exists()), None)


def _without_git(project: Path | None) -> Answer:
    """Outside of a git repository; `project`: the folder of DVC's own settings, if there is one."""
    built = os.environ.get("APP_REPRO_REVISION")  # the image's: provenance names it where git names none
    named = f"records name {f'the commit {built[:12]} of the image' if built else 'no commit'}"
    if project is None:
        return "ok", f"no git repository here: {named}", ""
    dvc = configparser.ConfigParser(strict=False)
    dvc.read([project / ".dvc/config", project / ".dvc/config.local"], encoding="utf-8")
    if dvc.getboolean("core", "no_scm", fallback=False):
        return "ok", f"no git repository here: DVC is set to work without one, {named}", ""
    remedy = "git init; or, for dvc repro alone: dvc config --local core.no_scm true"
    return "warn", f"no git repository here: DVC refuses to work, {named}", remedy


def data(subject: Subject) -> Answer:
    """Which data sets of the params file are there, with their digests; every byte unless quick."""
    present: list[str] = []
    missing: list[str] = []
    comes: list[str] = []
    for folder, spec in _data_sets(subject.params()).items():
        place = subject.store / "datasets" / folder
        try:
            if not subject.quick:
                dataset.check(place)
            present.append(f"{folder} {dataset.load(place).digest[:12]}")
        except IntegrityError as error:
            return "warn", str(error).partition("; ")[0], "the fetch stage makes it anew; without a network: --from"
        except DataError:
            if (file := sets.find(spec.dataset).embedded) and not Path(file).is_file():
                return "warn", f"{file}: no such file", "work in the project's folder, or restore it with git"
            (comes if file else missing).append(folder)
    if missing:
        where = "app-repro fetch (needs a network), or app-repro fetch NAME --from /path/to/archive"
        return "warn", ", ".join([*present, *(f"{name} not there yet" for name in missing)]), where
    return "ok", ", ".join([*present, *(f"{name} comes with the project" for name in comes)]), ""


def tracking(subject: Subject) -> Answer:
    """Whether the mode of tracking can work."""
    mode = subject.params().tracking
    if mode == "online" and not has_key():
        return "warn", "tracking: online, but no key", "set WANDB_API_KEY or run wandb login; runs go on without it"
    return "ok", f"tracking: {mode}", ""
