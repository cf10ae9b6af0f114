"""Every combination of granularity, method, criterion, scope, flow, schedule and protocol: trained, or refused."""

import itertools
from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny import dataset
from workbench import settings

from app_repro.config import grid
from app_repro.config.catalogue import CRITERIA, FLOWS, GRANULARITIES
from app_repro.config.methods import METHODS
from app_repro.config.protocols import PROTOCOLS
from app_repro.config.spec import RunSpec
from app_repro.core.errors import ParamsError
from app_repro.data.megabatches import split
from app_repro.pruning import criteria, masks
from app_repro.records.stores.store import RunFolder
from app_repro.training.run import Run

AXES: dict[str, tuple[Any, ...]] = {
    "granularity": tuple(GRANULARITIES),
    "method": tuple(METHODS),
    "criterion": (*CRITERIA, None),
    "scope": ("global", "local"),
    "flow": (None, *FLOWS),
    "nm_n": (1, None),
    "nm_schedule": (None, "geometric"),
    "protocol": tuple(PROTOCOLS),
}
FIXED = {"nm_m": 4, "tau": 3.0, "sb": 2, "epochs": 1, "milestones": [], "train_limit": None, "batch_size": 8}
NAMES = (*AXES, "candidates", "tau")


def walked() -> tuple[dict[str, RunSpec], list[tuple[dict[str, Any], ParamsError]]]:
    """The runs that the combinations make, by id, and the combinations that are refused, with why."""
    specs: dict[str, RunSpec] = {}
    refused = []
    for values in itertools.product(*AXES.values()):
        chosen = dict(zip(AXES, values, strict=True))
        try:
            spec = grid.parse(settings(**FIXED, **chosen)).specs[-1]
            specs.setdefault(spec.run_id, spec)
        except ParamsError as error:
            refused.append((chosen, error))
    return specs, refused


@pytest.fixture(scope="module")
def combinations():
    return walked()


def test_a_refusal_names_two_settings_that_do_not_go_together(combinations) -> None:
    _, refused = combinations
    assert refused
    for chosen, error in refused:
        text = str(error)
        named = {name for name in NAMES if name in text}
        assert "\n" not in text and error.key in named and len(named) >= 2, text
        assert chosen["method"] != "dense"
        if chosen["granularity"] != "nm":
            assert chosen["criterion"] is None


def test_every_other_combination_trains_two_megabatches_with_its_invariant_held(
    combinations, tmp_path, monkeypatch
) -> None:
    specs, _ = combinations
    monkeypatch.setitem(criteria.CRITERIA, "synflow", replace(criteria.CRITERIA["synflow"], steps=3))  # of 100: minutes
    data, parts = dataset(20), split(20, 20, 2, order="permuted", val_fraction=0.2, split_seed=0)
    for spec in specs.values():
        run = Run(spec, data, parts, torch.device("cpu"), RunFolder(tmp_path / spec.run_id))
        results = run.go()  # raises where a mask is not what the run's granularity says
        assert len(results) == 2, spec
        assert masks.density(run.mask) < 1 or spec.method == "dense", spec
        if spec.granularity != "channel":
            assert masks.holds(masks.prunable(run.net), run.mask)
            assert (results[-1].get("flow") is not None) == (spec.granularity == "nm")
