"""What holds of every run there can be: settings are drawn, runs are trained or walked, nothing is chosen by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torture import times
from workbench import prepared

from app_repro.analysis.masks_only import masks_only
from app_repro.config import grid, methods, presets
from app_repro.config.spec import RunSpec
from app_repro.core import files
from app_repro.data import dataset, splits
from app_repro.data.megabatches import phase, split
from app_repro.pruning import masks
from app_repro.records import record
from app_repro.records.stores.store import RunFolder
from app_repro.training.run import Run

SWITCHES = {
    "scored_weights": ["trained", "fresh"],
    "candidates": ["kept", "all"],
    "score_sample": ["replay", "head"],
    "validation_images": ["clean", "augmented"],
    "order": ["permuted", "file"],
    "lr_restart": [True, False],
}


@st.composite
def pruned(draw: Any, **fixed: Any) -> dict[str, Any]:
    """Settings of a run on some dozens of digits: method, criterion, scope, switches, density, stream, optimizer."""
    megabatches = draw(st.integers(2, 4))
    drawn = {
        "method": draw(st.sampled_from(["dense", "osp", "app"])),
        "criterion": draw(st.sampled_from(["snip", "magnitude", "random"])),
        "scope": draw(st.sampled_from(["global", "local"])),
        "replay": draw(st.sampled_from(["full", "none", "last", "buffer"])),
        "buffer_size": draw(st.integers(1, 60)),
        "tau": draw(st.floats(1, 25)),
        "sb": megabatches,
        "seed": draw(st.integers(0, 2**63 - 1)),
        "momentum": draw(st.sampled_from([0.0, 0.5, 0.9])),
        "weight_decay": draw(st.sampled_from([0.0, 1e-4, 0.1])),
        "lr": draw(st.sampled_from([0.001, 0.1, 1.0])),
        "batch_size": draw(st.integers(4, 20)),
        "score_fraction": draw(st.floats(0.05, 1)),
        "val_fraction": draw(st.sampled_from([0.1, 0.3, 0.5])),
        "train_limit": 20 * megabatches,
    }
    return drawn | {name: draw(st.sampled_from(values)) for name, values in SWITCHES.items()} | fixed


@pytest.fixture(scope="module")
def spec_for(tmp_path_factory) -> Callable[[dict[str, Any]], tuple[RunSpec, Any]]:
    """A spec with these settings, and its data set."""
    [base], places = prepared(tmp_path_factory.mktemp("digits"), method="app", epochs=1, milestones=[], test_limit=20)
    digits = dataset.load(places.raw / "digits")

    def make(changes: dict[str, Any]) -> tuple[RunSpec, Any]:
        given_ = {name: value for name, value in changes.items() if name != "buffer_size"}
        given_ |= {"buffer_size": changes["buffer_size"]} if changes["replay"] == "buffer" else {}
        outside = {"device": "cpu", "workers": None, "epochs": 1, "milestones": [], "test_limit": 20}
        spec = grid.parse(presets.preset("demo") | outside | given_).specs[0]
        return spec.model_copy(update={"data_digest": base.data_digest}), (digits, splits.cut(spec, places.raw))

    return make


@pytest.mark.promise
@settings(max_examples=times(15, 200))
@given(changes=pruned())
def test_pruned_weights_are_exactly_zero_after_every_step_of_every_method(spec_for, tmp_path_factory, changes) -> None:
    spec, (digits, parts) = spec_for(changes)
    keeper, seen = RunFolder(tmp_path_factory.mktemp("run")), []
    run = Run(spec, digits, parts, torch.device("cpu"), keeper, should_stop=lambda: look())

    def look() -> bool:
        weights = masks.prunable(run.net)
        exact = all(int((weights[name][~layer] == 0).sum()) == int((~layer).sum()) for name, layer in run.mask.items())
        seen.append(exact and masks.holds(run.steps.momentum, run.mask))
        return False

    run.go()
    steps = sum(-(-item["train_samples"] // spec.batch_size) for item in run.results)
    # beside steps and scored batches, per megabatch: three evaluations of a batch, and the end of the epoch
    assert len(seen) >= steps + 4 * spec.sb and all(seen)
    pruned_at_all = any(not bool(layer.all()) for layer in run.mask.values())
    assert pruned_at_all == (spec.method != "dense")


@pytest.mark.promise
@settings(max_examples=times(15, 200))
@given(
    changes=pruned(scored_weights="trained", candidates="kept", score_sample="replay").filter(
        lambda drawn: drawn["method"] != "dense"
    )
)
def test_under_paper_the_density_never_rises_and_is_within_one_weight_of_the_schedule(spec_for, changes) -> None:
    spec, (digits, parts) = spec_for(changes)
    before = None
    for stop in masks_only(spec, digits, parts, torch.device("cpu"), score_limit=4):
        asked = methods.nominal_density(spec.method, stop.megabatch, spec.sb, spec.tau)
        kept = masks.kept(stop.mask)
        if spec.scope == "global":
            assert abs(sum(kept.values()) - asked * masks.size(stop.mask)) <= 1
        else:
            assert all(abs(kept[name] - asked * layer.numel()) <= 1 for name, layer in stop.mask.items())
        assert before is None or masks.is_nested(stop.mask, before)
        before = stop.mask
    assert before is not None


@pytest.mark.promise
@settings(max_examples=times(50, 200))
@given(
    st.data(),
    st.integers(10, 500),
    st.sampled_from(["full", "none", "last", "buffer"]),
    st.floats(0.01, 0.99),
    st.sampled_from(["permuted", "file"]),
    st.integers(0, 2**62),
)
def test_megabatches_share_no_image_and_together_are_the_data_set(drawn, images, replay, share, order, seed) -> None:
    megabatches = drawn.draw(st.integers(1, images // 2))
    size = images // megabatches
    assume(1 <= int(share * size) + (share * size % 1 > 0) < size)
    parts = split(images, 10, megabatches, order=order, val_fraction=share, split_seed=seed)
    whole = [np.concatenate(pair) for pair in zip(parts.train, parts.validation, strict=True)]
    assert [len(part) for part in whole] == [size] * megabatches
    together = np.concatenate(whole)
    assert len(np.unique(together)) == len(together) == megabatches * size  # no two share an image, none has one twice
    assert set(together.tolist()) <= set(range(images)) and images - len(together) < megabatches
    size_of_buffer = drawn.draw(st.integers(1, images)) if replay == "buffer" else None
    for k in (1, megabatches):
        now = phase(parts, k, replay=replay, seed=seed, val_fraction=share, buffer_size=size_of_buffer)
        assert not set(now.train.tolist()) & set(now.validation.tolist())
        assert set(whole[k - 1].tolist()) <= set(now.train.tolist()) | set(now.validation.tolist())
    if replay == "full":
        assert sorted([*now.train, *now.validation]) == sorted(together)


POSITIVE = st.integers(1, 10**9)
RATE = st.floats(1e-9, 1000)
OTHER = {
    "dataset": st.sampled_from(["digits", "cifar10", "cifar100", "folder:/a", "folder:/b c"]),
    "data_digest": st.text("0123456789abcdef", min_size=64, max_size=64),
    "augmentation": st.sampled_from(["pad 4, flip", "pad 1", "resized", ""]),
    "image_size": st.integers(8, 1024) | st.none(),
    "few_shot": POSITIVE | st.none(),
    "arch": st.sampled_from(["resnet8s", "resnet20s", "resnet18", "resnet50", "vgg16_bn"]),
    "method": st.sampled_from(["dense", "osp", "app"]),
    "seed": st.integers(0, 2**63 - 1),
    "sb": st.integers(1, 100_000),
    "tau": RATE | st.none(),
    "criterion": st.sampled_from(["snip", "magnitude", "random"]) | st.none(),
    "scope": st.sampled_from(["global", "local"]) | st.none(),
    "replay": st.sampled_from(["full", "none", "last", "buffer"]),
    "buffer_size": POSITIVE | st.none(),
    **{name: st.sampled_from(values) for name, values in SWITCHES.items()},
    "split_seed": st.integers(0, 2**63 - 1),
    "epochs": POSITIVE,
    "batch_size": st.integers(2, 10**6),
    "lr": RATE,
    "momentum": st.floats(0, 0.999),
    "weight_decay": st.floats(0, 1000),
    "milestones": st.sets(POSITIVE, max_size=5).map(lambda epochs: tuple(sorted(epochs))),
    "gamma": st.floats(1e-6, 1),
    "score_fraction": st.floats(1e-6, 1) | st.none(),
    "val_fraction": st.floats(1e-6, 0.999),
    "train_limit": POSITIVE | st.none(),
    "test_limit": POSITIVE | st.none(),
    "precision": st.sampled_from(["fp32", "tf32", "bf16"]),
    "engine": st.sampled_from(["eager", "graph", "compiled"]),
    "control": st.sampled_from(["ticket", "scratch-e", "scratch-b", "shuffle", "random", None]),
    "budget_cap": st.floats(1, 1000) | st.none(),
    "sgd_seed": st.integers(1, 2**63 - 1) | st.none(),
    "branch": st.integers(1, 10**9) | st.none(),
    "granularity": st.sampled_from(["channel", "nm", None]),
    "nm_m": st.integers(2, 128) | st.none(),
    "nm_n": st.integers(1, 127) | st.none(),
    "nm_schedule": st.sampled_from(["stepwise", "geometric", None]),
    "flow": st.sampled_from(["none", "ste", "srste", "mdgf_linear", "mdgf_exp", None]),
    "flow_rate": RATE | st.none(),
    "flow_gradient": st.sampled_from(["damped", "straight", None]),
    "srste_lambda": st.floats(0, 1000) | st.none(),
    "threads": st.integers(2, 1024) | st.none(),
}
"""Any value of any field."""
SPECS = st.fixed_dictionaries(OTHER)


@pytest.mark.promise
@settings(max_examples=times(20, 200))
@given(fields=SPECS, others=SPECS)
def test_run_ids_differ_when_any_field_does(fields, others) -> None:
    assert set(OTHER) == set(RunSpec.model_fields)
    spec = RunSpec(**fields)
    changed = {name: RunSpec(**fields | {name: value}) for name, value in others.items() if value != fields[name]}
    ids = [spec.run_id, *(one.run_id for one in changed.values())]
    assert len(set(ids)) == len(changed) + 1
    assert RunSpec(**fields).run_id == spec.run_id


NUMBERS = st.floats(0, 1) | st.sampled_from([0.1 + 0.2, 1 / 3, 5e-324, 1e300])


@pytest.mark.promise
@settings(max_examples=times(20, 200))
@given(fields=SPECS, drawn=st.data())
def test_records_come_back_from_the_disk_as_they_were(tmp_path_factory, fields, drawn) -> None:
    spec = RunSpec(**fields)
    layers = drawn.draw(st.dictionaries(st.text(max_size=8), st.integers(1, 10**9), min_size=1, max_size=4))
    network = {
        "parameters": sum(layers.values()),
        "layers": {name: {"weights": weights, "flops": 2 * weights} for name, weights in layers.items()},
        "other_flops": drawn.draw(st.integers(0, 10**12)),
    }
    rates = ("density_nominal", "density_effective", "generalisation_gap", "gap_test", "test_loss")
    counts = {"test_samples": 100, "train_samples": 10, "trained_samples": 10**12, "test_errors": 7}
    megabatches = [
        {
            "megabatch": k,
            "kept": [drawn.draw(st.integers(0, weights)) for weights in layers.values()],
            "timing": {"wall_seconds": drawn.draw(NUMBERS)},
            **counts,
            **{name: drawn.draw(NUMBERS) for name in rates},
        }
        for k in range(1, drawn.draw(st.integers(1, 3)) + 1)
    ]
    free = st.dictionaries(st.text(max_size=5), st.none() | st.booleans() | st.integers() | NUMBERS | st.text())
    diverged = drawn.draw(st.none() | st.just({"megabatch": 1, "epoch": 2}))
    about = {"data_source": drawn.draw(free), "files": {}, "provenance": drawn.draw(free), "diverged": diverged}
    content = record.make(spec, megabatches, network, **about)
    path = tmp_path_factory.mktemp("record") / "record.json"
    files.write_sealed(path, content)
    assert record.read(path) == content
    assert RunSpec.model_validate(record.read(path)["spec"]) == spec
