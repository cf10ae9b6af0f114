"""docs/findings.md: each sentence is chosen by its interval, and what is missing is counted."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import analysed
import pytest
import synthetic

from app_repro.claims.verify import verify
from app_repro.config.spec import RunSpec
from app_repro.core import files
from app_repro.records import runs
from app_repro.report.findings import write

NOISE = {1: 0.0, 2: 0.004, 3: -0.003}
PLACES = "own-places-matter"
Records = list[dict[str, Any]]


def publish(published: Path, preset: str, accuracy: Callable[[RunSpec], float | None], **options: Any) -> Records:
    """Records of those runs of a preset that get an accuracy, in its folder."""
    made = []
    for spec in synthetic.grid(preset):
        level = accuracy(spec)
        if level is not None:
            own = options | {name: options[name](spec) for name in ("gap", "diverged") if name in options}
            made.append(synthetic.make(spec, accuracy=level + NOISE[spec.seed], cer=40_000, official=False, **own))
            files.write_sealed(published / preset / f"{made[-1]['run_id']}.json", made[-1])
    return made


def part(published: Path, name: str) -> str:
    return " ".join(write.part(f"findings-{name}", published).split())


def test_without_records_every_part_says_so(tmp_path: Path) -> None:
    for name in write.PARTS:
        text = write.part(name, tmp_path)
        said = ("0 of the", "that this takes", "claims 0 have a verdict", "No difference is judged yet.")
        assert any(one in text for one in said)
        assert "shown**" not in text


def test_claims_have_their_verdict_and_what_was_measured_elsewhere(tmp_path: Path) -> None:
    publish(tmp_path, "laptop-1", lambda spec: 0.6)
    text = part(tmp_path, "claims")
    claim = text.split("- `c100-r50-acc-vs-dense`")[1].split("- `")[0]
    assert "+17.97 points (under paper 0.00 points" in claim and "; under released 0.00 points" in claim
    assert claim.count("n = 3") == 2 and "cifar10" not in claim and "resnet20s" not in claim
    leads = [one for one in text.split("No complete set of runs is published") if claim in one]
    assert len(leads) == 1 and leads[0].startswith(" in the setting of these claims. The nearest, with cifar10, ")
    assert "**reproduced** under paper" in text.split("- `size-third`")[1].split("- `")[0]
    of_two = text.split("- `app-beats-both-short`")[1].split("- `")[0]
    assert "under paper app ahead of" in of_two


def test_a_verdict_says_on_which_data_it_is_and_how_its_runs_deviate(tmp_path: Path) -> None:
    for preset in ("laptop-1", "laptop-3"):
        publish(tmp_path, preset, lambda spec: 0.6, effective=0.02)
    text = part(tmp_path, "claims")
    names = ("own-released-density", PLACES, "own-scratch-b-ties")
    of_any, of_arms, partial = (text.split(f"- `{name}`")[1].split("- `")[0] for name in names)
    assert "**reproduced** under released: 0.02 fraction on cifar10/resnet20s, n = 3)" in of_any
    assert "**inconclusive**" in of_arms and of_arms.count("deviating: ") == 1
    assert " Under paper: deviating: data archive.tar.gz instead of official." in of_arms
    assert " Under paper: below the limit 1; deviating: data archive.tar.gz instead of official." in partial


def test_a_claim_with_runs_of_one_side_alone_has_none_in_its_own_setting(tmp_path: Path) -> None:
    publish(tmp_path, "laptop-1", lambda spec: 0.6 if spec.method == "app" and spec.protocol[0] == "paper" else None)
    text = part(tmp_path, "claims")
    assert "claims 1 have a verdict" in text and "- `own-places-matter`" not in text
    row = text.split("| `own-places-matter` |")[1].split("| `")[0]
    assert "| inconclusive | no run here under paper is of app control=shuffle |" in row


@pytest.mark.parametrize(
    ("lead", "said"),
    [(0.05, "app higher than osp (paper)"), (-0.05, "app lower than osp (paper)"),
     (0.0005, "**not told apart**: app and osp (paper)")],
)  # fmt: skip
def test_a_sentence_is_chosen_by_its_interval(tmp_path: Path, lead: float, said: str) -> None:
    def level(spec: RunSpec) -> float | None:
        noise = 0.003 * (spec.seed - 2) * (spec.method == "osp")
        return None if spec.protocol[0] == "released" else 0.6 + noise + lead * (spec.method == "app")

    publish(tmp_path, "laptop-1", level)
    text = part(tmp_path, "protocols")
    assert said in text.split("Test accuracy: ")[1].split("- CER")[0]
    assert "12 of the 21 runs" in text and "app and osp (released)" in text.split("Without any pair")[1]
    assert "Published: 9 of the campaign's 144 runs" in part(tmp_path, "runs") and "`0000" in part(tmp_path, "runs")


def test_the_summary_has_of_each_study_what_is_shown_the_largest_first(tmp_path: Path) -> None:
    levels = {"magnitude": 0.55, "random": 0.65, "grasp": 0.3, "taylor": 0.6, "synflow": 0.6}
    publish(tmp_path, "laptop-1", lambda spec: 0.6 if spec.protocol[0] == "paper" else None)
    publish(tmp_path, "laptop-2", lambda spec: levels[spec.criterion or ""])
    text = part(tmp_path, "summary")
    items = {item.split("]")[0]: item for item in text.split(" - [")}
    assert text.startswith("Of 12 differences in the first measure of each study 7 are shown.")
    assert "about 1 would be" in text  # a tenth of them
    criteria = "7 of 9 differences in test accuracy are shown: grasp lower than random by 35.00 points; snip"
    assert criteria in items["Criteria"] and "taylor and" not in items["Criteria"]
    sizes = [float(size) for size in re.findall(r"by (\S+) points", items["Criteria"])]
    assert sizes == [35, 30, 10, 5, 5, 5, 5]
    assert items["Protocols"].endswith("none of 3 differences in test accuracy is shown.")
    assert items["Control arms"].endswith("nothing is judged yet.")
    assert items["A long stream"].count("open: there are too few runs") == 2


def test_one_seed_is_in_no_count_of_the_summary(tmp_path: Path) -> None:
    publish(tmp_path, "laptop-1", lambda spec: 0.6 + 0.1 * (spec.method == "app") if spec.seed == 1 else None)
    assert part(tmp_path, "summary").startswith("No difference is judged yet.")


def test_the_summary_names_sections_of_the_page() -> None:
    page = (Path(__file__).parents[3] / "docs/findings.md").read_text()
    named = re.findall(r"^- \[(.*?)\]", page.split("<!-- findings-summary -->")[1], re.MULTILINE)
    headings = re.findall(r"^## (.*)$", page, re.MULTILINE)
    assert len(named) == 9 and named == [one for one in headings if one in named]


def test_the_noise_is_that_of_verdicts_which_know_all_published_runs(tmp_path: Path) -> None:
    def level(spec: RunSpec) -> float | None:
        return None if spec.protocol[0] == "released" else 0.6 + 0.004 * (spec.method == "app")

    publish(tmp_path, "laptop-1", level)
    assert "app higher than osp (paper)" in part(tmp_path, "protocols")
    released = [spec for spec in synthetic.grid("laptop-1") if spec.protocol[0] == "released"]
    for spec in [spec.model_copy(update={"seed": seed}) for spec in released for seed in range(4, 12)]:
        accuracy = 0.6 + 0.03 * (-1) ** spec.seed * (spec.method == "app")  # equal images, outside the campaign
        record = synthetic.make(spec, accuracy=accuracy, cer=40_000, official=False)
        files.write_sealed(tmp_path / "earlier" / f"{record['run_id']}.json", record)
    assert "app and osp (paper)" in part(tmp_path, "protocols").split("**not told apart**: ")[1].split(";")[0]


def test_one_seed_is_not_judged(tmp_path: Path) -> None:
    def level(spec: RunSpec) -> float | None:
        noise = 0.003 * spec.seed * (spec.criterion == "taylor")
        return 0.6 + noise if spec.seed == 1 or spec.criterion in ("grasp", "taylor", "random") else None

    publish(tmp_path, "laptop-2", level)
    publish(tmp_path, "laptop-4", lambda spec: 0.6 + 0.001 * (int(spec.run_id, 16) % 5))  # noise enough for one seed
    text = part(tmp_path, "criteria")
    accuracy = text.split("Test accuracy: ")[1].split("- CER")[0]
    assert "synflow and random" in accuracy.split("**not judged")[1]
    assert "grasp and random" in accuracy.split("**not judged")[0]


def test_diverged_runs_are_named_where_they_are_missing(tmp_path: Path) -> None:
    publish(tmp_path, "laptop-1", lambda spec: 0.6)
    fallen = {("grasp", 1), ("grasp", 2), ("grasp", 3), ("taylor", 2)}
    publish(tmp_path, "laptop-2", lambda spec: 0.6, diverged=lambda spec: (spec.criterion, spec.seed) in fallen)
    text = part(tmp_path, "criteria")
    assert "Diverged, and so in no difference: grasp seed 1, grasp seed 2, grasp seed 3, taylor seed 2." in text
    assert "Not there yet" not in text and "grasp" not in text.split("Diverged")[0]


def test_arms_that_know_the_whole_stream_have_no_cer(tmp_path: Path) -> None:
    publish(tmp_path, "laptop-3", lambda spec: 0.6 + 0.05 * (spec.control == "ticket"))
    text = part(tmp_path, "controls")
    assert "ticket higher than shuffle (masks of app)" in text
    assert "masks of app" not in text.split("- CER: ")[1] and "shuffle and random (masks of osp)" in text
    of_osp = re.findall(r"(\S+ and \S+) \(masks of osp\)", text.split("- CER: ")[1])
    alike = ["osp and scratch-e", "osp and shuffle", "shuffle and random", "osp and scratch-b"]
    assert of_osp == [*alike, "scratch-b and scratch-e"]
    assert "app and shuffle (masks of app)" in text and "osp and shuffle (masks of osp)" in text.split("- CER: ")[1]


def test_control_arms_have_the_interval_of_their_claim(tmp_path: Path) -> None:
    """Arms vary twice as much as their sources, so the pools with and without them differ."""
    publish(tmp_path, "laptop-1", lambda spec: 0.6)
    publish(tmp_path, "laptop-3", lambda spec: 0.6 + NOISE[spec.seed] * bool(spec.control) - 0.001 * len(spec.method))
    claims = [synthetic.claim("own-places-matter")]
    (row,) = verify(runs.read([tmp_path]), claims, protocol="paper").as_dict()["verdicts"]
    low, high = (f"{value:+.2f}" for value in row["interval"])
    assert f"[{low}, {high}]" in part(tmp_path, "controls").split("app \N{MINUS SIGN} shuffle")[1].split("| -")[0]


def test_each_granularity_is_set_beside_single_weights(tmp_path: Path) -> None:
    publish(tmp_path, "laptop-4", lambda spec: 0.6 - 0.05 * (spec.granularity == "channel" and spec.method == "app"))
    text = part(tmp_path, "granularities")
    assert "channels lower than single weights (app)" in text and "that this takes" not in text
    assert "flow mdgf_exp and flow srste (1:8)" in part(tmp_path, "flows")


def test_steps_are_set_beside_one_step_under_each_flow(tmp_path: Path) -> None:
    publish(tmp_path, "laptop-8", lambda spec: 0.6 + 0.05 * (spec.method == "app" and spec.flow == "ste"))
    text = part(tmp_path, "flows")
    assert "app higher than osp (1:16, flow ste, digits)" in text
    assert "flow ste higher than flow none (1:16, digits)" in text
    assert "app and osp (1:16, flow srste, digits)" in text.split("**not told apart**: ")[1].split(";")[0]
    assert "12 of the 42 runs" in text  # those at 1:8; 2:4 is in no row
    assert "flow srste and flow none (1:16, digits)" in text.split("**not told apart**: ")[1].split(";")[0]


def test_gaps_are_not_compared_across_protocols_whose_validation_images_differ(tmp_path: Path) -> None:
    publish(tmp_path, "laptop-1", lambda spec: 0.6, gap=lambda spec: 0.1 + 0.1 * (spec.protocol[0] == "released"))
    rows = write.part("findings-protocols", tmp_path).splitlines()
    cells = {row.split("|")[1].strip(): row.split("|")[4].strip() for row in rows if row.startswith("| ")}
    assert cells["app released − app paper"] == "-" and cells["app − osp, released"].startswith("+0.00 [")


def test_what_was_trained_twice_stands_beside_and_signs_that_turn_are_named(tmp_path: Path) -> None:
    publish(tmp_path, "laptop-1", lambda spec: 0.6 + 0.02 * (spec.method == "app"))
    assert "once more" not in part(tmp_path, "protocols")
    for spec in synthetic.grid("laptop-1"):
        if spec.protocol[0] == "paper" and spec.method != "dense":
            accuracy = 0.6 - 0.01 * (spec.method == "app") + NOISE[spec.seed]
            record = synthetic.make(spec, accuracy=accuracy, cer=40_000, official=False) | {"code_digest": "1" * 16}
            files.write_sealed(tmp_path / "earlier" / f"{record['run_id']}.json", record)
    text = part(tmp_path, "protocols").split("trained once more")[1]
    assert "| app − osp, paper | +2.00; -1.00 |" in text and text.count("−") == 2
    assert "another one in: test accuracy of app − osp, paper. Three seeds" in text


def test_released_app_is_set_beside_osp_that_is_as_sparse(tmp_path: Path) -> None:
    publish(tmp_path, "laptop-1", lambda spec: 0.6)
    publish(tmp_path, "laptop-7", lambda spec: 0.5)
    assert "app higher than osp at tau 17.5 (released)" in part(tmp_path, "protocols")
    rows = [line.split("|") for line in write.part("findings-runs", tmp_path).splitlines() if "laptop-7" in line]
    assert [[cell.strip() for cell in row[2:5]] for row in rows] == [["osp, tau 17.5, released", "3", "3"]]


TURNS = "(falls by 18.40 points from megabatch 24 to 74, rises by 7.60 points from megabatch 5 to 24)"
STILL = "goes one way (it turns back by less than the rule asks)"
UNKNOWN = "is shown neither to fall nor to rise"


def rising(spec: RunSpec) -> list[float]:
    return [0.002 * k + 0.0001 * spec.seed for k in range(spec.sb)]


def wild(spec: RunSpec) -> list[float]:
    return [0.1 * (((k // 20) * spec.seed) % 3) for k in range(spec.sb)]


def climbing(spec: RunSpec) -> list[float]:
    """Far up, with a dip at the end in one seed, which is neither a fall of all nor small."""
    return [0.01 * k - 0.3 * (spec.seed == 1 and k > 80) for k in range(spec.sb)]


def turning(spec: RunSpec) -> list[float]:
    return [0.004 * abs(50 - abs(k - 25)) + 0.0001 * spec.seed for k in range(spec.sb)]


@pytest.mark.parametrize(
    ("of_dense", "of_paper", "of_released", "said"),
    [
        (
            rising,
            turning,
            rising,
            f"needs no collapse of the density: it is shown of app under the paper's protocol {TURNS}.",
        ),
        (turning, rising, turning, f"needs no collapse of the density: it is shown of dense {TURNS}."),
        (turning, turning, None, f"shown of dense {TURNS} and of app under the paper's protocol {TURNS}."),
        (
            rising,
            rising,
            turning,
            f"collapses {TURNS}; of dense it {STILL}, of app under the paper's protocol it {STILL}.",
        ),
        (wild, None, turning, f"of dense it {UNKNOWN}, of app under the paper's protocol it is not judged."),
        (rising, rising, None, "open: of app under the released protocol there are too few runs."),
        (wild, rising, rising, "open: of no setting is the gap shown both to rise and to fall."),
        (
            climbing,
            None,
            turning,
            "of dense it is shown to rise, a fall is not shown, of app under the paper's protocol it is not judged.",
        ),
        (
            rising,
            rising,
            rising,
            "no gap rises and falls by what the rule asks, with a collapse of the density or without.",
        ),
    ],
)
def test_each_long_stream_answers_by_its_curves(
    tmp_path: Path, of_dense: Any, of_paper: Any, of_released: Any, said: str
) -> None:
    kinds = {"dense": of_dense, "paper": of_paper, "released": of_released}

    def kind(spec: RunSpec) -> Any:
        return kinds["dense" if spec.method == "dense" else spec.protocol[0]]

    def gap(spec: RunSpec) -> list[float]:
        return kind(spec)(spec) if kind(spec) else []

    for preset, where, other in (("laptop-6", "cifar10", "digits"), ("laptop-9", "digits", "cifar10")):
        publish(tmp_path / preset, preset, lambda spec: 0.6 if kind(spec) else None, gap=gap)
        text = part(tmp_path / preset, "long")
        mine, theirs = (re.search(rf"On {name}, .*?\.(?=[ ](?:[A-Z|]))", text) for name in (where, other))
        assert mine and mine[0].endswith(said) and (f"| app released, {where} |" in text) == bool(of_released)
        assert ("does not show that the collapse" in text) == (turning is of_released and "needs no" not in mine[0])
        assert f"app released and dense ({where})" not in text.partition("- Gap: ")[2].partition("Not there yet")[0]
        assert theirs and "open: there are too few runs" in theirs[0] and f", {other} |" not in text


def test_robustness_is_of_networks_that_were_measured(tmp_path: Path) -> None:
    records = publish(tmp_path, "laptop-1", lambda spec: 0.6)
    for record in records:
        if record["protocol"]["name"] == "paper":
            clean = 0.9 - 0.2 * (record["spec"]["method"] == "app") - 0.01 * record["spec"]["seed"]
            one = analysed.analysis(record, clean)
            files.write_sealed(tmp_path / "laptop-1" / "analyses" / "robustness" / one.path, one.content)
    text = part(tmp_path, "robustness")
    lost, corrupted = "accuracy lost on corrupted images, points", "mean corruption accuracy, points"
    assert re.search(rf"difference \| {lost} \| {corrupted} ", text)
    assert "Images that 9 networks classified" in text and "app lower than dense (paper)" in text
    assert "12 of the 21 measured networks" in text


def test_ways_to_adjust_shrunk_networks_are_set_beside_each_other_and_training(tmp_path: Path) -> None:
    dense = publish(tmp_path, "laptop-1", lambda spec: 0.7 if spec.method == "dense" else None)
    publish(tmp_path, "laptop-4", lambda spec: 0.65)
    assert part(tmp_path, "shrunk") == "Not there yet: 3 of the 6 networks that this takes."
    for record in dense:
        if record["protocol"]["name"] == "paper":
            noise = NOISE[record["spec"]["seed"]]
            ways = {"BatchNorm": 0.4, "weights": 0.6 + noise, "weights, BatchNorm": 0.6 - noise}
            for one in (analysed.shrunk(record, ways), analysed.shrunk(record, {"weights": 0.3}, "noise")):
                files.write_sealed(tmp_path / "laptop-1" / "analyses" / "shrunk" / one.path, one.content)
    text = part(tmp_path, "shrunk")
    shown = text.split("**shown**: ")[1].split("**not told apart**")[0]
    assert shown.count("weights fitted higher than BatchNorm anew") == 2 and "app with channels (36.6 % kept)" in shown
    assert "weights fitted on noise lower than weights fitted (50 % kept)" in shown and "both" not in shown
    assert "Not there yet" not in text and "| noise | 30.00 ± 0.00 (3) |" in text
    assert "| weights fitted − app with channels, 36.6 % kept | -15.00 [" in " ".join(text.split())
    summary = part(tmp_path, "summary").split("[Channels removed after training]")[1].split(" - [")[0]
    assert "5 of 7 differences in test accuracy are shown" in summary
    (tmp_path / "laptop-1" / "analyses" / "shrunk" / f"{dense[0]['run_id']}-noise.json").unlink()
    row = part(tmp_path, "shrunk").split("| weights fitted on noise − weights fitted, 50 % kept |")[1]
    assert row.split("|")[1].strip() == "2"
