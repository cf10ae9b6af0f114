"""Masks over two tiny layers."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn, tensor

from app_repro.pruning import masks

A = {"a": tensor([[True, False], [True, True]]), "b": tensor([False, False])}
B = {"a": tensor([[True, True], [False, True]]), "b": tensor([True, False])}


def test_counts_size_and_density() -> None:
    assert masks.kept(A) == {"a": 3, "b": 0} and masks.size(A) == 6 and masks.density(A) == 0.5


def test_a_full_mask_keeps_everything_in_the_shape_of_the_weights() -> None:
    mask = masks.full({"a": torch.zeros(2, 3)})
    assert mask["a"].dtype == torch.bool and mask["a"].shape == (2, 3) and masks.density(mask) == 1


def test_an_intersection_keeps_what_both_keep_and_is_nested_in_each() -> None:
    both = masks.intersect(A, B)
    assert both["a"].tolist() == [[True, False], [False, True]] and both["b"].tolist() == [False, False]
    assert masks.is_nested(both, A) and masks.is_nested(both, B)
    assert not masks.is_nested(A, B) and not masks.is_nested(B, A)


def test_pruned_weights_become_plus_zero_whatever_they_were() -> None:
    weights = {"a": tensor([-1.0, -0.0, torch.inf, torch.nan, 5.0])}
    masks.zero_pruned(weights, {"a": tensor([False, False, False, False, True])})
    assert weights["a"].tolist() == [0, 0, 0, 0, 5] and not torch.signbit(weights["a"]).any()


def test_kept_infinities_stay_infinite() -> None:
    weights = {"a": tensor([torch.inf, -0.0])}
    masks.zero_pruned(weights, {"a": tensor([True, True])})
    assert weights["a"].tolist() == [torch.inf, 0] and torch.signbit(weights["a"]).tolist() == [False, True]


def test_a_mask_holds_while_every_pruned_weight_is_exactly_zero() -> None:
    mask = {"a": tensor([True, False])}
    assert masks.holds({"a": tensor([3.0, -0.0])}, mask)
    assert not masks.holds({"a": tensor([3.0, 1e-45])}, mask)
    assert not masks.holds({"a": tensor([3.0, torch.nan])}, mask)


def test_gradients_of_pruned_weights_become_zero_and_a_missing_one_is_a_defect() -> None:
    weights = {"a": nn.Parameter(tensor([1.0, 2.0]))}
    with pytest.raises(AssertionError, match=r"^a "):
        masks.clear_pruned(weights, {"a": tensor([False, True])})
    weights["a"].grad = tensor([3.0, float("inf")])
    masks.clear_pruned(weights, {"a": tensor([False, True])})
    assert weights["a"].grad.tolist() == [3, 0]


def test_eight_weights_share_a_byte() -> None:
    packed = masks.pack({"a": tensor([[True] * 3, [False] * 3, [True] * 3])})
    assert packed["a"].dtype == torch.uint8 and packed["a"].tolist() == [0b11100011, 0b10000000]


@given(st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=4), min_size=1, max_size=3), st.integers(0, 99))
def test_packing_and_unpacking_give_the_mask_back(shapes: list[list[int]], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    mask = {str(i): torch.rand(shape, generator=generator) < 0.5 for i, shape in enumerate(shapes)}
    back = masks.unpack(masks.pack(mask), {name: torch.empty(layer.shape) for name, layer in mask.items()})
    assert list(back) == list(mask) and all(torch.equal(back[name], mask[name]) for name in mask)
