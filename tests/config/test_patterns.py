"""N:M patterns against the schedules of the public code."""

import itertools

import pytest
from released import PATTERNS

from app_repro.config import grid, presets
from app_repro.config.methods import app
from app_repro.config.patterns import Pattern, at_density, is_scored, pattern, rungs

SCHEDULES = PATTERNS["S1"]["schedules"]
MANY = [(1, 2), (1, 4), (2, 4), (1, 8), (2, 8), (4, 8), (1, 16), (2, 16), (4, 16), (8, 16), (1, 32), (2, 32), (3, 12)]


def names(patterns) -> str:
    return " ".join(map(str, patterns))


def public(frames: list[Pattern], epochs: int) -> list[Pattern]:
    """The pattern of each epoch as the public code has it: a frame counts from the epoch that its start is cut to, and
    of frames that start in the same epoch the last one is left."""
    starts = {int(i * (epochs / len(frames))): frame for i, frame in enumerate(frames)}
    found = itertools.accumulate(range(epochs), lambda now, epoch: starts.get(epoch, now), initial=frames[0])
    return list(found)[1:]


@pytest.mark.parametrize("schedule", ["stepwise", "geometric"])
def test_golden_schedules(schedule: str) -> None:
    for final, expected in SCHEDULES[f"{schedule} T=8"].items():
        n, m = map(int, final.split(":"))
        assert names(pattern(k, 8, n, m, schedule) for k in range(1, 9)) == expected


@pytest.mark.parametrize(("name", "schedule"), [("sparsify", "stepwise"), ("fine", "geometric")])
def test_rungs_are_those_of_the_public_dictionaries(name: str, schedule: str) -> None:
    for key, frames in SCHEDULES["public dictionaries (start epoch -> pattern)"].items():
        kind, final, *_ = key.split("_")
        n, m = map(int, final.split("of"))
        if kind == name and (schedule == "geometric" or n.bit_count() == 1):  # 3:8 and 5:8 end too dense there
            assert names(rungs(n, m, schedule)) == " ".join(frames.values())


@pytest.mark.parametrize(("n", "m"), MANY)
@pytest.mark.parametrize("schedule", ["stepwise", "geometric"])
def test_every_stream_has_the_patterns_of_the_public_code_and_ends_with_n_of_m(schedule: str, n: int, m: int) -> None:
    every = list(rungs(n, m, schedule))
    for megabatches in range(1, 121):
        found = [pattern(k, megabatches, n, m, schedule) for k in range(1, megabatches + 1)]
        assert found == public(every, megabatches) and found[-1] == (n, m)
        assert all(later.density <= earlier.density for earlier, later in itertools.pairwise(found))


def test_without_a_schedule_the_pattern_never_changes() -> None:
    assert {pattern(k, 8, 1, 4, None) for k in range(1, 9)} == {(1, 4)}
    assert rungs(1, 2, "stepwise") == ((1, 2),)  # M - 1 and M / 2 are the same


def test_patterns_follow_a_density() -> None:
    for group, expected in SCHEDULES["density T=8 tau=4.5 (ours, N_k = max(1, round(M d_k)))"].items():
        m = int(group.removeprefix("M="))
        assert [at_density(app(k, 8, 4.5), m).n for k in range(1, 9)] == expected
    assert at_density(0.01, 4) == (1, 4)


@pytest.mark.parametrize(
    ("changes", "scored"),
    [
        ({"granularity": "nm", "nm_m": 4, "nm_n": 1}, [1, 3, 6]),  # 3:4, 3:4, 2:4, 2:4, 2:4, 1:4, 1:4, 1:4
        ({"granularity": "nm", "nm_m": 4, "nm_n": 1, "candidates": "all"}, [*range(1, 9)]),
        ({"granularity": "nm", "nm_m": 4, "nm_n": 1, "flow": "ste", "criterion": None}, []),
        ({"granularity": "nm", "nm_m": 4, "nm_n": 1, "method": "late"}, [8]),
        ({}, [*range(1, 9)]),
        ({"granularity": "channel"}, [*range(1, 9)]),
        ({"granularity": "channel", "control": "ticket"}, []),
        ({"method": "dense"}, []),
    ],
)
def test_weights_are_scored_where_a_mask_is_made_of_scores(changes: dict, scored: list[int]) -> None:
    spec = grid.parse(
        presets.preset("demo") | {"device": "cpu", "workers": 1, "seed": 1, "method": "app"} | changes
    ).specs[-1]
    assert [k for k in range(1, 9) if is_scored(spec, k)] == scored
