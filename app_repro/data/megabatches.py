"""Indices of the images used at each megabatch: the split into T megabatches, replay policies, scoring samples."""

from dataclasses import dataclass

import numpy as np

from app_repro.core.errors import ParamsError
from app_repro.core.seeds import seed_for

Indices = np.ndarray
"""(n,) int64 indices into the training or test images."""


@dataclass(frozen=True)
class Split:
    """A training set cut into T megabatches, and the test set; indices only."""

    train: tuple[Indices, ...]
    """Training part of each megabatch, in stream order."""
    validation: tuple[Indices, ...]
    test: Indices


@dataclass(frozen=True)
class PhaseIndices:
    """Indices of the images that are used at megabatch k under a replay policy."""

    train: Indices
    validation: Indices
    score: Indices


def split(
    images: int,
    tests: int,
    megabatches: int,
    *,
    order: str,
    val_fraction: float,
    split_seed: int,
    train_limit: int | None = None,
    test_limit: int | None = None,
) -> Split:
    """Cut `images` training images into `megabatches` of m = floor(N / T), the first floor((1 - v) m) of each to train.

    Training parts lie first, one after the other, then the validation parts, as the released code has it for T = 8.
    `order`: "permuted" with `split_seed`, or "file". Limits take the first n of that order; a limited test set is
    always drawn, since test sets are often sorted by class. Raises ParamsError if a part would be empty.
    """
    stream = _order(images, order == "permuted", split_seed, "train", train_limit)
    size = len(stream) // megabatches
    train = _floor((1 - val_fraction) * size)
    if train < 1 or size - train < 1:
        raise ParamsError(
            f"sb: {megabatches} megabatches of {len(stream)} images have {size} each, {max(train, 0)} to train and "
            f"{size - max(train, 0)} to validate: both must be at least 1; lower sb or raise train_limit"
        )
    start = megabatches * train
    validation = size - train
    return Split(
        tuple(stream[k * train : (k + 1) * train] for k in range(megabatches)),
        tuple(stream[start + k * validation : start + (k + 1) * validation] for k in range(megabatches)),
        np.sort(_order(tests, test_limit is not None, split_seed, "test", test_limit)),
    )


def _order(count: int, permuted: bool, seed: int, role: str, limit: int | None) -> Indices:
    if limit is not None and limit > count:
        raise ParamsError(f"{role}_limit: {limit} is more than the {count} images there are")
    order = np.random.default_rng(seed_for(seed, "split", role)).permutation(count) if permuted else np.arange(count)
    return order[:limit].astype(np.int64)


def phase(
    cut: Split,
    k: int,
    *,
    replay: str,
    seed: int,
    val_fraction: float = 0.1,
    buffer_size: int | None = None,
    score_sample: str | None = None,
    score_fraction: float | None = None,
) -> PhaseIndices:
    """Indices at megabatch k (1-based): training, validation and scoring sample under a replay policy.

    replay: "none" (megabatch k alone), "last" (k - 1 too), "full" (all up to k) or "buffer" (of the earlier ones
    `buffer_size` images, val_fraction of them to validate). score_sample and score_fraction: as in RunSpec; without
    them there is no scoring sample.
    """
    spare = _floor((buffer_size or 0) * val_fraction)
    train = _replayed(cut.train, k, replay, (buffer_size or 0) - spare, seed_for(seed, "buffer", "train"))
    validation = _replayed(cut.validation, k, replay, spare, seed_for(seed, "buffer", "validation"))
    score = np.empty(0, np.int64)
    if score_sample is not None and score_fraction is not None:
        first = len(cut.train[0]) + len(cut.validation[0])
        score = _score((train, validation), k, first, score_sample, score_fraction, seed)
    return PhaseIndices(train, validation, score)


def _replayed(parts: tuple[Indices, ...], k: int, replay: str, buffer_size: int, seed: int) -> Indices:
    """Those of `parts`, one per megabatch, that are used at megabatch k, in stream order."""
    match replay:
        case "none":
            return parts[k - 1]
        case "last":
            return np.concatenate(parts[max(k - 2, 0) : k])
        case "full":
            return np.concatenate(parts[:k])
        case "buffer":
            earlier = np.concatenate([np.empty(0, np.int64), *parts[: k - 1]])
            # reservoir sampling: every image has a fixed random key, those with the lowest keys are kept
            keys = np.random.default_rng(seed).permutation(sum(map(len, parts)))[: len(earlier)]
            kept = np.sort(np.argsort(keys)[:buffer_size])
            return np.concatenate([earlier[kept], parts[k - 1]])
    raise ValueError(f"no replay policy {replay!r}")


def _score(seen: tuple[Indices, Indices], k: int, first: int, sample: str, fraction: float, seed: int) -> Indices:
    """The scoring sample pi_k: training images only, but its size counts validation images too, as |M~_k| does."""
    train, validation = seen
    if sample == "head":  # the released code: sized by one megabatch, cut from the start of the stream
        return train[: max(1, _floor(fraction * first))]
    count = max(1, _floor(fraction * (len(train) + len(validation))))
    return np.random.default_rng(seed_for(seed, "score", k)).permutation(train)[:count]


def _floor(value: float) -> int:
    """Floor after rounding to 9 decimals, so that e.g. (1 - 0.1) * 6250 gives 5625 despite the error of 0.1."""
    return int(np.floor(round(value, 9)))
