"""Bold and intervals follow the rules that claims are judged with."""

import math
from pathlib import Path

import pytest
import synthetic
from synthetic import spec

from app_repro.claims.contrasts import best, contrast
from app_repro.claims.variance import Pool
from app_repro.records import settings
from app_repro.records.runs import RunRecord
from app_repro.records.settings import Group

Accuracies = dict[str, list[float | None]]


def field(accuracies: Accuracies) -> tuple[dict[str, Group], Pool]:
    """Method -> accuracy of seeds 1, 2, ...; None: that seed diverged."""
    runs = [
        RunRecord(Path("x"), synthetic.make(spec(method, seed), accuracy=value or 0.5, diverged=value is None))
        for method, values in accuracies.items()
        for seed, value in enumerate(values, 1)
    ]
    return {one.settings["method"]: one for one in settings.group(runs)}, Pool(runs)


def winner(accuracies: Accuracies, metric: str = "test_accuracy") -> str | None:
    made, pool = field(accuracies)
    first = best(list(made.values()), metric, pool)
    return first and first.settings["method"]


def test_the_interval_of_a_difference_by_hand() -> None:
    made, pool = field({"dense": [0.60, 0.60, 0.60], "app": [0.61, 0.62, 0.63]})
    found = contrast(made["app"], made["dense"], "test_accuracy", pool)
    assert found.differences == pytest.approx((0.01, 0.02, 0.03))
    assert found.runs[:2] == (spec("app", 1).run_id, spec("dense", 1).run_id) and len(found.runs) == 6
    half = 2.9199855803537 * 0.01 / math.sqrt(3)  # t(.95, 2)
    assert found.interval == pytest.approx((0.02 - half, 0.02 + half))


def test_seeds_that_one_side_lacks_are_left_out_and_too_few_have_no_interval() -> None:
    made, pool = field({"dense": [0.60, 0.60], "app": [0.61, 0.62, 0.63]})
    found = contrast(made["app"], made["dense"], "test_accuracy", pool)
    assert len(found.differences) == 2 and found.interval is None
    one_sided = contrast(made["app"], settings.Group(made["dense"].settings, (), ()), "test_accuracy", pool)
    assert one_sided.differences == () and one_sided.interval is None


def test_what_a_seed_brings_is_taken_off_only_where_both_saw_one_stream() -> None:
    levels = {1: -0.03, 2: 0.02, 3: 0.0, 4: 0.05}
    ahead = {"dense": 0.0, "osp": 0.01, "app": 0.02}
    made = [
        RunRecord(Path("x"), synthetic.make(one, accuracy=0.6 + levels[one.seed] + ahead[one.method]))
        for one in synthetic.grid("laptop-1", seed=list(levels))
    ]
    groups, pool = settings.group(made), Pool(made)
    dense, osp = ([one for one in groups if one.settings["method"] == name] for name in ("dense", "osp"))
    paired = contrast(osp[0], dense[0], "test_accuracy", pool)
    apart = contrast(dense[0], dense[1], "test_accuracy", pool)
    assert paired.spread and apart.spread and paired.spread.sd == pytest.approx(0, abs=1e-6)
    sd = math.sqrt(sum((level - 0.01) ** 2 for level in levels.values()) / 3)
    assert (apart.spread.sd, apart.spread.dof) == pytest.approx((math.sqrt(2) * sd, 18))


def test_the_best_is_ahead_of_every_rival() -> None:
    ahead: Accuracies = {"dense": [0.60, 0.61, 0.62], "osp": [0.59, 0.60, 0.61], "app": [0.70, 0.71, 0.72]}
    assert winner(ahead) == "app"
    assert winner(ahead, "cer") == "app"  # fewer errors
    assert winner(ahead | {"osp": [0.70, 0.71, 0.725]}) is None  # as good as osp


def test_nothing_is_best_where_it_is_not_shown() -> None:
    assert winner({"app": [0.7, 0.71, 0.72]}) is None  # alone
    assert winner({"dense": [0.6], "app": [0.7]}) is None  # one seed
    assert winner({"dense": [0.60, 0.61, 0.62], "app": [0.70, 0.71, 0.72, None]}) is None  # a seed diverged
    assert winner({"dense": [0.50, 0.70, 0.60], "app": [0.66, 0.64, 0.60]}) is None  # noise
