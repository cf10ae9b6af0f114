import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pretend
import pytest
from users import open_folder, plain_user
from workbench import app_repro, prepared, run_grid, settings, workspace

from app_repro.config import presets, reading
from app_repro.config.grid import load, parse
from app_repro.core.errors import ParamsError, PlaceError
from app_repro.data import splits
from app_repro.execution import executors, grid
from app_repro.execution.planning import speeds, timing
from app_repro.machine.workspace import environment
from app_repro.records import record
from app_repro.records.stores.store import Paths, Store


def test_shares_run_apart_and_merged_are_the_grid(tmp_path) -> None:
    here = workspace(tmp_path / "w", method=["dense", "app"], epochs=1, milestones=[])
    for share in ("1/2", "2/2"):
        ran = app_repro(here, "run", "--shard", share, "--store", f"share{share[0]}", "--out", "laid")
        assert ran.returncode == 0 and "1 of 1 runs finished" in ran.stdout
        assert len(list((here / "laid").iterdir())) == 1
    merged = app_repro(here, "merge", "share1", "share2", "--store", "all")
    assert merged.stdout == "all: 2 runs taken in, 0 held already, 0 unfinished ones taken\n"
    whole = app_repro(here, "run", "--store", "all", "--out", "laid")
    assert whole.stdout == "2 of 2 runs finished\n" and len(list((here / "laid").iterdir())) == 2


@pytest.mark.parametrize(("words", "key"), [({"executor": "rya"}, "--executor"), ({"share": "3/2"}, "--shard")])
def test_a_wrong_word_is_refused_before_data_sets_are_looked_for(tmp_path, words, key) -> None:
    (tmp_path / "params.yaml").write_text(reading.to_yaml(settings(method="dense")))
    places = Paths(tmp_path / "raw", tmp_path / "splits", tmp_path / "store")
    with pytest.raises(ParamsError) as caught:
        grid.run(tmp_path / "params.yaml", places, tmp_path / "o", **words)
    assert caught.value.key == key


@pytest.mark.parametrize("closed", ["store", "o"])
def test_a_place_that_cannot_be_written_is_refused_before_anything_is_trained(closed) -> None:
    with open_folder() as folder:
        _, places = prepared(folder, method="dense")
        (folder / "params.yaml").write_text(reading.to_yaml(settings(method="dense")))
        for name in ("store", "o"):
            (folder / name).mkdir(exist_ok=True)
            (folder / name).chmod(0o555 if name == closed else 0o777)
        with plain_user(), pytest.raises(PlaceError) as caught:
            grid.run(folder / "params.yaml", places, folder / "o")
        assert caught.value.kind == "not writable" and str(folder / closed) in caught.value.key
        assert not list(folder.rglob("lock"))


def test_a_finished_grid_is_laid_out_without_torch_or_a_worker(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(reading.to_yaml(settings(method="dense", seed=[1, 2])))
    app = [sys.executable, "-m", "app_repro"]
    subprocess.run([*app, "fetch"], check=True, capture_output=True)
    store, raw = Store(Path(".store")), Path("data/raw")
    for spec in splits.grid(load(Path("params.yaml")), raw):
        pretend.leave(spec, store.folder(spec), {})
    code = (
        "from app_repro.cli.pipeline import main\nimport sys\nsys.argv = ['app-repro', 'run']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    print(end.code, 'torch' in sys.modules)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.stdout == "2 of 2 runs finished\n0 False\n", ran.stderr
    assert len(list(Path("data/runs").iterdir())) == 2
    assert grid.run(Path("params.yaml"), Paths(raw, Path("data/splits"), store.root), Path("o")) == 0


def matrix_and_job() -> list[dict[str, Any]]:
    """The workflow and the Kubernetes job of the documentation."""
    root = Path(__file__).parents[2]
    texts = [path.read_text() for path in (root / "README.md", *sorted((root / "docs").glob("*.md")))]
    blocks = [part.split("```")[0] for text in texts for part in text.split("```yaml\n")[1:]]
    found = [reading.from_yaml(block, "manifest") for block in blocks]
    return [next(item for item in found if key in item) for key in ("jobs", "spec")]


def test_the_matrix_and_the_job_of_the_documentation_cover_the_grid() -> None:
    matrix, job = matrix_and_job()
    shard, spec = matrix["jobs"]["shard"], job["spec"]
    assert "gpu" in shard["runs-on"], "without one `run` refuses the committed grid"
    assert shard["strategy"]["matrix"]["share"] == list(range(1, 9))
    assert any("--shard ${{ matrix.share }}/8" in step.get("run", "") for step in shard["steps"])
    assert spec["completionMode"] == "Indexed" and spec["completions"] == spec["parallelism"] == 8 and spec["suspend"]
    pod = spec["template"]["spec"]
    assert "--shard $((JOB_COMPLETION_INDEX + 1))/8" in pod["containers"][0]["args"][2]
    assert "command" not in pod["containers"][0], "it would replace the image's entry point"
    user = re.search(r"^USER (\d+)", (Path(__file__).parents[2] / "Dockerfile").read_text(), re.MULTILINE)
    assert user and pod["securityContext"]["fsGroup"] == int(user[1]), "else its user cannot write to the volume"


def test_the_job_s_arguments_train_a_share_from_the_image_s_empty_folder(tmp_path) -> None:
    words = matrix_and_job()[1]["spec"]["template"]["spec"]["containers"][0]["args"]
    (tmp_path / "out").mkdir()
    wanted = settings(method=["dense", "app"], epochs=1, milestones=[])
    (tmp_path / "out/params.yaml").write_text(reading.to_yaml(wanted))
    code = "import sys, pathlib; from app_repro.machine import container; "
    code += "sys.exit(container.start(sys.argv[2:], pathlib.Path(sys.argv[1])))"
    command = [sys.executable, "-c", code, str(tmp_path / "out")]
    command += [word.replace("/shared-volume", str(tmp_path)) for word in words]
    at_pod = environment() | {"JOB_COMPLETION_INDEX": "1"}
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, env=at_pod)
    assert ran.returncode == 0 and ran.stdout.endswith("1 of 1 runs finished\n"), ran.stderr
    assert len(list((tmp_path / "store/runs").iterdir())) == 1


@pytest.mark.parametrize(("begun", "device", "is_said"), [(False, "cpu", 1), (True, "cpu", 0), (False, "cuda", 0)])
def test_cores_that_would_idle_are_named_before_anything_is_trained(
    tmp_path, monkeypatch, capsys, begun, device, is_said
) -> None:
    specs, places = prepared(tmp_path, method="dense", device=device)
    (tmp_path / "params.yaml").write_text(reading.to_yaml(settings(method="dense", device=device)))
    if begun:
        Store(places.store).folder(specs[0]).save_state(b"begun")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})
    monkeypatch.setattr(os, "getloadavg", lambda: (0.0, 0.0, 0.0))
    monkeypatch.setattr(timing, "seconds", lambda spec, shape, threads: 1.0 / threads)
    monkeypatch.setattr(executors, "bind", lambda *words, **options: lambda *given: None)
    monkeypatch.setattr(executors, "hint", lambda *words: "")
    monkeypatch.setattr(speeds, "has_gpu", lambda asked: asked == "cuda")
    grid.run(tmp_path / "params.yaml", places, tmp_path / "o")
    assert capsys.readouterr().err.count("1 run, 2 cores: -S threads=2 is about 2x faster") == is_said


def test_data_runs_is_exactly_the_grid(tmp_path) -> None:
    specs, places = prepared(tmp_path, method=["dense", "osp"])
    run_grid(specs, places, ["cpu"], pretend.Recorder())
    grid.lay_out_grid(specs[:1], (), Store(places.store), tmp_path / "runs")
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["digits-resnet8s-dense-sb3-s1"]
    left = {path.name for path in (tmp_path / "runs/digits-resnet8s-dense-sb3-s1").iterdir()}
    assert left == {"record.json", "masks.safetensors", *(f"megabatch-{k:03d}.json" for k in (1, 2, 3))}


def test_accepting_code_is_written_into_the_record(tmp_path, monkeypatch) -> None:
    specs, places = prepared(tmp_path, method="dense")
    run_grid(specs, places, ["cpu"], pretend.Recorder())
    monkeypatch.setattr(record, "code_digest", lambda spec=None: "new")
    assert grid.accept(specs, Store(places.store)) == 1
    assert grid.accept(specs, Store(places.store)) == 0
    folder = Store(places.store).folder(specs[0])
    assert (folder.finished("new") or {})["accepted_code"] == ["new"]


SHORT = parse(presets.preset("short") | {"device": "cpu", "workers": 1}).specs


IDS = {spec: spec.run_id for spec in SHORT}


@pytest.mark.parametrize("of", [1, 2, 3, 7, 8, 53, 54, 60])
def test_shares_are_disjoint_complete_and_even_also_of_each_kind(of: int) -> None:
    shares = [grid.shard(SHORT, f"{k}/{of}") for k in range(1, of + 1)]
    assert sorted(IDS[spec] for share in shares for spec in share) == sorted(IDS.values())
    sizes = [len(share) for share in shares]
    of_one_kind = [sum((spec.dataset, spec.arch) == ("cifar10", "resnet50") for spec in share) for share in shares]
    assert max(sizes) - min(sizes) <= 1 and max(of_one_kind) - min(of_one_kind) <= 1


def test_a_share_does_not_hang_on_the_order_of_the_axes() -> None:
    turned = parse(settings(seed=[3, 1, 2], method=["app", "dense"])).specs
    straight = parse(settings(seed=[1, 2, 3], method=["dense", "app"])).specs
    assert [spec.run_id for spec in grid.shard(turned, "2/4")] == [spec.run_id for spec in grid.shard(straight, "2/4")]
    assert grid.shard(straight, "1/1") != [] and len(grid.shard(straight, "6/6")) == 1


@pytest.mark.parametrize("share", ["0/8", "9/8", "2", "2/8/1", "a/b", "-1/8", "2/0", "1.5/8", ""])
def test_what_is_no_share_is_refused(share: str) -> None:
    with pytest.raises(ParamsError) as caught:
        grid.shard(SHORT, share)
    assert (caught.value.key, caught.value.kind) == ("--shard", "form")


def test_states_that_a_killed_run_left_beside_its_record_go(tmp_path) -> None:
    specs, places = prepared(tmp_path, method=["dense"])
    run_grid(specs, places, ["cpu"], pretend.Recorder())
    folder = Store(places.store).folder(specs[0])
    before = sorted(path.name for path in folder.path.iterdir())
    folder.save_state(b"a state")
    assert len(list(folder.path.iterdir())) == len(before) + 1
    grid.lay_out_grid(specs, (), Store(places.store), tmp_path / "runs")
    assert sorted(path.name for path in folder.path.iterdir()) == before
