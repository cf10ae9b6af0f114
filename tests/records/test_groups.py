"""Runs that differ in their seed alone stand together, and no others."""

from pathlib import Path
from typing import Any

import synthetic
from synthetic import spec

from app_repro.config.protocols import PROTOCOLS
from app_repro.config.spec import RunSpec
from app_repro.records import settings
from app_repro.records.runs import RunRecord
from app_repro.records.settings import Group

OSP = "cifar10 resnet18 paper T = 8 osp"


def made(*specs: RunSpec, **numbers: Any) -> list[Group]:
    return settings.group([RunRecord(Path(s.run_id), synthetic.make(s, **numbers)) for s in specs])


def test_seeds_stand_together_in_their_order_and_methods_in_theirs() -> None:
    found = made(spec("app", 3), spec("app", 1), spec("dense", 2))
    assert [(one.settings["method"], list(one.by_seed)) for one in found] == [("dense", [2]), ("app", [1, 3])]
    assert found[1].ids == (spec("app", 1).run_id, spec("app", 3).run_id)


def test_any_other_setting_makes_another_group_and_a_column() -> None:
    for changed in ({"train_limit": 800}, {"lr": 0.05}, {"milestones": (3,)}, {"data_digest": "b" * 64}):
        found = made(spec(), spec(seed=2, **changed))
        (key,) = changed
        assert len(found) == 2
        assert settings.varying([one.settings for one in found]) == [*settings.ALWAYS, key]


def test_what_follows_from_the_data_set_is_no_column_between_data_sets() -> None:
    found = made(spec(data_digest="a" * 64), spec(dataset="cifar100", data_digest="b" * 64))
    assert settings.varying([one.settings for one in found]) == list(settings.ALWAYS)


def test_numbers_are_sorted_as_numbers() -> None:
    found = made(spec(tau=17.5), spec(tau=4.5), spec(sb=100), spec(sb=8, tau=3.0))
    assert [(one.settings["sb"], one.settings["tau"]) for one in found] == [(8, 3.0), (8, 4.5), (8, 17.5), (100, 4.5)]


def test_what_pruning_alone_tells_apart_can_be_compared() -> None:
    dense, osp, app = made(spec("dense"), spec("osp"), spec("app"))
    assert dense.contest == osp.contest == app.contest
    assert made(spec("app", epochs=3))[0].contest != app.contest


def test_what_is_missing_is_said() -> None:
    diverged = RunRecord(Path("x"), synthetic.make(spec("app", 3), diverged=True))
    rest = [RunRecord(Path("y"), synthetic.make(s)) for s in (spec("app", 1), spec("app", 2), spec("dense", 1))]
    text = " ".join(settings.gaps(settings.group([diverged, *rest])))
    assert f"Diverged, in no mean: cifar10 resnet18 paper T = 8 app seed 3 ({diverged.content['run_id']})." in text
    assert "No runs of: osp (cifar10 resnet18 paper T = 8)." in text
    assert "One seed only, so no sd: cifar10 resnet18 paper T = 8 dense." in text
    assert settings.gaps(made(*(spec(method, seed) for method in ("dense", "osp", "app") for seed in (1, 2)))) == []


def test_what_lacks_methods_is_named_by_its_bundle() -> None:
    """A dense run has no settings of pruning: one of the bundle is what each of its departures in them lacks."""
    bundle: dict[str, Any] = PROTOCOLS["released"]
    departures = {"scored_weights": "trained", "candidates": "kept", "order": "permuted"}
    released = [spec(**bundle), *(spec(**bundle | {key: value}) for key, value in departures.items())]
    whole = [spec(method, tau=tau) for method, tau in (("dense", None), ("osp", 4.5), ("app", 4.5))]
    text = " ".join(settings.gaps(made(*released, *whole)))
    contests = "cifar10 resnet18 released T = 8, cifar10 resnet18 released, order=permuted T = 8"
    assert f"No runs of: dense, osp ({contests})." in text


def test_names_tell_apart_what_differs_in_more_than_method_and_protocol() -> None:
    found = made(spec("osp", tau=4.5), spec("osp", tau=17.5), spec("dense", tau=None), spec(data_digest="a" * 64))
    names = [one.name for one in found]
    assert names[:3] == ["cifar10 resnet18 paper T = 8 dense", *(f"{OSP} tau = {tau}" for tau in ("4.5", "17.5"))]
    assert len(set(names)) == len(found)
    contests = made(spec(epochs=2), spec(epochs=3), spec("dense", tau=None, epochs=3))
    said = "osp (cifar10 resnet18 paper T = 8 epochs = 3), dense, osp (cifar10 resnet18 paper T = 8 epochs = 2)"
    assert f"No runs of: {said}." in settings.gaps(contests)


def test_a_note_on_every_setting_lists_none() -> None:
    found = made(spec("osp", tau=4.5), spec("osp", tau=17.5), spec("app"))
    assert "One seed only, so no sd: all 3 settings." in settings.gaps(found)
    assert settings.listed(found[:1], found) == f"{OSP} tau = 4.5"


def test_a_planned_run_has_the_settings_of_its_group() -> None:
    (one,) = made(spec(data_digest="a" * 64, augmentation="pad 4, flip"))
    assert settings.planned(spec()) == one.settings | {"data_digest": None, "augmentation": None}
