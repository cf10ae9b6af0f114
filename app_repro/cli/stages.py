"""What each command does, from its paths: the seam between the command line and the rooms."""

from collections.abc import Sequence
from pathlib import Path


def fetch(params_file: Path, target: Path, store: Path, names: Sequence[str], origin: str | None) -> None:
    """Prepare data sets in the store, where DVC does not delete them, and lay them out in `target`."""
    from rich.console import Console

    from app_repro.config.grid import load
    from app_repro.core import files
    from app_repro.core.errors import ParamsError
    from app_repro.data import dataset, splits

    specs = {splits.data_folder(spec): spec for spec in load(params_file).specs}
    wanted: dict[str, tuple[str, int, int, str]] = {
        folder: (spec.dataset, spec.image_size or 32, spec.few_shot or 0, spec.order) for folder, spec in specs.items()
    }
    if names:
        asked = {name: (name, 32, 0, "permuted") for name in names}
        of_params = {name: key for key in wanted.values() for name in names if key[0] == name}
        wanted = {dataset.folder_name(*key): key for key in (asked | of_params).values()}
    if origin and len(wanted) > 1:
        raise ParamsError(
            f"--from goes with one data set, here are {', '.join(wanted)}; name one: fetch NAME --from ..."
        )
    console = Console(stderr=True)
    for folder, (name, size, few, order) in wanted.items():
        place = store / "datasets" / folder
        with _Progress(console) as tell:
            found = dataset.fetch(
                name,
                place,
                origin=origin,
                cache=store / "downloads",
                image_size=size,
                few_shot=few,
                order=order,
                on_progress=tell,
            )
        for path in sorted(place.iterdir()):
            files.link_or_copy(path, target / folder / path.name)
        print(f"{folder}: {len(found.train_labels):,} + {len(found.test_labels):,} images, digest {found.digest[:12]}")


def split(params_file: Path, raw: Path, target: Path) -> None:
    """Write every stream of the grid."""
    from app_repro.config.grid import load
    from app_repro.data import splits

    for row in splits.write(splits.grid(load(params_file), raw), raw, target):
        sizes = f"{row['train_per_megabatch']} + {row['validation_per_megabatch']}"
        lost = "; its own file order is lost, a fixed permutation stands for it" if row["file_order_lost"] else ""
        print(f"{row['stream']}: {row['sb']} megabatches of {sizes} images, {row['test']} to test{lost}")


class _Progress:
    """A progress bar on standard error; nothing where no one watches."""

    def __init__(self, console: "object") -> None:
        from rich.progress import Progress

        self.bar = Progress(console=console, transient=True)  # type: ignore[arg-type]
        self.tasks: dict[str, object] = {}

    def __enter__(self) -> "_Progress":
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def __call__(self, what: str, done: int, total: int) -> None:
        if what not in self.tasks:
            self.tasks[what] = self.bar.add_task(what, total=total or None)
        self.bar.update(self.tasks[what], completed=done, total=total or None)  # type: ignore[arg-type]
