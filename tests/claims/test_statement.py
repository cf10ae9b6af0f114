"""Sides and settings written as words."""

import pytest
import synthetic

from app_repro.claims import statement
from app_repro.core.errors import ParamsError


@pytest.mark.parametrize(
    ("side", "expected"),
    [
        ("app", {"method": "app"}),
        ("magnitude", {"criterion": "magnitude"}),
        ("osp tau=17.5", {"method": "osp", "tau": 17.5}),
        ("app lr_restart=false milestones=20|40", {"method": "app", "lr_restart": False, "milestones": [20, 40]}),
    ],
)
def test_a_side_is_a_method_or_criterion_and_settings(side: str, expected: dict[str, object]) -> None:
    assert statement.side_settings(side) == expected


def test_an_unknown_side_names_the_nearest() -> None:
    with pytest.raises(ParamsError, match="did you mean 'dense'"):
        statement.side_settings("dens")


def test_a_claim_s_settings_replace_its_preset_s() -> None:
    claim = synthetic.claim("own-paper-app-beats-osp", settings="protocol=paper epochs=7 seed=1|2|3|4|5")
    assert {spec.epochs for spec in claim.grid.specs} == {7}
    assert statement.seeds(claim) == (1, 2, 3, 4, 5) and statement.protocols(claim) == ("paper",)


def test_units_are_factors_of_the_record_s_value() -> None:
    assert synthetic.claim("c100-r50-acc-vs-dense").scale == 100
    assert synthetic.claim("c100-r50-cer-vs-dense").scale == 1


def test_a_side_is_a_control_arm_only_where_it_names_one_and_its_source_is_run_too() -> None:
    claim = synthetic.claim("own-places-matter")
    plain, shuffled = (statement.side_specs(claim, side, "paper", 1) for side in claim.sides)
    assert [spec.control for spec in (*plain, *shuffled)] == [None, "shuffle"]
    ticket = synthetic.claim("rethinking-ticket-no-gain")
    assert ticket.names_controls and not synthetic.claim("own-paper-app-beats-osp").names_controls
    assert {spec.control for spec in ticket.grid.specs} == {None, "ticket", "scratch-e"}
    assert len(ticket.grid.specs) == 9


@pytest.mark.parametrize(
    ("source", "whose"),
    [
        *(("poster", "paper"), ("abstract of arXiv:2204.01640", "paper"), ("wandb.ai/landskape/APP", "paper")),
        *(("README of the code of arXiv:1810.05270", "another"), ("app-repro", "own")),
    ],
)
def test_a_source_with_another_paper_s_number_is_not_the_paper_s(source: str, whose: str) -> None:
    assert synthetic.claim("size-third", source=source).whose == whose
