"""Power by closed forms, and what it says of records."""

import math
from pathlib import Path
from typing import Any

import pytest
import synthetic
from scipy import stats

from app_repro.claims import claims_file, power
from app_repro.claims.judgement import SeedSpread
from app_repro.claims.kinds.registry import KINDS
from app_repro.claims.statement import Claim
from app_repro.records.runs import read

CLAIM = "c100-r50-acc-vs-dense"


def chance(claim: Claim, noise: SeedSpread, n: int, effect: float) -> float:
    of_kind = KINDS[claim.kind].chance
    assert of_kind
    return of_kind(claim, noise, n, effect)


def test_chance_of_a_true_difference_is_that_of_staying_inside() -> None:
    """margin 4.4925, s = 1, n = 4, 12 degrees: room = 4.4925 - 1.782 sqrt(1.25) - .005, in units of sqrt(1.25)."""
    error = math.sqrt(1.25)
    room = 4.4925 - stats.t.ppf(0.95, 12) * error - 0.005
    expected = stats.norm.cdf(room / error) - stats.norm.cdf(-room / error)
    assert chance(synthetic.claim(CLAIM), SeedSpread(1.0, 12, True), 4, 0.0) == pytest.approx(expected)


def test_chance_of_an_ordering_grows_with_the_effect() -> None:
    claim = synthetic.claim("own-paper-app-beats-osp")
    noise = SeedSpread(1.0, 12, True)
    assert chance(claim, noise, 4, 0.0) == pytest.approx(stats.norm.cdf(-stats.t.ppf(0.95, 12)))
    assert chance(claim, noise, 4, 3.0) > 0.99


def test_seeds_for_is_the_first_that_suffices_and_none_where_none_does() -> None:
    claim, noise = synthetic.claim(CLAIM), SeedSpread(1.2, 12, True)
    n = power.seeds_for(claim, noise, 0.8, 0.0)
    assert n and chance(claim, noise, n, 0) >= 0.8 > chance(claim, noise, n - 1, 0)
    assert power.seeds_for(claim, SeedSpread(9.0, 12, True), 0.8, 0.0) is None


def leave(folder: Path, name: str, protocol: str = "paper", **seeds: Any) -> str:
    """What is said of runs of these seeds per side, all three where a side is not named."""
    for side, by_seed in synthetic.specs(synthetic.claim(name), protocol).items():
        for seed in seeds.get(side.split()[0], (1, 2, 3)):
            accuracy = 0.5 + 0.004 * seed * (side == "app")
            synthetic.write(
                folder, synthetic.make(by_seed[seed], accuracy=accuracy, diverged=seeds.get("bad") == (side, seed))
            )
    return power.power(read([folder]), claims_file.load(synthetic.CLAIMS), name)


def test_text_names_noise_seeds_and_cost(tmp_path: Path) -> None:
    text = leave(tmp_path, CLAIM)
    assert "noise 0.4 points a seed, 2 degrees of freedom, its own" in text
    assert "a further seed of every side costs 200 s" in text  # 2 sides x 8 megabatches x 12.5 s
    assert "under released:\n  no runs" in text and "80%:" in text and "95%:" in text


def test_where_no_chance_can_be_given_it_says_why(tmp_path: Path) -> None:
    apart = leave(tmp_path / "apart", CLAIM, app=[1], dense=[2])
    assert "under paper:\n  no seed has every side yet; `app-repro plan" in apart
    no_formula = leave(tmp_path / "formula", "own-released-density", "released", app=[1])
    assert "run 3 seeds, then `app-repro verify --explain own-released-density`" in no_formula
    assert "run 3 seeds first" in leave(tmp_path / "one", CLAIM, app=[1], dense=[1])
    diverged = leave(tmp_path / "diverged", CLAIM, bad=("app", 2))
    assert "cifar100/resnet50: diverged: " in diverged and "chance of" not in diverged
