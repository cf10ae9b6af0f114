import dataclasses
import json

import pytest
import synthetic
from workbench import settings

from app_repro.config import grid
from app_repro.core import files
from app_repro.core.errors import DataError
from app_repro.execution.planning import cost, speeds, timing
from app_repro.execution.planning.speeds import Speeds, read_benches

CIFAR = cost.PUBLISHED["cifar10"]


def spec(arch: str = "resnet20s", **changes):
    cell = grid.parse(settings(dataset="cifar10", arch=arch, method="dense", **changes)).specs[0]
    return cell.model_copy(update={"data_digest": "0" * 64})


def done(spec, seconds: float, peak: int = 7, **sharing: int):
    """A record whose every megabatch took `seconds`."""
    content = synthetic.make(spec)
    content["summary"]["wall_seconds"] = seconds * len(content["megabatches"])
    return content | {"provenance": {"device": {"kind": "cuda", "peak_bytes": peak, **sharing}}}


def bench(folder, *results):
    files.write_text(folder / "bench/card.json", json.dumps({"device": "card", "results": list(results)}))
    return read_benches(folder / "bench")


def test_a_pass_costs_what_finished_runs_took_the_median_of_them() -> None:
    cell = spec(epochs=2)
    # 5625 + 11250 + 16875 images, 2 epochs; validated on a ninth; each seen once more clean, and 10,000 tested, thrice
    passes = 2 * 33750 + (2 * 3750 + 33750 + 30000) / 3
    records = [done(cell, seconds) for seconds in (10.0, 20.0, 90.0)]
    found = Speeds(records, []).find(cell, CIFAR)
    assert found is not None and found.seconds_per_pass == pytest.approx(3 * 20 / passes)
    assert found.basis == "measured: 3 runs here" and found.peak_bytes == 7
    for other in (spec(batch_size=32), spec(precision="bf16"), spec(arch="resnet8s")):
        unlike = Speeds(records, []).find(other, CIFAR)
        assert unlike is None or "estimate" in unlike.basis
    assert Speeds(records, []).find(cell, dataclasses.replace(CIFAR, size=224)) is None


def test_runs_that_shared_a_device_are_counted_as_the_bench_counts_them(tmp_path) -> None:
    cell, beside = spec(epochs=2), {"lanes": 4, "runs_together": 4}
    row = {"arch": "resnet20s", "runs_together": 4, "samples_per_second": 8000}
    benched = Speeds([], bench(tmp_path, row)).find(cell, CIFAR)
    passes = 2 * 33750 + (2 * 3750 + 33750 + 30000) / 3
    took = passes * 4 / 8000 / 3  # seconds of each of three megabatches, stretched by the three runs beside
    found = Speeds([done(cell, took, peak=40, **beside)], []).find(cell, CIFAR)
    assert benched is not None and found is not None and found.runs_together == benched.runs_together == 4
    assert found.seconds_per_pass == pytest.approx(benched.seconds_per_pass)
    assert not benched.on_cpu and not found.on_cpu
    assert found.basis == "measured: 1 runs here, 4 at a time" and found.peak_bytes == 10
    left_alone = done(cell, took / 4)
    both = Speeds([left_alone, done(cell, took, **beside), done(cell, took, **beside)], [])
    mixed = both.find(cell, CIFAR)
    assert mixed is not None and (mixed.runs_together, mixed.seconds_per_pass) == (4, found.seconds_per_pass)


def test_a_bench_says_what_runs_do_together_and_the_best_row_counts(tmp_path) -> None:
    row = {"arch": "resnet20s", "precision": "fp32", "engine": "eager"}
    benches = bench(
        tmp_path,
        row | {"runs_together": 4, "samples_per_second": 8000, "watts": 500},
        row | {"runs_together": 1, "samples_per_second": 5000},
    )
    found = Speeds([], benches).find(spec(), CIFAR)
    assert found is not None and (found.seconds_per_pass, found.runs_together, found.watts) == (4 / 8000, 4, 500)


def test_what_was_measured_on_a_cpu_is_known_as_that() -> None:
    content = done(spec(), 1.0)
    content["provenance"]["device"]["kind"] = "cpu"
    row = {"arch": "resnet20s", "samples_per_second": 1.0, "runs_together": 2}
    benches = [{"device": "card", "kind": kind, "results": [row]} for kind in ("cpu", "cuda")]
    assert Speeds([content], []).find(spec(), CIFAR).on_cpu
    assert [Speeds([], [each]).find(spec(), CIFAR).on_cpu for each in benches] == [True, False]


def test_what_ran_goes_before_a_bench(tmp_path) -> None:
    benches = bench(tmp_path, {"arch": "resnet20s", "samples_per_second": 1.0})
    found = Speeds([done(spec(), 10.0)], benches).find(spec(), CIFAR)
    assert found is not None and found.basis.startswith("measured")


def test_an_unmeasured_network_is_scaled_from_the_nearest_and_says_so(tmp_path) -> None:
    rows = [{"arch": arch, "samples_per_second": rate} for arch, rate in (("resnet8s", 1000), ("resnet56s", 50))]
    speeds = Speeds([], bench(tmp_path, *rows))
    found = speeds.find(spec("resnet20s"), CIFAR)
    factor = cost.sizes("resnet20s", CIFAR).flops / cost.sizes("resnet8s", CIFAR).flops
    assert found is not None and found.seconds_per_pass == pytest.approx(factor / 1000)
    assert found.basis == "estimate: resnet8s at batch 64, scaled by FLOPs"


def test_a_run_on_two_threads_is_not_as_fast_as_one_on_one(tmp_path, monkeypatch) -> None:
    """Nor is an estimate of it scaled from one; a bench without threads was of runs on one each."""
    rows = [{"arch": "resnet20s", "samples_per_second": 100.0, "runs_together": 2}]
    benches = bench(tmp_path, *rows, {"arch": "resnet20s", "samples_per_second": 80.0, "threads": 2})
    one, two = (Speeds([], benches).find(spec(threads=count), CIFAR) for count in (None, 2))
    assert (one.seconds_per_pass, two.seconds_per_pass) == (2 / 100, 1 / 80)
    scaled = Speeds([], benches).find(spec("resnet56s", threads=2), CIFAR)
    factor = cost.sizes("resnet56s", CIFAR).flops / cost.sizes("resnet20s", CIFAR).flops
    assert scaled.seconds_per_pass == pytest.approx(factor / 80)
    records = [done(spec(), 10.0), done(spec(threads=2), 5.0)]
    assert [len(Speeds(records).known), Speeds(records).find(spec(threads=2), CIFAR).basis] == [
        2,
        "measured: 1 runs here",
    ]
    assert Speeds(records).find(spec(threads=4), CIFAR) is None, "how many threads help nothing tells"
    monkeypatch.setattr(timing, "seconds_per_sample", lambda *key: float(key[5]))
    assert Speeds(records, is_here=True).find(spec(threads=4), CIFAR).seconds_per_pass == 4


def test_what_nothing_is_like_is_timed_where_one_is() -> None:
    here = Speeds([], is_here=True)
    nearest, none = (speeds.find(spec(precision="bf16"), CIFAR) for speeds in (here, Speeds([])))
    assert none is None and nearest is not None and nearest.on_cpu
    scaled = here.find(spec("resnet56s", precision="bf16"), CIFAR)
    assert scaled is not None and scaled.on_cpu and scaled.basis == "estimate: resnet20s at batch 64, scaled by FLOPs"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"device": 1, "results": []}',
        '{"device": "d"}',
        '{"device": "d", "results": [{"arch": "a"}]}',
        '{"device": "d", "results": [{"arch": "a", "samples_per_second": 0}]}',
    ],
)
def test_a_file_that_is_no_bench_is_named(tmp_path, text) -> None:
    (tmp_path / "b.json").write_text(text)
    with pytest.raises(DataError) as caught:
        read_benches(tmp_path)
    assert caught.value.key == str(tmp_path / "b.json")


def test_a_bench_s_cases_that_failed_are_left_out(tmp_path) -> None:
    (read,) = bench(tmp_path, {"arch": "a", "failed": "why"}, {"arch": "b", "samples_per_second": 1})
    assert [row["arch"] for row in read["results"]] == ["b"]


def swept(arch: str, lanes: int, rate: float, precision: str = "bf16", engine: str = "graph") -> dict:
    kind = {"arch": arch, "precision": precision, "engine": engine}
    return kind | {"runs_together": lanes, "samples_per_second": rate}


def lanes(
    rows: list[dict], arch: list[str], engine: str = "graph", precision: str = "bf16", device: str = "a GPU"
) -> int:
    wanted = settings(dataset="cifar10", arch=arch, method="dense", precision=precision, engine=engine)
    return speeds.best_lanes(grid.parse(wanted).specs, device, [{"device": "a GPU", "results": rows}])


def test_runs_share_a_gpu_as_the_bench_found_best_for_the_network_that_bears_fewest() -> None:
    sweep = {"resnet18": {2: 50.0, 8: 60.0}, "resnet50": {2: 15.0, 8: 14.0}}
    rows = [swept(arch, count, rate) for arch, rates in sweep.items() for count, rate in rates.items()]
    assert lanes(rows, ["resnet18"]) == 8 and lanes(rows, ["resnet18", "resnet50"]) == 2
    assert lanes(rows, ["resnet18"], engine="eager") == 1
    assert lanes(rows, ["resnet18"], device="another") == lanes(rows, ["vgg16_bn"]) == speeds.UNMEASURED_LANES


def test_what_gpu_check_recommends_counts_more_than_the_best_rate() -> None:
    benches = [{"device": "a GPU", "results": [swept("resnet18", 4, 99.0)]}]
    specs = grid.parse(settings(dataset="cifar10", arch="resnet18", method="dense", engine="graph")).specs
    for tested, expected in ((True, 1), (False, 4)):
        best = {"engine": "graph", "lanes": 1, "why": "", "tested": tested}
        assert speeds.best_lanes(specs, "a GPU", [*benches, benches[0] | {"recommended": best}]) == expected


def test_what_was_only_timed_alone_shares_a_gpu_as_its_network_does_otherwise() -> None:
    alone = [swept("resnet18", 1, 30.0, p, e) for p in ("fp32", "bf16") for e in ("eager", "graph", "compiled")]
    sweep = [swept("resnet18", 2, 50.0), swept("resnet18", 8, 60.0)]
    assert lanes(alone, ["resnet18"], precision="fp32") == speeds.UNMEASURED_LANES
    assert lanes(alone + sweep, ["resnet18"], precision="fp32") == 8
    assert lanes(alone + sweep, ["resnet18"], engine="compiled") == 8
    worse = [swept("resnet18", 2, 20.0, "fp32")]
    assert lanes(alone + sweep + worse, ["resnet18"], precision="fp32") == 1, "its own sweep found it best alone"
    assert lanes(alone + sweep, ["resnet50"]) == speeds.UNMEASURED_LANES
