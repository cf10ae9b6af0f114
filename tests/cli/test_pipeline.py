import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner
from workbench import ended, settings

from app_repro.cli import pipeline
from app_repro.config import reading
from app_repro.core.paths import PACKAGE

COMMANDS = [
    "fetch",
    "split",
    "run",
    "report",
    "verify",
    "audit",
    "demo",
    "preset",
    "methods",
    "plan",
    "runs",
    "export",
    "predict",
    "doctor",
    "wandb",
]


def test_help_names_every_command_and_the_exit_codes() -> None:
    text = CliRunner().invoke(pipeline.app, ["--help"], env={"COLUMNS": "200"}).output
    assert all(f" {name} " in text for name in COMMANDS) and "Exit codes" in text


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name) -> None:
    result = CliRunner().invoke(pipeline.app, [name, "--help"])
    assert result.exit_code == 0 and len(result.output) > 200


@pytest.mark.parametrize(
    ("words", "default"),
    [
        ("report", "data/runs, data/published"),
        ("report", "data/report"),
        ("verify", "data/runs, data/published"),
        ("power", "data/runs, data/published"),
        ("audit", "store, runs, published"),
        ("bench", "four"),
        ("run", "local as benched, for captured steps; ray 1"),
        ("run", "240"),
    ],
)
def test_a_default_that_the_code_works_out_is_shown(words, default) -> None:
    text = CliRunner().invoke(pipeline.app, [words, "--help"], env={"COLUMNS": "250"}).output
    assert f"[default: ({default})]" in text


@pytest.mark.parametrize("name", ["", *COMMANDS, "wandb sync"])
def test_h_is_help(monkeypatch, capsys, name) -> None:
    assert ended(monkeypatch, *name.split(), "-h") == 0
    assert f"app-repro {name}".strip() in capsys.readouterr().out


def test_the_version_names_the_package_whose_code_runs(monkeypatch, capsys) -> None:
    assert ended(monkeypatch, "--version") == 0
    assert re.fullmatch(rf"app-repro \d+\.\d+\S*, package in {re.escape(str(PACKAGE))}\n", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("verfy", "'verify'"),
        ("run --worker 3", "--workers"),
        ("run --workers x", "'--workers': a whole number is wanted"),
        ("run --workers 0", "'--workers': at least 1 is wanted"),
        ("plan --watts", "--watts"),
        ("merge", "folders"),
        ("runs extra", "extra"),
        ("preset demos", "did you mean 'demo'?"),
        ("plan --preset demo --claim size-third", "--preset"),
        ("plan --claims-cost --preset demo", "--preset"),
        ("plan --bench nowhere --preset demo", "--bench"),
        ("report --card a --open", "--open"),
        ("run --shard=", "--shard"),
        ("plan --claim ''", "--claim"),
        ("preset ''", "preset"),
        ("report --out '' --card x", "--out"),
    ],
)
def test_a_command_line_that_cannot_be_used_is_one_line_and_exit_2(monkeypatch, capsys, words, named) -> None:
    assert ended(monkeypatch, *shlex.split(words)) == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1 and printed.err.startswith("app-repro: ") and named in printed.err
    assert printed.out == ""


@pytest.mark.parametrize("words", ["audit --differences '~/a'", "report --runs=~/a"])
def test_the_home_folder_is_filled_in_where_the_shell_did_not(monkeypatch, tmp_path, capsys, words) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    ended(monkeypatch, *shlex.split(words))
    printed = capsys.readouterr()
    assert f"{tmp_path}/a" in printed.out + printed.err and "~" not in printed.out + printed.err


def test_a_working_directory_that_was_removed_is_one_line(tmp_path, monkeypatch, capsys) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert ended(monkeypatch, "runs") == 2
    assert "removed" in capsys.readouterr().err


def test_presets_print_as_flags() -> None:
    flags = CliRunner().invoke(pipeline.app, ["preset", "demo"]).output
    assert flags.startswith("-S dataset=digits ") and "-S method=[dense,osp,app]" in flags
    assert "cifar-small" in CliRunner().invoke(pipeline.app, ["preset", "--list"]).output


def test_a_grid_is_fetched_split_run_and_listed_in_one_process(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("APP_REPRO_STORE", raising=False)
    Path("params.yaml").write_text(reading.to_yaml(settings(method="dense")))

    def printed(command: str) -> str:
        result = CliRunner().invoke(pipeline.app, [command])
        assert result.exit_code == 0
        return result.output

    printed("fetch")
    assert "3 megabatches of 90 + 10 images, 100 to test" in printed("split")
    assert printed("run").splitlines()[-1] == "1 of 1 runs finished"
    assert [path.name for path in Path("data/runs").iterdir()] == ["digits-resnet8s-dense-sb3-s1"]
    assert "finished" in printed("runs")
