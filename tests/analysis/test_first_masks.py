"""Masks before megabatch 1 without training: those of the runs, made once, judged as the runs are."""

import os
import signal

import pytest
import synthetic
from workbench import ended, trained

from app_repro.analysis import first_masks as making
from app_repro.claims import claims_file
from app_repro.claims.verify import verify
from app_repro.core import files
from app_repro.core.errors import RunError
from app_repro.records import first_masks, publish, runs

LAYERS = "conv1|layer1.0.conv1|layer1.0.conv2"
ROW = {"kind": "layer_ordering", "metric": "layer_density", "method": "magnitude", "against": "snip", "value": ""}
ROW |= {"preset": "demo", "settings": "method=osp", "layers": LAYERS, "megabatches": "1", "margin": ""}
ROW |= {"margin_reason": "", "rounding": ""}


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """Runs of two methods and criteria under both protocols, and their first masks, made twice."""
    folder = tmp_path_factory.mktemp("bench")
    axes = {"method": ["osp", "app"], "criterion": ["magnitude", "snip"], "protocol": ["paper", "released"]}
    specs, places = trained(folder, **axes, sb=2, epochs=1)
    told = []
    for _ in range(2):
        given = (specs, tuple(axes), places.raw, folder / "own", folder / "analyses", told.append)
        made = making.make(*given)
    return folder, specs, places, made, told


def test_a_first_mask_is_bit_for_bit_that_of_the_run(bench) -> None:
    _, specs, places, made, _ = bench
    by_id = {first_masks.as_run(one).content["run_id"]: one for one in made.values()}
    for spec in specs:
        record = runs.read_run(places.store / "runs" / spec.run_id / "record.json").content
        mask = by_id[spec.run_id]
        assert mask.content["code"] == record["code_digest"]
        for key in first_masks.OF_MEGABATCH:
            assert mask.results[key] == record["megabatches"][0][key]
        assert mask.results["network"] == record["network"]
        same = mask.results["mask_sha256"] == record["files"]["masks.safetensors"]
        assert same is (spec.method == "osp")  # which keeps its one mask; app prunes again before megabatch 2


def test_a_mask_in_the_store_is_not_made_again(bench) -> None:
    folder, *_, made, told = bench
    assert [line for line in told if "to make" in line] == ["8 masks to make, 0 in the store", told[-1]]
    assert told[-1] == "0 masks to make, 8 in the store" and len(told) == 10
    assert sorted(path.stem for path in (folder / "analyses" / first_masks.KIND).iterdir()) == sorted(made)


def test_masks_are_published_without_runs_by_name_where_they_are_not_the_publisher_s(bench, tmp_path) -> None:
    folder, *_, made, _ = bench
    nowhere, name = tmp_path / "no-runs", next(iter(made))
    (one,) = publish.publish(nowhere, tmp_path / "one", [name], folder / "analyses")
    assert one == tmp_path / "one" / "analyses" / first_masks.KIND / f"{name}.json"
    assert one.read_bytes() == made[name].path.read_bytes()
    assert len(publish.publish(nowhere, tmp_path / "all", [], folder / "analyses")) == len(made)
    assert len(runs.read([tmp_path / "all"]).runs) == 0 and len(first_masks.read([tmp_path / "all"]).runs) == len(made)


SIZES = {f"{name}.weight": {"weights": 2304, "flops": 1} for name in LAYERS.split("|")}
KEPT = {"magnitude": [1500, 1400, 1500], "snip": [2000, 2000, 2000]}


def masks_of(claim, store):
    """The first masks that a claim needs, as if they had been made."""
    for spec in claim.grid.specs:
        content = synthetic.make(spec, kept=KEPT[spec.criterion], layers=SIZES)
        results = {key: content["megabatches"][0][key] for key in first_masks.OF_MEGABATCH}
        results |= {key: content[key] for key in ("network", "data_source")}
        first_masks.file_of(spec, store).finish(results, {})
    return store


def test_claims_about_first_masks_are_judged_on_them_and_on_trained_runs_alike(tmp_path) -> None:
    of_first, of_both = (
        synthetic.row(**ROW | {"id": name, "megabatches": k}) for name, k in (("a", "1"), ("b", "1|2"))
    )
    claims = claims_file.load(synthetic.claims_file(tmp_path / "claims.csv", of_first, of_both))
    store = masks_of(claims[0], tmp_path / "store")
    masks = first_masks.read([store])
    one, other = verify(runs.read([store]), claims, masks).verdicts
    assert (one.verdict, one.judgement.n, other.verdict) == ("reproduced", 3, "not_run")
    assert "audit --claim a" in verify(runs.read([store]), claims[:1]).verdicts[0].judgement.reason
    equal = [synthetic.make(spec, kept=KEPT["snip"], layers=SIZES) for spec in claims[0].grid.specs]
    (both,) = verify(runs.read([synthetic.write(tmp_path / "runs", *equal)]), claims[:1], masks).verdicts
    assert both.verdict == "not_reproduced"  # a trained run of one's own goes before


def test_a_damaged_mask_is_a_problem_of_the_verdicts(tmp_path) -> None:
    (claim,) = claims_file.load(synthetic.claims_file(tmp_path / "claims.csv", synthetic.row(**ROW)))
    store = masks_of(claim, tmp_path / "store")
    first, second, *_ = files.listing(store / "analyses" / first_masks.KIND)
    first.write_text(first.read_text().replace("00, ", "01, ", 1))
    files.write_sealed(second, files.read_sealed(second) | {"settings": {}})
    report = verify(runs.read([]), [claim], first_masks.read([store]))
    named = zip((first, second), sorted(report.problems, key=len), strict=True)
    assert report.exit_code() == 3 and all(str(path) in line for path, line in named)


def killed(spec, raw):
    """What the kernel does to a process for want of memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_process_is_one_line_with_a_remedy(bench, monkeypatch, tmp_path) -> None:
    _, specs, places, *_ = bench
    monkeypatch.setattr(making, "_mask_of", killed)
    with pytest.raises(RunError) as caught:
        making.make(specs[:1], (), places.raw, tmp_path / "store", tmp_path / "out", print)
    assert caught.value.kind == "killed" and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "code", "names"),
    [
        (["--claim", "c1", "--images", "5"], 2, "--images"),
        (["--claim", "c1", "--raw", "nowhere"], 2, "nowhere"),
        (["--claim", "c2"], 2, "c2"),
        (["--claim", "c9"], 2, "c9"),
    ],
)
def test_what_audit_refuses_beside_a_claim(tmp_path, monkeypatch, capsys, words, code, names) -> None:
    monkeypatch.chdir(tmp_path)
    synthetic.claims_file(tmp_path / "c.csv", synthetic.row(**ROW), synthetic.row(id="c2"))
    assert ended(monkeypatch, "audit", *words, "--claims", "c.csv") == code
    line = capsys.readouterr().err
    assert names in line and line.count("\n") == 1 and not (tmp_path / "data").exists()
