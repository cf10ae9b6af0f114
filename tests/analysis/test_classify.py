"""Images classified with an exported file or a run: the same answers, and each image that cannot be used is named."""

import json
import os
import re
import runpy
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import onnx
import pytest
from house import ROOT
from PIL import Image
from users import open_folder, plain_user
from workbench import ended, trained

from app_repro.analysis import classify, export
from app_repro.core import files
from app_repro.records.stores import finished

WHERE = ("--raw", "raw", "--store", "store")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny run of digits, its exported file, and test images in a folder."""
    folder = tmp_path_factory.mktemp("made")
    (spec,), places = trained(folder, method="app")
    told = finished.named(spec.run_id, places.store)
    export.export(told, places.raw, places.store, folder / "net.onnx")
    (folder / "pictures/more").mkdir(parents=True)
    for place, pixels in enumerate(np.load(places.raw / "digits/test_images.npy")[:70]):
        Image.fromarray(pixels[:, :, 0]).save(folder / "pictures" / ("more" * (place > 66)) / f"{place:02}.png")
    (folder / "pictures/notes.txt").write_text("no image")
    return folder


@pytest.fixture
def home(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(made)
    return made


def answers(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return json.loads(capsys.readouterr().out)


def test_file_and_run_say_the_same_of_every_image_of_a_folder(home, monkeypatch, capsys) -> None:
    assert ended(monkeypatch, "predict", "net.onnx", "pictures", "--json", "--top", "3", *WHERE) == 0
    of_file = answers(capsys)
    assert ended(monkeypatch, "predict", "app", "pictures", "--json", "--top", "3", *WHERE) == 0
    of_run = answers(capsys)
    assert [row["image"] for row in of_file] == sorted(str(path) for path in Path("pictures").rglob("*.png"))
    assert len(of_file) == 70 > classify.AT_ONCE and len({row["class"] for row in of_file}) > 1
    for one, other in zip(of_file, of_run, strict=True):
        assert (one["image"], one["class"]) == (other["image"], other["class"])
        shares = [[item["probability"] for item in row["top"]] for row in (one, other)]
        assert shares[0] == pytest.approx(shares[1], abs=1e-5) and shares[0] == sorted(shares[0], reverse=True)
        assert one["probability"] == shares[0][0] and sum(shares[0]) < 1
    assert ended(monkeypatch, "predict", "net.onnx", "pictures/00.png") == 0
    image, label, share, percent = capsys.readouterr().out.split()
    assert (image, label, percent) == ("pictures/00.png", of_file[0]["class"], "%")
    assert float(share) == pytest.approx(100 * of_file[0]["probability"], abs=0.01)


def test_a_file_takes_no_torch(home) -> None:
    """In a process of its own, which alone knows what it imports."""
    command = [sys.executable, "-X", "importtime", "-m", "app_repro", "predict", "net.onnx", "pictures/00.png"]
    ran = subprocess.run(command, capture_output=True, text=True, env=os.environ)
    imported = {line.split("|")[-1].strip().split(".")[0] for line in ran.stderr.splitlines()}
    assert (ran.returncode, len(ran.stdout.split())) == (0, 4)
    assert "onnxruntime" in imported and not imported & {"torch", "torchvision", "onnx", "onnxscript", "pandas"}


def test_an_image_that_cannot_be_used_is_named_and_others_are_classified(home, monkeypatch, capsys, tmp_path) -> None:
    large, broken, missing = (tmp_path / name for name in ("large.png", "broken.png", "missing.png"))
    Image.effect_noise((20, 10), 60).save(large)
    broken.write_bytes(large.read_bytes()[:-99])
    words = ("net.onnx", str(large), "pictures/00.png", str(broken), str(missing))
    assert ended(monkeypatch, "predict", *words) == 2
    out, said = capsys.readouterr()
    assert out.startswith("pictures/00.png") and out.count("\n") == 1
    lines = said.splitlines()
    assert [str(path) in line for path, line in zip((large, broken, missing), lines, strict=True)] == [True] * 3
    assert all(word in lines[0] for word in ("20x10", "8x8", "--resize"))
    assert ended(monkeypatch, "predict", *words, "--resize", "--json") == 2
    assert ["error" in row for row in answers(capsys)] == [False, False, True, True]
    assert ended(monkeypatch, "predict", "net.onnx", "/nope.png") == 2
    assert " /nope.png: " in capsys.readouterr().err


def test_a_record_is_the_run_s_and_a_pipe_is_read(home, monkeypatch, capsys, tmp_path) -> None:
    files.link_or_copy(Path("data/runs/app/record.json"), tmp_path / "published.json")
    assert ended(monkeypatch, "predict", str(tmp_path / "published.json"), "pictures/00.png", *WHERE) == 0
    os.mkfifo(pipe := tmp_path / "pipe")
    threading.Thread(target=pipe.write_bytes, args=(Path("net.onnx").read_bytes(),), daemon=True).start()
    assert ended(monkeypatch, "predict", str(pipe), "pictures/00.png") == 0
    of_run, of_pipe = capsys.readouterr().out.splitlines()
    assert of_run == of_pipe


def test_what_cannot_be_read_in_a_folder_is_named_and_a_pipe_is_no_end(home, monkeypatch, capsys) -> None:
    with open_folder() as folder:
        os.mkfifo(folder / "pipe.png")
        (folder / "lost.png").symlink_to("nowhere")
        (folder / "closed").mkdir(mode=0o700)
        Image.new("L", (8, 8)).save(folder / "fine.png")
        (folder / "net.onnx").write_bytes(Path("net.onnx").read_bytes())
        monkeypatch.chdir(folder)
        assert ended(monkeypatch, "predict", "net.onnx", ".") == 2
        assert "closed" not in capsys.readouterr().err
        with plain_user():
            assert ended(monkeypatch, "predict", "net.onnx", ".") == 2
    out, said = capsys.readouterr()
    assert out.startswith("fine.png") and [name in said for name in ("closed", "lost.png", "pipe")] == [
        True,
        True,
        False,
    ]


def foreign(path: Path) -> None:
    """An ONNX file as others write them."""
    model = onnx.load(path)
    model.ClearField("metadata_props")
    onnx.save(model, path)


def of_floats(path: Path) -> None:
    """One that says the same of itself, and takes other images."""
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    onnx.save(model, path)


@pytest.mark.parametrize(
    ("name", "spoil", "kind"),
    [
        ("text.onnx", lambda path: path.write_text("hello"), "no onnx"),
        ("empty.onnx", lambda path: path.write_bytes(b""), "no onnx"),
        ("cut.onnx", lambda path: path.write_bytes(path.read_bytes()[:-5000]), "no onnx"),
        ("foreign.onnx", foreign, "foreign"),
        ("floats.onnx", of_floats, "foreign"),
        ("none.onnx", lambda path: path.unlink(), "unknown"),
    ],
)
def test_what_is_no_network_is_one_line(home, monkeypatch, capfd, tmp_path, name, spoil, kind) -> None:
    path = tmp_path / name
    path.write_bytes(Path("net.onnx").read_bytes())
    spoil(path)
    with pytest.raises(classify.DataError) as caught:
        classify.open_named(str(path), Path("raw"), Path("store"))
    assert (caught.value.key, caught.value.kind) == (str(path), kind)
    assert ended(monkeypatch, "predict", str(path), "pictures/00.png", *WHERE) == 2
    out, said = capfd.readouterr()
    assert (out, said.count("\n")) == ("", 1) and name in said


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("net.onnx raw", "raw"),
        ("net.onnx", "IMAGE"),
        ("net.onnx pictures/00.png --top 0", "--top"),
    ],
)
def test_a_command_line_that_cannot_be_meant_is_one_line(home, monkeypatch, capsys, words, named) -> None:
    assert ended(monkeypatch, "predict", *words.split()) == 2
    out, said = capsys.readouterr()
    assert (out, said.count("\n")) == ("", 1) and named in said


def test_the_page_s_lines_classify_an_image(home, monkeypatch, capsys) -> None:
    (lines,) = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs/networks.md").read_text(), re.M | re.S)
    Path("photo.png").write_bytes(Path("pictures/03.png").read_bytes())
    Path("lines.py").write_text(lines)
    assert ended(monkeypatch, "predict", "net.onnx", "photo.png") == 0
    label = capsys.readouterr().out.split()[1]
    runpy.run_path("lines.py")
    assert capsys.readouterr().out.split() == [label]


def test_a_missing_extra_is_named(home, monkeypatch, capsys) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert ended(monkeypatch, "predict", "net.onnx", "pictures/00.png") == 2
    assert "'.[onnx]'" in capsys.readouterr().err
    assert ended(monkeypatch, "predict", "app", "pictures/00.png", *WHERE) == 0
