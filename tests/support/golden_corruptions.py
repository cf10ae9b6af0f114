"""What the code of the corruptions' authors makes of one image (hendrycks/robustness 8190fe3, make_cifar_c.py).

Each of its functions was called after numpy.random.seed(0), with changes for present libraries alone; where it uses
skimage's random_noise that was given default_rng(0).
"""

from pathlib import Path

import numpy as np

_i, _j, _c = np.mgrid[:32, :32, :3]
ROUGH = ((7 * _i**2 + 13 * _j**2 + 3 * _i * _j + 50 * _c) % 256).astype(np.uint8)
"""(32, 32, 3)"""

with np.load(Path(__file__).parent / "golden" / "corruptions.npz") as _file:
    GOLDEN: dict[str, np.ndarray] = {name: _file[name] for name in _file.files}
"""By corruption: (5, 32, 32, 3) uint8, a picture of ROUGH per severity."""


def _kernel(corner: float, edge: float, centre: float, far: float = 0.0) -> np.ndarray:
    """(5, 5), the same from all four sides."""
    quarter = np.array([[centre, edge, far], [edge, corner, 0], [far, 0, 0]])
    half = np.vstack([quarter[:0:-1], quarter])
    return np.hstack([half[:, :0:-1], half])


DEFOCUS = {
    (0.3, 0.4): _kernel(0.001631182, 0.037125532, 0.844973147),
    (0.4, 0.5): _kernel(0.011343737, 0.083819509, 0.619347036),
    (0.5, 0.6): _kernel(0.027681809, 0.111014895, 0.445213228),
    (1, 0.2): _kernel(1.491e-06, 0.199997768, 0.200000003, 7.45e-07),
    (1.5, 0.1): _kernel(0.111111112, 0.111111112, 0.111111112),
}
"""The middle of the kernels of defocus_blur, by radius and sigma."""


class DrawsOfOne:
    """Random numbers for one image from a generator of its own, as the authors' code draws them."""

    def __init__(self) -> None:
        self._legacy, self._new = np.random.RandomState(0), np.random.default_rng(0)

    def normal(self, mean: float, sd: float, shape: tuple[int, ...]) -> np.ndarray:
        return self._legacy.normal(mean, sd, shape)[None]

    def uniform(self, low: float, high: float, shape: tuple[int, ...]) -> np.ndarray:
        return np.asarray(self._legacy.uniform(low, high, shape))[None]

    def random(self, shape: tuple[int, ...]) -> np.ndarray:
        return self._new.random(shape)[None]

    def integers(self, low: int, high: int, shape: tuple[int, ...]) -> np.ndarray:
        return self._legacy.randint(low, high, shape)[None]

    def poisson(self, mean: np.ndarray) -> np.ndarray:
        return self._legacy.poisson(mean)
