"""From records to the numbers of each kind of claim."""

from typing import Any

import numpy as np
import pytest
import synthetic

from app_repro.claims.judgement import Judgement
from app_repro.claims.kinds.registry import KINDS
from app_repro.claims.matching import comparisons_of, index
from app_repro.claims.statement import Claim
from app_repro.claims.variance import Pool
from app_repro.claims.verify import so_far
from app_repro.records.runs import RunRecord


def judged(claim: Claim, sides: dict[str, dict[str, Any]], spread: float = 0.001, protocol: str = "paper") -> Judgement:
    """The rule on three seeds a side; `accuracy` of seeds 1, 2, 3 differs by -spread, 0, spread."""
    runs = three(claim, sides, spread, protocol)
    return KINDS[claim.kind].rule(claim, comparisons_of(claim, protocol, index(runs)), Pool(runs))


def three(claim: Claim, sides: dict[str, dict[str, Any]], spread: float, protocol: str) -> list[RunRecord]:
    """The runs of three seeds a side."""
    runs = []
    for side, numbers in sides.items():
        for seed, spec in synthetic.specs(claim, protocol)[side].items():
            accuracy = numbers.get("accuracy", 0.5) + (seed - 2) * spread * (1 if side == claim.method else -1)
            runs.append(RunRecord(synthetic.CLAIMS, synthetic.make(spec, **numbers | {"accuracy": accuracy})))
    return runs


AS_VALUE = {"kind": "value", "against": (), "value": 61.0, "margin": 2.0, "settings": "protocol=paper method=app"}


@pytest.mark.parametrize(
    ("claim_id", "replaced", "sides", "spread", "mean", "sd"),
    [
        ("c100-r50-acc-vs-dense", AS_VALUE, {"app": {"accuracy": 0.608}}, 0.001, 60.8, True),  # in the claim's unit
        ("c100-r50-cer-vs-osp", {}, {"app": {"cer": 30_000}, "osp": {"cer": 35_533}}, 0, -5533, False),  # a count
        ("size-third", {}, {"app tau=4.5": {}, "dense": {}}, 0.001, 0.8**4.5, False),  # nominal: no noise
        (
            *("size-third", {"metric": "test_accuracy", "value": 2.0}),  # measured: the cell's own noise
            *({"app tau=4.5": {"accuracy": 0.8}, "dense": {"accuracy": 0.4}}, 0.0001, 2.0, True),
        ),
    ],
)
def test_a_number_is_judged_in_the_claim_s_unit(
    claim_id: str, replaced: dict[str, Any], sides: dict[str, dict[str, Any]], spread: float, mean: float, sd: bool
) -> None:
    found = judged(synthetic.claim(claim_id, **replaced), sides, spread)
    assert found.verdict == "reproduced" and found.mean == pytest.approx(mean, abs=1e-3)
    assert bool(found.sd) is sd


@pytest.mark.parametrize(
    ("metric", "app", "osp", "verdict"),
    [
        ("test_accuracy", {"accuracy": 0.6}, {"accuracy": 0.5}, "reproduced"),
        ("test_accuracy", {"accuracy": 0.5}, {"accuracy": 0.6}, "not_reproduced"),
        ("generalisation_gap", {"gap": 0.1}, {"gap": 0.2}, "reproduced"),
        ("generalisation_gap", {"gap": 0.2}, {"gap": 0.1}, "not_reproduced"),
    ],
)
def test_ahead_is_more_accuracy_and_less_of_all_else(
    metric: str, app: dict[str, float], osp: dict[str, float], verdict: str
) -> None:
    claim = synthetic.claim("own-paper-app-beats-osp", metric=metric)
    assert judged(claim, {"app": app, "osp": osp}).verdict == verdict


@pytest.mark.parametrize(("value", "verdict"), [(0.42, "reproduced"), (0.58, "not_reproduced")])
def test_closer_to_the_first_than_to_the_second(value: float, verdict: str) -> None:
    sides = {"app": {"accuracy": value}, "osp tau=17.5": {"accuracy": 0.4}, "osp tau=4.5": {"accuracy": 0.6}}
    assert judged(synthetic.claim("own-osp-sparse-closer-accuracy"), sides, protocol="released").verdict == verdict


@pytest.mark.parametrize(("value", "verdict"), [(0.02, "reproduced"), (0.06, "not_reproduced")])
def test_upper_bound_of_the_effective_density(value: float, verdict: str) -> None:
    sides = {"app tau=4.5": {"effective": value}}
    found = judged(synthetic.claim("own-released-density"), sides, protocol="released")
    assert found.verdict == verdict and found.mean == pytest.approx(value)


@pytest.mark.parametrize(("ticket", "verdict"), [(0.505, "reproduced"), (0.53, "not_reproduced")])
def test_upper_bound_of_what_one_side_has_more_than_another(ticket: float, verdict: str) -> None:
    sides = {"app control=ticket": {"accuracy": ticket}, "app control=scratch-e": {"accuracy": 0.5}}
    claim = synthetic.claim("rethinking-ticket-no-gain")
    found = judged(claim, sides)
    assert found.verdict == verdict and found.mean == pytest.approx(100 * (ticket - 0.5))
    assert all(side in KINDS[claim.kind].sentence(claim) for side in claim.sides)


@pytest.mark.parametrize(
    ("name", "said"), [("own-nm-noise-elevated", "lower than"), ("own-nm-app-beats-osp-none-cer", "better than")]
)
def test_only_where_methods_compete_one_is_said_to_be_better(name: str, said: str) -> None:
    claim = synthetic.claim(name)
    assert f" is {said} that of {claim.against[0]}" in KINDS[claim.kind].sentence(claim)


def test_shape_is_judged_on_the_curve_over_megabatches() -> None:
    claim = synthetic.claim("gap-nonmonotone-100")
    turning = np.interp(np.arange(100), [0, 25, 60, 99], [0.1, 0.4, 0.2, 0.35]).tolist()
    assert judged(claim, {"app": {"gap": turning}}).verdict == "reproduced"
    assert judged(claim, {"app": {"gap": sorted(turning)}}).verdict == "not_reproduced"


FOUR = {f"{name}.weight": {"weights": 1000, "flops": 1} for name in ("conv1", "conv2", "conv3", "conv4")}


def layers(magnitude: list[int], snip: list[int], effective: Any = None) -> Judgement:
    claim = synthetic.claim("magnitude-early-layers", layers=("conv1", "conv2"), megabatches=(1, 2))
    both = {"magnitude": {"kept": magnitude, "effective": effective}, "snip": {"kept": snip}}
    return judged(claim, {side: numbers | {"layers": FOUR} for side, numbers in both.items()})


def test_layer_ordering_compares_the_early_layers_alone() -> None:
    found = layers([700, 750, 900, 850], [800, 800, 800, 800])
    assert found.verdict == "reproduced" and found.mean == pytest.approx(7.5)  # 10 and 5 points
    assert found.margin is None and found.low == found.high == found.mean  # equal seeds; no margin to lie inside of
    assert "magnitude keeps 72.5 % of them" in found.reason and "snip keeps 80.0 % of them" in found.reason
    assert layers([900, 850, 700, 750], [800, 800, 800, 800]).verdict == "not_reproduced"


def test_layers_are_not_compared_at_unequal_density() -> None:
    kept = [700, 750, 900, 850], [800, 800, 800, 800]
    found = layers(*kept, effective=[0.8, 0.72, *[0.5] * 6])
    assert found.verdict == "partial" and "megabatch 2" in found.reason
    nowhere = layers(*kept, effective=0.5)
    assert nowhere.verdict == "inconclusive" and "densities differ" in nowhere.reason


def two_networks(densities: dict[str, float], seeds: dict[str, int]) -> tuple[Claim, list[RunRecord]]:
    """Runs of own-released-density: effective density and number of seeds of each network."""
    claim = synthetic.claim("own-released-density")
    by_seed = synthetic.specs(claim, "released")["app tau=4.5"]
    specs = [(arch, spec) for arch, n in seeds.items() for spec in list(by_seed.values())[:n]]
    contents = [
        synthetic.make(spec.model_copy(update={"arch": arch}), effective=densities[arch]) for arch, spec in specs
    ]
    return claim, [RunRecord(synthetic.CLAIMS, content) for content in contents]


def test_several_cells_speak_by_the_weakest() -> None:
    claim, runs = two_networks({"resnet18": 0.02, "resnet20s": 0.07}, {"resnet18": 3, "resnet20s": 3})
    found = KINDS[claim.kind].rule(claim, comparisons_of(claim, "released", index(runs)), Pool(runs))
    assert found.verdict == "not_reproduced" and "digits/resnet20s, the weakest of 2 cells" in found.reason


TWO = {f"{name}.weight": {"weights": 1000, "flops": 1} for name in ("conv1", "conv2")}
HARDER = {"magnitude": {"kept": [700, 750], "layers": TWO}, "snip": {"kept": [800, 800], "layers": TWO}}
AHEAD = {"app": {"accuracy": 0.60}, "osp": {"accuracy": 0.5}, "dense": {"accuracy": 0.40}}
SPARSER = {"app": {"accuracy": 0.42}, "osp tau=17.5": {"accuracy": 0.4}, "osp tau=4.5": {"accuracy": 0.6}}
UNDER = {"app tau=4.5": {"effective": 0.02}}
STARTED = [
    ("own-released-density", {}, UNDER, 0.02),
    ("c100-r50-acc-vs-dense", {"kind": "value", "against": (), "value": 61.0, "margin": 2.0}, AHEAD, 60.0),
    ("c100-r50-acc-vs-dense", {}, AHEAD, 20.0),
    ("size-third", {"metric": "test_accuracy"}, {"app tau=4.5": AHEAD["app"], "dense": AHEAD["dense"]}, 1.5),
    ("app-beats-both-short", {}, AHEAD, 10.0),
    (
        "rethinking-ticket-no-gain",
        {},
        {"app control=ticket": AHEAD["app"], "app control=scratch-e": AHEAD["osp"]},
        10.0,
    ),
    ("own-osp-sparse-closer-accuracy", {}, SPARSER, 8.0),
    ("magnitude-early-layers", {"layers": ("conv1", "conv2"), "megabatches": (1,)}, HARDER, 7.5),
]
"""Claim, what is replaced in it, its sides, and the mean of any number of seeds by hand."""


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize(("claim_id", "replaced", "sides", "mean"), STARTED)
def test_what_is_measured_so_far_is_what_the_rule_takes_the_mean_of(
    claim_id: str, replaced: dict[str, Any], sides: dict[str, dict[str, Any]], mean: float, n: int
) -> None:
    claim = synthetic.claim(claim_id, **replaced)
    protocol = "released" if claim_id.startswith("own-") else "paper"
    wanted = {side: sides[side] for side in claim.sides}
    runs = [run for run in three(claim, wanted, 0, protocol) if run.seed <= n]
    cells = [cell for cell in comparisons_of(claim, protocol, index(runs)) if cell.runs]
    found = so_far(claim, cells)
    assert (found.verdict, found.n, found.so_far) == ("inconclusive", n, True)
    assert found.mean == pytest.approx(mean) and (found.sd is None) == (n == 1)
    assert found.low is None and found.seeds_needed is None and f"seed {n}: " in found.steps[0]
    assert KINDS[claim.kind].rule(claim, cells, Pool(runs)).mean == pytest.approx(mean)


def test_every_kind_says_what_it_takes_the_mean_of() -> None:
    claim = synthetic.claim("gap-nonmonotone-100")
    runs = [run for run in three(claim, {"app": {}}, 0, "paper") if run.seed <= 2]
    found = so_far(claim, comparisons_of(claim, "paper", index(runs)))
    assert (found.n, found.mean, found.steps) == (2, None, ())


def test_two_seeds_so_far_have_their_own_deviation() -> None:
    claim = synthetic.claim("own-paper-app-beats-osp")
    runs = [run for run in three(claim, {"app": {"accuracy": 0.6}, "osp": {}}, 0.001, "paper") if run.seed <= 2]
    found = so_far(claim, comparisons_of(claim, "paper", index(runs)))
    assert found.mean == pytest.approx(9.9) and found.sd == pytest.approx(0.2 / 2**0.5)  # 9.8 and 10 points


def test_of_several_cells_the_one_with_the_most_seeds_speaks_and_is_named() -> None:
    claim, runs = two_networks({"resnet18": 0.02, "resnet20s": 0.03}, {"resnet18": 2, "resnet20s": 1})
    found = so_far(claim, comparisons_of(claim, "released", index(runs)))
    assert (found.n, found.mean) == (2, pytest.approx(0.02)) and len(found.steps) == 2
    assert found.reason == "so far: digits/resnet18, with the most seeds of 2 cells"
    assert so_far(claim, []) == Judgement("inconclusive", "", 0)
