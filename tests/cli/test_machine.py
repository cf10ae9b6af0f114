"""The commands about this machine: what they are called with, and what they answer without torch's help."""

from typer.testing import CliRunner

from app_repro.cli import machine


def test_wandb_alone_explains_itself() -> None:
    said = CliRunner().invoke(machine.app, ["wandb"])
    assert "sync" in said.output and "Records in Weights & Biases" in said.output


def test_sync_names_a_run_that_is_not_there(tmp_path) -> None:
    failed = CliRunner().invoke(machine.app, ["wandb", "sync", "nosuchrun", "--store", str(tmp_path)])
    assert failed.exit_code != 0 and "nosuchrun" in str(failed.exception)


def test_doctor_exits_with_1_where_settings_cannot_be_used(tmp_path) -> None:
    (tmp_path / "params.yaml").write_text("a: 1\n")
    words = [
        "doctor",
        "--json",
        "--quick",
        "--params",
        str(tmp_path / "params.yaml"),
        "--store",
        str(tmp_path / "store"),
    ]
    found = CliRunner().invoke(machine.app, words)
    assert found.exit_code == 1 and "unknown key 'a'" in found.output
