from typer.testing import CliRunner

from app_repro.cli import claims, runs


def test_run_plan_and_merge_explain_themselves_with_every_executor_named() -> None:
    commands = {command.callback.__name__ for command in runs.app.registered_commands if command.callback}
    assert commands == {"run", "plan", "merge"}
    assert not commands & {item.callback.__name__ for item in claims.app.registered_commands if item.callback}
    told = CliRunner().invoke(runs.app, ["run", "--help"], env={"COLUMNS": "200"}).output
    assert all(word in told for word in ("local", "ray", "slurm", "--shard", "--partition", "--runs-per-gpu"))


def test_numbers_out_of_range_are_a_usage_error() -> None:
    for words in (["run", "--workers", "0"], ["run", "--runs-per-gpu", "0"], ["run", "--time", "2"], ["merge"]):
        assert CliRunner().invoke(runs.app, words).exit_code == 2
