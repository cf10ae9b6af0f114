"""Records found and checked."""

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import synthetic
from pytest import MonkeyPatch
from synthetic import spec

from app_repro.config.spec import RunSpec
from app_repro.core import files
from app_repro.core.errors import DataError
from app_repro.records import runs
from app_repro.records.code import code_digest


@pytest.fixture(scope="module")
def specs() -> dict[int, RunSpec]:
    return synthetic.specs(synthetic.claim("c100-r50-acc-vs-dense"), "paper", "app")["app"]


def test_runs_and_published_records_are_found_once(tmp_path: Path, specs: dict[int, RunSpec]) -> None:
    first, second = synthetic.make(specs[1]), synthetic.make(specs[2])
    synthetic.write(tmp_path / "runs", first)
    files.write_sealed(tmp_path / "runs" / first["run_id"] / "megabatch-001.json", {"megabatch": 1})
    for name, content in (("one", first), ("deep/two", second)):
        files.write_sealed(tmp_path / "published" / f"{name}.json", content)
    found = runs.read([tmp_path / "runs", tmp_path / "published"])
    assert [run.seed for run in found.runs] in ([1, 2], [2, 1]) and not found.problems and not found.notes


def test_a_folder_that_is_not_there_is_a_note(tmp_path: Path) -> None:
    found = runs.read([tmp_path / "nowhere"])
    assert found == runs.Records((), (), (f"{tmp_path / 'nowhere'}: no such folder",))


@pytest.mark.parametrize(("mine", "published"), [(0.6, 0.7), (0.7, 0.6)])
def test_one_s_own_run_goes_before_a_published_one(
    tmp_path: Path, specs: dict[int, RunSpec], mine: float, published: float
) -> None:
    synthetic.write(tmp_path / "a", synthetic.make(specs[1], accuracy=mine))
    files.write_sealed(tmp_path / "b.json", synthetic.make(specs[1], accuracy=published))
    for roots in ([tmp_path / "a", tmp_path / "b.json"], [tmp_path / "b.json", tmp_path / "a"]):
        found = runs.read(roots)
        assert found.runs[0].value("test_accuracy") == pytest.approx(mine)
        assert "b.json" in found.notes[0] and "other numbers" in found.notes[0]


@pytest.mark.parametrize("current", [0.6, 0.7])
def test_of_two_published_ones_that_of_today_s_code_is_judged(
    tmp_path: Path, specs: dict[int, RunSpec], current: float
) -> None:
    other = synthetic.make(specs[1], accuracy=1.3 - current)
    files.write_sealed(tmp_path / "a.json", synthetic.make(specs[1], accuracy=current) | {"code_digest": code_digest()})
    files.write_sealed(tmp_path / "b.json", other)
    found = runs.read([tmp_path])
    assert found.runs[0].value("test_accuracy") == pytest.approx(current)
    assert [run.value("test_accuracy") for run in found.superseded] == pytest.approx([1.3 - current])


@pytest.mark.parametrize("shared", [0.6, 0.61, 0.62, 0.63, 0.67, 0.7])
def test_of_two_published_ones_of_earlier_code_that_of_the_code_most_share_is_judged(
    tmp_path: Path, specs: dict[int, RunSpec], shared: float
) -> None:
    """What decides is not in the two records, whose digests fall either way."""
    earlier = {"code_digest": "1" * 16}
    files.write_sealed(tmp_path / "a.json", synthetic.make(specs[1], accuracy=shared) | earlier)
    files.write_sealed(tmp_path / "b.json", synthetic.make(specs[1], accuracy=1.3 - shared))
    files.write_sealed(tmp_path / "c.json", synthetic.make(specs[2]) | earlier)
    found = runs.read([tmp_path])
    judged = next(run for run in found.runs if run.seed == 1)
    assert judged.value("test_accuracy") == pytest.approx(shared)
    assert [run.path.name for run in found.superseded] == ["b.json"]


def test_another_record_of_a_control_arm_is_not_superseded_as_its_mask_may_be_stale(tmp_path: Path) -> None:
    arm = next(spec for spec in synthetic.grid("controls") if spec.control)
    for name, accuracy in (("a", 0.6), ("b", 0.7)):
        synthetic.write(tmp_path / name, synthetic.make(arm, accuracy=accuracy))
    found = runs.read([tmp_path])
    assert len(found.runs) == 1 and len(found.notes) == 1 and found.superseded == ()


def test_records_with_the_same_numbers_and_rivals_of_a_diverged_one_are_not_superseded(
    tmp_path: Path, specs: dict[int, RunSpec]
) -> None:
    for name in ("a", "b"):
        synthetic.write(tmp_path / name, synthetic.make(specs[1]))
    assert runs.read([tmp_path]).superseded == ()
    files.write_sealed(tmp_path / "c.json", synthetic.make(specs[1], diverged=True))
    found = runs.read([tmp_path])
    assert not found.runs[0].is_finished and found.superseded == ()


def test_an_unfinished_run_is_no_record(tmp_path: Path) -> None:
    files.write_sealed(tmp_path / "run" / "megabatch-001.json", {"megabatch": 1})
    assert runs.read([tmp_path]) == runs.Records((), (), ())


def test_a_diverged_run_is_a_problem_and_never_hidden(tmp_path: Path, specs: dict[int, RunSpec]) -> None:
    synthetic.write(tmp_path / "a", synthetic.make(specs[1]))
    files.write_sealed(tmp_path / "b.json", synthetic.make(specs[1], diverged=True))
    found = runs.read([tmp_path])
    assert "b.json: diverged" in found.problems[0] and not found.runs[0].is_finished


@pytest.mark.parametrize("content", [{"schema": 1, "spec": {}, "run_id": "x"}, {"spec": 7, "run_id": 7, "files": {}}])
def test_a_sealed_file_that_calls_itself_a_record_and_is_none_is_a_problem(
    tmp_path: Path, content: dict[str, object]
) -> None:
    files.write_sealed(tmp_path / "x.json", content)
    problems = runs.read([tmp_path]).problems
    assert len(problems) == 1 and "x.json" in problems[0] and "\n" not in problems[0]


def test_linked_runs_are_found_and_pipes_are_not_opened(tmp_path: Path, specs: dict[int, RunSpec]) -> None:
    content = synthetic.make(specs[1])
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/mine").symlink_to(synthetic.write(tmp_path / "elsewhere", content) / content["run_id"])
    (tmp_path / "runs/loop").symlink_to(tmp_path / "runs")
    os.mkfifo(tmp_path / "runs/x.json")
    (tmp_path / "runs/broken.json").symlink_to("nowhere")
    found = runs.read([tmp_path / "runs"])
    assert len(found.runs) == 1 and ["broken.json" in text for text in found.damaged] == [True]


def test_other_json_and_hidden_files_are_passed_over(tmp_path: Path, specs: dict[int, RunSpec]) -> None:
    synthetic.write(tmp_path / "runs", synthetic.make(specs[1]))
    for name in (".hidden.json", ".store/x.json", "runs/.x/record.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(files.sealed(synthetic.make(specs[2]))[:-9])
    others = {"verdicts": '{"schema": 1, "verdicts": []}', "config": '{"spec": {}, "status": 1}', "rows": "[1]"}
    for name, text in others.items():
        (tmp_path / f"{name}.json").write_text(text)
    files.write_sealed(tmp_path / "bench/cpu.json", {"schema": 1, "device": "x"})
    found = runs.read([tmp_path])
    assert len(found.runs) == 1 and not found.problems and not found.notes
    records = json.dumps([synthetic.make(specs[1])])
    for name, text in (("empty", ""), ("lines", "{}\n{}\n"), ("records", records)):
        (tmp_path / f"{name}.json").write_text(text)
    found = runs.read([tmp_path])
    assert not found.problems and [note.split(":")[0] for note in found.notes] == [
        str(tmp_path / "empty.json"),
        str(tmp_path / "lines.json"),
        str(tmp_path / "records.json"),
    ]
    assert "no record" in runs.read([tmp_path / "verdicts.json"]).problems[0]  # named, so meant


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[: text.index('"spec"')],
        lambda text: text.replace('"run_id"', '"run-id"', 1),
        lambda text: json.dumps(json.loads(text)),
        lambda text: json.dumps(json.loads(text), indent=4)[:-1],
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
    ],
)
def test_a_damaged_file_that_calls_itself_a_record_is_a_problem(
    tmp_path: Path, specs: dict[int, RunSpec], change: Callable[[str], str]
) -> None:
    (tmp_path / "x.json").write_bytes(change(files.sealed(synthetic.make(specs[1]))).encode())
    assert [text.split(":")[0] for text in runs.read([tmp_path]).damaged] == [str(tmp_path / "x.json")]


def test_a_folder_and_a_record_that_cannot_be_read_are_problems(tmp_path: Path, monkeypatch: MonkeyPatch) -> None:
    (tmp_path / "record.json").write_text("")
    (tmp_path / "locked").mkdir()

    def scandir(path: str, real: Callable[[str], object] = os.scandir) -> object:
        if path.endswith("locked"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    named = {text.split(":")[0] for text in runs.read([tmp_path]).damaged}
    assert named == {str(tmp_path / "locked"), str(tmp_path / "record.json")}


@pytest.mark.parametrize("accuracy", [None, "0.5 %", ...])
def test_a_finished_record_without_its_accuracy_is_a_problem(
    tmp_path: Path, specs: dict[int, RunSpec], accuracy: object
) -> None:
    content = synthetic.make(specs[1])
    del content["summary"]["test_accuracy"]
    content["summary"] |= {} if accuracy is ... else {"test_accuracy": accuracy}
    files.write_sealed(tmp_path / "x.json", content)
    assert len(runs.read([tmp_path]).damaged) == 1


def test_a_run_is_found_by_id_folder_or_what_either_begins_with() -> None:
    named = {"digits-app-s1": spec("app", 1), "digits-app-s10": spec("app", 10), "other": spec("dense")}
    records = [runs.RunRecord(Path(name) / "record.json", synthetic.make(one)) for name, one in named.items()]
    assert runs.find(records, "digits-app-s1") is records[0]  # exact, though another begins so
    assert runs.find(records, "digits-app-s10") is records[1] and runs.find(records, "oth") is records[2]
    assert runs.find(records, records[2].content["run_id"][:6]) is records[2]
    for name, kind in (("digits", "several"), ("othr", "unknown"), ("", "unknown")):
        with pytest.raises(DataError) as caught:
            runs.find(records, name)
        assert (caught.value.key, caught.value.kind) == (name, kind)
