"""Replay: training, validation and scoring sample follow one policy alike."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_repro.data.megabatches import PhaseIndices, Split, phase, split

ALLOWED = {
    # policy: megabatches that may be seen at k
    "none": lambda k: {k},
    "last": lambda k: {max(k - 1, 1), k},
    "full": lambda k: set(range(1, k + 1)),
    "buffer": lambda k: set(range(1, k + 1)),
}


def cut(images: int = 400, megabatches: int = 4, order: str = "permuted") -> Split:
    return split(images, 10, megabatches, order=order, val_fraction=0.1, split_seed=1)


def seen(parts: Split, k: int, replay: str, **settings) -> PhaseIndices:
    given_ = {"seed": 3, "buffer_size": 50, "score_sample": "replay", "score_fraction": 0.2} | settings
    return phase(parts, k, replay=replay, **given_)


def megabatches_of(indices: np.ndarray, parts: tuple[np.ndarray, ...]) -> set[int]:
    """Megabatches, 1-based, in whose part any of `indices` lies; every one lies in some."""
    found = {k for k, part in enumerate(parts, 1) if np.isin(indices, part).any()}
    assert np.isin(indices, np.concatenate(parts)).all()
    return found


@pytest.mark.parametrize("replay", ALLOWED)
@pytest.mark.parametrize("k", [1, 2, 4])
def test_training_validation_and_scoring_sample_follow_the_policy_alike(replay: str, k: int) -> None:
    parts = cut()
    at = seen(parts, k, replay)
    allowed = ALLOWED[replay](k)
    assert megabatches_of(at.train, parts.train) == megabatches_of(at.validation, parts.validation) == allowed
    assert megabatches_of(at.score, parts.train) <= allowed
    assert np.isin(at.score, at.train).all() and not np.isin(at.train, at.validation).any()
    assert len(at.score) == (len(at.train) + len(at.validation)) // 5  # floor(0.2 |M~_k|)
    for part in (at.train, at.validation, at.score):
        assert len(np.unique(part)) == len(part)


@pytest.mark.parametrize(("replay", "train"), [("none", 90), ("last", 180), ("full", 270), ("buffer", 90 + 45)])
def test_sizes_at_the_third_megabatch(replay: str, train: int) -> None:
    """Megabatches of 90 + 10; a buffer of 50 holds 45 to train and 5 to validate."""
    at = seen(cut(), 3, replay)
    assert (len(at.train), len(at.validation)) == (train, train // 9)


@pytest.mark.parametrize("replay", ALLOWED)
def test_the_released_sample_is_the_head_of_what_is_replayed(replay: str) -> None:
    """floor(0.2 m) = 20 images in stream order; under full replay always the first megabatch's."""
    parts = cut(order="file")
    at = seen(parts, 3, replay, score_sample="head")
    assert at.score.tolist() == at.train[:20].tolist()
    assert megabatches_of(at.score, parts.train) == {"none": {3}, "last": {2}, "full": {1}}.get(replay) or {1, 2}


@given(st.integers(0, 2**62), st.integers(1, 200), st.integers(2, 8))
def test_what_a_buffer_has_dropped_never_comes_back(seed: int, size: int, megabatches: int) -> None:
    parts = cut(80 * megabatches, megabatches)
    stages = [seen(parts, k, "buffer", seed=seed, buffer_size=size) for k in range(1, megabatches + 1)]
    for name in ("train", "validation"):
        for earlier, later in pairwise(getattr(stage, name) for stage in stages):
            old = later[: -len(getattr(parts, name)[0])]
            assert np.isin(old, earlier).all()
    room = size - int(size * 0.1 + 1e-9)
    assert [len(stage.train) - 72 for stage in stages] == [min(72 * k, room) for k in range(megabatches)]


def test_a_buffer_keeps_each_earlier_example_equally_often() -> None:
    """A buffer of 90 (81 + 9) from 270 training images: each stays with probability 0.3, over 400 seeds 120 +- 46."""
    parts = cut()
    counts = np.zeros(400, int)
    for seed in range(400):
        counts[seen(parts, 4, "buffer", seed=seed, buffer_size=90).train[:81]] += 1
    earlier = counts[np.concatenate(parts.train[:3])]
    assert earlier.sum() == 400 * 81 and abs(earlier - 120).max() < 5 * np.sqrt(400 * 0.3 * 0.7)
