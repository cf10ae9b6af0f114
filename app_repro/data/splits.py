"""The streams of a grid: each training set cut into megabatches once, as index files that runs read."""

import io
import zipfile
from pathlib import Path

import numpy as np

from app_repro.config.grid import Params
from app_repro.config.grid import load as load_params
from app_repro.config.spec import RunSpec
from app_repro.core import files
from app_repro.core.errors import DataError
from app_repro.data import dataset
from app_repro.data.dataset import DataSet, data_folder
from app_repro.data.megabatches import Split, split

STAND_IN = 2204_01640
"""Seed of the permutation that replaces the publisher's file order if a mirror has lost it; the same for every run."""

_SETTINGS = ("data_digest", "sb", "order", "val_fraction", "split_seed", "train_limit", "test_limit")


def with_digest(spec: RunSpec, raw: Path) -> RunSpec:
    """The spec with the digest and augmentation of its data set in `raw`. Raises DataError if it is not there."""
    return _described(spec, dataset.load(raw / data_folder(spec)))


def grid(params: Params, raw: Path) -> list[RunSpec]:
    """The specs of a params file, see `with_digest`; each data set is opened once."""
    folders = [data_folder(spec) for spec in params.specs]
    images = {folder: dataset.load(raw / folder) for folder in dict.fromkeys(folders)}
    return [_described(spec, images[folder]) for spec, folder in zip(params.specs, folders, strict=True)]


def stream_name(spec: RunSpec) -> str:
    """Name of the spec's stream: data set, T, and a digest of the settings that shape it."""
    settings = {name: getattr(spec, name) for name in _SETTINGS}
    return f"{data_folder(spec)}-sb{spec.sb}-{files.digest(files.canonical(settings).encode())[:8]}"


def cut(spec: RunSpec, raw: Path) -> Split:
    """Cut the stream of `spec` (with its data digest); a lost file order is replaced, see `STAND_IN`."""
    return of_images(spec, dataset.load(raw / data_folder(spec)))


def write_grid(params_file: Path, raw: Path, target: Path) -> None:
    """Write every stream of a params file to `target`, see `write`, and print a line per stream."""
    for row in write(grid(load_params(params_file), raw), raw, target):
        sizes = f"{row['train_per_megabatch']} + {row['validation_per_megabatch']}"
        lost = "; its own file order is lost, a fixed permutation stands for it" if row["file_order_lost"] else ""
        print(f"{row['stream']}: {row['sb']} megabatches of {sizes} images, {row['test']} to test{lost}")


def write(specs: list[RunSpec], raw: Path, target: Path) -> list[dict[str, object]]:
    """Write every stream of `specs` once: <stream>.npz with its indices, and splits.json, whose rows it returns."""
    streams = {stream_name(spec): spec for spec in specs}
    rows: list[dict[str, object]] = []
    for name, spec in streams.items():
        images = dataset.load(raw / data_folder(spec))
        indices = of_images(spec, images)
        buffer = io.BytesIO()
        np.savez(buffer, train=np.stack(indices.train), validation=np.stack(indices.validation), test=indices.test)
        files.write_bytes(target / f"{name}.npz", buffer.getvalue())
        rows.append(
            {
                "stream": name,
                **{key: getattr(spec, key) for key in ("dataset", *_SETTINGS)},
                "train_per_megabatch": len(indices.train[0]),
                "validation_per_megabatch": len(indices.validation[0]),
                "test": len(indices.test),
                "file_order_lost": _order_is_lost(spec, images),
                "sha256": files.digest(buffer.getvalue()),
            }
        )
    files.write_sealed(target / "splits.json", {"streams": rows})
    return rows


def load(spec: RunSpec, folder: Path) -> Split:
    """The stream of `spec` as `write` left it in `folder`. Raises DataError if it is missing or damaged."""
    path = folder / f"{stream_name(spec)}.npz"
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return Split(tuple(arrays["train"]), tuple(arrays["validation"]), arrays["test"])
    except FileNotFoundError:
        raise DataError(f"{path}: no such stream; run `app-repro split` first") from None
    except (ValueError, OSError, KeyError, EOFError, zipfile.BadZipFile):
        raise DataError(f"{path}: damaged; run `app-repro split` again") from None


def _described(spec: RunSpec, images: DataSet) -> RunSpec:
    """The spec with what its data set decides: its digest, and how images are varied ("pad 4, flip")."""
    varied = images.augmentation
    words = [f"pad {varied.padding}" if varied.crop == "pad" else varied.crop, *(["flip"] if varied.flip else [])]
    return spec.model_copy(update={"data_digest": images.digest, "augmentation": ", ".join(words)})


def of_images(spec: RunSpec, images: DataSet) -> Split:
    """The stream of `spec` cut from its data set, see `cut`."""
    lost = _order_is_lost(spec, images)
    return split(
        len(images.train_labels),
        len(images.test_labels),
        spec.sb,
        order="permuted" if lost else spec.order,
        val_fraction=spec.val_fraction,
        split_seed=STAND_IN if lost else spec.split_seed,
        train_limit=spec.train_limit,
        test_limit=spec.test_limit,
    )


def _order_is_lost(spec: RunSpec, images: DataSet) -> bool:
    return spec.order == "file" and dataset.lost_order(images)
