"""N:M masks: golden ones, ties, rests, and whatever hypothesis thinks of against sorting each group by hand."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from released import PATTERNS
from torch import Tensor, nn, tensor

from app_repro.pruning import masks, nm
from app_repro.pruning.select import PruningError
from app_repro.training.models import networks

S1 = PATTERNS["S1"]
OURS, PUBLIC = S1["our_masks"], S1["public_masks"]


def row(values: list[float]) -> Tensor:
    """One output channel of a 1x1 convolution."""
    return tensor(values).view(1, -1, 1, 1)


def bits(scores: Tensor, n: int, m: int) -> list[int]:
    return nm.highest(scores, n, m).flatten().int().tolist()


@pytest.mark.parametrize("pattern", OURS["weight_4x8_as_1x1_conv"])
def test_golden_masks_of_a_matrix(pattern: str) -> None:
    weight = tensor(PUBLIC["weight_4x8"]).view(4, 8, 1, 1).abs()
    expected = tensor(OURS["weight_4x8_as_1x1_conv"][pattern]).flatten().tolist()
    assert bits(weight, *map(int, pattern.split(":"))) == expected


def test_golden_masks_of_convolutions_ties_and_rests() -> None:
    conv = tensor(PUBLIC["conv_2x4x2x1"]).abs()
    assert nm.highest(conv, 2, 4).int().tolist() == OURS["conv_2x4x2x1 2:4"] == PUBLIC["conv_mask_2of4"]
    twelve = row(OURS["row_of_12"])
    assert bits(twelve, 4, 8) == OURS["row_of_12 4:8 (rest of 4 keeps 2)"]
    assert bits(twelve, 4, 16) == OURS["row_of_12 4:16 (one group of 12 keeps 3)"]
    assert bits(row([1.0] * 4), 2, 4) == OURS["ones 2:4"]
    assert bits(row([0.0, 0.0, 0.0, 1.0]), 2, 4) == OURS["[0,0,0,1] 2:4"]
    with pytest.raises(PruningError):
        nm.highest(row([1.0] * 6), 1, 4)  # of the two that are left half a weight would be kept


def by_hand(scores: Tensor, n: int, m: int) -> Tensor:
    """Each group sorted by (-score, index), in plain Python."""
    mask = torch.zeros(scores.shape, dtype=torch.bool)
    outputs, inputs, height, width = scores.shape
    for o, y, x in itertools.product(range(outputs), range(height), range(width)):
        for first in range(0, inputs, m):
            group = range(first, min(first + m, inputs))
            best = sorted(group, key=lambda i: (-float(scores[o, i, y, x]), i))[: len(group) * n // m]
            mask[o, best, y, x] = True
    return mask


@st.composite
def layers(draw) -> tuple[Tensor, int, int, int]:
    """Scores with many ties, n, m of a pattern in force, and the final m."""
    m = draw(st.sampled_from([2, 3, 4, 5, 8, 9, 16, 32]))
    n, longer, groups = draw(st.integers(1, m)), draw(st.sampled_from([1, 2, 4, 8])), draw(st.integers(1, 3))
    shape = (draw(st.integers(1, 3)), groups * m, draw(st.integers(1, 3)), draw(st.integers(1, 2)))
    different = draw(st.sampled_from([1, 3, 1000]))
    seed = draw(st.integers(0, 2**31))
    drawn = torch.randint(0, different, shape, generator=torch.Generator().manual_seed(seed)).float()
    if draw(st.booleans()):
        drawn = drawn.contiguous(memory_format=torch.channels_last)
    return drawn, n * longer, m * longer, m


@given(layers())
def test_every_group_keeps_its_best_and_of_equals_the_first(layer) -> None:
    scores, n, m, final_m = layer
    mask = nm.highest(scores, n, m)
    assert torch.equal(mask, by_hand(scores, n, m))
    nm.check({"layer": mask}, n, m, final_m)
    assert int(mask.sum()) * m == n * mask.numel()  # also where the last group is shorter


@given(layers())
def test_a_group_that_keeps_another_number_is_found(layer) -> None:
    scores, n, m, final_m = layer
    mask = nm.highest(scores, n, m)
    mask[0, 0, 0, 0] ^= True
    with pytest.raises(PruningError):
        nm.check({"layer": mask}, n, m, final_m)
    if not bool(mask[0, 0, 0, 0]):
        nm.check({"layer": mask}, n, m, final_m, at_most=True)


def test_counting_and_sorting_give_the_same_masks(monkeypatch) -> None:
    scores = torch.randint(0, 5, (8, 16, 3, 3)).float()
    counted = [nm.highest(scores, n, m) for n, m in ((1, 4), (3, 4), (1, 8), (5, 8))]
    monkeypatch.setattr(nm, "COUNTED", 0)
    assert all(map(torch.equal, counted, (nm.highest(scores, n, m) for n, m in ((1, 4), (3, 4), (1, 8), (5, 8)))))


def test_two_of_four_is_the_mask_of_torch() -> None:
    """torch.ao.pruning cuts its blocks along the last dimension of (O, kh, kw, I), as is done here by definition."""
    from torch.ao.pruning import WeightNormSparsifier

    conv = nn.Conv2d(16, 8, 3)
    linear = nn.Sequential(nn.Linear(16, 8 * 3 * 3, bias=False))
    linear[0].weight.data = conv.weight.data.permute(0, 2, 3, 1).reshape(-1, 16).contiguous()
    sparsifier = WeightNormSparsifier(sparsity_level=1.0, sparse_block_shape=(1, 4), zeros_per_block=2)
    sparsifier.prepare(linear, [{"tensor_fqn": "0.weight"}])
    sparsifier.step()
    theirs = linear[0].parametrizations.weight[0].mask.bool().view(8, 3, 3, 16).permute(0, 3, 1, 2)
    assert torch.equal(nm.highest(conv.weight.detach().abs(), 2, 4), theirs)


@pytest.mark.parametrize("arch", ["resnet8s", "resnet20s"])
def test_effective_densities_count_the_layers_that_take_no_part(arch: str) -> None:
    weights = masks.prunable(networks.build(arch, 10, 32))
    for pattern, kept in S1["effective_density"][arch].items():
        if pattern != "prunable":
            n, m = map(int, pattern.split(":"))
            mask = nm.select({name: weight.detach().abs() for name, weight in weights.items()}, n, m, m)
            assert sum(masks.kept(mask).values()) == kept
            dense = 1 if m < 32 else S1["effective_density"]["exempt layers"][f"{arch} 1:32"]
            assert len(nm.exempt(weights, m)) == dense
            nm.check(mask, n, m, m)
    assert masks.size(mask) == S1["effective_density"][arch]["prunable"]
