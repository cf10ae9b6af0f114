"""A finished run as an ONNX file: checked, repeatable, and refused in one line."""

import errno
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from workbench import ended, trained

from app_repro.analysis import export
from app_repro.config.spec import RunSpec
from app_repro.core import files
from app_repro.core.errors import RunError
from app_repro.core.paths import PACKAGE
from app_repro.data import dataset
from app_repro.records.stores import finished
from app_repro.records.stores.store import Paths, Store, lay_out
from app_repro.training import checkpoint
from app_repro.training.inputs.images import Images

KINDS = ("dense", "unstructured", "channel")
WHERE = ("--raw", "raw", "--store", "store")
Made = tuple[dict[str, RunSpec], Paths]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Tiny runs of digits, one of each kind of network."""
    folder = tmp_path_factory.mktemp("made")
    specs, places = trained(folder, method=["dense", "app"])
    specs += trained(folder, method="app", granularity="channel", scope="local")[0]
    runs = dict(zip(KINDS, specs, strict=True))
    lay_out({name: Store(places.store).folder(spec) for name, spec in runs.items()}, folder / "data/runs")
    return runs, places


@pytest.fixture
def home(made: Made, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder with the runs, from which commands are given."""
    shutil.copytree(made[1].raw.parent, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", KINDS)
def test_the_file_says_what_the_run_s_network_says_and_what_it_is(made, home, monkeypatch, capfd, kind) -> None:
    spec, places = made[0][kind], made[1]
    assert ended(monkeypatch, "export", kind, "--onnx", "new/net.onnx", "--repeats", "2", "--json", *WHERE) == 0
    shown, warned = capfd.readouterr()
    told, content = json.loads(shown), Path("new/net.onnx").read_bytes()
    assert warned == "" and (told["bytes"], told["sha256"]) == (len(content), files.digest(content))
    assert [row["images"] for row in told["latency"]["batches"]] == [1, 64] and told["checked_images"] == 64
    model = onnx.load_from_string(content)
    assert [item.version for item in model.opset_import] == [20]
    kept = json.loads((places.store / "runs" / spec.run_id / "record.json").read_text())["summary"]["density_effective"]
    facts = {item.key: item.value for item in model.metadata_props}
    assert (facts["run_id"], facts["dataset"], json.loads(facts["image_size"])) == (spec.run_id, "digits", [8, 8, 1])
    assert (float(facts["density"]), json.loads(facts["classes"])) == (kept, [str(digit) for digit in range(10)])
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    data = dataset.load(places.raw / "digits")
    net = checkpoint.of_run(places.store / "runs" / spec.run_id)
    for count in (1, 3):
        expected = net(Images.load(data, "test", torch.device("cpu")).clean(torch.arange(count))[0]).detach().numpy()
        (found,) = session.run(None, {"images": np.asarray(data.test_images[:count])})
        assert np.abs(found - expected).max() < 1e-4 and found.shape == (count, 10)


def test_the_bytes_repeat_and_tell_nothing_of_this_machine(home, monkeypatch, capsys) -> None:
    said = {}
    for name, kind in (("a", "unstructured"), ("b", "unstructured"), ("dense", "dense"), ("small", "channel")):
        repeats = "1" if name == "small" else "0"
        assert ended(monkeypatch, "export", kind, "--onnx", f"{name}.onnx", "--repeats", repeats, *WHERE) == 0
        shown = capsys.readouterr().out
        assert ("64 at a time" in shown) == (name == "small")
        said[kind] = "as large and as slow" in shown
    assert said == {"dense": False, "unstructured": True, "channel": False}
    content, dense, small = (Path(f"{name}.onnx").read_bytes() for name in ("a", "dense", "small"))
    assert content == Path("b.onnx").read_bytes()
    assert abs(len(content) - len(dense)) < 100 and len(small) < 0.5 * len(dense)
    assert not [word for word in (str(PACKAGE.parent), str(home), ".py", "aten") if word.encode() in content]


def test_own_images_are_named_by_their_folder_alone(made) -> None:
    network = export.Network.load(finished.named(made[0]["dense"].run_id, made[1].store), made[1].raw, made[1].store)
    object.__setattr__(network.data, "name", "folder:/home/somebody/cats")
    assert network.facts["dataset"] == "folder:cats"


def test_a_file_that_says_something_else_is_not_written_and_the_one_before_is_left(home, monkeypatch, capsys) -> None:
    Path("net.onnx").write_text("before")
    real = export._OfPixels.forward
    monkeypatch.setattr(export._OfPixels, "forward", lambda self, images: real(self, images) + 0.001)
    assert ended(monkeypatch, "export", "unstructured", "--onnx", "net.onnx", *WHERE) == RunError.exit_code
    assert is_one_line(capsys.readouterr(), "1.0e-03") and Path("net.onnx").read_text() == "before"
    assert not list(home.glob(".net*"))


@pytest.mark.parametrize(
    "odd",
    [
        lambda logits: logits if logits.sum() > 0 else logits + 1,  # depends on the images
        lambda logits: torch.linalg.svdvals(logits[:, :, None]) * logits,  # ONNX has no such operator
    ],
)
def test_a_network_that_onnx_has_no_words_for_is_one_line(home, monkeypatch, capfd, odd) -> None:
    real = export._OfPixels.forward
    monkeypatch.setattr(export._OfPixels, "forward", lambda self, images: odd(real(self, images)))
    assert ended(monkeypatch, "export", "unstructured", "--onnx", "net.onnx", *WHERE) == RunError.exit_code
    assert is_one_line(capfd.readouterr(), "resnet8s", "ONNX") and not Path("net.onnx").exists()


def is_one_line(streams: Any, *named: str) -> bool:
    out, line = streams
    return (
        out == "" and line.count("\n") == 1 and line.startswith("app-repro: ") and all(name in line for name in named)
    )


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("words", "code", "named"),
    [
        ("none --onnx net.onnx", 2, "'none'"),
        ("unstructured --onnx .", 2, "--onnx"),
        ("unstructured --onnx raw/digits/meta.json/net.onnx", 2, "meta.json"),
        ("unstructured", 2, "--onnx"),
        ("unstructured --onnx net.onnx --store elsewhere", 2, "--store"),
        ("unstructured --onnx net.onnx --raw elsewhere --store bare", 2, "app-repro fetch"),
    ],
)
def test_what_cannot_be_exported_is_one_line(home, monkeypatch, capsys, words, code, named) -> None:
    shutil.copytree("store/runs", "bare/runs")
    given = words.split()
    places = [word for pair in (WHERE[:2], WHERE[2:]) if pair[0] not in given for word in pair]
    assert ended(monkeypatch, "export", *given, *places) == code
    assert is_one_line(capsys.readouterr(), named) and not Path("net.onnx").exists()


def test_other_images_than_the_run_s_are_refused(home, monkeypatch, capsys) -> None:
    meta = files.read_sealed(Path("raw/digits/meta.json"))
    files.write_sealed(Path("raw/digits/meta.json"), meta | {"digest": "0" * 64})
    assert ended(monkeypatch, "export", "unstructured", "--onnx", "net.onnx", *WHERE) == 2
    assert is_one_line(capsys.readouterr(), "raw/digits", "--raw")
    assert ended(monkeypatch, "export", "unstructured", "--onnx", "net.onnx", "--raw", "none", "--store", "store") == 2


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_extra_is_named(home, monkeypatch, capsys, package) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    assert ended(monkeypatch, "export", "unstructured", "--onnx", "net.onnx", *WHERE) == 2
    assert is_one_line(capsys.readouterr(), package, "'.[onnx]'")


def test_a_full_disk_leaves_the_file_that_was_there(home, monkeypatch, capsys) -> None:
    Path("net.onnx").write_text("before")
    monkeypatch.setattr("os.fsync", full)
    assert ended(monkeypatch, "export", "unstructured", "--onnx", "net.onnx", "--repeats", "0", *WHERE) == 3
    assert is_one_line(capsys.readouterr(), "net.onnx", "free") and Path("net.onnx").read_text() == "before"
