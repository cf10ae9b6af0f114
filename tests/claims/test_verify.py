"""The gates, the exit codes one by one, and what verify must withstand."""

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import synthetic
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torture import drawing, times

from app_repro.claims import claims_file, printing
from app_repro.claims.judgement import Judgement
from app_repro.claims.verify import Report, Verdict
from app_repro.claims.verify import verify as judge
from app_repro.config import grid, presets
from app_repro.config.protocols import PROTOCOLS
from app_repro.config.spec import RunSpec
from app_repro.core import files
from app_repro.core.errors import AppReproError
from app_repro.records import record
from app_repro.records.code import code_digest
from app_repro.records.runs import read

DIFFERENCE = "c100-r50-acc-vs-dense"


def verify(folders: list[Path], claims: Path, **options: Any) -> Report:
    """The verdicts on the records of these folders, as the command gives them."""
    return judge(read(folders), claims_file.load(claims), **options)


@pytest.fixture(scope="module")
def one_claim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A claims file with the difference of 17.97 points, under paper and released."""
    fields = synthetic.row(
        id="d", kind="difference", method="app", against="dense", value="17.97", margin="4.5", settings=""
    )
    return synthetic.claims_file(tmp_path_factory.mktemp("claims") / "claims.csv", fields)


def records(folder: Path, app: float, dense: float = 0.45, protocol: str = "paper", **options: Any) -> Path:
    """Three seeds of app and dense with these accuracies; `code_digest` of another learning code than is usual."""
    changed = options.pop("changed", {})
    code = {"code_digest": options.pop("code_digest")} if "code_digest" in options else {}
    for side, by_seed in synthetic.specs(synthetic.claim(DIFFERENCE), protocol).items():
        for seed, spec in by_seed.items():
            accuracy = (app if side == "app" else dense) + (seed - 2) * 0.001
            spec = spec.model_copy(update=changed)
            synthetic.write(folder, synthetic.make(spec, accuracy=accuracy, **options) | code)
    return folder


def test_sides_are_judged_by_records_of_one_learning_code_where_there_are_such(tmp_path: Path, one_claim: Path) -> None:
    """app was trained again by today's code, dense by the earlier one alone."""
    records(tmp_path / "before", 0.62, code_digest="1" * 16)
    for path in tmp_path.glob("before/*/record.json"):
        if read([path]).runs[0].spec["method"] == "app":
            again = synthetic.make(RunSpec.model_validate(read([path]).runs[0].spec), accuracy=0.70)
            synthetic.write(tmp_path / "after", again | {"code_digest": code_digest()})
    found = read([tmp_path])
    assert [round(run.value("test_accuracy"), 2) for run in found.plain if run.spec["method"] == "app"] == [0.7] * 3
    (row,) = verify([tmp_path], one_claim).as_dict()["verdicts"]
    assert row["mean"] == pytest.approx(17.0) and row["n"] == 3


def test_sides_of_unlike_code_reproduce_in_part_at_most(tmp_path: Path, one_claim: Path) -> None:
    records(tmp_path, 0.63)
    (row,) = verify([tmp_path], one_claim).as_dict()["verdicts"]
    assert (row["verdict"], row["deviations"]) == ("reproduced", [])
    for path in tmp_path.glob("*/record.json"):
        content = read([path]).runs[0].content
        if content["spec"]["method"] == "dense":
            synthetic.write(tmp_path, content | {"code_digest": "1" * 16})
    (row,) = verify([tmp_path], one_claim).as_dict()["verdicts"]
    assert row["verdict"] == "partial" and "unlike learning code" in row["deviations"][0]


def test_arms_are_judged_beside_the_training_of_their_source_whose_mask_they_have(tmp_path: Path) -> None:
    """app was trained again and ended on another mask; its shuffled arms are those of the first training."""
    claim = synthetic.claim("own-places-matter")
    for side, by_seed in synthetic.specs(claim, "paper").items():
        for seed, spec in by_seed.items():
            accuracy = (0.6 if side == "app" else 0.5) + 0.001 * seed
            first = synthetic.make(spec, accuracy=accuracy, mask="first", official=False)
            files.write_sealed(tmp_path / "published" / f"{first['run_id']}.json", first)
            if side == "app":
                again = synthetic.make(spec, accuracy=0.4 + 0.01 * seed, mask="second", official=False)
                synthetic.write(tmp_path / "own", again)
    found = read([tmp_path])
    assert {run.path.name for run in found.plain} == {"record.json"} and len(found.superseded) == 3
    (row,) = judge(found, [claim], protocol="paper").as_dict()["verdicts"]
    assert row["n"] == 3 and row["mean"] == pytest.approx(10)
    assert [one["text"] for one in row["elsewhere"]] == ["no run here under paper beside those judged"]


@pytest.mark.parametrize(("app", "verdict", "code"), [(0.63, "reproduced", 0), (0.46, "not_reproduced", 1)])
def test_the_json_has_the_verdict_its_numbers_and_the_exit_code(
    tmp_path: Path, one_claim: Path, app: float, verdict: str, code: int
) -> None:
    content = verify([records(tmp_path, app)], one_claim).as_dict()
    (row,) = content["verdicts"]
    assert (content["schema"], content["exit_code"], row["verdict"]) == (1, code, verdict)
    assert row["n"] == 3 and row["margin"] == 4.5 and row["mean"] == pytest.approx(100 * (app - 0.45))
    assert row["interval"][0] < row["mean"] < row["interval"][1] and row["sd"] is not None


@pytest.mark.parametrize(("option", "name"), [("only", "dd"), ("protocol", "papr")])
def test_a_question_that_cannot_be_asked_is_2(tmp_path: Path, one_claim: Path, option: str, name: str) -> None:
    with pytest.raises(AppReproError) as error:
        verify([tmp_path], one_claim, **{option: name if option == "protocol" else [name]})
    assert (error.value.exit_code, error.value.key, error.value.kind) == (2, name, "unknown")


def test_sides_under_protocols_of_their_own_have_the_noise_of_values(tmp_path: Path) -> None:
    """A seed that is better by a point under both protocols makes no difference of theirs surer."""
    fields = {"kind": "ordering", "value": "", "margin": "", "margin_reason": "", "settings": "protocol=paper"}
    sides = {"against": "osp protocol=paper", "method": "app protocol=released"}
    one, other = (
        synthetic.claims_file(
            tmp_path / name, synthetic.row(id="o", **fields | {"method": "app", "against": "osp"} | named)
        )
        for name, named in (("one.csv", {}), ("other.csv", sides))
    )
    for side in ("app", "osp", "dense"):
        for name in ("paper", "released"):
            for seed in (1, 2, 3):
                spec = synthetic.spec(side, seed, dataset="cifar100", arch="resnet50").model_copy(
                    update=PROTOCOLS[name]
                )
                pruning = {} if side != "dense" else dict.fromkeys(("scored_weights", "candidates", "score_sample"))
                noise = 0.01 * seed + 0.0001 * (seed % 2) * (side == "app")
                accuracy = 0.5 + noise + 0.01 * (side == "app")
                synthetic.write(tmp_path / "runs", synthetic.make(spec.model_copy(update=pruning), accuracy=accuracy))
    within, across = (verify([tmp_path / "runs"], path).as_dict()["verdicts"][0] for path in (one, other))
    assert (within["protocol"], across["protocol"]) == ("paper", "released")
    assert within["verdict"] == "reproduced" and across["verdict"] == "inconclusive"
    assert across["mean"] == pytest.approx(within["mean"]) and across["sd"] == pytest.approx(2**0.5, rel=0.02)


def test_a_diverged_run_is_an_error_and_3(tmp_path: Path, one_claim: Path) -> None:
    records(tmp_path, 0.63)
    spec = synthetic.specs(synthetic.claim(DIFFERENCE), "paper")["app"][2]
    synthetic.write(tmp_path, synthetic.make(spec, diverged=True))
    report = verify([tmp_path], one_claim)
    assert report.exit_code() == 3 and report.verdicts[0].verdict == "error"


def test_partial_and_inconclusive_are_4_unless_allowed(tmp_path: Path, one_claim: Path) -> None:
    partial = verify([records(tmp_path / "a", 0.55)], one_claim)
    assert [v.verdict for v in partial.verdicts] == ["partial"]
    assert partial.exit_code() == 4 and partial.exit_code({"inconclusive"}) == 4 and partial.exit_code({"partial"}) == 0
    (sorted((tmp_path / "a").glob("*/record.json"))[0]).unlink()
    open_ = verify([tmp_path / "a"], one_claim)
    assert [v.verdict for v in open_.verdicts] == ["inconclusive"] and "seed" in open_.verdicts[0].judgement.reason
    assert open_.exit_code() == 4 and open_.exit_code(["inconclusive", "not_run"]) == 0


def test_missing_seeds_hide_nothing_and_decide_nothing(tmp_path: Path, one_claim: Path) -> None:
    """Even where the numbers would do: the gate comes first."""
    by_seed: dict[int, list[Path]] = {}
    for path in records(tmp_path, 0.63).glob("*/record.json"):
        by_seed.setdefault(record.read(path)["spec"]["seed"], []).append(path)
    for seed, n in ((3, 2), (2, 1)):
        for path in by_seed[seed]:
            path.unlink()
        report = verify([tmp_path], one_claim)
        shown = report.as_dict()["verdicts"][0]
        assert (shown["verdict"], shown["n"], shown["so_far"]) == ("inconclusive", n, True)
        assert shown["mean"] == pytest.approx(18.0) and (shown["sd"] is None) == (n == 1)
        assert shown["interval"] is None and shown["reason"].startswith("missing: cifar100/resnet50: app seed")
        text = dict(zip(printing.HEADERS, printing.row(report.verdicts[0]), strict=True))["measured mean +- sd"]
        assert text.startswith("18") and text.endswith(" so far") and ("+-" in text) == (n > 1)
    assert not verify([records(tmp_path, 0.63)], one_claim).as_dict()["verdicts"][0]["so_far"]


@pytest.mark.parametrize(("protocol", "dense"), [("paper", 0), ("released", 0), ("released", 3), ("paper", 1)])
def test_a_network_that_is_never_pruned_needs_no_run_for_its_density(tmp_path: Path, protocol: str, dense: int) -> None:
    claim = synthetic.claim("size-third")
    for side, by_seed in synthetic.specs(claim, protocol).items():
        seeds = range(1, 4 if side != "dense" else 1 + dense)
        synthetic.write(tmp_path, *(synthetic.make(by_seed[seed]) for seed in seeds))
    (row,) = verify([tmp_path], synthetic.CLAIMS, only=[claim.id]).as_dict()["verdicts"]
    assert (row["verdict"], row["protocol"], row["mean"]) == ("reproduced", protocol, pytest.approx(0.8**4.5))
    assert (row["n"], len(row["runs"])) == (3 if dense != 1 else 1, 3 + dense)
    assert row["missing"] == (["digits/resnet8s: dense: 1 of 3 seeds"] if dense == 1 else [])


@pytest.mark.parametrize("n", [1, 3])
def test_what_follows_from_the_settings_says_so_and_one_seed_has_no_deviation(tmp_path: Path, n: int) -> None:
    for by_seed in synthetic.specs(synthetic.claim("size-third"), "paper").values():
        synthetic.write(tmp_path, *(synthetic.make(spec) for seed, spec in by_seed.items() if seed <= n))
    (found,) = verify([tmp_path], synthetic.CLAIMS, only=["size-third"]).verdicts
    assert found.verdict == "reproduced" and found.judgement.n == n
    assert found.judgement.reason.endswith("inside the margin; there is no noise: it follows from the settings")
    assert found.as_dict()["sd"] == (None if n == 1 else 0)
    assert printing.row(found)[4] == ("0.36636" if n == 1 else "0.36636 +- 0")


def test_nothing_to_judge_is_5(tmp_path: Path, one_claim: Path) -> None:
    report = verify([tmp_path, tmp_path / "nowhere"], one_claim)
    assert [v.verdict for v in report.verdicts] == ["not_run"] and report.verdicts[0].protocol is None
    assert report.exit_code() == 5 and report.exit_code(["not_run"]) == 5


def test_only_what_may_be_allowed_is() -> None:
    for name in ("not_reproduced", "error", "inconclusiv"):
        with pytest.raises(AppReproError) as error:
            report_of("reproduced").exit_code([name])
        assert (error.value.key, error.value.kind) == (name, "not allowable")


def report_of(*verdicts: str, problems: tuple[str, ...] = ()) -> Report:
    claim = synthetic.claim(DIFFERENCE)
    return Report(tuple(Verdict(claim, "paper", Judgement(v, "", 3)) for v in verdicts), problems)


@pytest.mark.parametrize(
    ("verdicts", "problems", "code"),
    [
        (("not_reproduced", "not_run", "partial"), ("x",), 3),
        (("error", "not_reproduced"), (), 3),
        (("not_reproduced", "not_run", "reproduced"), (), 1),
        (("not_run",), ("x",), 3),
        (("not_run", "not_run"), (), 5),
        ((), (), 5),
        (("not_run", "reproduced"), (), 4),
        (("reproduced", "inconclusive"), (), 4),
        (("reproduced", "reproduced"), (), 0),
    ],
)
def test_3_goes_before_1_before_5_before_4(verdicts: tuple[str, ...], problems: tuple[str, ...], code: int) -> None:
    assert report_of(*verdicts, problems=problems).exit_code() == code


def test_one_verdict_per_protocol_with_runs(tmp_path: Path, one_claim: Path) -> None:
    records(tmp_path, 0.63, protocol="released")
    assert [v.protocol for v in verify([tmp_path], one_claim).verdicts] == ["released"]
    records(tmp_path, 0.46)
    report = verify([tmp_path], one_claim)
    found = [(v.protocol, v.verdict) for v in report.verdicts]
    assert found == [("paper", "not_reproduced"), ("released", "reproduced")]
    only = verify([tmp_path], one_claim, protocol="released")
    assert [v.protocol for v in only.verdicts] == ["released"] and only.exit_code() == 0


@pytest.mark.parametrize(
    ("options", "named"), [({"changed": {"epochs": 6}}, "epochs 6"), ({"official": False}, "data archive.tar.gz")]
)
def test_deviating_runs_are_at_best_partial_and_say_why(
    tmp_path: Path, one_claim: Path, options: dict[str, Any], named: str
) -> None:
    verdict = verify([records(tmp_path, 0.63, **options)], one_claim).verdicts[0]
    assert verdict.verdict == "partial" and named in verdict.judgement.reason and named in verdict.deviations[0]


def test_a_claim_that_names_the_switch_does_not_find_it_deviating(tmp_path: Path) -> None:
    fields = {"kind": "difference", "method": "app", "against": "dense", "value": "17.97", "margin": "4.5"}
    row = synthetic.row(**fields, settings="protocol=paper lr_restart=false")
    path = synthetic.claims_file(tmp_path / "c.csv", row)
    report = verify([records(tmp_path / "runs", 0.63, changed={"lr_restart": False})], path)
    assert [v.verdict for v in report.verdicts] == ["reproduced"]


def test_an_ordering_with_missing_cells_is_at_best_partial(tmp_path: Path) -> None:
    records(tmp_path, 0.63)
    spec_by_seed = synthetic.specs(synthetic.claim("c100-r50-acc-vs-osp"), "paper")["osp"]
    for spec in spec_by_seed.values():
        synthetic.write(tmp_path, synthetic.make(spec, accuracy=0.5))
    verdict = verify([tmp_path], synthetic.CLAIMS, only=["app-beats-both-short"]).verdicts[0]
    assert verdict.verdict == "partial" and "cifar10/resnet18: every run" in verdict.judgement.reason


ACCURACIES = st.lists(st.floats(0.3, 0.7), min_size=6, max_size=6)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ACCURACIES, st.randoms())
def test_order_of_records_and_rows_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, accuracies: list[float], rng: random.Random
) -> None:
    folder = tmp_path_factory.mktemp("permuted")
    by_side = synthetic.specs(synthetic.claim(DIFFERENCE), "paper")
    specs = [spec for side in by_side.values() for spec in side.values()]
    contents = [synthetic.make(spec, accuracy=accuracy) for spec, accuracy in zip(specs, accuracies, strict=True)]
    fields = {"kind": "difference", "method": "app", "against": "dense"}
    rows = [synthetic.row(id=f"c{value}", value=value, **fields) for value in ("1", "5", "-20")]

    def verdicts(name: str) -> dict[str, tuple[Any, ...]]:
        roots = [synthetic.write(folder / name / str(i), content) for i, content in enumerate(contents)]
        report = verify(roots, synthetic.claims_file(folder / f"{name}.csv", *rows))
        return {v.claim.id: (v.verdict, v.judgement.mean, v.judgement.low) for v in report.verdicts}

    before = verdicts("before")
    rng.shuffle(contents)
    rng.shuffle(rows)
    assert verdicts("after") == before


@pytest.fixture(scope="module")
def four_hundred(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    layers = {f"layer{i}.weight": {"weights": 400_000 + i, "flops": 100_000} for i in range(53)}
    raw = presets.preset("short") | {"device": "auto", "workers": None, "protocol": ["paper", "released"]}
    specs = grid.parse(raw | {"seed": list(range(1, 13))}).specs[:400]
    assert len(specs) == 400
    return synthetic.write(folder, *(synthetic.make(spec, layers=layers) for spec in specs))


def test_each_of_four_hundred_records_is_read_and_checked_once(
    four_hundred: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []
    monkeypatch.setattr(record, "read", lambda path, read=record.read: opened.append(path) or read(path))
    report = verify([four_hundred], synthetic.CLAIMS)
    assert not report.problems and len(report.verdicts) > 10
    assert sorted(opened) == sorted(four_hundred.rglob("*.json"))


def flipped(raw: bytes, place: int, bit: int) -> bytes:
    """The bytes with one bit of one of them changed."""
    return raw[:place] + bytes([raw[place] ^ 1 << bit]) + raw[place + 1 :]


@pytest.mark.promise
def test_one_byte_changed_in_one_of_four_hundred_records_is_exit_3_and_names_the_file(four_hundred: Path) -> None:
    rng, paths = drawing("records"), sorted(four_hundred.rglob("*.json"))
    for trial in range(times(3, 100)):
        path = rng.choice(paths)
        raw = path.read_bytes()
        path.write_bytes(flipped(raw, rng.randrange(len(raw)), rng.randrange(8)))
        try:
            report = verify([four_hundred], synthetic.CLAIMS, only=[DIFFERENCE])
            assert report.exit_code() == 3, f"trial {trial}: {path}"
            assert [problem.startswith(f"{path}: ") for problem in report.problems] == [True], f"trial {trial}: {path}"
        finally:
            path.write_bytes(raw)
    assert not verify([four_hundred], synthetic.CLAIMS, only=[DIFFERENCE]).problems


@pytest.mark.promise
def test_the_command_says_so_too(four_hundred: Path, tmp_path: Path) -> None:
    rng, path = drawing("command"), tmp_path / "one" / "record.json"
    first = min(four_hundred.rglob("*.json"))
    raw = first.read_bytes()
    path.parent.mkdir()
    path.write_bytes(flipped(raw, rng.randrange(len(raw)), rng.randrange(8)))
    words = ["verify", "--records", str(tmp_path), "--claims", str(synthetic.CLAIMS), "--allow", "not_run"]
    ran = subprocess.run([sys.executable, "-m", "app_repro", *words], capture_output=True, text=True, check=False)
    assert ran.returncode == 3 and str(path) in ran.stdout and ran.stderr == ""


def test_none_of_the_large_packages_is_imported() -> None:
    code = (
        "import sys; from app_repro.claims import claims_file, power, printing, verify; "
        "from app_repro.claims.authors import reported; "
        "from app_repro.records import publish; from pathlib import Path; claims_file.load(Path(sys.argv[1])); "
    )
    code += "print([m for m in ('torch', 'pandas', 'wandb', 'numpy', 'scipy', 'ruamel.yaml') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code, str(synthetic.CLAIMS)], capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_a_control_arm_on_another_mask_than_its_source_s_counts_as_missing(tmp_path: Path) -> None:
    for spec in synthetic.grid("controls", method="app", control=[None, "shuffle"]):
        stale = spec.control is not None and spec.seed == 2
        synthetic.write(tmp_path, synthetic.make(spec, mask="1" * 64 if stale else "0" * 64))
        if stale:
            name = spec.run_id
    report = verify([tmp_path], synthetic.CLAIMS, only=["own-places-matter"])
    assert report.verdicts[0].missing == ("cifar10/resnet20s: app control=shuffle seed 2",)
    assert [name in note for note in report.notes] == [True]
