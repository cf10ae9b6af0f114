"""What kind of pruning a run is follows from its settings, and every registered name has its tags."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from app_repro.cli import pipeline
from app_repro.config import catalogue, grid, presets, taxonomy
from app_repro.config.methods import METHODS
from app_repro.pruning.criteria import CRITERIA
from app_repro.training.models.networks import ARCHITECTURES
from app_repro.training.updates.engines import ENGINES


def tags(**changed: Any) -> dict[str, str]:
    outside: dict[str, Any] = {"device": "cpu", "workers": None, "method": "app", "seed": 1}
    *_, spec = grid.parse(presets.preset("demo") | outside | changed).specs  # a control's source stands before it
    return taxonomy.tags(spec.stored())


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"method": "dense"}, "never; none; none; none; none; none"),
        (
            {"method": "osp"},
            "before training; one-shot; random, initial; trained from the initial weights; fixed; global",
        ),
        ({"method": "late"}, "after training; one-shot; trained; fine-tuned on the last megabatch; fixed; global"),
        (
            {"method": "app", "scope": "local"},
            "during training; iterative; trained; fine-tuned at each megabatch; shrinking, nested; local",
        ),
        (
            {"method": "app", "protocol": "released"},
            "during training; iterative; random, drawn anew; fine-tuned at each megabatch; shrinking, ANDed; global",
        ),
        *(  # only weights drawn before a later megabatch are drawn anew
            (
                changed | {"protocol": "released"},
                "before training; one-shot; random, initial; trained from the initial weights; fixed; global",
            )
            for changed in ({"method": "osp"}, {"method": "app", "sb": 1})
        ),
    ],
    ids=str,
)
def test_the_tags_of_a_run(settings: dict[str, Any], expected: str) -> None:
    found = tags(**settings)
    names = ("when", "steps", "weights_scored", "recovery", "mask", "allocation")
    assert "; ".join(found[name] for name in names) == expected and found.keys() == taxonomy.MEANING.keys()
    assert found["granularity"] == ("none" if settings["method"] == "dense" else "unstructured")


def test_channels_differ_from_single_weights_in_what_is_removed_and_what_gains_from_it() -> None:
    weights, channels = tags(granularity="weight"), tags(granularity="channel")
    changed = {name: text for name, text in channels.items() if text != weights[name]}
    assert changed == {"granularity": "channel", "universal_speedup": "yes"}
    assert tags(method="dense", granularity="channel") == tags(method="dense")


def test_groups_differ_in_who_is_ranked_with_whom_and_under_a_flow_weights_come_back() -> None:
    weights, scored = tags(), tags(granularity="nm", nm_m=4, nm_n=2)
    moving = tags(granularity="nm", nm_m=4, nm_n=2, flow="srste", criterion=None)
    assert {name for name in weights if weights[name] != scored[name]} == {"granularity", "allocation"}
    assert moving["mask"].startswith("moving") and moving["data"] == "none" and scored["mask"] == weights["mask"]
    assert tags(granularity="nm", nm_m=4, nm_n=2, flow="srste", criterion=None, control="ticket")["mask"] == "fixed"


@pytest.mark.parametrize("method", ["osp", "app"])
def test_a_mask_that_follows_the_weights_is_found_during_training(method: str) -> None:
    still, moving = (
        tags(method=method, granularity="nm", nm_m=4, nm_n=2, **flow)
        for flow in ({}, {"flow": "srste", "criterion": None})
    )
    assert (moving["when"], moving["in_force"]) == ("during training", "step by step")
    assert (still["when"] == "before training") == (method == "osp")


def test_a_control_arm_differs_from_its_source_in_what_it_does_with_the_mask() -> None:
    def changed(method: str, control: str) -> dict[str, str]:
        source, arm = tags(method=method), tags(method=method, control=control)
        return {name: text for name, text in arm.items() if text != source[name]}

    assert changed("osp", "ticket") == {}  # the same training, bit for bit
    assert changed("osp", "scratch-e") == {"recovery": "trained from weights drawn anew"}
    timing = {"mask": "fixed", "in_force": "from the start"}
    assert changed("app", "ticket") == timing | {"recovery": "trained from the initial weights"}
    assert changed("late", "scratch-b").keys() == {"recovery", "in_force", "budget"}
    assert changed("osp", "shuffle") == {"places": "shuffled in each layer"}
    assert changed("osp", "random") == {"places": "random over all layers"}


@pytest.mark.parametrize(
    ("table", "registered"),
    [
        ("methods", METHODS),
        ("criteria", CRITERIA),
        ("controls", catalogue.CONTROLS),
        ("granularities", catalogue.GRANULARITIES),
        ("networks", ARCHITECTURES),
        ("engines", ENGINES),
    ],
)
def test_every_registered_name_has_tags_and_nothing_else_has(table: str, registered: dict[str, Any]) -> None:
    rows = taxonomy.tables()[table]
    assert {row["name"] for row in rows} ^ set(registered) == set()
    assert [row["name"] for row in rows if not row["description"]] == []


def test_the_command_prints_the_tables_for_people_and_programs() -> None:
    text = CliRunner().invoke(pipeline.app, ["methods"]).stdout
    assert all(name in text for name in (*METHODS, *CRITERIA, *catalogue.CONTROLS)) and "|w dL/dw|" in text
    content = json.loads(CliRunner().invoke(pipeline.app, ["methods", "--json"]).stdout)
    assert content["schema"] == taxonomy.SCHEMA and content["tags"] == taxonomy.MEANING
    assert {row["name"] for row in content["criteria"] if row["labels"] == "yes"} == {"snip", "grasp", "taylor"}
