"""Flows of gradients to pruned weights against the public autograd functions."""

import pytest
import torch
from released import PATTERNS
from torch import Tensor, nn, tensor

from app_repro.pruning import nm
from app_repro.training.updates.energies import GradientSums
from app_repro.training.updates.flows import Blocked, FlowSettings, Live

S1 = PATTERNS["S1"]
FLOWS = {
    "ste": FlowSettings("ste", 4),
    "srste": FlowSettings("srste", 4, decay=2e-4),
    "mdgf_exp_straight": FlowSettings("mdgf_exp", 4, rate=2.0),
    "mdgf_linear_damped": FlowSettings("mdgf_linear", 4, rate=2.0, damped=True),
}
"""As in the golden trajectories: beta falls by 0.5 a step, of four steps."""


def layer(values: list) -> nn.Parameter:
    """Rows as output channels of a 1x1 convolution, float64."""
    found = tensor(values, dtype=torch.float64)
    return nn.Parameter(found.view(*(found.shape if found.dim() > 1 else (1, -1)), 1, 1))


def furthest(found: Tensor, expected: list) -> float:
    return float((found.detach().flatten() - tensor(expected, dtype=torch.float64).flatten()).abs().max())


def step(flow: Live, weight: nn.Parameter, upstream: Tensor, share: float = 0.0) -> None:
    """Up to the optimiser, which is left out."""
    flow.set_share(share)
    flow.before_forward()
    weight.grad = upstream.to(weight).view_as(weight).clone()


@pytest.mark.parametrize("key", [key for key in S1["forward_backward"] if key.startswith(("linear", "exp"))])
def test_golden_forwards_and_backwards_of_decaying_flows(key: str) -> None:
    kind, _, at = key.split("_")
    weight = layer([0.9, -0.1, 0.4, -0.5])
    flow = Live({"w": weight}, FlowSettings(f"mdgf_{kind}", 4, rate=1.0))
    flow.set_pattern(2, 4)
    step(flow, weight, tensor([1.0, 2.0, 3.0, 4.0]), int(at.removeprefix("s")) / 100)
    expected = S1["forward_backward"][key]
    assert furthest(weight, expected["forward"]) < 1e-7  # as many digits as they are written with
    flow.before_step()
    assert furthest(weight.grad, expected["grad"]) == 0


@pytest.mark.parametrize(
    ("settings", "share", "expected"),
    [
        (FlowSettings("ste", 4), 0, S1["forward_backward"]["ste_step_2of4"]["grad"]),
        (FLOWS["srste"], 0, S1["forward_backward"]["srste_2of4_lambda2e-4"]["grad"]),
        (FlowSettings("mdgf_linear", 4, rate=1.0, damped=True), 0.25, S1["forward_backward"]["damped_grad_linear_s25"]),
    ],
)
def test_golden_backwards_of_the_others(settings: FlowSettings, share: float, expected: list[float]) -> None:
    weight = layer([0.9, -0.1, 0.4, -0.5])
    flow = Live({"w": weight}, settings)
    flow.set_pattern(2, 4)
    step(flow, weight, tensor([1.0, 2.0, 3.0, 4.0]), share)
    flow.before_step()
    assert furthest(weight.grad, expected) < 1e-6


@pytest.mark.parametrize("name", ["ste", "mdgf_exp_straight", "mdgf_linear_damped"])
def test_golden_trajectories(name: str) -> None:
    golden = S1["trajectories"]
    weight, target = layer(golden["weight"]), layer(golden["target"]).detach()
    flow = Live({"w": weight}, FLOWS[name])
    flow.set_pattern(2, 4)
    sgd = torch.optim.SGD([weight], 0.1, 0.9, weight_decay=0.01)
    # the public mask is float32, and so is its product with a beta that float32 cannot hold
    close = 1e-8 if "exp" in name else 1e-9
    for number, expected in enumerate(golden[name]):
        flow.set_share(number / 4)
        flow.before_forward()
        assert furthest(weight, expected["effective"]) < close
        sgd.zero_grad()
        (0.5 * (weight - target).square().sum()).backward()
        flow.before_step()
        assert furthest(weight.grad, expected["grad_dense"]) < close
        sgd.step()
        flow.after_step()
        assert furthest(flow.dense["w"], expected["dense_after"]) < close
        assert torch.equal(flow.mask["w"].flatten(), tensor(expected["mask_after"]).flatten() == 1)


@pytest.mark.parametrize("name", FLOWS)
@pytest.mark.parametrize("pattern", [(2, 4), (1, 4), (8, 16), (4, 4)])
def test_between_steps_pruned_weights_are_zero_and_every_group_is_exact(name: str, pattern: tuple[int, int]) -> None:
    torch.manual_seed(0)
    weights = {"stem": nn.Parameter(torch.randn(4, 3, 3, 3)), "w": nn.Parameter(torch.randn(4, 12, 3, 3))}
    before = {name: weight.detach().clone() for name, weight in weights.items()}
    flow = Live(weights, FLOWS[name])
    flow.set_pattern(*pattern)
    sgd = torch.optim.SGD(weights.values(), 0.5, 0.9, weight_decay=0.01)
    addresses = [tensor.data_ptr() for tensor in [*weights.values(), *flow.changed]]
    for number in range(6):
        flow.set_share(number / 6)
        flow.before_forward()
        sum((weight - 1).square().sum() for weight in weights.values()).backward()
        flow.before_step()
        sgd.step()
        flow.after_step()
        sgd.zero_grad()
        nm.check(flow.mask, *pattern, 4)
        for layer_name, mask in flow.mask.items():
            assert not bool(weights[layer_name][~mask].any())
        assert torch.equal(weights["w"][flow.mask["w"]], flow.dense["w"][flow.mask["w"]])
    assert [tensor.data_ptr() for tensor in [*weights.values(), *flow.changed]] == addresses
    assert not torch.equal(weights["stem"], before["stem"]) and list(flow.dense) == ["w"]


def test_without_pruned_weights_a_flow_changes_nothing() -> None:
    """Before the pruning of a method that prunes late the pattern is m of m."""
    runs = []
    for settings in (None, *FLOWS.values()):
        torch.manual_seed(1)
        weight = nn.Parameter(torch.randn(2, 4, 1, 1))
        flow = Live({"w": weight}, settings) if settings else None
        sgd = torch.optim.SGD([weight], 0.1, 0.9, weight_decay=0.01)
        for _ in range(3):
            sgd.zero_grad()
            (weight - 1).square().sum().backward()
            if flow:
                flow.before_step()
            sgd.step()
            if flow:
                flow.after_step()
        runs.append(weight.detach())
    assert all(torch.equal(runs[0], found) for found in runs[1:])


def test_a_blocked_flow_sums_the_gradients_that_it_clears() -> None:
    weight = nn.Parameter(torch.ones(1, 4, 1, 1))
    flow = Blocked({"w": weight}, {"w": torch.ones_like(weight)}, GradientSums({"w": weight}, 4))
    flow.set_mask({"w": tensor([True, False, True, False]).view_as(weight)})
    weight.grad = tensor([1.0, 2.0, 3.0, 4.0]).view_as(weight)
    flow.before_step()
    assert weight.grad.flatten().tolist() == [1, 0, 3, 0] and flow.momentum["w"].flatten().tolist() == [1, 0, 1, 0]
    assert flow.sums is not None and flow.sums.sums["w"].flatten().tolist() == [1, 2, 3, 4]
