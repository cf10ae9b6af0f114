"""Angle, length and margin at the last linear layer: golden values, what is checked on every batch, and summaries."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import images_of
from torch import nn

from app_repro.analysis.corrupted.geometry import Head, Passes, correlations, summary
from app_repro.core.errors import AppReproError, RunError
from app_repro.training.models import networks

GOLDEN = json.loads((Path(__file__).parents[2] / "support/golden/geometry.json").read_text())


def head(weight: list, bias: list) -> Head:
    layer = nn.Linear(len(weight[0]), len(weight)).double()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weight))
        layer.bias.copy_(torch.tensor(bias))
    return Head(layer)


@pytest.mark.parametrize("row", GOLDEN["rows"], ids=lambda row: str(row["x"]))
def test_golden_points(row: dict) -> None:
    features, labels = torch.tensor([row["x"]]).double(), torch.tensor([row["label"]])
    angle, length, margin, _ = (float(value) for value in head(GOLDEN["W"], GOLDEN["b"]).measure(features, labels))
    assert math.isnan(angle) if row["angle"] is None else angle == pytest.approx(math.degrees(row["angle"]), abs=1e-5)
    assert (length, margin) == pytest.approx((row["length"], row["margin"]), rel=1e-12)
    assert (margin > 0) == (row["predicted"] == row["label"])


def test_classes_with_the_same_row_have_no_boundary_with_each_other() -> None:
    features, labels = torch.tensor([[1.0, 0.0]]), torch.tensor([0])
    *_, margin, gap = head([[2.0, 0.0], [2.0, 0.0], [0.0, 0.0]], [0.0, 1.0, 0.0]).measure(features, labels)
    assert float(margin) == 1 and float(gap) == 0  # to the third class; what the twin says is no contradiction


def passes(seed: int = 1) -> Passes:
    net = networks.build("resnet8s", 10, 8, 1, seed).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Passes(net, images_of(4))


def test_a_margin_is_positive_exactly_where_the_network_is_right_over_several_batches(monkeypatch) -> None:
    monkeypatch.setattr("app_repro.analysis.corrupted.geometry.EVALUATION_BATCH", 7)
    images = images_of(40)
    found = passes()(images.pixels.numpy(), images.labels.numpy())
    assert found.correct.any() and not found.correct.all()
    assert np.array_equal(found.margin > 0, found.correct) and (found.length >= 0).all()
    single = [passes()(images.pixels[[at]].numpy(), images.labels[[at]].numpy()).margin[0] for at in range(40)]
    assert found.margin == pytest.approx(np.array(single), abs=1e-5)  # each image in its place


def test_a_margin_that_does_not_fit_is_a_defect_and_infinite_features_are_told() -> None:
    images, broken, infinite = images_of(20), passes(), passes()
    broken.head.weight = -broken.head.weight
    with pytest.raises(AppReproError, match="defect"):
        broken(images.pixels.numpy(), images.labels.numpy())
    with torch.no_grad():
        infinite.net.conv1.weight.fill_(torch.inf)
    with pytest.raises(RunError, match="finite"):
        infinite(images.pixels.numpy(), images.labels.numpy())


def test_a_summary_counts_errors_and_leaves_out_angles_that_are_not_there() -> None:
    images = images_of(30)
    found = passes()(images.pixels.numpy(), images.labels.numpy())
    found.angle[0] = np.nan
    told = summary(found, images.labels.numpy(), 10)
    assert told["images"] == 30 and told["errors"] == int((~found.correct).sum())
    assert told["angle"] == pytest.approx(float(np.nanmean(found.angle)))
    of_class = told["classes"]["length"][int(images.labels[3])]  # type: ignore[index]
    assert of_class == pytest.approx(found.length[images.labels.numpy() == int(images.labels[3])].mean(), rel=1e-5)
    assert "classes" not in summary(found, images.labels.numpy(), 21)


def test_correlations_are_pearsons_and_none_where_nothing_varies() -> None:
    rows = [np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0]), np.array([3.0, 2.0, 1.0]), np.ones(3)]
    assert correlations(rows)[0] == [1.0, 1.0, -1.0, None] and correlations(rows[:1]) == [[1.0]]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_captured_passes_have_the_numbers_of_the_cpu() -> None:
    from dataclasses import replace

    images, device = images_of(700), torch.device("cuda")
    on_gpu = replace(images, **{name: getattr(images, name).to(device) for name in ("pixels", "labels", "mean", "std")})
    net = passes().net.to(device)
    captured = Passes(net, on_gpu)
    first, found = (captured(images.pixels.numpy(), images.labels.numpy()) for _ in range(2))
    assert np.array_equal(first.margin, found.margin)  # replayed
    expected = passes()(images.pixels.numpy(), images.labels.numpy())
    assert found.margin == pytest.approx(expected.margin, abs=1e-3)
