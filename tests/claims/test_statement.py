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
