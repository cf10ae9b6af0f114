"""Masks without training: the same ones as a run's where training changes nothing, shown as table, JSON and figure."""

import json
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import CPU, dataset, spec_of
from workbench import app_repro, prepared, settings, workspace

from app_repro.analysis import masks_only
from app_repro.config import grid, presets, reading
from app_repro.config.methods import METHODS
from app_repro.core.errors import DataError, ParamsError
from app_repro.data import dataset as prepared_set
from app_repro.data import splits
from app_repro.data.megabatches import split
from app_repro.pruning import masks
from app_repro.pruning.criteria import CRITERIA
from app_repro.records.stores.store import Store
from app_repro.training.run import Run

BOTH = ["paper", "released"]


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return prepared(tmp_path_factory.mktemp("bench"))[1]


def specs(protocols=("paper",), **changes):
    return masks_only.specs(settings(method="app", sb=3) | changes, protocols)


def test_a_list_stands_for_its_first_value_and_a_switch_overrides_each_bundle() -> None:
    found = specs(BOTH, seed=[4, 5], tau=[3.0, 4.5], order="file", variants=[{"tau": 9.0}])
    assert [(spec.seed, spec.tau, spec.protocol) for spec in found] == [
        (4, 3.0, ("paper", {"order": "file"})),
        (4, 3.0, ("released", {})),
    ]
    with pytest.raises(ParamsError):
        specs(["papper"])


@pytest.mark.parametrize("protocol", BOTH)
@pytest.mark.parametrize("scope", ["global", "local"])
def test_where_training_changes_no_score_the_walk_has_the_masks_of_the_run(bench, tmp_path, protocol, scope) -> None:
    """Random scores depend on neither weights nor images."""
    [spec] = specs([protocol], criterion="random", scope=scope, epochs=1)
    spec = splits.with_digest(spec, bench.raw)
    images, cut = prepared_set.load(bench.raw / "digits"), splits.cut(spec, bench.raw)
    run = Run(spec, images, cut, torch.device("cpu"), Store(tmp_path).folder(spec))
    [walked] = masks_only.audit([spec], bench.raw)["walks"]
    keys = ("megabatch", "density_nominal", "density_effective", "kept")
    assert [{key: row[key] for key in keys} for row in walked["megabatches"]] == [
        {key: row[key] for key in keys} for row in run.go()
    ]


def test_paper_keeps_what_it_asks_for_and_released_loses_more(bench) -> None:
    found = masks_only.audit(specs(BOTH, criterion="magnitude"), bench.raw)
    paper, released = (walked["megabatches"] for walked in found["walks"])
    assert [walked["protocol"] for walked in found["walks"]] == BOTH
    for row in paper:
        assert row["density_effective"] == pytest.approx(row["density_nominal"], abs=1e-5)
    assert released[0]["density_effective"] == pytest.approx(0.8, abs=1e-5)
    assert released[-1]["density_effective"] < 0.7 * released[-1]["density_nominal"]
    for row in (*paper, *released):
        assert sum(row["kept"]) == pytest.approx(row["density_effective"] * sum(found["layers"].values()))
        assert row["density_layers"] == {
            name: kept / size for (name, size), kept in zip(found["layers"].items(), row["kept"], strict=True)
        }


def test_empty_layers_are_those_that_keep_nothing(bench) -> None:
    """tau = 40 leaves 0.8 ** 40 of 73,872 weights, ten: in most layers none."""
    found = masks_only.audit(specs(method="osp", criterion="magnitude", tau=40.0, sb=1), bench.raw)
    [row] = found["walks"][0]["megabatches"]
    empty = [name for name, kept in zip(found["layers"], row["kept"], strict=True) if not kept]
    assert row["emptied_layers"] == empty and 0 < len(empty) < len(found["layers"])


def walk(order: str = "file", **changes):
    """The stops of a walk over 80 images in 4 megabatches, at most 5 of them scored."""
    cut = split(80, 80, 4, order=order, val_fraction=0.1, split_seed=0)
    return list(masks_only.masks_only(spec_of(sb=4, arch="resnet8s", **changes), dataset(80), cut, CPU, 5))


def densities(stops) -> list[float]:
    return [masks.density(stop.mask) for stop in stops]


@pytest.mark.parametrize("scope", ["global", "local"])
@pytest.mark.parametrize("criterion", [name for name, criterion in CRITERIA.items() if criterion.steps == 1])
def test_the_released_protocol_loses_more_than_it_asks_for(criterion: str, scope: str) -> None:
    """Fresh scores ANDed with the old mask: nested too, never denser than asked, and from megabatch 2 on sparser."""
    stops = walk(criterion=criterion, scope=scope, protocol="released", tau=4.5)
    kept = densities(stops)
    assert kept[0] == pytest.approx(0.8, abs=1e-3) and kept[-1] < 0.8 * 0.8**4.5
    assert all(masks.is_nested(b.mask, a.mask) for a, b in pairwise(stops))


def test_independent_masks_multiply() -> None:
    """Random scores, drawn anew each time and ANDed under released: .8, .8 x .624, .8 x .624 x .487, ... for T = 4."""
    product = np.cumprod([float(METHODS["app"].schedule(k, 4, 4.5) or 1) for k in range(1, 5)])
    assert densities(walk(criterion="random", protocol="released", tau=4.5)) == pytest.approx(product, rel=0.03)
    assert product[-1] == pytest.approx(0.8 * 0.6167 * 0.4755 * 0.3664, rel=1e-3)


def test_a_walk_scores_at_most_the_images_it_is_given_and_prunes_its_own_network_alone() -> None:
    stops, again = walk("permuted"), walk("permuted")
    assert [stop.score_samples for stop in stops] == [4, 5, 5, 5]  # floor(0.2 * 20), then more than 5
    assert all(torch.equal(a.mask[n], b.mask[n]) for a, b in zip(stops, again, strict=True) for n in a.mask)


def test_a_walk_of_osp_prunes_once_and_of_dense_never() -> None:
    osp = walk("permuted", method="osp", criterion="magnitude", tau=17.5)
    assert [stop.score_samples for stop in osp] == [4, 0, 0, 0]
    assert densities(osp) == pytest.approx([0.8**17.5] * 4, abs=5e-5)
    assert densities(walk("permuted", method="dense")) == [1.0] * 4


def by_hand(*pairs: tuple[float, float]) -> dict:
    """A walk of two layers of 10 weights, densities of both at each megabatch."""
    rows = [
        {"megabatch": k, "density_nominal": 0.8, "density_effective": (a + b) / 2, "density_layers": {"a": a, "b": b}}
        | {"macs_share": (3 * a + b) / 4}
        | {"emptied_layers": [name for name, value in (("a", a), ("b", b)) if value == 0]}
        for k, (a, b) in enumerate(pairs, 1)
    ]
    setting = {"dataset": "digits", "arch": "resnet8s", "sb": len(rows), "train_limit": None}
    walks = [{"protocol": "released", "spec": {}, "wall_seconds": 1.0, "megabatches": rows}]
    return {"setting": setting, "layers": {"a": 10, "b": 10}, "walks": walks}


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("|")[1:-1]]


def test_the_table_shows_densities_the_sparsest_layer_and_what_is_empty() -> None:
    lines = masks_only.to_text(by_hand((0.8, 0.8), (0.5, 0.0))).splitlines()
    assert lines[0] == "masks without training: dataset=digits arch=resnet8s sb=2"
    assert cells(lines[5]) == ["2", "0.8000", "0.2500", "0.3750", "0.0000", "1"]
    assert cells(lines[-1]) == ["b", "10", "0.8000", "empty"]


def test_a_long_stream_shows_some_megabatches_by_layer_first_and_last_among_them() -> None:
    lines = masks_only.to_text(by_hand(*[(0.5, 0.5)] * 100)).splitlines()
    head = next(line for line in lines if "layer, " in line)
    assert cells(head)[2:] == [f"k = {k}" for k in (1, 15, 29, 43, 58, 72, 86, 100)]


@pytest.mark.parametrize(
    ("images", "changes", "key"),
    [
        (1, {"score_fraction": 1.0}, "--images"),
        (101, {"score_fraction": 1.0}, "--images"),
        (1000, {"score_fraction": 0.0038}, "score_fraction"),
    ],
)
def test_a_batch_to_score_that_no_network_can_take_is_refused(bench, images, changes, key) -> None:
    """ResNet-18 ends in maps of one pixel on digits: of 101 images the last batch of 100 is one image."""
    with pytest.raises(ParamsError, match=f"^{key}: "):
        masks_only.audit(specs(arch="resnet18", criterion="snip", **changes), bench.raw, images=images)


def test_on_a_gpu_a_walk_uses_the_kernels_of_a_run(bench, monkeypatch) -> None:
    done = []
    monkeypatch.setattr(masks_only, "configure", done.append)
    monkeypatch.setattr(masks_only, "set_precision", done.append)
    monkeypatch.setattr(masks_only, "masks_only", lambda *given: done.append("walked") or [])
    masks_only.audit(specs(precision="tf32"), bench.raw, "cuda:0", 5)
    assert done == ["cuda:0", "tf32", "walked"]


def test_the_command_walks_both_protocols_in_processes_of_their_own(tmp_path) -> None:
    folder = workspace(tmp_path / "work")
    words = ["audit", "--arch", "resnet8s", "--criterion", "magnitude", "--sb", "2", "--out", "out", "--json"]
    result = app_repro(folder, *words, "-S", "candidates=kept")
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert found == json.loads((folder / "out/audit.json").read_text())
    assert [walked["protocol"] for walked in found["walks"]] == ["paper", "released, candidates=kept"]
    for walked in found["walks"]:
        assert [row["density_effective"] for row in walked["megabatches"]] == pytest.approx([0.8, 0.8**4.5], abs=1e-4)
        assert all(row["density_effective"] < row["macs_share"] < 1 for row in walked["megabatches"])
    kinds = ["csv", "json", "md", "pdf", "png", "svg"]
    assert sorted(path.name for path in (folder / "out").iterdir()) == [f"audit.{kind}" for kind in kinds]
    refused = app_repro(folder, "audit", "--protocol", "paper", "relased")
    assert refused.returncode == 2 and "--protocol relased; did you mean 'released'? known: " in refused.stderr
    refused = app_repro(folder, "audit", "-S", "tua=3")
    assert refused.returncode == 2 and "'tua'; did you mean 'tau'?" in refused.stderr
    text = app_repro(folder, "audit", "--differences", "--store", "store").stdout
    assert text.count("not run") == 6 * 14


def children(pid: int) -> set[str]:
    return set(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


@pytest.mark.slow
def test_no_process_outlives_a_command_that_is_killed(tmp_path) -> None:
    folder = workspace(tmp_path / "work")
    words = ["audit", "--arch", "resnet8s", "--criterion", "synflow", "-S", "sb=60"]
    command = subprocess.Popen([sys.executable, "-m", "app_repro", *words], cwd=folder, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while len(started := children(command.pid)) < 3 and time.monotonic() < deadline:  # two walks and their tracker
        time.sleep(0.1)
    time.sleep(5)
    assert len(started) == 3 and command.poll() is None
    command.kill()
    command.wait()
    while any(Path(f"/proc/{pid}").exists() for pid in started) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(Path(f"/proc/{pid}").exists() for pid in started)


def test_a_data_set_that_is_not_there_is_named(tmp_path) -> None:
    (tmp_path / "params.yaml").write_text(reading.to_yaml(settings()))
    with pytest.raises(DataError, match="cifar10"):
        masks_only.audit_of_params(tmp_path / "params.yaml", tmp_path, {"dataset": "cifar10"}, [], 10)


def test_the_preset_has_exactly_the_runs_of_its_table() -> None:
    """dense, osp, osp(17.5), APP under both protocols, and under released with each switch turned back; three seeds."""
    cells = grid.parse(presets.preset("audit") | {"device": "cpu", "workers": None}).specs
    assert len(cells) == 30 and {cell.seed for cell in cells} == {1, 2, 3}
    common = {(cell.dataset, cell.arch, cell.train_limit, cell.epochs, cell.milestones) for cell in cells}
    assert common == {("cifar10", "resnet20s", 8000, 6, (3, 5))}
    first = [(cell.method, cell.tau, *cell.protocol) for cell in cells if cell.seed == 1]
    turned = ("scored_weights", "candidates", "score_sample", "validation_images", "order")
    back = ("trained", "kept", "replay", "clean", "permuted")
    assert first == [
        ("dense", None, "paper", {}),
        ("osp", 4.5, "paper", {}),
        ("osp", 17.5, "paper", {}),
        ("app", 4.5, "paper", {}),
        ("app", 4.5, "released", {}),
        *(("app", 4.5, "released", {switch: value}) for switch, value in zip(turned, back, strict=True)),
    ]
