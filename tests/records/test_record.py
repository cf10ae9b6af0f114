import pytest
from by_hand import NETWORK, RESULTS, SPEC

from app_repro.core import files
from app_repro.core.errors import IntegrityError
from app_repro.records import record


def made(**changes) -> dict:
    arguments = {"data_source": {}, "files": {}, "provenance": {}} | changes
    return record.make(SPEC, RESULTS, NETWORK, **arguments)


def test_a_record_survives_the_disk_and_names_its_protocol(tmp_path) -> None:
    files.write_sealed(tmp_path / "record.json", made())
    content = record.read(tmp_path / "record.json")
    assert content == made() and content["protocol"] == {"name": "paper", "departures": {}}
    assert "history" not in content["megabatches"][0] and content["status"] == "finished"


def test_a_diverged_record_has_no_summary() -> None:
    content = made(diverged={"megabatch": 2, "epoch": 1})
    assert content["status"] == "diverged" and content["summary"] is None


def test_a_record_whose_id_is_not_that_of_its_settings_is_refused(tmp_path) -> None:
    files.write_sealed(tmp_path / "record.json", made() | {"run_id": "0" * 12})
    with pytest.raises(IntegrityError, match=r"record\.json: run id 000000000000 does not belong"):
        record.read(tmp_path / "record.json")


def test_a_record_of_another_schema_is_refused(tmp_path) -> None:
    files.write_sealed(tmp_path / "record.json", made() | {"schema": 99})
    with pytest.raises(IntegrityError, match="schema 99"):
        record.read(tmp_path / "record.json")


def test_numbers_leave_times_and_provenance_out_at_any_depth() -> None:
    content = {"a": [{"timing": {"wall_seconds": 1}, "b": 2}], "provenance": {}, "wall_seconds": 3, "files": {}}
    assert record.numbers(content) == {"a": [{"b": 2}]}


@pytest.mark.parametrize("change", [{"spec": {"sb": 8}}, {"spec": None}, {"run_id": None}])
def test_a_record_of_other_settings_than_this_version_knows_is_named(tmp_path, change) -> None:
    content = {key: value for key, value in (made() | change).items() if value is not None}
    files.write_sealed(tmp_path / "record.json", content)
    with pytest.raises(IntegrityError, match=r"record\.json: its settings are not those") as caught:
        record.read(tmp_path / "record.json")
    assert len(str(caught.value).splitlines()) == 1
