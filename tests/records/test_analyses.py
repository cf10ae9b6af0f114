"""Analyses in the store: finished, interrupted, by other code, damaged; laid out, found again beside records."""

from dataclasses import replace
from pathlib import Path

import pytest
import synthetic

from app_repro.core import files, locks
from app_repro.core.errors import DiskFullError, Stopped
from app_repro.records import analyses, runs
from app_repro.records.analyses import AnalysisFile

RESULTS = {"conditions": [{"errors": 3}]}


def a_file(store: Path, code: str = "c", **settings: int) -> AnalysisFile:
    return AnalysisFile(store, "robustness", {"images": 10} | settings, {"run": "0" * 64}, code)


def test_an_analysis_is_finished_once_it_is_written_and_not_by_other_code(tmp_path) -> None:
    one = a_file(tmp_path)
    assert one.finished() is None
    written = one.finish(RESULTS, {"python": "3"})
    assert one.finished() == written and written.results == RESULTS and written.runs == ["run"]
    assert replace(one, code="d").finished() is None
    one.path.write_text(one.path.read_text().replace("3", "4"))
    assert one.finished() is None  # damaged: measured anew


@pytest.mark.parametrize(
    "other",
    [{"settings": {"images": 11}}, {"weights": {"run": "1" * 64}}, {"weights": {"other": "0" * 64}}],
)
def test_settings_runs_and_weights_make_the_key(tmp_path, other) -> None:
    assert replace(a_file(tmp_path), **other).key != a_file(tmp_path).key


def test_what_was_kept_is_there_until_the_analysis_is_finished_and_of_no_other_code(tmp_path) -> None:
    one = a_file(tmp_path)
    assert one.conditions() == {}
    one.keep({"clean": {"margin": 0.1 + 0.2}})
    assert one.conditions() == {"clean": {"margin": 0.1 + 0.2}} and replace(one, code="d").conditions() == {}
    one.finish(RESULTS, {})
    assert one.conditions() == {} and [path.name for path in files.listing(one.path.parent)] == [one.path.name]


def test_a_full_disk_loses_nothing_that_was_kept(tmp_path, monkeypatch) -> None:
    one = a_file(tmp_path)
    one.keep({"clean": 1})

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        for write in (lambda: one.keep({"clean": 1, "fog": 2}), lambda: one.finish(RESULTS, {})):
            with pytest.raises(DiskFullError):
                write()
    assert one.conditions() == {"clean": 1} and one.finished() is None


def test_one_process_is_at_a_kind_of_analyses_at_a_time(tmp_path) -> None:
    with analyses.lock(tmp_path, "robustness"):
        assert locks.is_held(tmp_path / "analyses/robustness/lock")
        with pytest.raises(Stopped), analyses.lock(tmp_path, "robustness", lambda: True):
            pass
        with analyses.lock(tmp_path, "other"):
            pass


def test_exactly_what_was_asked_for_is_laid_out_and_nothing_foreign_is_removed(tmp_path) -> None:
    first, second = (a_file(tmp_path, images=count).finish(RESULTS, {}) for count in (1, 2))
    target = tmp_path / "out"
    analyses.lay_out({"a": first, "b": second}, "robustness", target)
    files.write_text(target / "robustness" / "own.json", "{}")
    analyses.lay_out({"a": second}, "robustness", target)
    assert [path.name for path in files.listing(target / "robustness")] == ["a.json", "own.json"]
    assert files.read_sealed(target / "robustness" / "a.json")["settings"] == {"images": 2}
    analyses.lay_out({"c": first}, "robustness", target, others=True)
    assert [path.name for path in files.listing(target / "robustness")] == ["a.json", "c.json", "own.json"]


def test_analyses_lie_beside_records_whose_readers_pass_over_them(tmp_path) -> None:
    published = synthetic.write(tmp_path / "set", synthetic.make(synthetic.spec()))
    one = a_file(tmp_path / "store").finish(RESULTS, {})
    analyses.lay_out({"a": one}, "robustness", published / "analyses")
    files.write_text(published / "analyses" / "record.json", "{}")  # whatever it calls itself
    found = runs.read([published])
    assert len(found.runs) == 1 and not found.damaged and not found.notes
    read = analyses.read([published])
    assert [item.content for item in read.of("robustness")] == [one.content] and len(read.damaged) == 1
    assert analyses.read([published / "analyses"]).of("robustness") == read.of("robustness")
    assert not analyses.read([published / "analyses"]).of("other")
