"""Power by closed forms, and what it says of records."""

import math
from pathlib import Path

import pytest
import synthetic
from scipy import stats

from app_repro.claims import claims_file, power
from app_repro.claims.judgement import SeedSpread
from app_repro.claims.kinds.registry import KINDS
from app_repro.claims.statement import Claim
from app_repro.records.runs import read

CLAIM = "c100-r50-acc-vs-dense"


def told(folder: Path, claim_id: str) -> str:
    return power.power(read([folder]), claims_file.load(synthetic.CLAIMS), claim_id)


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


def test_text_names_noise_seeds_and_cost(tmp_path: Path) -> None:
    for side, by_seed in synthetic.specs(synthetic.claim(CLAIM), "paper").items():
        for seed, spec in by_seed.items():
            synthetic.write(tmp_path, synthetic.make(spec, accuracy=0.5 + 0.004 * seed * (side == "app")))
    text = told(tmp_path, CLAIM)
    assert "noise 0.4 points a seed, 2 degrees of freedom, its own" in text
    assert "a further seed of every side costs 200 s" in text  # 2 sides x 8 megabatches x 12.5 s
    assert "under released:\n  no runs" in text and "80%:" in text and "95%:" in text


def test_runs_without_a_common_seed_are_told_from_no_runs(tmp_path: Path) -> None:
    sides = synthetic.specs(synthetic.claim(CLAIM), "paper")
    synthetic.write(tmp_path, synthetic.make(sides["app"][1]))
    synthetic.write(tmp_path, synthetic.make(sides["dense"][2]))
    text = told(tmp_path, CLAIM)
    assert "under paper:\n  no seed has every side yet; `app-repro plan" in text
    assert "under released:\n  no runs; `app-repro plan" in text


def test_a_kind_without_a_formula_says_what_to_do_instead(tmp_path: Path) -> None:
    name = "own-released-density"
    for by_seed in synthetic.specs(synthetic.claim(name), "released").values():
        synthetic.write(tmp_path, synthetic.make(by_seed[1]))
    text = told(tmp_path, name)
    assert f"has no formula for its power; run 3 seeds, then `app-repro verify --explain {name}`" in text


def test_without_noise_three_seeds_come_first(tmp_path: Path) -> None:
    for by_seed in synthetic.specs(synthetic.claim(CLAIM), "paper").values():
        synthetic.write(tmp_path, synthetic.make(by_seed[1]))
    assert "run 3 seeds first" in told(tmp_path, CLAIM)


def test_a_diverged_run_is_named_instead_of_a_chance(tmp_path: Path) -> None:
    for side, by_seed in synthetic.specs(synthetic.claim(CLAIM), "paper").items():
        for seed, spec in by_seed.items():
            synthetic.write(tmp_path, synthetic.make(spec, diverged=(side, seed) == ("app", 2)))
    text = told(tmp_path, CLAIM)
    assert "cifar100/resnet50: diverged: " in text and "a failed run is never dropped" in text and "chance" not in text
