"""Named grids: each is valid, has the size it says, and survives being written as flags."""

import shlex

import pytest
import synthetic
from hydra.core.override_parser.overrides_parser import OverridesParser

from app_repro.config import grid, presets
from app_repro.config.catalogue import CONTROLS
from app_repro.config.spec import RunSpec
from app_repro.core.errors import ParamsError
from app_repro.pruning.criteria import CRITERIA
from app_repro.records import settings

OUTSIDE = {"device": "auto", "workers": None, "tracking": "off", "analyses": None, "keep_weights": "last"}
RUNS = {"short": 54, "demo": 9, "headline": 18, "cifar-small": 3, "long": 9, "fewshot": 9, "pruners": 9, "audit": 30}
RUNS |= {"regime": 360, "regime-gpu": 432}
RUNS |= {"laptop-1": 18, "laptop-2": 15, "laptop-3": 33, "laptop-4": 30, "laptop-6": 9, "laptop-7": 3, "laptop-8": 33}
RUNS |= {"laptop-9": 9}


def cells(name: str) -> tuple[RunSpec, ...]:
    return grid.parse(presets.preset(name) | OUTSIDE).specs


@pytest.mark.parametrize("name", presets.PRESETS)
def test_every_preset_is_valid_and_sets_every_key_of_a_run(name: str) -> None:
    assert cells(name)
    assert set(presets.preset(name)) == set(grid.known_keys()) - set(OUTSIDE)


@pytest.mark.parametrize(("name", "runs"), RUNS.items())
def test_presets_have_the_runs_they_promise(name: str, runs: int) -> None:
    assert len(cells(name)) == runs


def test_the_presets_of_claims_say_what_they_hold() -> None:
    criteria = {cell.criterion for cell in cells("pruners")}
    assert set(CRITERIA) - criteria and all(name in presets.PRESETS["pruners"][0] for name in criteria)
    numbers = [claim for claim in synthetic.committed().values() if claim.preset == "headline" and claim.value]
    assert len(numbers) == 6 and {claim.source for claim in numbers} == {"poster"}
    assert "the poster's six numbers" in presets.PRESETS["headline"][0]


def test_what_the_presets_are_about() -> None:
    assert {(cell.dataset, cell.arch) for cell in cells("headline")} == {("cifar100", "resnet50")}
    assert {cell.protocol[0] for cell in cells("headline")} == {"paper", "released"}
    assert {cell.sb for cell in cells("long")} == {100} and {cell.sb for cell in cells("fewshot")} == {10}
    assert {cell.few_shot for cell in cells("fewshot")} == {540}
    assert {cell.dataset for cell in cells("demo")} == {"digits"}
    assert {cell.method for cell in cells("pruners")} == {"app"}


def test_the_campaign_asks_for_no_run_that_says_nothing_new() -> None:
    """No ticket of osp, which is osp again; beside channels and N:M single weights that differ in one thing alone."""
    arms = {(cell.method, cell.control) for cell in cells("laptop-3") if cell.control}
    assert arms == {*(("app", arm) for arm in CONTROLS), *(("osp", arm) for arm in CONTROLS if arm != "ticket")}
    kept = [cell for cell in cells("laptop-4") if cell.tau]
    alike = {(c.method, settings.key_without(c.model_dump(mode="json"), True, "granularity")) for c in kept}
    assert len(kept) == 18 and len(alike) == 2
    assert {cell.nm_schedule for cell in cells("laptop-4") if not cell.tau} == {"stepwise"}
    sources = {cell.run_id for cell in cells("laptop-3") if not cell.control}
    assert sources < {cell.run_id for cell in cells("laptop-1")}


@pytest.mark.parametrize("name", presets.PRESETS)
def test_flags_survive_the_shell_and_hydra(name: str) -> None:
    words = presets.flags(name).split(" ")
    assert words[::2] == ["-S"] * (len(words) // 2)
    assert shlex.split(presets.flags(name)) == words  # nothing that a shell would quote
    parsed = OverridesParser.create().parse_overrides(words[1::2])  # what `dvc exp run -S` reads them with
    assert {override.key_or_group: override.value() for override in parsed} == presets.preset(name)


def test_lists_and_nested_settings_are_written_without_spaces() -> None:
    assert presets.override([{"method": "osp", "tau": 17.5}, None, True]) == "[{method:osp,tau:17.5},null,true]"


def test_an_unknown_preset_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ParamsError, match=r"^no preset 'headlines'; did you mean 'headline'\? known: short, [^\n]*$"):
        presets.preset("headlines")


def test_the_listing_has_a_line_a_preset_and_a_preset_is_a_copy() -> None:
    lines = presets.listing().splitlines()
    assert [line.split()[0] for line in lines] == list(presets.PRESETS)
    presets.preset("demo")["seed"] = 99
    assert presets.preset("demo")["seed"] == [1, 2, 3]


def test_a_preset_that_is_changed_changes_no_other() -> None:
    presets.preset("demo")["seed"].append(4)
    assert presets.preset("demo")["seed"] == [1, 2, 3]
