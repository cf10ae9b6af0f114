"""Power by closed forms, and what it says of records."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
import synthetic
from scipy import stats

from app_repro.claims import claims_file, power
from app_repro.claims.judgement import LEVEL, NOISELESS, SeedSpread
from app_repro.claims.kinds.registry import KINDS
from app_repro.claims.statement import Claim
from app_repro.records.runs import read

CLAIM = "c100-r50-acc-vs-dense"


def chance(claim: Claim, noise: SeedSpread, n: int, effect: float, level: float = LEVEL) -> float:
    of_kind = KINDS[claim.kind].chance
    assert of_kind
    return of_kind(claim, noise, n, effect, level)


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
    assert chance(claim, noise, 4, 0.5, 0.99) == pytest.approx(stats.norm.cdf(1 - stats.t.ppf(0.99, 12)))


@pytest.mark.parametrize("noise", [SeedSpread(1.0, 12, True), NOISELESS])
def test_an_ordering_that_is_reversed_has_no_chance(noise: SeedSpread) -> None:
    claim = synthetic.claim("own-paper-app-beats-osp")
    assert chance(claim, noise, 4, -10.76) < 1e-6
    assert power.seeds_for(claim, noise, 0.8, -10.76) is None


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


@pytest.mark.parametrize(("metric", "sign"), [("test_accuracy", 1), ("generalisation_gap", -1)])
@pytest.mark.parametrize(("ahead", "chances"), [(10, "3: 100%, 4: 100%"), (-10, "3: 0%, 4: 0%")])
def test_of_a_reversed_difference_it_says_so(tmp_path: Path, metric: str, sign: int, ahead: int, chances: str) -> None:
    """app by 10 points better than osp, or worse; of the gap, the lower one is better."""
    claim = dataclasses.replace(synthetic.claim("own-paper-app-beats-osp"), metric=metric)
    for side, by_seed in synthetic.specs(claim, "paper").items():
        for seed, spec in by_seed.items():
            number = 0.5 + (sign * ahead + 0.1 * seed) / 100 * (side == "app")
            synthetic.write(tmp_path, synthetic.make(spec, accuracy=number, gap=number))
    text = power.power(read([tmp_path]), [claim], claim.id)
    assert f"chance of reproduced by seeds: {chances}" in text and "app ahead of osp: by " in text
    assert ("the difference measured so far is the other way" in text) is (ahead < 0)
    assert ("80%: no number of seeds up to 200" in text) is (ahead < 0)


def test_several_pairs_are_planned_for_by_the_weakest_and_the_level_of_holm(tmp_path: Path) -> None:
    """6 cells of 2 pairs, of which one cell has runs: there app - dense comes first of 12, app - osp second."""
    claim = synthetic.claim("app-beats-both-short")
    behind = {"app": (0, 0, 0), "dense": (9.9, 10.0, 10.1), "osp": (0.2, 1.0, 1.8)}
    for side, by_seed in synthetic.specs(claim, "paper").items():
        for seed, spec in by_seed.items():
            synthetic.write(tmp_path, synthetic.make(spec, accuracy=0.6 - behind[side][seed - 1] / 100))
    text = power.power(read([tmp_path]), [claim], claim.id)
    assert "app ahead of osp, the weakest of 2 pairs: by 1 points so far; lower bound at 99.55% (Holm)" in text
    expected = stats.norm.cdf(math.sqrt(6) / 0.8 - stats.t.ppf(1 - 0.05 / 11, 5))
    assert f", 6: {expected:.0%}, " in text and 0.1 < expected < 0.3
