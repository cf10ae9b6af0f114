"""What is missing among groups of runs is said."""

from pathlib import Path
from typing import Any

import synthetic
from grouped import made
from synthetic import spec

from app_repro.config.protocols import PROTOCOLS
from app_repro.records import settings
from app_repro.records.runs import RunRecord
from app_repro.report.tables import grouping

OSP = "cifar10 resnet18 paper T = 8 osp"


def test_what_is_missing_is_said() -> None:
    diverged = RunRecord(Path("x"), synthetic.make(spec("app", 3), diverged=True))
    rest = [RunRecord(Path("y"), synthetic.make(s)) for s in (spec("app", 1), spec("app", 2), spec("dense", 1))]
    text = " ".join(grouping.gaps(settings.group([diverged, *rest])))
    run_id = diverged.content["run_id"]
    assert f"cifar10 resnet18 paper T = 8 app seed 3 ({run_id}, megabatch 3, epoch 2)." in text
    assert "No runs of: osp (cifar10 resnet18 paper T = 8)." in text
    assert "One seed only, so no sd: cifar10 resnet18 paper T = 8 dense." in text
    assert grouping.gaps(made(*(spec(method, seed) for method in ("dense", "osp", "app") for seed in (1, 2)))) == []


def test_what_lacks_methods_is_named_by_its_bundle() -> None:
    """A dense run has no settings of pruning: one of the bundle is what each of its departures in them lacks."""
    bundle: dict[str, Any] = PROTOCOLS["released"]
    departures = {"scored_weights": "trained", "candidates": "kept", "order": "permuted"}
    released = [spec(**bundle), *(spec(**bundle | {key: value}) for key, value in departures.items())]
    whole = [spec(method, tau=tau) for method, tau in (("dense", None), ("osp", 4.5), ("app", 4.5))]
    text = " ".join(grouping.gaps(made(*released, *whole)))
    contests = "cifar10 resnet18 released T = 8, cifar10 resnet18 released, order=permuted T = 8"
    assert f"No runs of: dense, osp ({contests})." in text


def test_names_tell_apart_what_differs_in_more_than_method_and_protocol() -> None:
    found = made(spec("osp", tau=4.5), spec("osp", tau=17.5), spec("dense", tau=None), spec(data_digest="a" * 64))
    names = [one.name for one in found]
    assert names[:3] == ["cifar10 resnet18 paper T = 8 dense", *(f"{OSP} tau = {tau}" for tau in ("4.5", "17.5"))]
    assert len(set(names)) == len(found)
    contests = made(spec(epochs=2), spec(epochs=3), spec("dense", tau=None, epochs=3))
    said = "osp (cifar10 resnet18 paper T = 8 epochs = 3), dense, osp (cifar10 resnet18 paper T = 8 epochs = 2)"
    assert f"No runs of: {said}." in grouping.gaps(contests)


def test_what_all_settings_share_is_named_where_it_has_no_column() -> None:
    of_groups = [one.settings for one in made(spec("osp", tau=4.5), spec("osp", tau=17.5), spec("dense", tau=None))]
    assert grouping.common(of_groups, ["tau"]) == ("T = 8", "snip", "50 epochs")


def test_a_note_on_every_setting_lists_none() -> None:
    found = made(spec("osp", tau=4.5), spec("osp", tau=17.5), spec("app"))
    assert "One seed only, so no sd: all 3 settings." in grouping.gaps(found)
    assert grouping.listed(found[:1], found) == f"{OSP} tau = 4.5"
