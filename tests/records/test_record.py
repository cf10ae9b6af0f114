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


def test_numbers_leave_times_and_provenance_out_at_any_depth() -> None:
    content = {"a": [{"timing": {"wall_seconds": 1}, "b": 2}], "provenance": {}, "wall_seconds": 3, "files": {}}
    assert record.numbers(content) == {"a": [{"b": 2}]}


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"run_id": "0" * 12}, "id"),
        ({"schema": 99}, "schema"),
        ({"thinned": ["kept"]}, "thinned"),
        ({"spec": {"sb": 8}}, "settings"),
        ({"spec": None}, "settings"),
        ({"run_id": None}, "settings"),
    ],
)
def test_what_is_no_record_of_this_version_is_refused_in_a_line(tmp_path, change, kind) -> None:
    content = {key: value for key, value in (made() | change).items() if value is not None}
    path = tmp_path / "record.json"
    files.write_sealed(path, content)
    with pytest.raises(IntegrityError) as caught:
        record.read(path)
    assert (caught.value.key, caught.value.kind) == (str(path), kind) and "\n" not in str(caught.value)
