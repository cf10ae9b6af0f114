"""Which control arms belong to which source, and which of their differences are judged."""

from typing import Any

import pytest
import synthetic

from app_repro.claims.studies import controls
from app_repro.claims.studies.controls import Arms
from app_repro.claims.variance import Pool
from app_repro.config.catalogue import FLOWS
from app_repro.config.spec import RunSpec
from app_repro.records.runs import RunRecord


def runs(accuracy: dict[str | None, float] | None = None, **changed: Any) -> list[RunRecord]:
    """The preset `controls`, some settings replaced; accuracy by arm, of others 0.5."""
    specs = synthetic.grid("controls", **changed)
    return [RunRecord(synthetic.CLAIMS, synthetic.make(s, accuracy=_accuracy(s, accuracy or {}))) for s in specs]


def _accuracy(spec: RunSpec, means: dict[str | None, float]) -> float:
    """With noise of its own for each run but for those that repeat another."""
    arm = None if (spec.method, spec.control) == ("osp", "ticket") else spec.control
    return means.get(arm, 0.5) + 0.002 * ((spec.seed + len(arm or "")) % 3)


def one(found: list[RunRecord]) -> Arms:
    [arms] = controls.of_runs(found)
    return arms


def test_arms_stand_with_the_source_that_differs_in_nothing_else() -> None:
    found = controls.of_runs(runs(tau=[2.0, 4.5], seed=1))
    assert [(arms.settings["method"], arms.settings["tau"]) for arms in found] == [
        *(("osp", 2.0), ("osp", 4.5), ("app", 2.0), ("app", 4.5)),
    ]
    for arms in found:
        assert list(arms.members) == ["source", "ticket", "scratch-e", "scratch-b", "shuffle", "random"]
        ids = {run.content["control"]["source"] for group in arms.arms.values() for run in group.runs}
        assert arms.source and ids == set(arms.source.ids)


def test_runs_without_arms_are_nothing_and_arms_without_source_stand_alone() -> None:
    every = runs(method="app", control=[None, "ticket"])
    assert controls.of_runs([run for run in every if run.is_plain]) == []
    alone = one([run for run in every if not run.is_plain])
    assert alone.source is None and list(alone.members) == ["ticket"]
    assert alone.name == one(every).name and "ticket" not in alone.name
    assert alone.difference("source", "ticket", "test_accuracy", Pool(every)) is None


def test_budgets_of_one_arm_are_told_apart() -> None:
    arms = one(runs(method="app", control="scratch-b", budget_cap=[2.0, 4.0, None], seed=1))
    assert set(arms.arms) == {"scratch-b, cap 2", "scratch-b, cap 4", "scratch-b, no cap"}


@pytest.mark.parametrize(
    ("changed", "hindsight"),
    [
        ({"method": "osp"}, False),
        ({"method": "app"}, True),
        ({"method": "late"}, True),
        ({"method": "app", "sb": 1}, False),
    ],
)
def test_masks_found_on_the_way_have_hindsight_and_their_cer_is_not_judged(
    changed: dict[str, Any], hindsight: bool
) -> None:
    found = runs({"shuffle": 0.4}, **changed)
    arms, pool = one(found), Pool(found)
    assert arms.has_hindsight is hindsight
    accuracy, cer = (arms.difference("ticket", "shuffle", name, pool) for name in ("test_accuracy", "cer"))
    assert accuracy and cer and accuracy.interval and len(cer.differences) == 3
    assert (cer.interval is None) is hindsight


@pytest.mark.parametrize("flow", FLOWS)
def test_a_mask_of_osp_moves_all_stream_long_under_a_flow_and_then_has_hindsight(flow: str) -> None:
    moves = flow != "none"
    groups = {"granularity": "nm", "nm_m": 4, "nm_n": 2, "flow": flow, "criterion": None if moves else "snip"}
    found = runs({"scratch-e": 0.4}, method="osp", control=["ticket", "scratch-e"], **groups)
    arms, pool = one(found), Pool(found)
    assert arms.has_hindsight is moves
    accuracy, cer = (arms.difference("ticket", "scratch-e", name, pool) for name in ("test_accuracy", "cer"))
    assert accuracy and cer and accuracy.interval and (cer.interval is None) is moves
    repeated = arms.difference("source", "ticket", "cer", pool)
    assert repeated and repeated.interval == (None if moves else (0, 0))


def test_one_seed_is_not_judged_whatever_is_known_of_the_noise() -> None:
    found = [run for run in runs(seed=[1, 2, 3, 4]) if run.spec["method"] == "osp" or run.seed == 1]
    osp, app = controls.of_runs(found)
    pool = Pool(found)
    assert [arms.difference("ticket", "shuffle", "test_accuracy", pool).interval is None for arms in (osp, app)] == [
        *(False, True),
    ]


def test_a_ticket_that_repeats_its_source_has_no_noise() -> None:
    found = runs(method=["osp", "app"])
    osp, app = controls.of_runs(found)
    pool = Pool(found)
    assert osp.difference("source", "ticket", "cer", pool).interval == (0, 0)
    low, high = app.difference("source", "ticket", "test_accuracy", pool).interval
    assert low < 0 < high


def test_a_source_whose_mask_was_there_from_the_start_stands_for_a_ticket_that_is_not_run() -> None:
    osp, app = controls.of_runs(runs(method=["osp", "app"], control=["scratch-e", "shuffle", "random"]))
    names = [(one.one, one.other) for one in osp.differences]
    assert names == [("source", "scratch-e"), ("source", "shuffle"), ("shuffle", "random")]
    assert app.differences == controls.DIFFERENCES == controls.of_runs(runs(method="osp"))[0].differences
