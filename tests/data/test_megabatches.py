"""Index arithmetic: the split, replay policies and scoring samples, on numbers that fit in the head."""

from fractions import Fraction
from math import floor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_repro.core.errors import ParamsError
from app_repro.data.megabatches import PhaseIndices, Split, phase, split


def cut(images: int, megabatches: int, val_fraction: float = 0.1, **changes: Any) -> Split:
    settings = {"order": "file", "split_seed": 0} | changes
    return split(images, 100, megabatches, val_fraction=val_fraction, **settings)


def phases(parts: Split, **settings: Any) -> list[PhaseIndices]:
    return [phase(parts, k, seed=1, **settings) for k in range(1, len(parts.train) + 1)]


def ranges(*bounds: tuple[int, int]) -> list[int]:
    return [index for first, end in bounds for index in range(first, end)]


def test_eight_megabatches_of_cifar_are_5625_and_625_images_and_validation_starts_at_45000() -> None:
    parts = cut(50_000, 8)
    assert [len(part) for part in parts.train] == [5625] * 8 and [len(part) for part in parts.validation] == [625] * 8
    assert parts.train[1][0] == 5625 and parts.validation[0][0] == 45_000 and parts.validation[7][-1] == 49_999


@pytest.mark.parametrize(("megabatches", "train", "validation"), [(1, 45_000, 5_000), (70, 642, 72), (100, 450, 50)])
def test_other_lengths_of_the_stream_stay_inside_the_training_set(megabatches, train, validation) -> None:
    parts = cut(50_000, megabatches)
    assert [(len(a), len(b)) for a, b in zip(parts.train, parts.validation, strict=True)] == [
        (train, validation)
    ] * megabatches
    assert parts.validation[0][0] == megabatches * train
    assert parts.validation[-1][-1] == megabatches * (train + validation) - 1


@given(st.data(), st.integers(10, 600), st.sampled_from(["0.1", "0.2", "0.25", "0.5"]))
def test_parts_are_consecutive_disjoint_and_of_the_size_promised(data: st.DataObject, images: int, share: str) -> None:
    megabatches = data.draw(st.integers(1, images // 10))
    parts = cut(images, megabatches, float(share))
    size = images // megabatches
    train = floor((1 - Fraction(share)) * size)
    assert {len(part) for part in parts.train} == {train}
    assert {len(part) for part in parts.validation} == {size - train}
    assert np.concatenate([*parts.train, *parts.validation]).tolist() == list(range(megabatches * size))


@given(st.data(), st.integers(10, 300), st.sampled_from(["none", "last", "full", "buffer"]))
def test_replay_shows_the_present_megabatch_and_of_the_earlier_ones_what_it_promises(data, images, replay) -> None:
    parts = cut(images, data.draw(st.integers(1, images // 10)), order="permuted")
    buffer_size = data.draw(st.integers(1, images)) if replay == "buffer" else None
    for k, now in enumerate(phases(parts, replay=replay, buffer_size=buffer_size), 1):
        for name in ("train", "validation"):
            seen, whole = getattr(now, name).tolist(), getattr(parts, name)
            earlier = {"none": (), "last": whole[max(k - 2, 0) : k - 1]}.get(replay, whole[: k - 1])
            allowed = set(np.concatenate([*earlier, whole[k - 1]]).tolist())
            assert len(set(seen)) == len(seen) and set(whole[k - 1].tolist()) <= set(seen) <= allowed
            assert replay == "buffer" or set(seen) == allowed
        assert not set(now.train.tolist()) & set(now.validation.tolist())


def test_replay_policies_by_hand() -> None:
    parts = cut(40, 4)  # train 0-8 9-17 18-26 27-35, validate 36 37 38 39
    shown = {replay: phases(parts, replay=replay)[2] for replay in ("none", "last", "full")}
    assert shown["none"].train.tolist() == ranges((18, 27)) and shown["none"].validation.tolist() == [38]
    assert shown["last"].train.tolist() == ranges((9, 27)) and shown["last"].validation.tolist() == [37, 38]
    assert shown["full"].train.tolist() == ranges((0, 27)) and shown["full"].validation.tolist() == [36, 37, 38]
    assert phases(parts, replay="last")[0].train.tolist() == ranges((0, 9))
    with pytest.raises(ValueError, match="sometimes"):
        phases(parts, replay="sometimes")


def test_a_buffer_adds_exactly_its_size_in_examples_of_earlier_megabatches() -> None:
    parts = cut(400, 4)  # 90 + 10 each
    shown = phases(parts, replay="buffer", buffer_size=50)  # 45 of them train, 5 validate
    assert [(len(now.train), len(now.validation)) for now in shown] == [(90, 10)] + [(135, 15)] * 3
    for k, now in enumerate(shown):
        assert now.train.tolist()[-90:] == parts.train[k].tolist()
        assert all(index < 90 * k for index in now.train.tolist()[:-90])
    assert {index // 90 for index in shown[3].train.tolist()[:45]} == {0, 1, 2}


def test_a_buffer_larger_than_what_was_seen_holds_all_of_it() -> None:
    shown = phases(cut(400, 4), replay="buffer", buffer_size=1000)
    assert [len(now.train) for now in shown] == [90, 180, 270, 360]


def test_what_a_buffer_has_dropped_never_returns() -> None:
    shown = phases(cut(800, 8), replay="buffer", buffer_size=50)
    for before, after, k in zip(shown, shown[1:], range(1, 8), strict=False):
        held, fresh = set(after.train.tolist()[:-90]), set(range(90 * k, 90 * k + 90))
        assert held <= set(before.train.tolist()) and held.isdisjoint(fresh)


def test_a_buffer_keeps_every_earlier_example_equally_often() -> None:
    parts = cut(80, 4)  # 18 training images each
    counts = np.zeros(54, int)
    for seed in range(400):
        kept = phase(parts, 4, replay="buffer", buffer_size=20, seed=seed).train[:18]
        counts[kept] += 1
    assert counts.sum() == 400 * 18
    expected, deviation = 400 / 3, (400 * 1 / 3 * 2 / 3) ** 0.5
    assert np.abs(counts - expected).max() < 4 * deviation


@pytest.mark.parametrize(
    ("replay", "sizes"), [("full", [20, 40, 60, 80]), ("none", [20] * 4), ("last", [20] + [40] * 3)]
)
def test_a_scoring_sample_is_a_fifth_of_all_that_is_seen(replay: str, sizes: list[int]) -> None:
    parts = cut(400, 4)
    for now, size in zip(phases(parts, replay=replay, score_sample="replay", score_fraction=0.2), sizes, strict=True):
        assert len(now.score) == len(set(now.score.tolist())) == size
        assert set(now.score.tolist()) <= set(now.train.tolist())


def test_scoring_samples_are_drawn_anew_by_megabatch_and_seed() -> None:
    parts = cut(400, 2)
    drawn = [
        phase(parts, k, replay="full", seed=seed, score_sample="replay", score_fraction=0.2).score.tolist()[:20]
        for k, seed in ((1, 1), (2, 1), (1, 2), (1, 1))
    ]
    assert drawn[0] == drawn[3] and drawn[0] != drawn[1] and drawn[0] != drawn[2]


def test_the_released_sample_is_the_head_of_the_stream_sized_by_one_megabatch() -> None:
    parts = cut(43, 4)  # m = 10: 9 + 1
    shown = phases(parts, replay="full", score_sample="head", score_fraction=0.25)
    assert [now.score.tolist() for now in shown] == [[0, 1]] * 4


def test_without_a_scoring_sample_none_is_drawn() -> None:
    assert [len(now.score) for now in phases(cut(40, 4), replay="full")] == [0] * 4


def test_a_training_limit_takes_the_first_of_the_permuted_order() -> None:
    whole, part = cut(400, 1, order="permuted"), cut(400, 1, order="permuted", train_limit=100)
    first = [*part.train[0], *part.validation[0]]
    assert first == [*whole.train[0], *whole.validation[0]][:100] and first != sorted(first)
    assert cut(400, 1, order="permuted", split_seed=1).train[0].tolist() != whole.train[0].tolist()


def test_a_test_limit_draws_and_no_limit_takes_all_in_order() -> None:
    drawn = cut(40, 1, test_limit=10).test.tolist()
    assert len(set(drawn)) == 10 and drawn == sorted(drawn) and drawn != list(range(10))
    assert drawn != cut(40, 1, test_limit=10, split_seed=1).test.tolist()
    assert cut(40, 1).test.tolist() == list(range(100))


@pytest.mark.promise
@pytest.mark.parametrize("megabatches", [30, 41, 10**9])
def test_too_many_megabatches_are_refused_by_name(megabatches: int) -> None:
    with pytest.raises(ParamsError, match=r"^sb: .*at least 1"):
        cut(40, megabatches)


@pytest.mark.parametrize("limit", ["train_limit", "test_limit"])
def test_a_limit_beyond_the_data_set_is_refused_by_name(limit: str) -> None:
    with pytest.raises(ParamsError, match=rf"^{limit}: 101 .*"):
        split(100, 100, 2, order="file", val_fraction=0.1, split_seed=0, **{limit: 101})
