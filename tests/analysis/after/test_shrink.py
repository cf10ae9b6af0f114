"""The command `shrink`: its rows on small runs on digits, that they repeat, and what it refuses in one line."""

import json
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner, Result
from workbench import prepared

from app_repro.analysis.after.shrink_options import DENSITY
from app_repro.analysis.calibration import Calibration
from app_repro.cli.pipeline import app
from app_repro.config.spec import RunSpec
from app_repro.core.errors import ParamsError
from app_repro.data import dataset, splits
from app_repro.execution.workers import worker
from app_repro.records import analyses
from app_repro.records.stores.store import Paths, Store
from app_repro.training.inputs.images import Images

Runs = tuple[dict[str, RunSpec], Paths]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """A dense run, one of single weights by snip and one of channels; 180 training images each."""
    folder = tmp_path_factory.mktemp("shrink")
    trained = {}
    for name, changes in {
        "dense": {"method": "dense", "epochs": 6, "milestones": [4]},
        "weights": {"method": "app"},
        "channels": {"method": "app", "granularity": "channel", "tau": 2.0, "scope": "local"},
    }.items():
        (spec,), places = prepared(folder, sb=2, train_limit=200, **changes)
        assert worker.attempt(spec, places, "cpu", lambda event: None)[0] == "finished"
        trained[name] = spec
    return trained, places


def shrink(runs: Runs, name: str, *words: str, out: str = "analyses") -> Result:
    store = runs[1].store
    given = [
        "shrink",
        name,
        "--device",
        "cpu",
        "--raw",
        str(runs[1].raw),
        "--store",
        str(store),
        "--out",
        str(store.parent / out),
        *words,
    ]
    return CliRunner().invoke(app, [*given, "--json"])


def rows(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.exception
    return list(json.loads(result.stdout)["results"]["rows"])


def numbers(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in found]


def test_a_dense_run_at_two_densities_is_removed_measured_anew_fitted_and_both(runs: Runs) -> None:
    spec = runs[0]["dense"]
    ran = shrink(runs, spec.run_id, "--density", ".37,.8", "--images", "100,0", "--reconstruct")
    found = rows(ran)
    assert [(row["density_asked"], row["images"], row["adjusted"]) for row in found] == [
        (density, images, adjusted)
        for density in (0.8, 0.37)
        for images, adjusted in ((0, "removed only"), (100, "BatchNorm"), (100, "weights"), (100, "weights, BatchNorm"))
    ]
    content = json.loads(ran.stdout)
    before = content["results"]["unpruned"]
    record = json.loads((Store(runs[1].store).folder(spec).path / "record.json").read_text())
    assert before["test_errors"] == record["megabatches"][-1]["test_errors"]  # the run's own, to the last one
    assert (before["parameters"], 2 * before["macs"]) == (
        record["network"]["parameters"],
        record["summary"]["inference_flops"],
    )
    for row in found:
        assert 0 <= row["density_asked"] - row["density"] < 0.03 and row["parameters"] < before["parameters"]
        assert row["macs_share"] == pytest.approx(row["macs"] / before["macs"])
        assert row["change"] == pytest.approx(row["test_accuracy"] - before["test_accuracy"])
    assert content["runs"] == [spec.run_id]
    assert content["weights"] == {spec.run_id: record["files"]["model.safetensors"]}
    by_name = {(row["density_asked"], row["adjusted"]): row["test_errors"] for row in found}
    assert max(by_name[0.37, name] for name in ("weights", "weights, BatchNorm")) < by_name[0.37, "removed only"]


def test_rows_repeat_to_the_bit_whatever_else_is_asked_for_and_are_computed_once(runs: Runs) -> None:
    name = runs[0]["dense"].run_id
    first = shrink(runs, name, "--images", "0,70,130", "--reconstruct", out="first")
    path = next((runs[1].store.parent / "first").rglob("*.json"))
    left = path.read_bytes()
    shrink(runs, name, "--images", "0,70,130", "--reconstruct", out="again")
    assert next((runs[1].store.parent / "again").rglob("*.json")).read_bytes() == left
    alone = numbers(rows(shrink(runs, name, "--density", f"0.9,{DENSITY!r}", "--images", "130", "--reconstruct")))
    assert [row for row in numbers(rows(first)) if row["images"] == 130] == [
        row for row in alone if row["density"] < 0.5
    ]
    for file in analyses.stored(runs[1].store, "shrunk"):
        file.path.unlink()
    assert numbers(rows(shrink(runs, name, "--images", "0,70,130", "--reconstruct"))) == numbers(rows(first))


def test_a_run_of_single_weights_goes_by_its_criterion_and_one_of_channels_on_from_its_widths(runs: Runs) -> None:
    weights, channels = runs[0]["weights"].run_id, runs[0]["channels"].run_id
    ran = json.loads(shrink(runs, weights, "--images", "0").stdout)
    assert ran["settings"]["criterion"] == "snip" and ran["results"]["unpruned"]["density"] == 1.0
    small = json.loads(shrink(runs, channels, "--images", "64", "--density", "0.4", "--criterion", "random").stdout)
    before, (row,) = small["results"]["unpruned"], small["results"]["rows"]
    assert 0.6 < before["density"] <= 0.8**2 and before["macs_share"] < 0.7
    assert 0.3 < row["density"] <= 0.4 and row["parameters"] < before["parameters"]
    refused = shrink(runs, channels, "--density", "0.7")
    assert isinstance(refused.exception, ParamsError) and refused.exception.kind == "reached"


def test_without_numbers_of_images_those_that_there_are_count(runs: Runs) -> None:
    assert [row["images"] for row in rows(shrink(runs, runs[0]["dense"].run_id))] == [0, 64]


def test_noise_reads_no_image_and_leaves_batchnorm(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    name = runs[0]["dense"].run_id
    read: list[str] = []
    load = Images.load
    monkeypatch.setattr(Images, "load", lambda data, part, *rest: read.append(part) or load(data, part, *rest))
    found = rows(shrink(runs, name, "--images", "0,64", "--source", "noise", "--reconstruct"))
    assert [row["adjusted"] for row in found] == ["removed only", "weights"] and read == ["test"]


def test_noise_is_like_the_images_and_the_same_however_it_is_cut(runs: Runs) -> None:
    (spec, places), cpu = (runs[0]["dense"], runs[1]), torch.device("cpu")
    data, split = dataset.load(places.raw / "digits"), splits.load(spec, places.splits)
    noise = Calibration.of(spec, data, split, "noise", cpu)
    images = Calibration.of(spec, data, split, "train", cpu)
    assert noise.count is None and images.count == 180
    assert torch.equal(noise(0, 5)[2:], noise(2, 5)) and noise(0, 5).shape == images(0, 5).shape
    assert not torch.equal(noise(0, 1), noise(1, 2)) and noise(0, 180).mean().abs() < 0.05
    assert noise(0, 180).std() == pytest.approx(1, abs=0.05)
    pixels = {image.tobytes() for image in data.train_images[np.concatenate(split.train)]}
    shown = images.images.pixels[images.indices].numpy()
    assert {image.tobytes() for image in shown} == pixels and len(shown) == 180


REFUSED: list[tuple[tuple[str, ...], str, str]] = [
    (("--density", "0.5,x"), "--density", "form"),
    (("--density", "1"), "--density", "form"),
    (("--density", "nan"), "--density", "form"),
    (("--density", "0.005"), "--density", "floors"),
    (("--images", "0,181"), "--images", "too many"),
    (("--images", "-3"), "--images", "form"),
    (("--images", "1"), "--images", "one image"),
    (("--source", "test"), "--source", "unknown"),
    (("--source", "noise"), "--source", "nothing to do"),
    (("--source", "noise", "--reconstruct", "--criterion", "snip"), "--criterion", "needs images"),
    (("--criterion", "magnitud"), "--criterion", "unknown"),
    (("--scope", "each"), "--scope", "unknown"),
    (("--device", "gpu"), "device", "unknown"),
]


@pytest.mark.parametrize(
    ("words", "key", "kind"), REFUSED, ids=lambda value: value if isinstance(value, str) else "".join(value)
)
def test_what_cannot_be_meant_is_refused(runs: Runs, words: tuple[str, ...], key: str, kind: str) -> None:
    before = list(runs[1].store.parent.rglob("*.json"))
    refused = shrink(runs, runs[0]["dense"].run_id, *words)
    assert isinstance(refused.exception, ParamsError)
    assert (refused.exception.key, refused.exception.kind) == (key, kind) and "\n" not in str(refused.exception)
    assert list(runs[1].store.parent.rglob("*.json")) == before
