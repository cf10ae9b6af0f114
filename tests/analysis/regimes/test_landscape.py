"""The path between two networks: its points, its BatchNorm, its masked weights."""

import json
from pathlib import Path

import pytest
import torch
from tiny import CPU, images_of, steps_for
from torch import nn

from app_repro.analysis.regimes import landscape

GOLDEN = json.loads((Path(__file__).parents[2] / "support/golden/regime.json").read_text())


def test_statistics_are_those_of_the_papers_code() -> None:
    wanted, norm = GOLDEN["bn_reestimation"], nn.BatchNorm1d(1)
    batches = [(torch.tensor(values)[:, None], CPU) for values in ([0.0, 2, 4, 6], [10.0, 14])]
    landscape.remeasure(norm, batches)  # type: ignore[arg-type]
    assert float(norm.running_mean) == wanted["running_mean"] and not norm.training
    assert float(norm.running_var) == pytest.approx(wanted["running_var"], rel=1e-6)


def test_the_path_is_a_straight_line_on_which_masked_weights_stay_0() -> None:
    one, other = (steps_for(seed).net for seed in (1, 2))
    for net in (one, other):
        net.conv1.weight.data[:3] = 0  # type: ignore[union-attr, index]
    before = {name: tensor.clone() for name, tensor in one.state_dict().items()}
    batches = [images_of(40).clean(torch.arange(40))]
    seen = []
    for net in landscape.path(one, other, 5, batches, "fp32"):
        weights = dict(net.named_parameters())
        assert weights["conv1.weight"][:3].eq(0).all()
        seen.append({name: weight.detach().clone() for name, weight in weights.items()})
        assert 0 <= landscape.error(net, batches, "fp32") <= 1
    assert all(seen[0][name].equal(weight) for name, weight in one.named_parameters())
    assert all(seen[-1][name].equal(weight) for name, weight in other.named_parameters())
    middle = (before["conv1.weight"] + dict(other.named_parameters())["conv1.weight"]) / 2
    assert torch.allclose(seen[2]["conv1.weight"], middle)
    assert all(before[name].equal(tensor) for name, tensor in one.state_dict().items())
