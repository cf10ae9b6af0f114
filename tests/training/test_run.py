import functools
import gc
import itertools
import random
from typing import Any

import pytest
import torch
from workbench import prepared

from app_repro.core.errors import AppReproError, Stopped
from app_repro.data import dataset, splits
from app_repro.pruning import masks
from app_repro.records import record
from app_repro.records.stores.store import Store
from app_repro.training import checkpoint, controls
from app_repro.training.models import networks
from app_repro.training.run import Run
from app_repro.training.updates import flows

PRUNABLE = 73_872
"""Convolution weights of resnet8s for one channel: 9 (16 + 2 * 16 * 16 + 16 * 32 + 32 * 32 + 32 * 64 + 64 * 64)."""


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return prepared(tmp_path_factory.mktemp("bench"), method=["dense", "osp", "app"], protocol=["paper", "released"])


def a_run(bench, spec, keeper, **hooks) -> Run:
    _, places = bench
    images = dataset.load(places.raw / "digits")
    return Run(spec, images, splits.load(spec, places.splits), torch.device("cpu"), keeper, code="c", **hooks)


def of(bench, method: str, protocol: str = "paper") -> Any:
    return next(spec for spec in bench[0] if (spec.method, spec.protocol[0]) == (method, protocol))


def outcome(run: Run) -> tuple[Any, ...]:
    weights = {name: tensor.clone() for name, tensor in run.net.state_dict().items()}
    return [record.numbers(item) for item in run.results], weights, run.mask


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture(scope="module")
def finished(bench, tmp_path_factory):
    """The results of the run of a method under a protocol, trained once."""

    @functools.cache
    def results(method: str, protocol: str = "paper") -> list[dict[str, Any]]:
        spec = of(bench, method, protocol)
        return a_run(bench, spec, Store(tmp_path_factory.mktemp("finished")).folder(spec)).go()

    return results


def test_app_follows_the_schedule_and_masks_are_exact(finished) -> None:
    results = finished("app")
    assert [item["density_nominal"] for item in results] == pytest.approx([0.8, 0.8**2.75, 0.8**4.5])
    assert [sum(item["kept"]) for item in results] == [round(d * PRUNABLE) for d in (0.8, 0.8**2.75, 0.8**4.5)]


def test_osp_prunes_once_and_dense_never(finished) -> None:
    osp, dense = finished("osp"), finished("dense")
    assert [sum(item["kept"]) for item in osp] == [round(0.8**4.5 * PRUNABLE)] * 3
    assert [item["density_effective"] for item in dense] == [1.0] * 3 and dense[0]["score_samples"] == 0


def test_released_masks_multiply_and_fall_below_the_nominal_density(finished) -> None:
    results = finished("app", "released")
    product = 0.8 * 0.8**2.75 * 0.8**4.5
    assert results[0]["density_effective"] == pytest.approx(0.8, abs=1e-5)
    assert product * 0.8 < results[2]["density_effective"] < 0.8**4.5 * 0.7


def test_replay_grows_and_counts_are_those_of_the_stream(bench, finished) -> None:
    results = finished("dense")
    assert [item["train_samples"] for item in results] == [90, 180, 270]
    assert [item["val_samples"] for item in results] == [10, 20, 30]
    assert all(item["test_samples"] == 100 and 0 <= item["test_errors"] <= 100 for item in results)
    assert all(len(item["history"]["train_loss"]) == of(bench, "dense").epochs for item in results)


@pytest.mark.parametrize("protocol", ["paper", "released"])
def test_siblings_part_at_their_branch_in_what_they_are_trained_on_alone(tmp_path, protocol) -> None:
    changes = {"method": "late", "protocol": protocol}
    (plain,), places = prepared(tmp_path, **changes)
    parted = {branch: plain.model_copy(update={"sgd_seed": 1, "branch": branch}) for branch in (1, 2, 3)}
    done = {}
    for branch, spec in {0: plain, **parted, 4: parted[2].model_copy(update={"sgd_seed": 2})}.items():
        run = a_run((None, places), spec, Store(tmp_path).folder(spec))
        done[branch] = [record.numbers(item) | {"run_id": ""} for item in run.go()], run.mask
    for branch in (1, 2, 3):
        assert done[branch][0][: branch - 1] == done[0][0][: branch - 1]
        assert all(
            one != other for one, other in zip(done[branch][0][branch - 1 :], done[0][0][branch - 1 :], strict=True)
        )
    assert done[4][0][0] == done[2][0][0] and done[4][0][1] != done[2][0][1]
    # `late` prunes before the last megabatch: from there on siblings share their mask, however images are scored
    assert same(done[3][1], done[0][1]) and not same(done[2][1], done[0][1])


def test_a_state_on_another_mask_of_the_source_is_not_taken_up(tmp_path) -> None:
    (_, spec), places = prepared(tmp_path, method="app", control="ticket")
    weights = masks.prunable(networks.build("resnet8s", 10, 8, 1))
    both = [{name: torch.rand(w.shape) < share for name, w in weights.items()} for share in (0.3, 0.6)]
    first, second = (controls.Source("a" * 12, "c", checkpoint.encode_mask(mask)) for mask in both)
    stops = iter([False] * 5 + [True] * 9)
    with pytest.raises(Stopped):
        keeper = Store(tmp_path / "one").folder(spec)
        a_run((None, places), spec, keeper, source=first, should_stop=lambda: next(stops)).go()
    resumed, whole = (
        a_run((None, places), spec, Store(tmp_path / n).folder(spec), source=second) for n in ("one", "two")
    )
    resumed.go(), whole.go()
    assert same(resumed.mask, both[1]) and outcome(resumed)[0] == outcome(whole)[0]


def test_memory_does_not_grow_with_the_length_of_the_stream(tmp_path) -> None:
    """Bytes of every tensor alive at the last epoch of each of 8 megabatches, when the last state is written."""
    changes = {"method": "app", "protocol": "paper", "sb": 8, "replay": "none", "train_limit": 160}
    specs, places = prepared(tmp_path, **changes)
    held: list[int] = []

    def count(event: dict[str, Any]) -> None:
        if event["epoch"] == specs[0].epochs:
            run.writer.submit(int).result()  # one thread: when it comes to this, the state before it is let go
            gc.collect()
            tensors = [item for item in gc.get_objects() if issubclass(type(item), torch.Tensor)]
            storages = {item.untyped_storage().data_ptr(): item.untyped_storage().nbytes() for item in tensors}
            held.append(sum(storages.values()))

    run = a_run((specs, places), specs[0], Store(tmp_path).folder(specs[0]), report=count)
    run.go()
    assert len(held) == 8 and max(held[4:]) <= max(held[1:4]), held


def test_the_gap_is_training_minus_validation_accuracy_at_the_last_epoch(finished) -> None:
    for item in finished("dense"):
        history = item["history"]
        assert item["generalisation_gap"] == history["train_accuracy"][-1] - history["val_accuracy"][-1]
        assert item["val_accuracy"] == max(history["val_accuracy"])
        assert item["best_epoch"] == 1 + history["val_accuracy"].index(max(history["val_accuracy"]))


@pytest.mark.parametrize(
    ("method", "protocol", "granularity"),
    [
        ("dense", "paper", None),
        ("osp", "paper", None),
        ("app", "paper", None),
        ("app", "released", None),
        ("app", "paper", "channel"),
        ("app", "released", "channel"),
    ],
)
def test_a_run_stopped_at_any_step_resumes_bit_for_bit(bench, tmp_path, method, protocol, granularity) -> None:
    """Of training, scoring or evaluating: for APP look 12 is at the second scoring, the last but one at a test."""
    spec, asked = of(bench, method, protocol).model_copy(update={"granularity": granularity}), []
    whole = a_run(bench, spec, Store(tmp_path / "whole").folder(spec), should_stop=lambda: bool(asked.append(1)))
    whole.go()
    scored = {"dense": 0, "osp": 1, "app": 3}[method]
    assert len(asked) == scored + 2 * sum(-(-90 * k // 64) + 1 + 1 for k in (1, 2, 3)) + 2 * 3
    for stop_at in {12, len(asked) - 1, *random.Random(7).sample(range(1, len(asked)), 2)}:
        keeper, calls = Store(tmp_path / f"at{stop_at}").folder(spec), iter(range(1, 1000))
        broken = a_run(bench, spec, keeper, should_stop=lambda calls=calls, at=stop_at: next(calls) == at)
        with pytest.raises(Stopped):
            broken.go()
        resumed = a_run(bench, spec, keeper)
        resumed.go()
        (results, weights, mask), (expected, whole_weights, whole_mask) = outcome(resumed), outcome(whole)
        assert results == expected, f"stopped at step {stop_at}"
        assert same(weights, whole_weights) and same(mask, whole_mask), f"stopped at step {stop_at}"


def test_a_missing_result_of_an_earlier_megabatch_starts_the_run_anew(bench, tmp_path) -> None:
    spec = of(bench, "dense")
    keeper = Store(tmp_path).folder(spec)
    calls = iter(range(1000))
    with pytest.raises(Stopped):
        a_run(bench, spec, keeper, should_stop=lambda: next(calls) == 12).go()
    (keeper.path / "megabatch-001.json").unlink()
    run = a_run(bench, spec, keeper, should_stop=lambda: True)
    with pytest.raises(Stopped):
        run.go()
    assert (run.megabatch, run.progress.epoch, run.progress.step) == (1, 0, 1) and not run.results


def channels_of(bench, method: str, protocol: str = "paper", **changes: Any) -> Any:
    return of(bench, method, protocol).model_copy(update={"granularity": "channel", "candidates": None} | changes)


@pytest.mark.parametrize("protocol", ["paper", "released"])
def test_app_removes_channels_down_to_its_schedule(bench, tmp_path, protocol) -> None:
    spec = channels_of(bench, "app", protocol)
    run = a_run(bench, spec, Store(tmp_path).folder(spec))
    results = run.go()
    asked = [item["density_nominal"] for item in results]
    assert asked == pytest.approx([0.8, 0.8**2.75, 0.8**4.5])
    assert all(0 <= want - item["density_effective"] < 0.04 for want, item in zip(asked, results, strict=True))
    assert [sum(item["kept"]) for item in results][-1] == sum(w.numel() for w in masks.prunable(run.net).values())
    assert all(
        a >= b
        for item, after in itertools.pairwise(results)
        for a, b in zip(item["widths"], after["widths"], strict=True)
    )
    sizes = [(item["parameters"], item["macs"]) for item in results]
    assert sizes == sorted(set(sizes), reverse=True) and sizes[-1][0] == sum(p.numel() for p in run.net.parameters())


def test_channels_that_were_all_kept_train_as_single_weights_do(bench, tmp_path) -> None:
    """Before anything is removed, the steps are the same ones."""
    plain = of(bench, "dense")
    whole = channels_of(bench, "dense")
    runs = [a_run(bench, spec, Store(tmp_path / name).folder(spec)) for name, spec in (("a", plain), ("b", whole))]
    results = [[record.numbers(item) for item in run.go()] for run in runs]
    for item, other in zip(*results, strict=True):
        assert {**other, "run_id": ""} == {**item, "run_id": ""} | {
            k: other[k] for k in ("parameters", "widths", "macs")
        }
    assert same(*(run.net.state_dict() for run in runs))


@pytest.mark.parametrize(("arm", "same_weights"), [("ticket", True), ("scratch-e", False)])
def test_a_control_of_a_run_that_removes_channels_begins_with_the_channels_that_it_left(
    bench, tmp_path, arm, same_weights
) -> None:
    spec = channels_of(bench, "osp")
    source = a_run(bench, spec, Store(tmp_path / "source").folder(spec))
    expected = outcome(source) if source.go() else None
    control = spec.model_copy(update={"control": arm})
    given = controls.Source(spec.run_id, "c", checkpoint.encode_mask(source.mask))
    run = a_run(bench, control, Store(tmp_path / arm).folder(control), source=given)
    assert [w.shape for w in run.steps.weights.values()] == [w.shape for w in source.steps.weights.values()]
    run.go()
    # the ticket of a run that was pruned once, at the start, is that run
    assert expected is not None and same(outcome(run)[1], expected[1]) is same_weights
    if same_weights:
        own = ("run_id", "score_samples")
        assert [{k: v for k, v in item.items() if k not in own} for item in outcome(run)[0]] == [
            {k: v for k, v in item.items() if k not in own} for item in expected[0]
        ]


def test_weights_drawn_anew_for_fewer_channels_have_the_variance_of_their_fan_out(bench, tmp_path) -> None:
    spec = channels_of(bench, "osp", tau=6.0)
    source = a_run(bench, spec, Store(tmp_path).folder(spec))
    source.go()
    control = spec.model_copy(update={"control": "scratch-e"})
    given = controls.Source(spec.run_id, "c", checkpoint.encode_mask(source.mask))
    drawn = a_run(bench, control, Store(tmp_path / "arm").folder(control), source=given).steps.weights
    for weight in drawn.values():
        if weight.numel() > 2000:
            assert float(weight.std()) == pytest.approx((2 / (9 * weight.shape[0])) ** 0.5, rel=0.08)


def test_a_pruned_weight_that_is_not_zero_is_an_error(bench, tmp_path, monkeypatch) -> None:
    spec = of(bench, "osp")
    monkeypatch.setattr(flows, "zero_pruned", lambda tensors, mask: None)
    with pytest.raises(AppReproError, match="megabatch 1"):
        a_run(bench, spec, Store(tmp_path).folder(spec)).go()


def test_a_run_on_several_threads_repeats_its_bits_and_leaves_the_number_to_the_next(tmp_path) -> None:
    (alone, shared), places = prepared(tmp_path, method="app", threads=[None, 2])
    seen = list[int]()
    told = {"report": lambda event: seen.append(torch.get_num_threads())}
    stops = iter([False] * 5 + [True] * 9)
    folder = Store(tmp_path / "stopped").folder(shared)
    with pytest.raises(Stopped):
        a_run((None, places), shared, folder, should_stop=lambda: next(stops)).go()
    resumed = a_run((None, places), shared, folder, **told)
    whole = a_run((None, places), shared, Store(tmp_path / "whole").folder(shared), **told)
    resumed.go(), whole.go()
    assert set(seen) == {2} and outcome(resumed)[0] == outcome(whole)[0]
    assert all(same(one, other) for one, other in zip(outcome(resumed)[1:], outcome(whole)[1:], strict=True))
    seen.clear()
    other = a_run((None, places), alone, Store(tmp_path / "alone").folder(alone), **told)
    other.go()
    assert set(seen) == {1} and not same(outcome(other)[1], outcome(whole)[1])
