"""Runs that keep N of each M weights: exact after every step, under every flow, and the same when they were stopped."""

import random
from typing import Any

import pytest
import torch
from workbench import prepared

from app_repro.config import patterns
from app_repro.config.spec import RunSpec
from app_repro.core.errors import AppReproError, DivergedError, Stopped
from app_repro.data import dataset, splits
from app_repro.pruning import masks, nm
from app_repro.records import record
from app_repro.records.stores.store import Store
from app_repro.training.run import Run
from app_repro.training.updates.flows import Live

FLOWS = ("ste", "srste", "mdgf_linear", "mdgf_exp")
RUNS = [
    {"flow": "none"},
    {"flow": "none", "nm_schedule": "geometric", "candidates": "all"},
    {"flow": "none", "protocol": "released"},
    {"flow": "none", "nm_n": None, "nm_m": 8, "criterion": "magnitude"},
    *({"flow": flow, "criterion": None} for flow in FLOWS),
    {"flow": "mdgf_exp", "criterion": None, "nm_schedule": "geometric", "flow_gradient": "straight"},
    {"flow": "srste", "criterion": None, "method": "late"},
    {"flow": "ste", "criterion": None, "method": "osp"},
]


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    changes = {"method": "app", "granularity": "nm", "nm_m": 16, "nm_n": 2, "train_limit": 180}
    return prepared(tmp_path_factory.mktemp("bench"), **changes, variants=RUNS)


def a_run(bench, spec: RunSpec, keeper, **hooks: Any) -> Run:
    _, places = bench
    images = dataset.load(places.raw / "digits")
    return Run(spec, images, splits.load(spec, places.splits), torch.device("cpu"), keeper, code="c", **hooks)


def name_of(number: int) -> str:
    return "-".join(str(value) for value in RUNS[number].values())


@pytest.mark.parametrize("number", range(len(RUNS)), ids=name_of)
def test_every_group_is_exact_after_every_step_and_a_run_killed_five_times_is_the_same(bench, tmp_path, number) -> None:
    spec, looks = bench[0][number], []

    def look() -> bool:
        if whole.progress.step or whole.progress.epoch:  # else it is scoring, under the mask before
            whole.groups.check(whole.mask, whole.megabatch)
            looks.append(masks.holds(whole.steps.weights, whole.mask))
        return False

    whole = a_run(bench, spec, Store(tmp_path / "whole").folder(spec), should_stop=look)
    whole.go()
    assert all(looks) and len(looks) > 25
    draw, keeper = random.Random(number), Store(tmp_path / "stopped").folder(spec)
    for _ in range(5):
        calls, at = iter(range(1, 10_000)), draw.randint(3, 7)
        with pytest.raises(Stopped):
            a_run(bench, spec, keeper, should_stop=lambda calls=calls, at=at: next(calls) == at).go()
    resumed = a_run(bench, spec, keeper)
    resumed.go()
    assert [record.numbers(item) for item in resumed.results] == [record.numbers(item) for item in whole.results]
    for mine, theirs in ((resumed.net.state_dict(), whole.net.state_dict()), (resumed.mask, whole.mask)):
        assert all(torch.equal(tensor, theirs[name]) for name, tensor in mine.items())
    if isinstance(whole.steps.flow, Live):
        assert all(
            torch.equal(tensor, whole.steps.flow.dense[name]) for name, tensor in resumed.steps.flow.dense.items()
        )


@pytest.mark.parametrize("number", [0, 3, 4, 8, 9], ids=name_of)
def test_results_name_the_pattern_and_hold_energies_per_epoch(bench, tmp_path, number) -> None:
    spec = bench[0][number]
    run = a_run(bench, spec, Store(tmp_path).folder(spec))
    for item in run.go():
        k = item["megabatch"]
        n, m = patterns.in_force(spec, k)
        exempt = 9 * 16  # the first layer, of one channel
        assert item["density_nominal"] == n / m
        assert sum(item["kept"]) == exempt + (masks.size(run.mask) - exempt) * n // m
        assert list(item["flow"]) == [
            "beta",
            *(f"{a}_{b}" for b in ("pruned", "kept") for a in ("energy", "noise", "snr")),
        ]
        assert all(len(values) == spec.epochs for values in item["flow"].values())
        is_pruned = n < m
        assert all((value is not None) == is_pruned for value in item["flow"]["energy_pruned"])
        assert (item["score_samples"] > 0) == (
            spec.flow == "none" and (k == 1 or patterns.in_force(spec, k - 1) != (n, m))
        )
    assert run.groups.exempt(run.net) == ["conv1.weight"]


def test_the_best_epoch_has_its_dense_weights(bench, tmp_path) -> None:
    """Where the first epoch is the best one, the end of the megabatch is as after that epoch."""
    spec = bench[0][5]
    seen: dict[str, Any] = {}

    def report(event: dict[str, Any]) -> None:
        if event["megabatch"] == 1:
            flow = run.steps.flow
            seen[event["epoch"]] = {name: tensor.clone() for name, tensor in flow.dense.items()}, flow.mask

    def should_stop() -> bool:
        return run.megabatch == 2

    run = a_run(bench, spec, Store(tmp_path).folder(spec), report=report, should_stop=should_stop)
    original, best = Run._finish_megabatch, {}

    def finish(self: Run, result: dict[str, Any]) -> None:
        best.setdefault(1, (result["best_epoch"], {n: t.clone() for n, t in self.steps.flow.dense.items()}, self.mask))
        original(self, result)

    run._finish_megabatch = finish.__get__(run)  # type: ignore[method-assign]
    with pytest.raises(Stopped):
        run.go()
    epoch, dense, mask = best[1]
    for mine, theirs in zip((dense, mask), seen[epoch], strict=True):
        assert all(torch.equal(tensor, theirs[name]) for name, tensor in mine.items())


def test_a_mask_that_is_not_n_of_m_is_an_error(bench, tmp_path, monkeypatch) -> None:
    spec = bench[0][0]
    monkeypatch.setattr(nm, "select", lambda scores, n, m, final_m: masks.full(scores))
    with pytest.raises(AppReproError, match="asked for"):
        a_run(bench, spec, Store(tmp_path).folder(spec)).go()


@pytest.mark.parametrize("m", [8, 16])
def test_what_is_no_number_in_a_pruned_dense_weight_has_diverged(tmp_path, m) -> None:
    """No loss shows it, as the network computes with the weights that are kept."""
    changes = {"method": "osp", "granularity": "nm", "nm_m": m, "nm_n": m // 8, "flow": "ste", "criterion": None}
    specs, places = prepared(tmp_path, **changes)
    run = a_run((specs, places), specs[0], Store(tmp_path).folder(specs[0]), should_stop=lambda: spoil())

    def spoil() -> bool:
        if (run.megabatch, run.progress.epoch, run.progress.step) == (2, 0, 1) and isinstance(run.steps.flow, Live):
            name, dense = next(iter(run.steps.flow.dense.items()))
            dense[tuple(run.steps.flow.pruned[name].nonzero()[0])] = torch.nan
        return False

    with pytest.raises(DivergedError) as caught:
        run.go()
    assert caught.value.where["megabatch"] == 2
