"""How alike two networks answer the same images: centred kernel alignment of their outputs, and agreement.

Kornblith et al. 2019, https://arxiv.org/abs/1905.00414. Products of features (C x C) are formed, never the n x n Gram
matrix, which gives the same numbers.
"""

import numpy as np

FLAT = 1e-20
"""Outputs are constant if centring leaves no more of their squares than this part, which is rounding."""


def cka(one: np.ndarray, other: np.ndarray, debiased: bool = False) -> float | None:
    """Linear CKA of outputs (n, C) and (n, D) for the same n images, in float64; None where either is constant.

    ||Yc^T Xc||^2 / (||Xc^T Xc|| ||Yc^T Yc||), Frobenius norms, columns centred. debiased: each of the three replaced by
    an estimate whose expectation does not depend on n; it may be negative, and needs more than three images.
    """
    x, y = (_centred(outputs.astype(np.float64)) for outputs in (one, other))
    if x is None or y is None or (debiased and len(x) < 4):
        return None
    crossed, own, others = (_similarity(a, b, debiased) for a, b in ((x, y), (x, x), (y, y)))
    return float(crossed / np.sqrt(own * others)) if own > 0 and others > 0 else None


def _centred(outputs: np.ndarray) -> np.ndarray | None:
    """Outputs (n, C) less the mean of each column; None if nothing but rounding is left."""
    centred = outputs - outputs.mean(axis=0)
    return centred if (centred**2).sum() > FLAT * (outputs**2).sum() else None


def _similarity(x: np.ndarray, y: np.ndarray, debiased: bool) -> float:
    """||y^T x||^2 of centred outputs, or, debiased, the U-statistic of Song et al. 2007 times a factor of n alone."""
    product = float(((y.T @ x) ** 2).sum())
    if not debiased:
        return product
    n, rows_x, rows_y = len(x), (x**2).sum(axis=1), (y**2).sum(axis=1)
    shared = float(rows_x @ rows_y) * n / (n - 2)
    return product - shared + float(rows_x.sum() * rows_y.sum()) / ((n - 1) * (n - 2))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities (n, C) of logits, in float64."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def alike(one: np.ndarray, other: np.ndarray) -> dict[str, float | None]:
    """What two networks' logits (n, C) for the same images have in common: CKA of softmax outputs and of logits, biased
    and debiased, and the share of images that both give one class.
    """
    found: dict[str, float | None] = {"agreement": float((one.argmax(1) == other.argmax(1)).mean())}
    for name, pair in {"softmax": (softmax(one), softmax(other)), "logits": (one, other)}.items():
        found[f"cka_{name}"] = cka(*pair)
        found[f"cka_{name}_debiased"] = cka(*pair, debiased=True)
    return found
