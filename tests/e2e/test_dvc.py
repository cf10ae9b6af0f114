"""The pipeline as DVC runs it, in a temporary clone: repro, again, exp run, metrics; and the demo."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from small_sets import class_folders, save

from app_repro.records.code import code_digest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
TINY = ["-S", "epochs=1", "-S", "milestones=[1]", "-S", "seed=1", "-S", "train_limit=400", "-S", "test_limit=100"]


def run(folder: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    env = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "DVC_NO_ANALYTICS": "1"}
    env.pop("APP_REPRO_STORE", None)
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A git clone of the working tree as it is, committed, with the demo preset run once at one epoch."""
    folder = tmp_path_factory.mktemp("clone")
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout: nothing to clone")
    for name in listed.stdout.split("\n"):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    identity = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
    for command in (["git", "init", "-q"], ["git", "add", "-A"], ["git", *identity, "commit", "-qm", "all"]):
        subprocess.run(command, cwd=folder, check=True)
    for key, value in (("user.name", "t"), ("user.email", "t@localhost")):
        subprocess.run(["git", "config", key, value], cwd=folder, check=True)
    flags = run(folder, "app-repro", "preset", "demo").stdout.split()
    result = run(folder, "dvc", "exp", "run", *flags, *TINY)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


def names(folder: Path) -> set[str]:
    return {path.name for path in (folder / "data/runs").iterdir()}


def test_a_preset_runs_the_whole_pipeline(clone) -> None:
    assert names(clone) == {f"digits-resnet8s-{method}-sb8-s1" for method in ("dense", "osp", "app")}
    for name in ("tables/main.md", "figures/accuracy.png", "metrics.json", "verdicts/verdicts.json"):
        assert (clone / "data/report" / name).exists(), name


def test_again_there_is_nothing_to_do(clone) -> None:
    result = run(clone, "dvc", "repro")
    assert result.returncode == 0 and result.stdout.count("didn't change, skipping") == 6
    assert re.findall("Running stage '(.*)'", result.stdout) == ["look"]
    assert run(clone, "dvc", "status").stdout.split() == ["look:", "always", "changed"]


def test_metrics_show_and_dag_speak(clone) -> None:
    assert "digits/resnet8s/app/paper.test_accuracy" in run(clone, "dvc", "metrics", "show").stdout
    assert all(stage in run(clone, "dvc", "dag").stdout for stage in ("fetch", "split", "run", "report", "verify"))


def test_plots_show_draws_every_setting(clone) -> None:
    result = run(clone, "dvc", "plots", "show")
    assert result.returncode == 0, result.stderr
    page = (clone / "dvc_plots/index.html").read_text()
    assert all(f"stream/digits-resnet8s-{method}-paper.csv" in page for method in ("dense", "osp", "app"))
    assert "test accuracy after the last megabatch" in page and '"density_effective"' in page


def test_one_thing_is_changed_and_changed_back_without_training_twice(clone) -> None:
    result = run(clone, "dvc", "exp", "run", "-S", "sb=4")
    assert result.returncode == 0, result.stdout + result.stderr
    assert names(clone) == {f"digits-resnet8s-{method}-sb4-s1" for method in ("dense", "osp", "app")}
    back = run(clone, "dvc", "exp", "run", "-S", "sb=8")
    assert back.returncode == 0 and " epoch " not in back.stdout
    assert names(clone) == {f"digits-resnet8s-{method}-sb8-s1" for method in ("dense", "osp", "app")}


def test_a_list_is_an_axis_and_experiments_are_shown(clone) -> None:
    result = run(clone, "dvc", "exp", "run", "-S", "method=[app,osp]", "-S", "tau=3.0")
    assert result.returncode == 0, result.stdout + result.stderr
    assert names(clone) == {"digits-resnet8s-app-sb8-s1", "digits-resnet8s-osp-sb8-s1"}
    assert "0.512" in run(clone, "dvc", "metrics", "show").stdout  # 0.8 ** 3
    assert run(clone, "dvc", "exp", "show", "--csv").returncode == 0


def test_a_typo_is_refused(clone) -> None:
    assert run(clone, "dvc", "exp", "run", "-S", "tua=3.0").returncode != 0


def test_own_images_that_have_changed_are_fetched_again(clone) -> None:
    def stages() -> tuple[list[str], str]:
        result = run(clone, "dvc", "repro", "fetch")
        assert result.returncode == 0, result.stdout + result.stderr
        return re.findall("Running stage '(.*)'", result.stdout), result.stderr

    params = (clone / "params.yaml").read_text()
    own = class_folders(clone / "own")
    try:
        (clone / "params.yaml").write_text(re.sub("(?m)^dataset: .*$", "dataset: folder:own", params))
        assert stages()[0] == ["look", "fetch"] and stages()[0] == ["look"]
        save(own / "train/a/0.png", (99, 99, 99))
        ran, said = stages()
        assert ran == ["look", "fetch"] and "folder:own: " in said
    finally:
        (clone / "params.yaml").write_text(params)
        shutil.rmtree(own)


def test_edited_code_runs_in_a_temporary_checkout_too_and_its_records_say_so(clone) -> None:
    with (clone / "app_repro/core/seeds.py").open("a") as file:
        file.write("\nOTHER = 1\n")
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=clone, capture_output=True, text=True).stdout.strip()
    refused = run(clone, "app-repro", "runs")
    assert refused.returncode == 2 and all(f"{place}/app_repro" in refused.stderr for place in (clone, ROOT))
    result = run(clone, "dvc", "exp", "run", "--temp", "-S", "method=app", "-S", "sb=3")
    assert result.returncode == 0, result.stdout + result.stderr
    records = [json.loads(path.read_text()) for path in clone.glob(".store/runs/*/record.json")]
    of_edited = code_digest(folder=clone / "app_repro")
    (ran,) = [content for content in records if content["code_digest"] == of_edited]
    assert of_edited != code_digest() and ran["provenance"]["git"] == {"commit": head, "dirty": True}
    others = [content["provenance"]["git"] for content in records if content != ran]
    assert others and all(item["commit"] == head for item in others)


@pytest.mark.slow
def test_the_demo_leaves_tracked_files_as_they_are_and_works_without_git(tmp_path) -> None:
    before = subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True).stdout
    small = [word for item in ("epochs=1", "milestones=[1]", "seed=1") for word in ("--set", item)]
    folder = tmp_path / "demo"
    result = run(ROOT, "app-repro", "demo", *small, "--folder", str(folder))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "| digits    | resnet8s | app " in result.stdout and " verdicts: " in result.stdout
    assert before == subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True).stdout
    record = json.loads(next(folder.glob("data/runs/*/record.json")).read_text())
    assert record["provenance"]["git"]["commit"], "what runs is this checkout's package, not the workspace's copy"
