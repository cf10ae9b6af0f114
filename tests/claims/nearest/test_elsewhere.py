"""What runs measure that depart from a claim's setting: for each kind, in the fewest settings, and never a verdict."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
import synthetic

from app_repro.claims import claims_file, printing
from app_repro.claims.judgement import VERDICTS
from app_repro.claims.kinds.registry import KINDS
from app_repro.claims.verify import Report
from app_repro.claims.verify import verify as judge
from app_repro.records.runs import read

SMALL = {"dataset": "cifar10", "arch": "resnet20s", "train_limit": 8000, "epochs": 6, "milestones": (3, 5)}
DIFFERENCE = "c100-r50-acc-vs-dense"
WAVE = [0.2 + 0.1 * abs(k % 50 - 25) / 25 for k in range(100)]
CONVOLUTIONS = {f"layer{k}.weight": {"weights": 1000, "flops": 2000} for k in range(6)}


def dug(early: float) -> dict[str, Any]:
    """Weights kept: so many of the two early layers of six, as many of all in any case."""
    first, others = round(1000 * early), round((2198 - 2000 * early) / 4)
    return {"layers": CONVOLUTIONS, "kept": [first] * 2 + [others] * 4}


ROW = {"value": "0.55", "margin": "", "margin_reason": "", "unit": "fraction", "settings": "protocol=paper"}
OWN = {"source": "app-repro", "may_fail": "chance"}
CASES: dict[str, tuple[dict[str, str], dict[str, dict[str, Any]], float, str]] = {
    "value": ({}, {"dense": {"accuracy": 0.5}}, 50.0, ""),
    "difference": (
        {"method": "app", "against": "dense", "value": "17.97"},
        {"app": {"accuracy": 0.55}, "dense": {"accuracy": 0.5}},
        *(5.0, "shown"),
    ),
    "ratio": (
        {"method": "app", "against": "dense", "value": "0.5", "unit": "fraction", "metric": "density_effective"},
        {"app": {"effective": 0.4}, "dense": {"effective": 1.0}},
        *(0.4, "shown"),
    ),
    "upper_bound": (
        ROW | {"method": "dense"},
        {"dense": {"accuracy": 0.7}},
        *(0.7, "the contrary is shown"),
    ),
    "ordering": (
        ROW | {"method": "app", "against": "dense|osp", "value": ""},
        {"app": {"accuracy": 0.5}, "dense": {"accuracy": 0.4}, "osp": {"accuracy": 0.5}},
        *(0.0, "not shown"),
    ),
    "closer": (
        ROW | {"method": "app", "against": "osp|dense", "value": ""},
        {"app": {"accuracy": 0.58}, "osp": {"accuracy": 0.6}, "dense": {"accuracy": 0.4}},
        *(0.08, "shown"),
    ),
    "shape": (
        ROW | {"method": "app", "value": "", "unit": "points", "metric": "generalisation_gap", "preset": "long"},
        {"app": {"gap": WAVE}},
        *(8.39, "shown"),
    ),
    "layer_ordering": (
        ROW
        | {"method": "magnitude", "against": "snip", "value": "", "unit": "points", "metric": "layer_density"}
        | {"preset": "pruners", "layers": "conv1", "megabatches": "1|2"},
        {"magnitude": dug(0.2), "snip": dug(0.3)},
        *(10.0, "shown"),
    ),
}
"""Kind -> fields of a row, numbers of its sides elsewhere, their mean, and what they show."""


def claim_of(tmp_path: Path, kind: str, fields: dict[str, str]) -> Any:
    path = synthetic.claims_file(tmp_path / "claims.csv", synthetic.row(id=kind.replace("_", "-"), kind=kind, **fields))
    return claims_file.load(path)[0]


def write(
    folder: Path, claim: Any, sides: dict[str, dict[str, Any]], seeds: tuple[int, ...] = (1, 2, 3), **changed: Any
) -> Path:
    """Runs of the claim's sides with these numbers, a little of it noise, in the small cell."""
    for side, by_seed in synthetic.specs(claim, changed.pop("protocol", "paper")).items():
        for seed in seeds:
            spec = by_seed[seed].model_copy(update=SMALL | changed)
            numbers = dict(sides[side])
            if "accuracy" in numbers:
                noise = (0.001, -0.002, 0.001)[seed - 1] * (1 + (side == "osp"))
                numbers["accuracy"] += noise
            if isinstance(numbers.get("gap"), list):
                numbers["gap"] = [value + 0.0001 * ((k * seed) % 3) for k, value in enumerate(numbers["gap"])]
            synthetic.write(folder, synthetic.make(spec, **numbers))
    return folder


def verify(folder: Path, *claims: Any, **options: Any) -> Report:
    return judge(read([folder]), claims, **options)


def test_each_kind_has_a_case() -> None:
    assert set(CASES) == set(KINDS)


@pytest.mark.parametrize("kind", CASES)
def test_runs_that_depart_are_measured_as_the_kind_does_and_decide_nothing(kind: str, tmp_path: Path) -> None:
    fields, sides, mean, shown = CASES[kind]
    claim = claim_of(tmp_path, kind, fields)
    report = verify(write(tmp_path / "runs", claim, sides), claim)
    (row,) = report.as_dict()["verdicts"]
    assert (row["verdict"], row["runs"], report.exit_code()) == ("not_run", [], 5)
    (found,) = row["elsewhere"]
    names = [one["setting"] for one in found["departures"]]
    assert names == [name for name in SMALL if name in names and (name != "dataset" or claim.preset == "headline")]
    assert {"arch", "train_limit", "epochs", "milestones"} <= set(names)
    assert found["mean"] == pytest.approx(mean, abs=0.2 if claim.unit == "points" else 0.003)
    assert (found["n"], len(found["runs"]), found["shown"] or "") == (3, 3 * len(claim.sides), shown)
    assert found["interval"][0] <= found["mean"] <= found["interval"][1]
    assert "resnet20s, 8,000 images, 6 epochs" in found["text"].replace(", T = 100", "") and "n = 3" in found["text"]


@pytest.mark.parametrize(
    ("osp", "which", "shown"),
    [(0.5035, "the weakest of 2 pairs", "not shown"), (0.505, "the clearest reversal", "the contrary is shown")],
)
def test_the_weakest_of_several_pairs_shows_the_contrary_only_where_it_is_corrected_for_the_others(
    osp: float, which: str, shown: str, tmp_path: Path
) -> None:
    fields, sides, _, _ = CASES["ordering"]
    claim = claim_of(tmp_path, "ordering", fields)
    report = verify(write(tmp_path / "runs", claim, sides | {"osp": {"accuracy": osp}}), claim)
    found = report.verdicts[0].elsewhere[0].as_dict()
    assert (found["quantity"], found["shown"]) == (f"app ahead of osp ({which})", shown)
    assert (found["interval"][1] < 0) == (shown != "not shown")
    assert (
        found["interval_levels"] == pytest.approx([0.95, 0.975]) and "] (its ends at 95 % and 97.5 %)" in found["text"]
    )


def test_which_side_is_ahead_is_said_where_fewer_are_better(tmp_path: Path) -> None:
    claim = claim_of(
        tmp_path, "ordering", CASES["ordering"][0] | {"against": "dense", "metric": "cer", "unit": "errors"}
    )
    sides = {"app": {"cer": 39_000}, "dense": {"cer": 40_000}}
    (found,) = verify(write(tmp_path / "runs", claim, sides), claim).verdicts[0].elsewhere
    assert "app ahead of dense 1,000.0" in found.text


def test_first_masks_say_of_a_claim_about_more_megabatches_what_they_have(tmp_path: Path) -> None:
    fields, sides, mean, _ = CASES["layer_ordering"]
    claim = claim_of(tmp_path, "layer_ordering", fields)
    found = read([write(tmp_path / "runs", claim, sides)])
    masks = [
        dataclasses.replace(run, content=run.content | {"megabatches": run.content["megabatches"][:1]})
        for run in found.runs
    ]
    (verdict,) = judge(
        dataclasses.replace(found, runs=()), [claim], dataclasses.replace(found, runs=tuple(masks)), protocol="paper"
    ).verdicts
    (near,) = verdict.elsewhere
    assert verdict.protocol is None and near.measured and near.measured.mean == pytest.approx(mean)
    assert ("megabatches", (1, 2), (1,)) in {(one.setting, one.claimed, one.here) for one in near.departures}
    assert "megabatch 1 alone" in near.text


@pytest.fixture
def headline(tmp_path: Path) -> tuple[Any, Path]:
    """A difference on CIFAR-100 under both protocols, and where its runs go."""
    fields = {"method": "app", "against": "dense", "value": "17.97", "settings": ""}
    return claim_of(tmp_path, "difference", fields), tmp_path / "runs"


SIDES = {"app": {"accuracy": 0.55}, "dense": {"accuracy": 0.5}}


@pytest.mark.parametrize(
    ("changed", "nearer"),
    [
        ({"batch_size": 32}, {}),  # fewer departures
        ({"dataset": "digits", "train_limit": None}, {}),  # its images differ in more than their classes
        ({"lr_restart": False, "batch_size": 64}, {"batch_size": 32, "lr": 0.05}),  # a switch goes last
        ({"seeds": (1, 2), "lr": 0.01}, {"lr": 0.05}),  # of equally many the one with more seeds
        ({"lr": 0.05}, {"lr": 0.01}),  # of equal ones the first by its words
    ],
)
def test_the_fewest_departures_count_whatever_the_order_of_the_runs(
    headline: tuple[Any, Path], changed: dict[str, Any], nearer: dict[str, Any]
) -> None:
    claim, folder = headline
    for settings in (changed, nearer):
        write(folder, claim, SIDES, **settings)
    (row,) = verify(folder, claim, protocol="paper").as_dict()["verdicts"]
    wanted = SMALL | {key: value for key, value in nearer.items() if key != "seeds"}
    assert {one["setting"]: one["here"] for one in row["elsewhere"][0]["departures"]} == wanted


def test_of_equal_departures_those_on_the_claim_s_own_data_set_count(headline: tuple[Any, Path]) -> None:
    claim, folder = headline
    write(folder, claim, SIDES)  # another data set counts 1, and 1 more for its classes
    write(folder, claim, SIDES, dataset="cifar100", lr=0.05, batch_size=32)
    near = verify(folder, claim, protocol="paper").verdicts[0].elsewhere[0]
    assert near.setting == "resnet20s, 8,000 images, 6 epochs, milestones (3, 5), batch_size 32, lr 0.05"


def test_a_claim_about_any_data_names_those_that_were_measured(tmp_path: Path) -> None:
    claim = synthetic.claim("own-released-density")
    folder = write(tmp_path, claim, {"app tau=4.5": {"effective": 0.02}}, sb=16, protocol="released")
    (near,) = verify(folder, claim).verdicts[0].elsewhere
    assert near.setting == "cifar10, resnet20s, T = 16" and near.text.startswith(f"{near.setting}: 0.0200")


def test_sides_that_depart_in_different_ways_are_not_compared_and_the_sentence_says_what_is_missing(
    headline: tuple[Any, Path],
) -> None:
    claim, folder = headline
    write(folder, claim, SIDES)
    for path in folder.rglob("record.json"):
        if read([path]).runs[0].spec["method"] == "dense":
            path.unlink()
    lacking = verify(folder, claim).as_dict()["verdicts"][0]["elsewhere"]
    assert [(one["protocol"], one["n"], one["mean"]) for one in lacking] == [("paper", 0, None), ("released", 0, None)]
    assert "dense" in lacking[0]["text"] and "app" not in lacking[0]["text"] and "app" in lacking[1]["text"]
    dense = synthetic.specs(claim, "paper", "dense")["dense"]
    for spec in dense.values():
        synthetic.write(folder, synthetic.make(spec.model_copy(update=SMALL | {"epochs": 5})))
    assert "one setting" in verify(folder, claim).as_dict()["verdicts"][0]["elsewhere"][0]["text"]


def test_seeds_whose_sides_were_trained_by_unlike_code_are_not_compared(headline: tuple[Any, Path]) -> None:
    claim, folder = headline
    write(folder, claim, SIDES)
    for path in folder.rglob("record.json"):
        run = read([path]).runs[0]
        if run.spec["method"] == "dense" and run.seed == 3:
            synthetic.write(folder, run.content | {"code_digest": "1" * 16})
    (found,) = verify(folder, claim, protocol="paper").as_dict()["verdicts"][0]["elsewhere"]
    assert found["n"] == 2


@pytest.mark.parametrize("seeds", [(1,), (1, 2)])
def test_one_or_two_seeds_have_no_interval_and_a_diverged_run_is_named(
    headline: tuple[Any, Path], seeds: tuple[int, ...]
) -> None:
    claim, folder = headline
    write(folder, claim, SIDES, seeds)
    spec = synthetic.specs(claim, "paper", "app")["app"][3].model_copy(update=SMALL)
    synthetic.write(folder, synthetic.make(spec, diverged=True))
    (found,) = verify(folder, claim, protocol="paper").as_dict()["verdicts"][0]["elsewhere"]
    assert (found["n"], found["interval"], found["shown"], found["diverged"]) == (len(seeds), None, None, [3])
    assert "no interval" in found["text"] and "seed 3" in found["text"]


def test_the_runs_that_are_judged_are_not_shown_again_and_a_protocol_without_a_verdict_is_looked_at_too(
    headline: tuple[Any, Path],
) -> None:
    claim, folder = headline
    write(folder, claim, SIDES, protocol="released")
    own = {name: value for name, value in synthetic.specs(claim, "paper")["app"][1] if name in SMALL}
    write(folder, claim, {"app": {"accuracy": 0.68}, "dense": {"accuracy": 0.5}}, **own)
    (row,) = verify(folder, claim).as_dict()["verdicts"]
    assert (row["protocol"], row["verdict"], len(row["runs"])) == ("paper", "reproduced", 6)
    assert [(one["protocol"], one["n"]) for one in row["elsewhere"]] == [("paper", 0), ("released", 3)]


def test_what_is_pruned_as_one_stays_the_claim_s_and_what_applies_to_one_side_alone_is_named(tmp_path: Path) -> None:
    claim = synthetic.claim("own-nm-app-beats-osp-none")
    single = {"granularity": None, "nm_m": None, "nm_n": None, "nm_schedule": None, "flow": None, "scope": "global"}
    numbers = {"app": {"accuracy": 0.55}, "osp": {"accuracy": 0.5}}
    folder = write(tmp_path, claim, numbers, tau=4.5, **single)
    (found,) = verify(folder, claim).as_dict()["verdicts"][0]["elsewhere"]
    assert found["n"] == 0 and "granularity=nm" in found["text"]
    for side, schedule in (("app", "geometric"), ("osp", None)):
        for spec in synthetic.specs(claim, side=side)[side].values():
            synthetic.write(
                folder, synthetic.make(spec.model_copy(update={"nm_m": 8, "nm_schedule": schedule}), **numbers[side])
            )
    (found,) = verify(folder, claim).as_dict()["verdicts"][0]["elsewhere"]
    assert {one["setting"]: one["here"] for one in found["departures"]} == {"nm_m": 8, "nm_schedule": "geometric"}


@pytest.mark.parametrize(
    ("changed", "departures"),
    [
        ({"few_shot": None}, "not few-shot"),
        ({"few_shot": None, "epochs": 20}, "not few-shot, 20 epochs"),
        ({"few_shot": None, "train_limit": 8000}, "not few-shot, 8,000 images"),
        ({"few_shot": 50}, "50 images a class"),
        ({"few_shot": None, "image_size": None, "dataset": "digits"}, "digits (8 x 8 pixels), not few-shot"),
    ],
    ids=str,
)
def test_all_images_are_no_few_shot_setting_where_a_data_set_has_one(
    changed: dict[str, Any], departures: str, tmp_path: Path
) -> None:
    claim = synthetic.claim("rin-fewshot-acc")
    own = synthetic.specs(claim, "paper", "dense")["dense"][1]
    settings = {name: getattr(own, name) for name in SMALL} | changed
    (found,) = verify(write(tmp_path, claim, SIDES, **settings), claim, protocol="paper").verdicts[0].elsewhere
    assert (found.setting, found.measured and found.measured.n) == (departures, 3)


def test_no_word_of_it_is_a_verdict_s() -> None:
    report = judge(read([synthetic.CLAIMS.parent / "published"]), claims_file.load(synthetic.CLAIMS))
    lines = printing.elsewhere(report)
    words = {word for verdict in VERDICTS for word in (verdict, verdict.replace("_", " "))}
    assert len(lines) > 10 and not re.search(rf"\b({'|'.join(words)})\b", "\n".join(lines))
    assert all(verdict.elsewhere for verdict in report.verdicts)
    alone = judge(read([synthetic.CLAIMS.parent / "published/audit"]), claims_file.load(synthetic.CLAIMS))
    line = next(one for one in printing.elsewhere(alone) if one.startswith(DIFFERENCE))
    assert "-1.34 points [-3.10, 0.43], n = 3: not shown" in line
