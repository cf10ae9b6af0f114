"""Each switch of a spec reaches the place where it acts, at the megabatch it acts in, and no other place."""

from typing import Any

import pytest
import torch
from tiny import CPU, dataset, spec_of
from workbench import prepared

from app_repro.analysis.masks_only import masks_only
from app_repro.data import dataset as data
from app_repro.data import splits
from app_repro.data.megabatches import split
from app_repro.pruning import masks
from app_repro.records.stores.store import Store
from app_repro.training.inputs.images import Images
from app_repro.training.inputs.phases import Phase
from app_repro.training.protocol import phase_of
from app_repro.training.run import Run

PAPER = {"validation": False, "score": False, "scored": 8}
"""Of 40 images replayed at megabatch 2 a fifth is scored, and only what is trained on is varied."""


def second(**switches: Any) -> Phase:
    """Megabatch 2 of 4, 20 images each, under the paper's bundle with `switches` turned."""
    cut = split(80, 80, 4, order="file", val_fraction=0.1, split_seed=0)
    return phase_of(spec_of(sb=4, **switches), cut, Images.load(dataset(80), "train", CPU), 2)


@pytest.mark.parametrize(
    ("switches", "expected"),
    [
        ({}, PAPER),
        ({"validation_images": "augmented"}, PAPER | {"validation": True}),
        ({"score_sample": "head"}, PAPER | {"score": True, "scored": 4}),
        ({"protocol": "released"}, {"validation": True, "score": True, "scored": 4}),
        ({"scored_weights": "fresh", "candidates": "all", "lr_restart": False}, PAPER),
    ],
)
def test_what_is_validated_and_scored_is_varied_where_a_switch_says_so(switches, expected) -> None:
    """Images are shown as they are, or with draws; "head" is a fifth of one megabatch, the stream's first images."""
    phase = second(**switches)
    scored = phase.score_order()
    found = {"validation": phase.validation_order(0).draws is not None, "score": scored.draws is not None}
    assert found | {"scored": len(scored.indices)} == expected
    assert (scored.indices.tolist() == list(range(4))) == expected["score"]


def test_fresh_weights_are_scored_from_megabatch_2_on_and_others_at_each() -> None:
    """The same masks at megabatch 1, others at 2; at 3 the draws are not those of 2."""
    cut = split(80, 80, 3, order="permuted", val_fraction=0.1, split_seed=0)
    trained, fresh = (
        [
            stop.mask
            for stop in masks_only(spec_of(criterion="magnitude", sb=3, scored_weights=how), dataset(80), cut, CPU, 5)
        ]
        for how in ("trained", "fresh")
    )

    def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
        return all(torch.equal(one[name], other[name]) for name in one)

    assert equal(trained[0], fresh[0]) and not equal(trained[1], fresh[1])
    again = spec_of(criterion="magnitude", sb=3, scored_weights="fresh", candidates="all")
    second, third = list(masks_only(again, dataset(80), cut, CPU, 5))[1:]
    left = masks.density(third.mask) / masks.density(second.mask)
    assert left == pytest.approx(0.8**4.5, rel=0.1)  # by draws of its own; by those of 2 it would be .8 ** 1.75


@pytest.mark.parametrize(("restart", "later"), [(True, [0.02, 0.002]), (False, [0.002, 0.002])])
def test_the_learning_rate_of_megabatch_2_starts_again_or_does_not(tmp_path, restart, later) -> None:
    changes = {"method": "dense", "sb": 2, "train_limit": 40, "epochs": 2, "milestones": [1], "lr": 0.02}
    [spec], places = prepared(tmp_path, **changes, lr_restart=restart)
    images, cut = data.load(places.raw / "digits"), splits.load(spec, places.splits)
    results = Run(spec, images, cut, CPU, Store(places.store).folder(spec)).go()
    assert [result["history"]["lr"] for result in results] == [pytest.approx([0.02, 0.002]), pytest.approx(later)]
