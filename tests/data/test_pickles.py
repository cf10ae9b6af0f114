"""Malicious pickles wherever arrays, weights or states are read: none is executed, and one line says why not.

Text (YAML, JSON, CSV) is read by parsers that know no pickle: tests/house/test_gates.py holds that there are no others.
"""

import io
import os
import pickle
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pretend
import pytest
from small_sets import official, prepare
from workbench import prepared

from app_repro.analysis.corrupted.official import find
from app_repro.analysis.corrupted.releases import RELEASES
from app_repro.core.errors import AppReproError
from app_repro.data import dataset, splits
from app_repro.data.dataset import DataSet
from app_repro.execution.workers import worker
from app_repro.records.stores import merge
from app_repro.records.stores.store import Store


class Call:
    """Unpickles as the call of a function."""

    def __init__(self, function: Callable[..., object], *words: object) -> None:
        self.reduced = function, words

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.reduced


def payloads(marker: Path) -> list[Any]:
    """Objects whose unpickling makes the folder `marker`."""
    text = str(marker)
    return [
        Call(os.mkdir, text),
        Call(os.system, f"mkdir '{text}'"),
        Call(subprocess.getoutput, f"mkdir '{text}'"),
        Call(exec, f"import os; os.mkdir({text!r})"),
        [1, {"deep": (Call(os.makedirs, text),)}],
    ]


def array_file(payload: Any) -> bytes:
    """A .npy file of one object, as numpy writes it where it is let."""
    file = io.BytesIO()
    held = np.empty(1, object)
    held[0] = payload
    np.save(file, held, allow_pickle=True)
    return file.getvalue()


def cifar(name: str) -> Callable[[Path, Any], None]:
    def read(folder: Path, payload: Any) -> None:
        info, archive = official(folder, name, labels=payload)
        prepare(info, name, archive, folder)

    return read


def prepared_array(name: str, form: Callable[[Any], bytes]) -> Callable[[Path, Any], None]:
    def read(folder: Path, payload: Any) -> None:
        dataset.fetch("digits", folder / "digits", cache=folder)
        (folder / "digits" / name).write_bytes(form(payload))
        dataset.load(folder / "digits")

    return read


def a_stream(form: Callable[[Any], bytes]) -> Callable[[Path, Any], None]:
    def read(folder: Path, payload: Any) -> None:
        specs, places = prepared(folder, method="dense")
        path = places.splits / f"{splits.stream_name(specs[0])}.npz"
        path.write_bytes(form(payload))
        splits.load(specs[0], places.splits)

    return read


def streams_of_objects(payload: Any) -> bytes:
    file = io.BytesIO()
    held = np.empty(1, object)
    held[0] = payload
    np.savez(file, train=held, validation=held, test=held)
    return file.getvalue()


def a_state(folder: Path, payload: Any) -> None:
    specs, places = prepared(folder, method="dense", sb=1, epochs=1, milestones=[])
    Store(places.store).folder(specs[0]).save_state(pickle.dumps(payload))
    status, message = worker.attempt(specs[0], places, "cpu", lambda event: None)
    assert status == "failed"
    raise AppReproError(message)


def weights(name: str) -> Callable[[Path, Any], None]:
    def read(folder: Path, payload: Any) -> None:
        (spec,) = pretend.specs(1)
        run = Store(folder / "theirs").folder(spec)
        pretend.leave(spec, run, {name: run.write_tensors(name, b"as the record says")})
        run.write_tensors(name, pickle.dumps(payload))
        merge.merge([folder / "theirs"], folder / "mine")

    return read


def corrupted_images(folder: Path, payload: Any) -> None:
    (folder / "fog.npy").write_bytes(array_file(payload))
    images = SimpleNamespace(name="cifar10", classes=RELEASES["cifar10c"].classes)
    found = find(f"cifar10c:{folder}", cast(DataSet, images))
    assert found is not None
    found.images("fog", 1)


PLACES: dict[str, Callable[[Path, Any], None]] = {
    "CIFAR-10 batch": cifar("cifar10"),
    "CIFAR-100 batch": cifar("cifar100"),
    "images": prepared_array("train_images.npy", pickle.dumps),
    "labels": prepared_array("train_labels.npy", array_file),
    "stream": a_stream(pickle.dumps),
    "stream of objects": a_stream(streams_of_objects),
    "state": a_state,
    "weights": weights("model.safetensors"),
    "masks": weights("masks.safetensors"),
    "official files": corrupted_images,
}


@pytest.mark.promise
@pytest.mark.parametrize("place", PLACES)
def test_no_pickle_is_executed_where_a_file_is_read(place: str, tmp_path: Path) -> None:
    marker, count = tmp_path / "owned", len(payloads(tmp_path))
    payload = payloads(marker)[list(PLACES).index(place) % count]
    (tmp_path / "work").mkdir()
    with pytest.raises(AppReproError) as caught:
        PLACES[place](tmp_path / "work", payload)
    assert not marker.exists() and "\n" not in str(caught.value)


@pytest.mark.parametrize("which", range(5))
def test_each_would_be_executed_by_pickle_itself(which: int, tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(payloads(tmp_path / "owned")[which]))  # noqa: S301 - that is the point
    assert (tmp_path / "owned").is_dir()
