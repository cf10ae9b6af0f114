"""Runs that differ in their seed alone stand together, and no others."""

from pathlib import Path

import synthetic
from grouped import made
from synthetic import spec

from app_repro.records import settings
from app_repro.records.runs import RunRecord

OSP = "cifar10 resnet18 paper T = 8 osp"


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


def test_single_weights_have_a_name_beside_channels_and_no_column_alone() -> None:
    found = made(spec("dense"), spec("app"), spec("app", granularity="channel", candidates=None))
    assert [one.settings["granularity"] for one in found] == [None, "channel", "weight"]
    assert settings.varying([one.settings for one in found])[-1] == "granularity"
    assert "granularity" not in settings.varying([one.settings for one in made(spec("dense"), spec("app"))])
    keys = {settings.key_without(one.runs[0].spec, True, "granularity") for one in found[1:]}
    assert len(keys) == 1 and found[1].contest == found[0].contest


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


def test_a_planned_run_has_the_settings_of_its_group() -> None:
    (one,) = made(spec(data_digest="a" * 64, augmentation="pad 4, flip"))
    assert settings.planned(spec()) == one.settings | {"data_digest": None, "augmentation": None, "official": None}


def test_official_and_mirrored_data_are_of_two_settings() -> None:
    for changed in ({"official": False}, {"digest": "b" * 64}):
        mirrored = synthetic.make(
            spec(seed=2, data_digest=changed.get("digest", "a" * 64)), official="digest" in changed
        )
        official = synthetic.make(spec(seed=1, data_digest="a" * 64))
        groups = settings.group([RunRecord(Path(c["run_id"]), c) for c in (official, mirrored)])
        assert [len(one.runs) for one in groups] == [1, 1] and groups[0].contest != groups[1].contest
        told = settings.varying([one.settings for one in groups])
        assert told == [*settings.ALWAYS, "data_digest" if "digest" in changed else "official"]


def test_the_fewest_settings_that_tell_apart_are_the_first_that_do() -> None:
    three = [{"a": 1, "b": 1, "c": 1}, {"a": 1, "b": 2, "c": 2}, {"a": 1, "b": 2, "c": 3}]
    assert settings.telling_apart(three, ["a", "b", "c"]) == ["b", "c"]
    assert settings.telling_apart(three, ["c", "b", "a"]) == ["c"]
    assert settings.telling_apart(three[:1], ["a"]) == []
