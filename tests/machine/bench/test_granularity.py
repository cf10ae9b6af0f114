"""Networks pruned in other ways, timed in turn: what is measured, how it is shown, and that it is no speed of a run."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from app_repro.cli import machine
from app_repro.core.errors import ParamsError
from app_repro.execution.planning.speeds import read_benches
from app_repro.machine.bench import granularity, speed_table

WORDS = ["bench", "--granularity", "--arch", "resnet8s", "--dataset", "digits", "--json", "--out"]


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> tuple[Any, Any]:
    """What the command prints of ResNet-8 on digits, and the folder that it writes to."""
    folder = tmp_path_factory.mktemp("bench")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(granularity, "WARM_UP", 1)
        patch.setattr(granularity, "REPEATS", 2)
        ran = CliRunner().invoke(machine.app, [*WORDS, str(folder)])
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.stdout), folder


def rows(found: Any) -> dict[str, Any]:
    return {row["granularity"]: row for row in found["granularities"]}


def test_only_without_channels_is_a_network_smaller(measured) -> None:
    found = rows(measured[0])
    assert list(found) == ["dense", "weight", "channel"]
    dense, weight, channel = found.values()
    assert (dense["density"], dense["prunings"], dense["macs"]) == (1.0, [], 747_136)
    assert weight["file_bytes"] == dense["file_bytes"] > 2 * channel["file_bytes"]
    assert all(len(row["prunings"]) == 8 for row in (weight, channel))
    assert weight["density"] == pytest.approx(0.8**4.5, abs=1e-4) and 0.34 < channel["density"] <= 0.8**4.5
    for row in (weight, channel):
        assert row["parameters"] < 0.4 * dense["parameters"] and row["macs"] < 0.4 * dense["macs"]


def test_each_time_is_a_median_with_quartiles_beside_that_of_the_dense_network(measured) -> None:
    for row in measured[0]["granularities"]:
        assert [one["batch"] for one in row["inference"]] == [1, 64] and row["training_step"]["batch"] == 16
        for one in (*row["inference"], row["training_step"]):
            assert 0 < one["low"] <= one["seconds"] <= one["high"]
            assert (one["times_dense"] == 1) is (row["granularity"] == "dense")
    assert granularity.summary([(1.0, 2.0), (2.0, 2.0), (4.0, 2.0)]) == {
        **{"seconds": 2.0, "low": 1.5, "high": 3.0},
        "times_dense": 1.0,
    }


def test_networks_take_turns_after_rounds_that_warm_up(monkeypatch) -> None:
    monkeypatch.setattr(granularity, "WARM_UP", 1)
    monkeypatch.setattr(granularity, "REPEATS", 2)
    stage = granularity.Stage("resnet8s", granularity.SETS["digits"], "cpu")
    done: list[str] = []
    found = stage.in_turn({name: lambda name=name: done.append(name) for name in ("dense", "channel")})
    assert done == ["dense", "channel"] * 3 and list(found) == ["dense", "channel"]


def test_the_tables_have_a_row_per_network_and_one_per_part_of_a_pruning(measured) -> None:
    lines = [line for line in speed_table.to_text(measured[0]).splitlines() if line.startswith("| resnet8s")]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    assert [row[1] for row in cells[:3]] == ["dense", "weight", "channel"] and {row[7] for row in cells[:1]} == {"1.00"}
    assert [row[1:3] for row in cells[3:]] == [
        [name, part] for name in ("weight", "channel") for part in ("chosen", "removed")
    ]
    failed = measured[0] | {"granularities": [{"arch": "resnet8s", "failed": "no memory"}]}
    assert speed_table.to_text(failed).splitlines()[-1] == "resnet8s: failed: no memory"


def test_plan_and_run_find_no_speed_of_a_run_in_it(measured) -> None:
    (bench,) = read_benches(measured[1])
    assert bench["results"] == []


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--granularity", "--arch", "resnet19"], "resnet19"),
        (["--granularity", "--dataset", "digit"], "digit"),
        (["--granularity", "--dataset", "folder:x"], "folder:x"),
        (["--granularity", "--dataset", "digits", "--arch", "vgg16_bn"], "16 pixels"),
        (["--dataset", "digits"], "--granularity"),
        (["--granularity", "--nm"], "--granularity and"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_is(words: list[str], named: str, monkeypatch) -> None:
    monkeypatch.setattr(granularity, "of_network", None)
    ran = CliRunner().invoke(machine.app, ["bench", *words])
    assert isinstance(ran.exception, ParamsError) and named in str(ran.exception)


def test_what_fails_is_a_row_and_the_next_network_is_measured(monkeypatch, tmp_path) -> None:
    def of_network(arch: str, *_: Any) -> list[dict[str, Any]]:
        return [{"arch": arch}] if arch == "resnet8s" else [][1]

    monkeypatch.setattr(granularity, "of_network", of_network)
    found = granularity.run(["resnet20s", "resnet8s"], "digits", tmp_path, print)["granularities"]
    assert found == [{"arch": "resnet20s", "failed": "IndexError: list index out of range"}, {"arch": "resnet8s"}]
