import pretend
import pytest
from users import open_folder, plain_user

from app_repro.core import files
from app_repro.core.errors import AppReproError, IntegrityError
from app_repro.records import analyses, record
from app_repro.records.analyses import AnalysisFile
from app_repro.records.stores import merge
from app_repro.records.stores.merge import ConflictError
from app_repro.records.stores.store import Store


def filled(folder, specs):
    """A store with an ended run for each spec, weights included."""
    for spec in specs:
        run = Store(folder).folder(spec)
        weights = {"model.safetensors": run.write_tensors("model.safetensors", spec.run_id.encode())}
        pretend.leave(spec, run, weights)
    return folder


@pytest.fixture
def shares(tmp_path, monkeypatch):
    specs = pretend.specs(5)
    return specs, filled(tmp_path / "a", specs[:3]), filled(tmp_path / "b", specs[2:])


def held(store) -> set[str]:
    return {path.parent.name for path in store.glob("runs/*/record.json")}


def test_stores_become_one_and_a_second_call_takes_nothing(shares, tmp_path) -> None:
    specs, a, b = shares
    target = tmp_path / "all"
    assert merge.merge([a, b], target) == merge.Merged(new=5, known=1, unfinished=0)
    assert held(target) == {spec.run_id for spec in specs}
    for spec in specs:
        folder = Store(target).folder(spec)
        assert merge.check(folder.path)["run_id"] == spec.run_id
        assert (folder.path / "model.safetensors").read_bytes() == spec.run_id.encode()
    assert merge.merge([a, b], target) == merge.Merged(new=0, known=6, unfinished=0)


def test_two_results_of_one_run_are_refused_by_name_and_nothing_is_copied(shares, tmp_path) -> None:
    specs, a, b = shares
    path = b / "runs" / specs[2].run_id
    content = record.read(path / "record.json")
    content["megabatches"][0]["test_errors"] += 1
    files.write_sealed(path / "record.json", content)
    files.write_sealed(path / "megabatch-001.json", content["megabatches"][0])
    with pytest.raises(ConflictError) as caught:
        merge.merge([a, b], tmp_path / "all")
    both = [str(store / "runs" / specs[2].run_id / "record.json") for store in (a, b)]
    assert all(path in str(caught.value) for path in both) and caught.value.key == "megabatches"
    assert caught.value.exit_code == 3 and not (tmp_path / "all").exists()


def test_times_and_machines_are_no_conflict(shares, tmp_path) -> None:
    specs, a, b = shares
    path = b / "runs" / specs[2].run_id / "record.json"
    files.write_sealed(path, record.read(path) | {"provenance": {"device": {"name": "another"}}})
    assert merge.merge([a, b], tmp_path / "all").known == 1


@pytest.mark.parametrize("name", ["record.json", "model.safetensors", "megabatch-002.json"])
@pytest.mark.parametrize("harm", ["turned", "gone"])
def test_a_damaged_file_is_named_and_nothing_is_copied(shares, tmp_path, name, harm) -> None:
    specs, a, b = shares
    path = b / "runs" / specs[4].run_id / name
    if harm == "turned":
        raw = bytearray(path.read_bytes())
        raw[len(raw) // 2] ^= 1
        path.write_bytes(raw)
    else:
        path.unlink()
    if (name, harm) == ("record.json", "gone"):  # an unfinished run without a state: nothing to carry on
        assert merge.merge([a, b], tmp_path / "all").new == 4
        return
    with pytest.raises(IntegrityError, match=str(path)):
        merge.merge([a, b], tmp_path / "all")
    assert not (tmp_path / "all").exists()


def measured(store, spec, accuracy: float):
    """A finished analysis of the run, and one that was interrupted."""
    one = AnalysisFile(store, "robustness", {"megabatch": 8}, {spec.run_id: "0" * 64}, "0" * 16)
    AnalysisFile(store, "regime", {}, {spec.run_id: "0" * 64}, "0" * 16).keep({"clean": accuracy})
    return one.finish({"clean": accuracy}, {})


def test_analyses_come_along_but_for_those_that_are_there_or_unfinished(shares, tmp_path) -> None:
    specs, a, b = shares
    both = [measured(store, specs[2], accuracy) for store, accuracy in ((a, 0.1), (b, 0.2))]
    alone = measured(b, specs[4], 0.3)
    merged = merge.merge([a, b], tmp_path / "all")
    assert merged.analyses == 2 and merged.line(tmp_path).endswith(" unfinished ones taken, 2 analyses taken")
    found = {tuple(one.runs): one.results["clean"] for one in analyses.stored(tmp_path / "all")}
    assert found == {(specs[2].run_id,): 0.1, (specs[4].run_id,): 0.3}
    assert merge.merge([b], tmp_path / "all").analyses == 0  # what the target holds stays: 0.1
    place = tmp_path / "all" / both[1].path.relative_to(b)
    place.write_text(place.read_text().replace("0.1", "0.9"))
    assert merge.merge([b], tmp_path / "all").analyses == 1 and analyses.stored(tmp_path / "all", "robustness")
    alone.path.write_text(alone.path.read_text().replace("0.3", "0.4"))
    with pytest.raises(IntegrityError) as caught:
        merge.merge([a, b], tmp_path / "again")
    assert str(alone.path) in str(caught.value) and not (tmp_path / "again").exists()
    assert both[1].path.exists()


def test_a_run_in_another_runs_folder_is_refused(shares, tmp_path) -> None:
    _, a, _ = shares
    moved = next((a / "runs").iterdir())
    moved.rename(moved.with_name("0" * 12))
    with pytest.raises(IntegrityError) as caught:
        merge.merge([a], tmp_path / "all")
    assert caught.value.kind == "id"


def test_an_unfinished_run_is_carried_over_once_and_only_with_a_state(shares, tmp_path) -> None:
    _, a, _ = shares
    other = pretend.specs(6)[5]
    Store(a).folder(other).save_state(b"half")
    target = tmp_path / "all"
    assert merge.merge([a], target).unfinished == 1
    assert list(Store(target).folder(other).load_states()) == [b"half"]
    assert merge.merge([a], target).unfinished == 0
    Store(a).folder(pretend.specs(7)[6]).write_megabatch({"megabatch": 1})  # without a state it would begin anew
    assert merge.merge([a], target).unfinished == 0


def test_an_ended_run_replaces_what_was_begun(shares, tmp_path) -> None:
    specs, a, _ = shares
    target = tmp_path / "all"
    Store(target).folder(specs[0]).save_state(b"half")
    merge.merge([a], target)
    assert not list(Store(target).folder(specs[0]).load_states())


def test_what_is_no_store_is_one_line(tmp_path) -> None:
    with pytest.raises(AppReproError) as caught:
        merge.merge([tmp_path / "nowhere"], tmp_path / "all")
    assert (caught.value.key, caught.value.kind) == (str(tmp_path / "nowhere"), "no store")


def test_a_run_travels_as_bytes_and_is_kept_only_if_whole(shares, tmp_path) -> None:
    specs, a, _ = shares
    target = Store(tmp_path / "all").folder(specs[0])
    packed = merge.pack(Store(a).folder(specs[0]))
    assert list(packed)[-1] == "record.json" and merge.pack(target) == {}
    for wrong in (
        packed | {"model.safetensors": b"other"},
        packed | {"../../escaped.json": b"x"},
        packed | {"lock": b""},
        {name: raw for name, raw in packed.items() if name != "megabatch-001.json"},
    ):
        with pytest.raises(IntegrityError):
            merge.unpack(wrong, target)
        assert not list((tmp_path / "all").rglob("*.json")) and not list(tmp_path.glob("**/.*"))
    merge.unpack(packed, target)
    assert merge.pack(target) == packed


def test_a_store_that_may_not_be_read_is_not_taken_for_an_empty_one() -> None:
    (spec,) = pretend.specs(1)
    with open_folder() as folder:
        filled(folder / "a", [spec])
        (folder / "target").mkdir()
        (folder / "target").chmod(0o777)
        for path, mode in ((Store(folder / "a").folder(spec).path, 0o711), (folder / "a/runs", 0)):
            path.chmod(mode)
            with plain_user(), pytest.raises(PermissionError):
                merge.merge([folder / "a"], folder / "target")
        assert not held(folder / "target")
