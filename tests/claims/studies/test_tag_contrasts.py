"""Runs that differ in one setting contrast its tags; what no run tests has a command that trains such runs."""

import shlex
from pathlib import Path
from typing import Any

import pytest
import synthetic

from app_repro.claims.studies import tag_contrasts
from app_repro.claims.studies.questions import QUESTIONS, Question, Sides
from app_repro.claims.studies.tag_contrasts import Answer, answers, unanswered
from app_repro.config import grid, presets, reading
from app_repro.config.spec import RunSpec
from app_repro.records.runs import RunRecord
from app_repro.report.tables.contrasts import contrasts

ASKED = [(question, asked) for question in QUESTIONS for asked in question.asked]


def recorded(spec: RunSpec, code: str = "0" * 16, **numbers: Any) -> RunRecord:
    """A run as training leaves it; a control arm by other code than its source's, which it names."""
    content = synthetic.make(spec, **numbers) | {"code_digest": code}
    if spec.source:
        content["control"]["source_code"] = code
        content |= {"code_digest": f"c{code[1:]}"}
    return RunRecord(Path(spec.run_id), content)


def specs(preset: str = "cifar-small", **changed: Any) -> list[RunSpec]:
    return synthetic.grid(preset, **({"method": "app", "seed": [1, 2, 3]} | changed))


def about(found: list[Answer], name: str) -> list[Answer]:
    return [one for one in found if one.question.name == name]


@pytest.mark.parametrize(("question", "asked"), ASKED, ids=lambda value: getattr(value, "name", ""))
def test_the_command_of_a_row_without_runs_trains_runs_that_fill_it(question: Question, asked: Sides) -> None:
    words = shlex.split(question.command(asked).replace("$", ""))
    assert words[:3] == ["dvc", "exp", "run"] and words[3:5] == ["(app-repro", "preset"]
    name, overrides = words[5].removesuffix(")"), [word for word in words[6:] if word != "-S"]
    raw = presets.preset(name) | reading.settings_from_words(overrides, "-S") | {"device": "auto", "workers": None}
    runs = [recorded(spec) for spec in grid.parse(raw).specs]
    found = about(answers(runs), question.name)
    sides = [tuple(map(set, one.values)) for one in found]
    assert tuple(map(set, asked)) in sides and all(len(one.seeds) == 3 for one in found)
    assert (question, asked) not in unanswered(found)


def test_without_runs_every_question_is_open_and_the_part_of_another_is_not_asked_twice() -> None:
    left = unanswered([])
    assert {question.name for question, _ in left} == {question.name for question in QUESTIONS}
    assert [asked for question, asked in left if question.key == "criterion"] == 2 * [QUESTIONS[3].asked[0]]


def test_a_side_is_the_mean_of_the_criteria_that_were_run_and_one_pair_stands_alone() -> None:
    runs = [recorded(spec) for spec in specs(criterion=["random", "magnitude", "snip"])]
    means, alone = about(answers(runs), "data-free / data-driven")
    assert {*means.values[0]} == {"random", "magnitude"} and means.values[1] == ("snip",)
    assert alone.values == (("magnitude",), ("snip",))
    [one] = about(answers([run for run in runs if run.spec["criterion"] != "random"]), "data-free / data-driven")
    assert one.values == alone.values and "data-free / data-driven" not in [
        question.name for question, _ in unanswered([one])
    ]
    [other] = about(answers([run for run in runs if run.spec["criterion"] != "magnitude"]), "without / with labels")
    assert other.values == (("random",), ("snip",))


def test_runs_that_differ_in_more_than_the_one_setting_are_no_pair() -> None:
    local = [recorded(spec) for spec in specs(scope="local")]
    apart = [recorded(spec) for spec in specs(tau=3.0)]
    assert not about(answers([*local, *apart]), "layer-wise / global density")
    assert about(answers([*local, *map(recorded, specs())]), "layer-wise / global density")


def test_a_method_counts_by_what_it_does_on_the_stream_at_hand() -> None:
    """On one megabatch app prunes once, before training, as osp does."""
    found = answers([recorded(spec) for spec in specs(method=["osp", "app"], sb=[1, 8])])
    assert [one.specs[0][0]["sb"] for one in found] == [8, 8]
    assert [one.question.name for one in found] == ["one-shot / iterative", "before / during training"]


def test_runs_by_other_learning_code_are_not_compared_and_counted() -> None:
    runs = [
        recorded(spec, code=f"{spec.seed if spec.method == 'osp' else 1:016}") for spec in specs(method=["osp", "app"])
    ]
    one, _ = answers(runs)
    assert (one.seeds, one.dropped) == ([1], 2) and [len(side[0].runs) for side in one.sides] == [1, 1]


def test_a_run_trained_again_is_compared_by_the_record_whose_code_the_other_side_shares() -> None:
    """osp was trained again by code 2, app at seed 1 alone."""
    osp, app = (specs(method=method) for method in ("osp", "app"))
    again = [recorded(spec, "2" * 16, accuracy=0.7) for spec in (*osp, app[0])]
    kept = [*again, *(recorded(spec, accuracy=0.5) for spec in app[1:])]
    superseded = [recorded(spec, accuracy=0.6) for spec in (*osp, app[0])]
    alone, whole = (about(answers(kept, more), "one-shot / iterative")[0] for more in ((), superseded))
    assert (alone.seeds, alone.dropped, alone.takes_superseded) == ([1], 2, False)
    assert (whole.seeds, whole.dropped, whole.takes_superseded) == ([1, 2, 3], 0, True)
    ones, others = ([run.value("test_accuracy") for run in side[0].runs] for side in whole.sides)
    assert (ones, others) == (pytest.approx([0.7, 0.6, 0.6]), pytest.approx([0.7, 0.5, 0.5]))
    names = ("one-shot / iterative", "before / during training")
    told = [row[0].shown for row in contrasts(kept, superseded).rows if "trained again" in row[-1].shown]
    assert told == [*names] and not any("trained again" in row[-1].shown for row in contrasts(kept).rows)


def test_control_arms_are_compared_with_their_source_and_with_each_other() -> None:
    runs = [recorded(spec) for spec in synthetic.grid("controls")]
    found = answers(runs)
    [scratch] = about(found, "scratch / fine-tuned")  # of app: osp trains on from its initial weights, not fine-tuned
    assert scratch.specs[0][0]["method"] == "app" and scratch.has_hindsight and len(scratch.seeds) == 3
    tickets = about(found, "original / random initial weights")
    assert [(one.specs[0][0]["method"], one.has_hindsight) for one in tickets] == [("osp", False), ("app", True)]
    assert len(about(found, "before / during training")) == 1  # of the sources alone
    changed = [tag_contrasts.also_changed(one.question, *one.specs) for one in (scratch, *tickets)]
    assert changed == [("mask", "in force"), (), ()]


def test_siblings_with_another_order_of_images_make_no_rows() -> None:
    assert answers([recorded(spec) for spec in specs("controls", sgd_seed=1)]) == []
