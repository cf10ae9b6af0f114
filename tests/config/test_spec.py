"""The identity of a run, and the protocol it is nearest to."""

import hashlib
import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from app_repro.config import grid, presets
from app_repro.config.catalogue import CONTROLS
from app_repro.config.protocols import OF_GROUPS, PROTOCOLS, PRUNING_ONLY, SWITCHES
from app_repro.config.spec import RunSpec
from app_repro.core import files
from app_repro.core.errors import ParamsError
from app_repro.records import publish, record
from app_repro.records.stores import store
from app_repro.report import modelcard

OUTSIDE = {"device": "cpu", "workers": None}
PUBLISHED = Path(__file__).parents[2] / "data/published"


def spec_of(**changes: object) -> RunSpec:
    return grid.parse(presets.preset("demo") | OUTSIDE | {"method": "app", "seed": 1} | changes).specs[-1]


OTHER = {
    "dataset": "cifar10",
    "data_digest": "0" * 64,
    "augmentation": "pad 4, flip",
    "image_size": 32,
    "few_shot": 540,
    "arch": "resnet20s",
    "method": "osp",
    "seed": 0,
    "sb": 9,
    "tau": 4.500001,
    "criterion": "magnitude",
    "scope": "local",
    "replay": "none",
    "buffer_size": 100,
    "scored_weights": "fresh",
    "candidates": "all",
    "score_sample": "head",
    "validation_images": "augmented",
    "order": "file",
    "lr_restart": False,
    "split_seed": 1,
    "epochs": 11,
    "batch_size": 65,
    "lr": 0.2,
    "momentum": 0.0,
    "weight_decay": 0.0,
    "milestones": (5,),
    "gamma": 0.2,
    "score_fraction": 0.3,
    "val_fraction": 0.2,
    "train_limit": 1000,
    "test_limit": 100,
    "precision": "bf16",
    "engine": "another",
    "control": "ticket",
    "budget_cap": 1.5,
    "sgd_seed": 7,
    "branch": 3,
    "granularity": "channel",
    "nm_m": 8,
    "nm_n": 2,
    "nm_schedule": "geometric",
    "flow": "srste",
    "flow_rate": 3.0,
    "flow_gradient": "straight",
    "srste_lambda": 0.01,
    "threads": 2,
}
"""Another value than in `spec_of()` for every field there is."""


@pytest.mark.parametrize(
    ("changes", "run_id"),
    [
        ({}, "1b17f8f37fac"),
        ({"seed": 2**63 - 1, "milestones": ()}, "6dacba8bdde1"),
        (dict.fromkeys(PRUNING_ONLY) | {"method": "dense"}, "39f5eb284094"),
    ],
)
def test_three_run_ids_are_pinned(changes: dict, run_id: str) -> None:
    assert RunSpec(**OTHER | {"engine": "eager"} | dict.fromkeys(RunSpec.later()) | changes).run_id == run_id


GRIDS = {
    "short": "65299511e753bc2c",
    "demo": "33bdd7433507f6fd",
    "headline": "5470cb1159b1bfa8",
    "cifar-small": "ccfdcfecce44c4a3",
    "audit": "3c2d99734157cf58",
    "long": "8b0dda34f2fb5080",
    "fewshot": "f044998d86f0a2fe",
    "pruners": "968b610a5a8bf9a9",
    "controls": "558fe78355c4d60a",
    "granularity": "d8aa470abdc794dc",
    "granularity-demo": "3a302a3b654f4c8e",
    "nm": "9a46034dc947504f",
    "nm-demo": "b98fb7392e6e9c9d",
    "regime": "47f9f00c2f9e1fbb",
    "regime-gpu": "c1e6e9ae8dd69be1",
    "laptop-1": "499cde547299c7ec",
    "laptop-2": "f56240570372ec0d",
    "laptop-3": "77e016a79c8f34d3",
    "laptop-4": "e7d5f735e0c87bf0",
    "laptop-6": "7a68a54cabeacf7b",
    "laptop-7": "6f2e247f76caea89",
    "laptop-8": "12121c28ef4338fd",
    "laptop-9": "3dfb7b27c7638f45",
}
"""Preset -> first 16 hex digits of sha256 over the sorted run ids of its grid."""


@pytest.mark.parametrize("name", presets.PRESETS)
def test_the_run_ids_of_the_presets_are_pinned(name: str) -> None:
    ids = sorted(cell.run_id for cell in grid.parse(presets.preset(name) | OUTSIDE).specs)
    assert hashlib.sha256("\n".join(ids).encode()).hexdigest()[:16] == GRIDS[name]


def test_the_run_ids_of_published_records_are_those_of_their_settings() -> None:
    found = [path for folder in ("demo", "audit") for path in (PUBLISHED / folder).glob("*.json")]
    assert len(found) >= 39
    for path in found:
        content = files.read_sealed(path)
        assert RunSpec.model_validate(content["spec"]).run_id == content["run_id"]


LATER = {
    name: OTHER[name] for name in ("control", "budget_cap", "sgd_seed", "branch", "granularity", *OF_GROUPS, "threads")
}


def test_a_later_setting_changes_no_id_and_no_stored_spec_while_it_is_none() -> None:
    plain = spec_of()
    assert RunSpec.later() == tuple(LATER)
    assert plain.stored() == {key: value for key, value in plain.model_dump(mode="json").items() if key not in LATER}
    for key, value in LATER.items():
        changed = plain.model_copy(update={key: value})
        assert changed.run_id != plain.run_id and changed.stored() == plain.stored() | {key: value}
        assert changed.model_copy(update={key: None}).run_id == plain.run_id


@pytest.mark.parametrize(
    ("changes", "run_id"),
    [
        ({"control": "ticket"}, "24a94f245ce7"),
        ({"control": "scratch-b"}, "72ec4e14a9c9"),
        ({"control": "scratch-b", "budget_cap": None}, "11360e75ff2c"),
        ({"granularity": "channel"}, "9b25cfb70d01"),
        ({"sgd_seed": 1}, "bff630ed2041"),
        ({"sgd_seed": 1, "branch": 2}, "d6e38d7b9767"),
        ({"method": "late"}, "26553bc8d09a"),
        ({"threads": 2}, "6c8ae9a7fbb9"),
    ],
)
def test_run_ids_with_later_settings_are_pinned(changes: dict, run_id: str) -> None:
    assert spec_of(**changes).run_id == run_id


def test_a_later_setting_may_be_missing_from_params_and_vary_all_the_same() -> None:
    raw = presets.preset("demo") | OUTSIDE | {"method": "app", "seed": [1, 2]}
    raw = {key: value for key, value in raw.items() if key not in LATER}
    assert [cell.control for cell in grid.parse(raw).specs] == [None, None]
    for changes in ({"control": [None, "shuffle"]}, {"variants": [{}, {"control": "shuffle"}]}, {"control": "shuffle"}):
        parsed = grid.parse(raw | changes)  # in the last one the sources come of themselves
        assert {(cell.seed, cell.control) for cell in parsed.specs} == {
            (seed, value) for seed in (1, 2) for value in (None, "shuffle")
        }
        assert parsed.axes == ("seed", "control")
    assert set(presets.flags("demo").split()) > {"++control=null", "sb=8"}
    assert " -S '++control=null' " in modelcard.command(parsed.specs[0].model_dump(mode="json"))
    with pytest.raises(ParamsError, match="control: 'none' is not allowed") as raised:
        grid.parse(raw | {"control": "none"})
    assert raised.value.key == "control"


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({}, {}),
        ({"budget_cap": 3.0, "branch": 4}, {}),
        ({"control": "ticket"}, {"control": "ticket"}),
        ({"control": "scratch-b"}, {"control": "scratch-b", "budget_cap": 2.0}),
        ({"control": "scratch-b", "budget_cap": None}, {"control": "scratch-b"}),
        ({"sgd_seed": 1}, {"sgd_seed": 1, "branch": 8}),
        ({"sgd_seed": 1, "branch": 2}, {"sgd_seed": 1, "branch": 2}),
        ({"granularity": "weight"}, {}),
        ({"granularity": "channel"}, {"granularity": "channel"}),
        ({"granularity": "channel", "control": "ticket"}, {"granularity": "channel", "control": "ticket"}),
        ({"granularity": "channel", "method": "dense"}, {}),
        ({"threads": 1}, {}),
        ({"threads": 4, "method": "dense"}, {"threads": 4}),
    ],
)
def test_later_settings_that_do_not_apply_are_null(changes: dict, kept: dict) -> None:
    spec = spec_of(**changes)
    assert {key: getattr(spec, key) for key in LATER if getattr(spec, key) is not None} == kept


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"control": "lottery"}, "control"),
        ({"control": "ticket", "method": "dense"}, "control"),
        ({"control": [None, "ticket"], "method": ["app", "dense"]}, "control"),
        ({"control": "scratch-b", "budget_cap": 0.99}, "budget_cap"),
        ({"control": "scratch-b", "budget_cap": float("nan")}, "budget_cap"),
        ({"granularity": "filter"}, "granularity"),
        ({"granularity": "channel", "control": "shuffle"}, "control"),
        ({"granularity": "channel", "criterion": None}, "criterion"),
        ({"sgd_seed": 0}, "sgd_seed"),
        ({"sgd_seed": 1, "branch": 9}, "branch"),
        ({"sgd_seed": 1, "branch": 0}, "branch"),
        ({"threads": 0}, "threads"),
        ({"threads": 1025}, "threads"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_that_names_the_setting(changes: dict, key: str) -> None:
    with pytest.raises(ParamsError) as raised:
        spec_of(**changes)
    assert raised.value.key == key and "\n" not in str(raised.value)


def test_the_source_of_a_control_is_the_run_without_it() -> None:
    assert spec_of().source is None
    for arm in CONTROLS:
        assert spec_of(control=arm).source == spec_of()


def test_a_record_without_a_later_setting_is_read_as_none_and_is_written_without_it(tmp_path: Path) -> None:
    path = next((PUBLISHED / "demo").glob("*-app-*.json"))
    folder = store.RunFolder(tmp_path / "runs/one")
    folder.path.mkdir(parents=True)
    (folder.path / "record.json").write_bytes(path.read_bytes())
    content = record.read(path)
    assert content["spec"] == files.read_sealed(path)["spec"] | dict.fromkeys(LATER)
    folder.accept("f" * 16)
    assert files.read_sealed(folder.path / "record.json") == files.read_sealed(path) | {"accepted_code": ["f" * 16]}
    folder.write_record(content)
    assert (folder.path / "record.json").read_bytes() == path.read_bytes()
    (small,) = publish.publish(tmp_path / "runs", tmp_path / "published", ["one"])
    assert small.read_bytes() == path.read_bytes()


def test_a_change_of_any_one_field_changes_the_id() -> None:
    spec = spec_of()
    assert set(OTHER) == set(RunSpec.model_fields)
    ids = {name: spec.model_copy(update={name: value}).run_id for name, value in OTHER.items()}
    assert len({spec.run_id, *ids.values()}) == len(OTHER) + 1
    assert all(len(run_id) == 12 and int(run_id, 16) >= 0 for run_id in ids.values())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("tau", 17.5),
        ("tau", None),
        ("criterion", "random"),
        ("scope", "local"),
        ("score_fraction", 0.5),
        ("scored_weights", "fresh"),
        ("candidates", "all"),
        ("score_sample", "head"),
    ],
)
def test_a_dense_run_does_not_depend_on_how_others_are_pruned(key: str, value: object) -> None:
    assert key in PRUNING_ONLY
    assert spec_of(method="dense", **{key: value}).run_id == spec_of(method="dense").run_id
    if value is not None:
        assert spec_of(**{key: value}).run_id != spec_of().run_id


def test_settings_that_do_not_apply_do_not_change_the_id() -> None:
    assert spec_of(buffer_size=7, image_size=32, few_shot=5).run_id == spec_of().run_id
    assert spec_of(replay="buffer", buffer_size=7).run_id != spec_of(replay="buffer", buffer_size=8).run_id


def test_an_integer_and_the_same_number_as_a_float_are_one_run() -> None:
    assert spec_of(tau=3, lr=1).run_id == spec_of(tau=3.0, lr=1.0).run_id
    assert spec_of(tau=3).run_id != spec_of(tau=3.5).run_id


def test_a_spec_comes_back_from_the_values_in_its_record() -> None:
    spec = spec_of()
    assert RunSpec.model_validate(spec.model_dump(mode="json")) == RunSpec.model_validate(spec.stored()) == spec


def test_a_spec_is_frozen_and_closed() -> None:
    spec = spec_of()
    with pytest.raises(ValidationError, match="frozen"):
        spec.seed = 2
    with pytest.raises(ValidationError, match="Extra inputs"):
        RunSpec.model_validate(spec.model_dump() | {"colour": "red"})


VALUES = {name: sorted({bundle[name] for bundle in PROTOCOLS.values()}) for name in SWITCHES}


@given(
    st.fixed_dictionaries(
        {name: st.sampled_from([*values, False] if name == "lr_restart" else values) for name, values in VALUES.items()}
    )
)
def test_the_protocol_and_its_departures_name_every_switch(switches: dict) -> None:
    name, departures = spec_of(**switches).protocol
    assert PROTOCOLS[name] | departures == switches
    assert not set(departures.items()) & set(PROTOCOLS[name].items())
    (other,) = set(PROTOCOLS) - {name}
    assert len(departures) <= sum(PROTOCOLS[other][key] != value for key, value in switches.items())


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_bundle_has_no_departures_and_a_switch_set_apart_is_one(name: str) -> None:
    assert spec_of(protocol=name).protocol == (name, {})
    assert spec_of(protocol=name, lr_restart=False).protocol == (name, {"lr_restart": False})


def test_a_tie_goes_to_the_paper_and_null_is_no_departure() -> None:
    assert spec_of(method="dense", protocol="released").protocol == ("released", {})
    assert spec_of(method="dense", order="file").protocol == ("paper", {"order": "file"})


def test_the_two_protocols_are_those_of_the_paper_and_the_released_code() -> None:
    released = spec_of(protocol="released")
    assert [getattr(released, name) for name in SWITCHES] == ["fresh", "all", "head", "augmented", "file", True]
    assert [getattr(spec_of(), name) for name in SWITCHES] == ["trained", "kept", "replay", "clean", "permuted", True]


def test_specs_of_a_grid_are_told_apart_by_id() -> None:
    axes = {"method": ["osp", "app"], "seed": [0, 1], "tau": [3, 4.5], "protocol": ["paper", "released"]}
    specs = grid.parse(presets.preset("demo") | OUTSIDE | axes).specs
    assert len({spec.run_id for spec in specs}) == len(specs) == len(list(itertools.product(*axes.values())))
