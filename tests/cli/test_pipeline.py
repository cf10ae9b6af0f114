import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner
from workbench import settings

from app_repro.cli import pipeline
from app_repro.config import reading
from app_repro.core.errors import DataError, IntegrityError

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


@pytest.mark.parametrize(("error", "code"), [(DataError("no such thing"), 2), (IntegrityError("damaged"), 3)])
def test_an_error_is_one_line_on_standard_error_and_its_exit_code(monkeypatch, capsys, error, code) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(pipeline, "app", fail)
    with pytest.raises(SystemExit) as caught:
        pipeline.main()
    assert caught.value.code == code and capsys.readouterr().err == f"app-repro: {error}\n"


def test_an_interrupted_command_exits_with_130(monkeypatch) -> None:
    monkeypatch.setattr(pipeline, "app", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(SystemExit) as caught:
        pipeline.main()
    assert caught.value.code == 130


def test_presets_print_as_flags_and_a_wrong_name_offers_the_nearest(monkeypatch, capsys) -> None:
    flags = CliRunner().invoke(pipeline.app, ["preset", "demo"]).output
    assert flags.startswith("-S dataset=digits ") and "-S method=[dense,osp,app]" in flags
    assert "cifar-small" in CliRunner().invoke(pipeline.app, ["preset", "--list"]).output
    monkeypatch.setattr(sys, "argv", ["app-repro", "preset", "demos"])
    with pytest.raises(SystemExit) as caught:
        pipeline.main()
    assert caught.value.code == 2 and "did you mean 'demo'?" in capsys.readouterr().err


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
