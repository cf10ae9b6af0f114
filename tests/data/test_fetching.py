"""The data sets of a params file: fetched into a store that projects share, laid out, and looked at again."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from small_sets import class_folders, save
from workbench import settings

from app_repro.config import reading
from app_repro.core import paths
from app_repro.core.errors import DataError, ParamsError
from app_repro.data import dataset, fetching


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a params.yaml on digits, which is the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("APP_REPRO_STORE", raising=False)
    (tmp_path / "params.yaml").write_text(reading.to_yaml(settings(method="dense")))
    return tmp_path


def fetch_grid(*names: str, origin: str | None = None) -> None:
    fetching.fetch_grid(Path("params.yaml"), Path("data/raw"), paths.store_at(None), names, origin)


def test_data_sets_live_in_the_store_and_are_laid_out_again_without_work(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fetch_grid()
    made = (here / ".store/datasets/digits/meta.json").stat()
    for path in (here / "data/raw/digits").iterdir():
        path.unlink()  # as DVC does before it runs the stage
    fetch_grid()
    assert (here / ".store/datasets/digits/meta.json").stat().st_mtime_ns == made.st_mtime_ns
    assert (here / ".store/datasets/digits/meta.json").samefile(here / "data/raw/digits/meta.json")
    assert "digits: 1,497 + 300 images" in capsys.readouterr().out


def test_from_goes_with_one_data_set(here: Path) -> None:
    (here / "params.yaml").write_text(reading.to_yaml(settings(dataset=["digits", "cifar10"])))
    with pytest.raises(ParamsError, match=r"--from goes with one data set"):
        fetch_grid(origin="somewhere.tar.gz")


def project(folder: Path, monkeypatch: pytest.MonkeyPatch, dataset: str = "folder:images") -> Path:
    """A folder with params for `dataset`, which becomes the current one."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "params.yaml").write_text(reading.to_yaml(settings(dataset=dataset, method="dense")))
    monkeypatch.chdir(folder)
    return folder


def fetched(folder: Path) -> dataset.DataSet:
    fetch_grid()
    (place,) = (folder / "data/raw").iterdir()
    return dataset.load(place)


def test_projects_that_share_a_store_have_their_own_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_REPRO_STORE", str(tmp_path / "store"))
    for name, value in (("one", 7), ("two", 8)):
        save(class_folders(tmp_path / name / "images") / "train/a/0.png", (value,) * 3)
        assert fetched(project(tmp_path / name, monkeypatch)).train_images[0, 0, 0, 0] == value
    workspace = project(tmp_path / "one/.dvc/tmp/exps/tmpabc", monkeypatch)  # of dvc exp run --temp
    assert fetched(workspace).train_images[0, 0, 0, 0] == 7
    assert len(list((tmp_path / "store/datasets").iterdir())) == 2


def test_what_a_user_should_know_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("APP_REPRO_STORE", str(tmp_path / "store"))
    here = project(tmp_path / "here", monkeypatch)
    own = class_folders(here / "images")
    save(own / "test/b/0.png", (0, 0, 0))  # as train/a/0.png
    (own / "test").rename(own / "val")
    assert fetched(here).source["test_part"] == "val"
    (own / "test").mkdir()  # without labels
    save(own / "test/7.png")
    assert fetched(here).source["test_images_in_train"] == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4 and lines[:2] == lines[2:] and "val/" in lines[0] and "1 of 2 test images" in lines[1]
    (own / "train/a/0.png").unlink()
    fetched(here)
    assert "fetched again" in capsys.readouterr().err
    own.rename(here / "elsewhere")
    assert len(fetched(here).train_labels) == 2
    assert "not there now" in capsys.readouterr().err


def test_each_project_is_told_that_its_images_have_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("APP_REPRO_STORE", str(tmp_path / "store"))
    own = class_folders(tmp_path / "own")
    for expected in (0, 2, 0):  # at first, after a change, after the same image is saved once more
        for name in ("one", "two"):
            fetched(project(tmp_path / name, monkeypatch, f"folder:{own}"))
        assert capsys.readouterr().err.count("fetched again") == expected
        save(own / "train/a/0.png", (77, 77, 77))


def test_a_look_says_whether_images_have_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("APP_REPRO_STORE", str(tmp_path / "store"))
    here = project(tmp_path / "here", monkeypatch)
    with pytest.raises(DataError, match=f"{here}/images: no such"):
        look()
    own = class_folders(here / "images")
    first = look()
    assert look() == first
    save(own / "train/b/0.png")
    second = look()
    own.rename(here / "elsewhere")
    assert look() == second != first
    said = [line.partition(": ")[2] for line in capsys.readouterr().out.splitlines()]
    assert said == ["new", "as before", "changed", "not there now"]
    project(here, monkeypatch, "digits")
    assert look() == {}


def test_where_there_is_no_folder_to_look_at_nothing_that_reads_images_is_loaded(tmp_path) -> None:
    code = (
        "import sys; from pathlib import Path; from app_repro.data import fetching\n"
        "fetching.look_grid(*map(Path, sys.argv[1:]))\n"
        "print([name for name in ('torch', 'numpy', 'PIL', 'http.client') if name in sys.modules])"
    )
    words = [str(paths.PACKAGE.parent / "params.yaml"), str(tmp_path / "sources.json"), str(tmp_path)]
    told = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def look() -> dict[str, str]:
    """The digests by data set that the stage leaves."""
    fetching.look_grid(Path("params.yaml"), Path("sources.json"), paths.store_at(None))
    return dict(json.loads(Path("sources.json").read_text())["sources"])
