"""The data sets of a params file: fetched, laid out, and looked at again."""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app_repro.config import grid
from app_repro.config.spec import RunSpec
from app_repro.core import files
from app_repro.core.errors import DataError, IntegrityError, ParamsError, one_line

if TYPE_CHECKING:  # imported inside functions: the stage `look` is run each time, mostly without a folder to look at
    from app_repro.data.dataset import DataSet
    from app_repro.data.files.download import Progress


def fetch_grid(
    params_file: Path, target: Path, store: Path, names: Sequence[str] = (), origin: str | None = None
) -> None:
    """Prepare the data sets of a params file, or those called `names`, and print a line per data set.

    They are kept in `store`, where DVC does not delete them, and laid out in `target`. origin: see `dataset.fetch`; it
    goes with one data set. What a user should know of one is said on standard error. Raises ParamsError, DataError or
    DiskFullError.
    """
    from app_repro.data import dataset, sources
    from app_repro.data.sources import Request

    requests = [dataset.request_of(spec) for spec in grid.load(params_file).specs]
    if names:
        asked = {name: Request(name) for name in names}
        requests = list((asked | {request.name: request for request in requests if request.name in asked}).values())
    wanted = {sources.folder_name(request): request for request in requests}
    if origin and len(wanted) > 1:
        raise ParamsError(
            f"--from goes with one data set, here are {', '.join(wanted)}; name one: fetch NAME --from ..."
        )
    for folder, request in wanted.items():
        place, cache, said = store / "datasets" / sources.stored_name(request), store / "downloads", list[str]()
        before = _digests(place, target / folder)
        with _progress_bar() as show:
            images = dataset.fetch(
                **asdict(request), target=place, origin=origin, cache=cache, on_progress=show, tell=said.append
            )
        for path in sorted(place.iterdir()):
            files.link_or_copy(path, target / folder / path.name)
        print(
            f"{folder}: {len(images.train_labels):,} + {len(images.test_labels):,} images, digest {images.digest[:12]}"
        )
        if before - {images.digest}:
            said.append(
                f"{request.name}: other images than were fetched before; fetched again, runs on them have new ids"
            )
        for line in (*said, *_remarks(images)):
            print(f"app-repro: {one_line(line, 500)}", file=sys.stderr)


def look_grid(params_file: Path, target: Path, store: Path) -> None:
    """Write to the file `target` a digest of what each "folder:PATH" of a params file holds now, and print a line each.

    Only what has changed is read again. A folder that is not there keeps the digest that `target` has for it, so that
    images fetched before can be used without it. Raises ParamsError, or DataError.
    """
    before = _looked(target)
    own = {spec.dataset: spec for spec in grid.load(params_file).specs if spec.dataset.startswith("folder:")}
    found = {}
    for name, spec in own.items():
        try:
            found[name] = _digest_now(spec, target, store)
            state = "as before" if before.get(name) == found[name] else "changed" if name in before else "new"
        except DataError as error:
            if error.kind != "missing" or name not in before:
                raise
            found[name], state = before[name], "not there now"
        print(f"{one_line(name)}: {state}")
    files.write_sealed(target, {"sources": found})


def _digest_now(spec: RunSpec, target: Path, store: Path) -> str:
    from app_repro.data import dataset, sources

    with dataset.os_errors_as_data_errors(target):
        return sources.digest_now(dataset.request_of(spec), store / "downloads")


def _digests(*folders: Path) -> set[str]:
    """Digests of the data sets prepared in `folders`, where one is."""
    from app_repro.data import dataset

    found = set()
    for folder in folders:
        with contextlib.suppress(DataError, IntegrityError):
            found.add(dataset.load(folder).digest)
    return found


def _looked(path: Path) -> dict[str, str]:
    try:
        return dict(files.read_sealed(path)["sources"])
    except (OSError, IntegrityError, KeyError):
        return {}


def _remarks(images: "DataSet") -> Iterator[str]:
    """What a user should know of own images."""
    if part := images.source.get("test_part"):
        yield f"{images.name}: no labelled test/; the test images are those of {part}/"
    if shared := images.source.get("test_images_in_train"):
        yield f"{images.name}: {shared:,} of {len(images.test_labels):,} test images are training images, too"


@contextlib.contextmanager
def _progress_bar() -> Iterator["Progress"]:
    """Progress bars on standard error, if that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress as Bar

    tasks: dict[str, Any] = {}
    console = Console(stderr=True)
    with Bar(console=console, transient=True, disable=not console.is_terminal) as bar:  # else it prints empty lines

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total or None)
            bar.update(tasks[what], completed=done, total=total or None)

        yield show
