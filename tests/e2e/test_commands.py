"""The commands as a user types them, in a folder that is no checkout."""

import json

import pytest
from workbench import app_repro, settings, workspace

from app_repro.config import reading


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = workspace(tmp_path_factory.mktemp("commands"))
    result = app_repro(folder, "run")
    assert result.returncode == 0, result.stderr
    return folder, result


def test_run_shows_a_plain_line_an_epoch_and_sums_up(ran) -> None:
    lines = ran[1].stdout.splitlines()
    epochs = [line for line in lines if " epoch " in line]
    assert len(epochs) == 3 * 3 * 2
    assert "megabatch 1/3 epoch 1 | val " in epochs[0] and "samples/s | ETA " in epochs[0]
    assert lines[-1] == "3 of 3 runs finished"


def test_report_writes_tables_figures_and_metrics(ran) -> None:
    result = app_repro(ran[0], "report")
    assert result.returncode == 0
    for name in (
        "tables/main.md",
        "tables/main.csv",
        "tables/main.json",
        "figures/accuracy.png",
        "figures/density.svg",
    ):
        assert (ran[0] / "data/report" / name).stat().st_size > 100, name
    metrics = json.loads((ran[0] / "data/report/metrics.json").read_text())
    assert metrics["digits/resnet8s/osp/paper"]["density_effective"] == pytest.approx(0.3664, abs=1e-4)
    assert metrics["digits/resnet8s/dense/paper"]["density_effective"] == 1.0


def test_runs_and_plan_tell_what_is_done(ran) -> None:
    listed = app_repro(ran[0], "runs").stdout
    assert listed.count(" finished ") == 3 and "digits resnet8s app 3 4.5 snip 1 paper" in listed
    assert "0 of 3 to run" in app_repro(ran[0], "plan").stdout
    changed = settings(sb=2)
    (ran[0] / "other.yaml").write_text(reading.to_yaml(changed))
    planned = app_repro(ran[0], "plan", "--params", "other.yaml").stdout
    assert "3 of 3 to run" in planned and planned.count(" 810 ") == 3  # 2 epochs x (135 + 270) images


def test_help_is_quick_and_imports_no_torch() -> None:
    import subprocess
    import sys

    code = (
        "import gc, sys, runpy; sys.argv = ['app-repro', '--help']\n"
        "try: runpy.run_module('app_repro', run_name='__main__')\n"
        "except SystemExit: print(sorted({'torch', 'pandas', 'scipy', 'altair', 'pydantic', 'importlib.metadata'}\n"
        "  & set(sys.modules)), gc.get_freeze_count() > 10_000)"  # frozen: not looked through once more at the end
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[] True"
    for command in ("fetch", "split", "run", "report", "verify", "demo", "preset", "plan", "runs"):
        assert f" {command} " in result.stdout


BAD = {
    "unknown key": ({"lrr": 1}, "lrr"),
    "wrong type": ({"sb": "eight"}, "sb"),
    "out of range": ({"val_fraction": 1.5}, "val_fraction"),
    "unknown name": ({"arch": "resnet9s"}, "resnet8s"),
    "not finite": ({"lr": float("nan")}, "lr"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_setting_is_one_line_and_exit_2_before_torch(tmp_path, case) -> None:
    change, named = BAD[case]
    (tmp_path / "params.yaml").write_text(reading.to_yaml(settings() | change))
    (tmp_path / "torch.py").write_text("raise SystemExit('torch was imported')")
    result = app_repro(tmp_path, "run", env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path)})
    assert result.returncode == 2 and len(result.stderr.strip().splitlines()) == 1
    assert named in result.stderr


def test_missing_params_data_and_records_are_one_line_each(tmp_path) -> None:
    assert "no such file" in app_repro(tmp_path, "run").stderr
    (tmp_path / "params.yaml").write_text(reading.to_yaml(settings()))
    for command in ("split", "run"):
        result = app_repro(tmp_path, command)
        assert result.returncode == 2 and "fetch" in result.stderr and "Traceback" not in result.stderr
    result = app_repro(tmp_path, "report")
    assert result.returncode == 2 and len(result.stderr.strip().splitlines()) == 1


def test_a_megabatch_too_small_is_refused_by_split(tmp_path) -> None:
    folder = workspace(tmp_path)
    (folder / "params.yaml").write_text(reading.to_yaml(settings(sb=200)))
    result = app_repro(folder, "split")
    assert result.returncode == 2 and "lower sb" in result.stderr


def test_a_diverged_run_is_exit_3_and_named_and_its_neighbour_finishes(tmp_path) -> None:
    folder = workspace(tmp_path, method="dense", lr=[0.1, 1000.0], weight_decay=1000.0, epochs=6)
    result = app_repro(folder, "run")
    assert result.returncode == 3 and "diverged" in result.stderr and "megabatch" in result.stderr
    assert app_repro(folder, "run").returncode == 3  # found in the store, still said


def test_days_on_a_cpu_are_refused_with_the_way_out(tmp_path) -> None:
    folder = workspace(tmp_path, arch="resnet18", sb=8, epochs=5000, train_limit=None)
    result = app_repro(folder, "run")
    assert result.returncode == 2 and len(result.stderr.strip().splitlines()) == 1
    assert "app-repro demo" in result.stderr and "--anyway" in result.stderr
    assert not (folder / ".store/runs").exists()


def _damaged_archive(folder, kind: str):
    """An archive of class folders that is truncated, hostile, of another digest, or not there at all."""
    import io
    import tarfile

    path = folder / f"{kind}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        name = "../escaped.png" if kind == "hostile" else "train/cat/0.png"
        member = tarfile.TarInfo(name)
        member.size = 20_000
        archive.addfile(member, io.BytesIO(bytes(range(200)) * 100))
    if kind == "truncated":
        path.write_bytes(path.read_bytes()[:60])
    if kind == "missing":
        path.unlink()
    return path


@pytest.mark.parametrize("kind", ["truncated", "hostile", "not-official", "missing"])
def test_a_bad_archive_is_one_line_and_leaves_nothing_behind(tmp_path, kind) -> None:
    (tmp_path / "params.yaml").write_text(reading.to_yaml(settings(dataset="cifar10", arch="resnet20s")))
    archive = _damaged_archive(tmp_path, kind)
    result = app_repro(tmp_path, "fetch", "--from", str(archive))
    assert result.returncode in (2, 3) and len(result.stderr.strip().splitlines()) == 1, result.stderr
    assert archive.name in result.stderr and "Traceback" not in result.stderr
    assert not (tmp_path / "data/raw/cifar10").exists() and not (tmp_path.parent / "escaped.png").exists()
    left = [path for path in (tmp_path / ".store").rglob("*") if path.is_file()]
    assert not left, left
