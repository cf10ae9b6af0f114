import pytest

from app_repro.config import protocols
from app_repro.config.protocols import PROTOCOLS, SWITCHES


def test_protocols_name_the_same_switches_and_each_switch_is_explained() -> None:
    assert {tuple(switches) for switches in PROTOCOLS.values()} == {SWITCHES}
    assert tuple(protocols.MEANING) == SWITCHES


@pytest.mark.parametrize("name", PROTOCOLS)
def test_settings_of_a_protocol_depart_from_it_in_nothing(name: str) -> None:
    assert protocols.nearest_protocol(PROTOCOLS[name]) == (name, {})
    assert protocols.nearest_protocol(dict.fromkeys(SWITCHES)) == ("paper", {})


def test_a_title_names_the_departures_and_that_of_a_stream_only_those_a_dense_run_has() -> None:
    departures = {"order": "permuted", "candidates": "kept"}
    assert protocols.protocol_title("paper", {}) == "paper"
    assert protocols.protocol_title("released", departures) == "released, candidates=kept, order=permuted"
    assert protocols.stream_title("released", departures) == "released, order=permuted"
