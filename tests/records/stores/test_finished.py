"""A finished run by its name, and the folder of its weights: found, or refused in one line that says why."""

from pathlib import Path
from typing import Any

import pytest
import synthetic

from app_repro.core import files
from app_repro.core.errors import AppReproError, DataError, IntegrityError
from app_repro.records.stores import finished


@pytest.fixture
def left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The record of a run in tmp_path/store, with weights and masks of a few bytes."""
    monkeypatch.chdir(tmp_path)
    held = {finished.WEIGHTS: b"weights", finished.MASKS: b"masks"}
    content = synthetic.make(synthetic.spec()) | {"files": {name: files.digest(raw) for name, raw in held.items()}}
    folder = synthetic.write(tmp_path / "store/runs", content) / content["run_id"]
    for name, raw in held.items():
        (folder / name).write_bytes(raw)
    return content


def test_a_run_is_found_by_id_by_what_that_begins_with_by_its_name_and_by_a_path(left: dict[str, Any]) -> None:
    store, run_id = Path("store"), left["run_id"]
    synthetic.write(Path("other"), left)
    files.write_sealed(Path("data/runs/a-name/record.json"), left)
    for name in (run_id, run_id[:5], "a-name", "a-n", f"other/{run_id}", f"other/{run_id}/record.json"):
        run = finished.named(name, store)
        assert run.content["run_id"] == run_id
        assert finished.folder(run, store) == store / "runs" / run_id
    assert finished.folder(finished.named(f"store/runs/{run_id}", Path("empty")), Path("empty")).name == run_id


@pytest.mark.parametrize(
    ("spoil", "error", "kind"),
    [
        (lambda folder: (folder / "model.safetensors").unlink(), DataError, "no weights"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"other"), IntegrityError, "weights"),
        (lambda folder: (folder / "masks.safetensors").write_bytes(b"other"), IntegrityError, "weights"),
        (lambda folder: (folder / "masks.safetensors").unlink(), IntegrityError, "weights"),
        (lambda folder: (folder / "record.json").unlink(), DataError, "unfinished"),
        (lambda folder: (folder / "record.json").write_text("{"), IntegrityError, "checksum"),
    ],
)
def test_a_run_without_its_files_is_refused(
    left: dict[str, Any], spoil: Any, error: type[AppReproError], kind: str
) -> None:
    spoil(Path("store/runs", left["run_id"]))
    with pytest.raises(error, match=left["run_id"]) as caught:
        finished.folder(finished.named(left["run_id"], Path("store")), Path("store"))
    assert caught.value.kind == kind and "\n" not in str(caught.value)


def test_one_that_is_not_there_or_diverged_or_may_be_the_damaged_one_is_refused(left: dict[str, Any]) -> None:
    with pytest.raises(DataError) as caught:
        finished.named("nothing", Path("empty"))
    assert caught.value.kind == "unknown"
    with pytest.raises(DataError, match=left["run_id"]) as caught:
        finished.named("nothing", Path("store"))
    assert caught.value.kind == "unknown"
    bad = synthetic.make(synthetic.spec(seed=2), diverged=True)
    synthetic.write(Path("store/runs"), bad)
    with pytest.raises(DataError) as caught:
        finished.folder(finished.named(bad["run_id"], Path("store")), Path("store"))
    assert (caught.value.key, caught.value.kind) == (bad["run_id"], "diverged")
    Path("store/runs", bad["run_id"], "record.json").write_text('{"run_id"')
    with pytest.raises(IntegrityError) as damaged:
        finished.named("nothing", Path("store"))
    assert damaged.value.kind == "damaged"
