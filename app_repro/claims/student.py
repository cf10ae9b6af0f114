"""Student's t distribution for whole degrees of freedom, in closed form.

scipy.special has it too, but to import that takes `verify` longer than all its judgements. The tests compare both.
"""

import functools
import math
from statistics import NormalDist

NORMAL = NormalDist()


def cdf(t: float, dof: float) -> float:
    """P(T <= t), 0..1, for `dof` = 1, 2, ... or infinity (the normal distribution).

    The finite sums of Abramowitz & Stegun (1964), 26.7.3 and 26.7.4. Absolute error under 1e-14. Raises ValueError.
    """
    if math.isinf(dof):
        return NORMAL.cdf(t)
    if not dof >= 1 or dof != int(dof):
        raise ValueError(f"Student's t for {dof:g} degrees of freedom: a whole number from 1 on is needed")
    return 0.5 + _inside(math.atan(t / math.sqrt(dof)), int(dof)) / 2


@functools.lru_cache(maxsize=4096)  # the same few levels and degrees of freedom for every cell
def quantile(level: float, dof: float) -> float:
    """The t with cdf(t, dof) = `level`, 0 < level < 1; relative error under 1e-12. Raises ValueError."""
    if math.isinf(dof):
        return NORMAL.inv_cdf(level)
    if not 0 < level < 1:
        raise ValueError(f"a quantile at level {level:g}: a level between 0 and 1 is needed")
    low, high = -math.pi / 2, math.pi / 2  # of the angle atan(t / sqrt(dof)), in which the cdf rises steadily
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if cdf(math.tan(middle) * math.sqrt(dof), dof) < level else (low, middle)
    return math.tan(high) * math.sqrt(dof)


def _inside(angle: float, dof: int) -> float:
    """P(-t < T < t), with the sign of t, for angle = atan(t / sqrt(dof))."""
    cosine = math.cos(angle)
    square, odd = cosine * cosine, dof % 2
    total = 1.0
    for i in range(dof - 3, odd, -2):  # the sum from its last term on, each in the brackets of the one before
        total = 1 + total * square * i / (i + 1)
    if not odd:
        return math.sin(angle) * total
    return 2 / math.pi * (angle + (math.sin(angle) * cosine * total if dof > 1 else 0))
