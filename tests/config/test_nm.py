"""Settings of N:M sparsity: what applies, defaults, ids, and what does not go together."""

from typing import Any

import pytest

from app_repro.config import grid, patterns, presets, reading
from app_repro.config.protocols import OF_GROUPS, OF_PRUNING
from app_repro.config.spec import RunSpec
from app_repro.core.errors import ParamsError

BASE = {"method": "app", "seed": 1, "granularity": "nm", "nm_m": 4, "nm_n": 2, "device": "cpu", "workers": None}
LIVE = {"flow": "srste", "criterion": None}


def specs(**changes: Any) -> tuple[RunSpec, ...]:
    return grid.parse(presets.preset("demo") | BASE | changes).specs


def spec_of(**changes: Any) -> RunSpec:
    return specs(**changes)[-1]


def applies(spec: RunSpec) -> set[str]:
    return {key for key in (*OF_PRUNING, *OF_GROUPS) if getattr(spec, key) is not None}


SCORED = {"criterion", "score_fraction", "scored_weights", "candidates", "score_sample"}


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ({}, {*SCORED, "nm_m", "nm_n", "nm_schedule", "flow"}),
        ({"method": "osp", "nm_schedule": "geometric"}, {*SCORED, "nm_m", "nm_n", "flow"}),
        ({"nm_n": None}, {*SCORED, "nm_m", "tau", "flow"}),
        (LIVE, {"nm_m", "nm_n", "nm_schedule", "flow", "srste_lambda"}),
        (LIVE | {"flow": "ste", "nm_n": None}, {"nm_m", "tau", "flow"}),
        (LIVE | {"flow": "mdgf_exp"}, {"nm_m", "nm_n", "nm_schedule", "flow", "flow_rate", "flow_gradient"}),
        ({"method": "dense"}, set()),
        ({"granularity": "weight"}, set(OF_PRUNING)),
        ({"granularity": "channel"}, set(OF_PRUNING) - {"candidates"}),
    ],
)
def test_settings_that_do_not_apply_are_none(changes: dict[str, Any], left: set[str]) -> None:
    assert applies(spec_of(**changes)) == left


@pytest.mark.parametrize(
    ("default", "given"),
    [
        ({}, {"flow": "none", "nm_schedule": "stepwise"}),
        (LIVE, {"srste_lambda": 2e-4}),
        (LIVE | {"flow": "mdgf_exp"}, {"flow_rate": 10, "flow_gradient": "damped"}),
        (LIVE | {"flow": "mdgf_linear"}, {"flow_rate": 2.0}),
        ({}, {"flow_rate": 3.0, "srste_lambda": 1.0, "scope": "local", "tau": 9.0}),
        ({"method": "dense"}, {"flow": "srste"}),
        ({"granularity": "weight"}, {"nm_m": 8, "flow": "ste"}),
    ],
)
def test_a_default_that_is_written_out_and_what_does_not_apply_change_no_id(default: dict, given: dict) -> None:
    assert spec_of(**default).run_id == spec_of(**default | given).run_id


def test_every_setting_that_applies_changes_the_id() -> None:
    soft = LIVE | {"flow": "mdgf_exp"}
    found = [spec_of(**changes).run_id for changes in (soft, {**soft, "flow_rate": 9.0}, {**soft, "nm_m": 8})]
    found += [
        spec_of(**{**soft, "flow_gradient": "straight"}).run_id,
        spec_of(**{**soft, "nm_schedule": "geometric"}).run_id,
    ]
    found += [
        spec_of(**LIVE).run_id,
        spec_of(**LIVE, srste_lambda=0.0).run_id,
        spec_of().run_id,
        spec_of(nm_n=1).run_id,
    ]
    assert len(set(found)) == len(found)


def test_the_id_of_a_run_of_n_of_m_is_pinned() -> None:
    assert spec_of(**LIVE).run_id == "332ce2b761b7"


@pytest.mark.parametrize(
    ("changes", "key", "named"),
    [
        ({"nm_m": None}, "nm_m", ("granularity",)),
        ({"nm_n": 4}, "nm_n", ("nm_m",)),
        ({"nm_n": 124}, "nm_n", ("2:4", "nm_m: 4")),
        ({"nm_n": None, "tau": None}, "nm_n", ("tau",)),
        ({"nm_n": None, "nm_schedule": "geometric"}, "nm_n", ("nm_schedule",)),
        ({"nm_m": 8, "nm_n": 3}, "nm_schedule", ("nm_m / nm_n", "geometric", "candidates: all")),
        ({"granularity": "2:4"}, "granularity", ("channel", "granularity: nm", "nm_n: 2", "nm_m: 4")),
        ({"granularity": 124}, "granularity", ("2:4", "granularity: nm", "nm_n: 2", "nm_m: 4")),
        ({"nm_schedule": "geometric"}, "candidates", ("nm_schedule", "flow")),
        ({"flow": "ste"}, "criterion", ("flow", "'snip'")),
        ({"criterion": None}, "criterion", ("method",)),
        ({"nm_n": None, "tau": 0.5}, "tau", ()),
        ({"nm_m": 188}, "nm_m", ("3:8", "nm_n: 3")),
        ({"nm_m": 1}, "nm_m", ("2 to 128",)),
        ({"nm_m": "2:4"}, "nm_m", ("it is text", "nm_n: 2", "nm_m: 4")),
        ({"flow": "srst"}, "flow", ("srste",)),
        (LIVE | {"flow_rate": 0}, "flow_rate", ()),
        (LIVE | {"srste_lambda": -1}, "srste_lambda", ()),
        ({"nm_m": 2.0}, "nm_m", ("write 2",)),
        ({"control": "shuffle"}, "control", ("granularity", "shuffle")),
    ],
)
def test_what_does_not_go_together_is_refused_in_one_line_that_names_both(
    changes: dict, key: str, named: tuple
) -> None:
    with pytest.raises(ParamsError) as raised:
        spec_of(**changes)
    text = str(raised.value)
    assert raised.value.key == key and "\n" not in text and all(name in text for name in named), text


def test_what_is_advised_where_n_does_not_halve_is_taken() -> None:
    advised = {"nm_m": 12, "nm_n": 1, "nm_schedule": "geometric", "candidates": "all"}
    assert spec_of(**advised).nm_schedule == "geometric"


def test_an_unquoted_pattern_is_text_here_and_a_number_elsewhere() -> None:
    assert reading.from_yaml("nm_m: 2:4", "x") == {"nm_m": "2:4"}


def test_patterns_of_runs() -> None:
    assert [str(patterns.in_force(spec_of(), k)) for k in (1, 4, 5, 8)] == ["3:4", "3:4", "2:4", "2:4"]
    assert [patterns.asked(spec_of(method="osp"), k) for k in (1, 2)] == [(2, 4), None]
    assert [patterns.in_force(spec_of(method="late"), k) for k in (7, 8)] == [(4, 4), (2, 4)]
    assert [patterns.nominal_density(spec_of(nm_n=None), k) for k in (1, 4, 8)] == [0.75, 0.5, 0.25]
    assert patterns.nominal_density(spec_of(granularity="weight"), 1) == 0.8
