"""Siblings that go on from the state of the run that they part from: the same bits, whoever trained the prefix."""

from pathlib import Path
from typing import Any

import pytest
from interrupted import left
from workbench import complete, prepared, settings

from app_repro.config import grid
from app_repro.config.spec import RunSpec
from app_repro.execution.planning import plan
from app_repro.execution.workers import prefixes, worker
from app_repro.execution.workers.outcome import Display, Outcome
from app_repro.records.stores.store import Paths, Store


class Silent:
    def __getattr__(self, name: str) -> Any:
        return lambda *given: None


class Counting:
    """Trains in this process, counts epochs by run, and stops one run after so many."""

    def __init__(self, stop: str = "", after: int = 0) -> None:
        self.epochs: dict[str, int] = {}
        self.stop, self.after = stop, after

    def __call__(self, todo: list[RunSpec], paths: Paths, display: Display, outcome: Outcome) -> None:
        for spec in todo:
            self.epochs.setdefault(spec.run_id, 0)

            def count(event: dict[str, Any], run_id: str = spec.run_id) -> None:
                self.epochs[run_id] += 1

            def stopped(run_id: str = spec.run_id) -> bool:
                return run_id == self.stop and self.epochs[run_id] >= self.after

            status, message = worker.attempt(spec, paths, "cpu", count, stopped)
            if status == "stopped":
                outcome.interrupted = True
                return
            outcome.end(display, spec.run_id, status, message)


GRID: dict[str, Any] = {"method": "late", "criterion": "magnitude", "sgd_seed": [None, 1, 2]}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[RunSpec], Paths, dict[str, Any]]:
    """The grid, where it lies, and what its runs leave that share nothing."""
    folder = tmp_path_factory.mktemp("prefixes")
    specs, places = prepared(folder, **GRID)
    apart = Paths(places.raw, places.splits, folder / "alone/.store")
    for spec in specs:
        assert worker.attempt(spec, apart, "cpu", lambda event: None) == ("finished", "")
    return specs, places, left(folder / "alone")


def placed(places: Paths, folder: Path) -> Paths:
    return Paths(places.raw, places.splits, folder / ".store")


def kept(folder: Path) -> list[Path]:
    return list((folder / ".store/prefixes").glob("*"))


def test_a_prefix_that_is_shared_gives_the_bits_of_one_that_is_not(alone, tmp_path) -> None:
    specs, places, expected = alone
    train = Counting()
    assert complete(specs, placed(places, tmp_path), train, Silent()).exit_code == 0
    assert sorted(train.epochs.values()) == [2, 2, 6]  # of two epochs in each of three megabatches
    assert left(tmp_path) == expected and not kept(tmp_path)


def test_a_sibling_whose_source_is_not_trained_leaves_its_own_prefix_to_the_next(alone, tmp_path) -> None:
    specs, places, expected = alone
    train = Counting()
    complete([spec for spec in specs if spec.sgd_seed], placed(places, tmp_path), train, Silent())
    assert sorted(train.epochs.values()) == [2, 6]
    assert all(expected[run_id] == found for run_id, found in left(tmp_path).items())


@pytest.mark.parametrize(("which", "after"), [(0, 5), (1, 1)])
def test_a_grid_that_is_stopped_goes_on_and_ends_with_the_same_bits(alone, tmp_path, which, after) -> None:
    specs, places, expected = alone
    first = Counting(specs[which].run_id, after)
    assert complete(specs, placed(places, tmp_path), first, Silent()).interrupted
    assert kept(tmp_path)
    again = Counting()
    complete(specs, placed(places, tmp_path), again, Silent())
    assert left(tmp_path) == expected and not kept(tmp_path)
    assert max(again.epochs.values()) <= 2


def test_a_prefix_of_other_code_or_another_device_is_not_taken_up(alone, tmp_path) -> None:
    specs, places, _ = alone
    store = Store(placed(places, tmp_path).store)
    prefixes.ask(specs, store)
    source, sibling = specs[:2]
    own = store.folder(source)
    *_, state = _states(alone, tmp_path, source)  # the older one, before the last megabatch
    with own.lock():
        shared = prefixes.SharingFolder(own.path, store, source, "a device")
        for k in (1, 2):
            shared.write_megabatch({"megabatch": k, "run_id": source.run_id})
        shared.save_state(prefixes.renamed(state, {"code": "code"}))
    for code, device, taken in (("other", "a device", False), ("code", "other", False), ("code", "a device", True)):
        assert prefixes.take_up(store.folder(sibling), sibling, store, code, device) is taken
    assert not prefixes.take_up(store.folder(sibling), sibling, store, "code", "a device")  # it has a state of its own


def _states(alone: Any, folder: Path, spec: RunSpec) -> Any:
    """States of a run that is stopped in its last megabatch, newest first."""
    paths = placed(alone[1], folder / "stopped")
    complete([spec], paths, Counting(spec.run_id, 5), Silent())
    return Store(paths.store).folder(spec).load_states()


def test_a_plan_counts_what_siblings_share_once(alone, tmp_path) -> None:
    specs, places, _ = alone
    store = Store(tmp_path)
    every = prefixes.begins(specs, range(3), store)
    assert every == {1: 3, 2: 3} and prefixes.begins(specs, [1, 2], store) == {2: 3}
    shape = plan.Shape(300, 100, 10, 8, 1)
    rows = [plan.planned_run(specs[0], shape, "", "", "to do", None, None, begins) for begins in (1, 3)]
    assert [row.trained_samples for row in rows] == [2 * 90 * (1 + 2 + 3), 2 * 90 * 3]
    assert rows[1].train_flops * 2 == rows[0].train_flops and rows[1].evaluated_samples < rows[0].evaluated_samples
    for keep, counted in (("last", rows[1]), ("all", rows[0])):  # siblings that keep all weights share nothing
        parsed = grid.parse(settings(**GRID, keep_weights=keep, train_limit=300, test_limit=100))
        assert plan.planned_runs(parsed, places.raw, store)[1].trained_samples == counted.trained_samples
