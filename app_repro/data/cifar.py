"""The official CIFAR-10 and CIFAR-100 archives: batches of pickled arrays, read without executing what they hold."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from app_repro.core.errors import DataError, one_line

_TEN, _HUNDRED = "cifar-10-batches-py", "cifar-100-python"


def batch_folder(root: Path) -> Path | None:
    """The folder of an unpacked official archive in `root`; None if there is none."""
    return next((root / name for name in (_TEN, _HUNDRED) if (root / name).is_dir()), None)


def read_batches(root: Path) -> tuple[tuple[str, ...], dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Class names, and of "train" and "test" labels (N,) int64 and images (N, 32, 32, 3) uint8, in archive order.

    root: where the official archive was unpacked. Fine labels of CIFAR-100. Raises DataError if it is damaged.
    """
    if (folder := batch_folder(root)) is None:
        raise DataError("the official archive holds no batches; get it again")
    if folder.name == _TEN:
        batches = {"train": [f"data_batch_{k}" for k in range(1, 6)], "test": ["test_batch"]}
        meta, names_key, labels_key = "batches.meta", b"label_names", b"labels"
    else:
        batches = {"train": ["train"], "test": ["test"]}
        meta, names_key, labels_key = "meta", b"fine_label_names", b"fine_labels"
    try:
        classes = tuple(name.decode() for name in unpickle(folder / meta)[names_key])
        subsets = {name: _read(folder, files, labels_key, len(classes)) for name, files in batches.items()}
    except (KeyError, ValueError, TypeError, AttributeError, OSError) as error:
        raise DataError(f"{folder.name}: not the official batches ({error}); get the archive again") from error
    return classes, subsets


def _read(folder: Path, names: list[str], labels_key: bytes, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels and images of the batches `names`, one after the other."""
    batches = [unpickle(folder / name) for name in names]
    rows = np.concatenate([np.asarray(batch[b"data"], np.uint8) for batch in batches])
    labels = np.concatenate([np.asarray(batch[labels_key], np.int64) for batch in batches])
    images = rows.reshape(len(labels), 3, 32, 32).transpose(0, 2, 3, 1)  # channels lie plane by plane
    if not ((labels >= 0) & (labels < classes)).all():
        raise ValueError("a label out of range")
    return labels, images


def unpickle(path: Path) -> Any:
    """Content of a pickle written by Python 2 (its text comes back as bytes) that holds arrays and built-ins only.

    Raises DataError if it asks for anything else, or is damaged.
    """
    try:
        with path.open("rb") as file:
            return _ArraysOnly(file, encoding="bytes").load()
    except DataError as error:
        raise DataError(f"{path.name}: {error}") from None
    except Exception as error:  # a damaged pickle can raise anything
        raise DataError(f"{path.name}: not a pickle of arrays ({one_line(error)}); get the archive again") from error


class _ArraysOnly(pickle.Unpickler):
    """Resolves the names that a pickled numpy array refers to, and refuses every other."""

    def find_class(self, module: str, name: str) -> Any:
        reconstruct = np.empty(0, np.uint8).__reduce__()[0]
        known: dict[tuple[str, str], Any] = {
            ("numpy.core.multiarray", "_reconstruct"): reconstruct,
            ("numpy._core.multiarray", "_reconstruct"): reconstruct,
            ("numpy", "ndarray"): np.ndarray,
            ("numpy", "dtype"): np.dtype,
            ("_codecs", "encode"): lambda text, encoding="latin1": str(text).encode(str(encoding)),
        }
        if (module, name) not in known:
            raise DataError(
                f"the pickle asks for {module}.{name}, only arrays are admitted; get it from its official site"
            )
        return known[module, name]
