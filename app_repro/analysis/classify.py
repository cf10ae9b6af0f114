"""Images classified with an exported file, which takes no torch, or with the network of a run."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

from app_repro.core.errors import DataError, one_line
from app_repro.data import images
from app_repro.records.stores import finished

AT_ONCE = 64
"""Images that a network is given at a time, at most."""


@dataclass(frozen=True)
class Classifier:
    """A network with what is needed to show it images."""

    size: tuple[int, int, int]
    """Height, width, channels of the images that it takes."""
    classes: tuple[str, ...]
    logits: Callable[[np.ndarray], np.ndarray]
    """(B, H, W, C) uint8 -> (B, classes) float32"""


@dataclass(frozen=True)
class Answer:
    """What a network says of one image, or why it was not shown it."""

    image: str
    top: tuple[tuple[str, float], ...] = ()
    """Classes with their probabilities, the likeliest first."""
    error: str = ""


def open_named(name: str, raw: Path, store: Path) -> Classifier:
    """The network that `name` means: an exported file, or a finished run as `records.finished` finds it.

    Raises DataError for a name that is neither, or a file that is no network exported here, and what
    `records.finished` and `data.dataset.of_run` raise.
    """
    path = Path(name)
    if path.exists() and not path.is_dir() and path.suffix != ".json":  # a pipe is read, too
        return of_content(path.read_bytes(), name)
    try:
        run = finished.named(name, store)
    except DataError as error:
        if error.kind != "unknown":
            raise
        is_path = path.suffix == ".onnx" or os.sep in name
        text = f"{name}: no such file" if is_path else f"no file and {error}"
        raise DataError(text, key=name, kind="unknown") from None
    from app_repro.analysis import export

    return export.classifier_of(run, raw, store)


def of_content(content: bytes, name: str, threads: int | None = None) -> Classifier:
    """The network in an exported file's bytes, computed by onnxruntime on `threads` threads, None: one per core.

    Raises DataError for what is no ONNX, or was not exported here (of `kind` "no onnx", "foreign").
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or len(os.sched_getaffinity(0))
    options.log_severity_level = 4  # what it has to say is in its errors
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no base class of their own
        what = "damaged, or no ONNX file that onnxruntime can run"
        text = f"{name}: {what} ({one_line(error, 100)}); name a file that `app-repro export` wrote, or a run"
        raise DataError(text, key=name, kind="no onnx") from None
    facts, takes, gives = session.get_modelmeta().custom_metadata_map, session.get_inputs()[0], session.get_outputs()[0]
    try:
        (height, width, channels), classes = takes.shape[1:], tuple(map(str, json.loads(facts["classes"])))
        if takes.type != "tensor(uint8)" or gives.shape[1:] != [len(classes)]:
            raise ValueError
    except (KeyError, ValueError, TypeError):
        what = "an ONNX file, but not one that `app-repro export` wrote: it does not say which classes it tells apart"
        raise DataError(f"{name}: {what}; name one, or a run", key=name, kind="foreign") from None

    def logits(pixels: np.ndarray) -> np.ndarray:
        return session.run(None, {takes.name: np.ascontiguousarray(pixels)})[0]

    return Classifier((height, width, channels), classes, logits)


def image_files(names: Sequence[str]) -> list[Path]:
    """The files that `names` mean: a folder means every file below it that is called like an image, by name.

    Raises DataError for a folder without any.
    """
    found: list[Path] = []
    for name in names:
        inside = sorted(_below(Path(name))) if Path(name).is_dir() else [Path(name)]
        if not inside:
            raise DataError(
                f"{name}: no images in this folder, by the endings of their names", key=name, kind="no images"
            )
        found += inside
    return found


def _below(folder: Path) -> Iterator[Path]:
    """Files below a folder that are called like images; a folder that cannot be read is among them, to be named."""
    unreadable: list[Path] = []
    for place, folders, names in os.walk(folder, onerror=lambda error: unreadable.append(Path(error.filename))):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = (Path(place, name) for name in names if images.is_called_image(name))
        # no pipe, which would be waited for; but a broken link, to be named
        yield from (path for path in paths if path.is_file() or not path.exists())
    yield from unreadable


def classify(network: Classifier, paths: Sequence[Path], top: int = 1, resize: bool = False) -> list[Answer]:
    """What `network` says of each image: its `top` likeliest classes. resize: see `data.images.fitting`.

    An image that cannot be used is an Answer with an error of one line; the others are classified all the same.
    """
    answers: list[Answer] = []
    for start in range(0, len(paths), AT_ONCE):
        some = paths[start : start + AT_ONCE]
        read = [_read(path, network.size, resize) for path in some]
        pixels = [image for image in read if not isinstance(image, str)]
        said = iter(_probabilities(network.logits(np.stack(pixels))) if pixels else ())
        answers += [
            Answer(str(path), error=image)
            if isinstance(image, str)
            else _answer(path, next(said), network.classes, top)
            for path, image in zip(some, read, strict=True)
        ]
    return answers


def _read(path: Path, size: tuple[int, int, int], resize: bool) -> np.ndarray | str:
    try:
        return images.fitting(path, *size, resize=resize)
    except DataError as error:
        return f"{str(path.parent).rstrip('/')}/{error}" if path.parent != Path() else str(error)


def _probabilities(logits: np.ndarray) -> np.ndarray:
    """The softmax of logits (B, classes), in float64."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _answer(path: Path, probabilities: np.ndarray, classes: Sequence[str], top: int) -> Answer:
    order = np.argsort(-probabilities, kind="stable")[:top]
    return Answer(str(path), tuple((classes[place], float(probabilities[place])) for place in order))


def to_text(answers: Sequence[Answer]) -> str:
    """A line, with its end, per image that was classified: its name, then classes with probabilities in percent."""
    rows = [
        [_shown(item.image), *(text for name, share in item.top for text in (_shown(name), f"{100 * share:.2f} %"))]
        for item in answers
        if not item.error
    ]
    return tabulate(rows, tablefmt="plain", disable_numparse=True) + "\n" if rows else ""


def _shown(name: str) -> str:
    return name if name.isprintable() else ascii(name)[1:-1]


def to_json(answers: Sequence[Answer]) -> str:
    """The same, and what could not be used, as JSON: probabilities are fractions."""
    rows: list[dict[str, Any]] = []
    for item in answers:
        top = [{"class": name, "probability": share} for name, share in item.top]
        rows.append({"image": item.image} | ({"error": item.error} if item.error else {**top[0], "top": top}))
    return json.dumps(rows, indent=1)
