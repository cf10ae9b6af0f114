"""Random numbers for the images of a batch, drawn for each image on its own."""

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import numpy as np

from app_repro.core.seeds import seed_for

Array = np.ndarray


class Draws(Protocol):
    """Random numbers for N images; each method returns (N, *shape)."""

    def normal(self, mean: float, sd: float, shape: tuple[int, ...]) -> Array: ...
    def uniform(self, low: float, high: float, shape: tuple[int, ...]) -> Array: ...
    def random(self, shape: tuple[int, ...]) -> Array: ...
    def integers(self, low: int, high: int, shape: tuple[int, ...]) -> Array: ...
    def poisson(self, mean: Array) -> Array: ...


class DrawsByImage:
    """Random numbers that follow from corruption, severity and the place of each image in its data set alone."""

    def __init__(self, name: str, severity: int, indices: Iterable[int]) -> None:
        seeds = [seed_for(0, "corruption", name, severity, int(index)) for index in indices]
        self._of = [np.random.Generator(np.random.Philox(seed)) for seed in seeds]

    def _each(self, draw: Callable[[np.random.Generator], Any]) -> Array:
        return np.stack([draw(generator) for generator in self._of])

    def normal(self, mean: float, sd: float, shape: tuple[int, ...]) -> Array:
        """Normal numbers."""
        return self._each(lambda generator: generator.normal(mean, sd, shape))

    def uniform(self, low: float, high: float, shape: tuple[int, ...]) -> Array:
        """Uniform numbers of [low, high)."""
        return self._each(lambda generator: generator.uniform(low, high, shape))

    def random(self, shape: tuple[int, ...]) -> Array:
        """Uniform numbers of [0, 1)."""
        return self._each(lambda generator: generator.random(shape))

    def integers(self, low: int, high: int, shape: tuple[int, ...]) -> Array:
        """Whole numbers of [low, high)."""
        return self._each(lambda generator: generator.integers(low, high, shape))

    def poisson(self, mean: Array) -> Array:
        """Of the means (N, ...) of each image."""
        return np.stack([generator.poisson(one) for generator, one in zip(self._of, mean, strict=True)])
