"""What goes to data/published, and what does not."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import synthetic
from house import ROOT

from app_repro.config import grid, presets
from app_repro.core import files
from app_repro.core.errors import AppReproError, IntegrityError
from app_repro.records import analyses, publish, record, runs
from app_repro.records.analyses import AnalysisFile


def run(folder: Path, name: str, **options: Any) -> dict[str, Any]:
    """A run's folder with record and weights."""
    changed = options.pop("changed", {})
    spec = synthetic.specs(synthetic.claim("c100-r50-acc-vs-osp"), "paper")["app"][1].model_copy(update=changed)
    content = synthetic.make(spec, **options)
    (folder / name).mkdir(parents=True)
    (folder / name / "masks.safetensors").write_bytes(b"masks")
    content["files"] = {"masks.safetensors": files.digest(b"masks"), "model.safetensors": "0" * 64}
    files.write_sealed(folder / name / "record.json", content)
    return content


def test_records_alone_are_copied_and_can_be_judged(tmp_path: Path) -> None:
    content = run(tmp_path / "runs", "a")
    written = publish.publish(tmp_path / "runs", tmp_path / "published")
    assert written == [tmp_path / "published" / "a.json"] == list((tmp_path / "published").iterdir())
    assert files.read_sealed(written[0]) == record.stored(content)
    assert len(runs.read([tmp_path / "published"]).runs) == 1


def test_analyses_of_published_runs_go_with_their_records(tmp_path: Path) -> None:
    content, other = run(tmp_path / "runs", "a"), run(tmp_path / "runs", "b", changed={"seed": 2})
    weights = {content["run_id"]: content["files"]["model.safetensors"]}
    about = {
        "own": ({"megabatch": content["spec"]["sb"]}, weights),
        "earlier": ({"megabatch": 1}, dict.fromkeys(weights, "1" * 64)),
        "stale": ({"megabatch": content["spec"]["sb"]}, dict.fromkeys(weights, "1" * 64)),
        "other": ({}, {other["run_id"]: "0" * 64}),
    }
    found = {
        name: AnalysisFile(tmp_path / "store", "robustness", settings, of, "c").finish({}, {})
        for name, (settings, of) in about.items()
    }
    analyses.lay_out(found, "robustness", tmp_path / "analyses")
    publish.publish(tmp_path / "runs", tmp_path / "published", ["a"], tmp_path / "analyses")
    published = tmp_path / "published" / "analyses" / "robustness"
    assert sorted(path.stem for path in published.iterdir()) == ["earlier", "own"]
    assert (published / "own.json").read_bytes() == found["own"].path.read_bytes()
    assert len(analyses.read([tmp_path / "published"]).found) == 2
    (tmp_path / "analyses" / "robustness" / "own.json").write_text("{}")
    with pytest.raises(IntegrityError):
        publish.publish(tmp_path / "runs", tmp_path / "more", ["a"], tmp_path / "analyses")
    assert not (tmp_path / "more").exists()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"diverged": True}, "diverged"),
        ({"changed": {"lr_restart": False}}, "lr_restart=False"),
        ({"official": False}, "not the publisher's"),
    ],
)
def test_what_diverged_or_deviates_is_published_only_by_name(tmp_path: Path, options: dict[str, Any], why: str) -> None:
    run(tmp_path / "runs", "good", changed={"seed": 2})
    run(tmp_path / "runs", "odd", **options)
    with pytest.raises(publish.PublishError, match=why) as error:
        publish.publish(tmp_path / "runs", tmp_path / "published")
    assert str(error.value).endswith("; name those you want published; a named run is published as it is")
    assert "odd" in str(error.value) and not (tmp_path / "published").exists() and error.value.exit_code == 3
    assert [path.name for path in publish.publish(tmp_path / "runs", tmp_path / "published", ["odd"])] == ["odd.json"]


def test_a_control_arm_on_a_mask_that_its_source_has_no_more_is_published_only_by_name(tmp_path: Path) -> None:
    source = run(tmp_path / "runs", "source")
    arm = run(tmp_path / "runs", "arm", changed={"control": "ticket"})
    assert arm["control"]["source"] == source["run_id"]
    with pytest.raises(publish.PublishError, match="arm: its source has another mask by now"):
        publish.publish(tmp_path / "runs", tmp_path / "published")
    assert publish.publish(tmp_path / "runs", tmp_path / "published", ["arm"])


def test_a_run_is_named_by_folder_or_id(tmp_path: Path) -> None:
    content = run(tmp_path / "runs", "a")
    assert publish.publish(tmp_path / "runs", tmp_path / "out", [content["run_id"], "a"]) == [
        tmp_path / "out" / "a.json"
    ]
    with pytest.raises(AppReproError, match="no run 'b'"):
        publish.publish(tmp_path / "runs", tmp_path / "out", ["b"])


@pytest.mark.parametrize("name", ["record.json", "masks.safetensors"])
def test_a_changed_byte_stops_it(tmp_path: Path, name: str) -> None:
    run(tmp_path / "runs", "a")
    path = tmp_path / "runs" / "a" / name
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(AppReproError, match=name) as error:
        publish.publish(tmp_path / "runs", tmp_path / "published")
    assert error.value.exit_code == 3 and not (tmp_path / "published").exists()


def test_no_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AppReproError, match="no finished run"):
        publish.publish(tmp_path, tmp_path / "published")


def ended(store: Path, spec: Any, **options: Any) -> dict[str, Any]:
    """A run in a store, with its record alone."""
    content = synthetic.make(spec, **options)
    (store / "runs" / content["run_id"]).mkdir(parents=True)
    files.write_sealed(store / "runs" / content["run_id"] / "record.json", content)
    return content


def test_a_preset_is_published_as_its_runs_end(tmp_path: Path) -> None:
    """Also those that diverged or whose data are no publisher's; an equal record beside it is not doubled."""
    store, published = tmp_path / "store", tmp_path / "published"
    specs = grid.parse(presets.preset("demo") | {"device": "auto", "workers": None}).specs
    other = grid.parse(presets.preset("cifar-small") | {"device": "auto", "workers": None}).specs
    ended(store, other[0])
    with pytest.raises(AppReproError) as error:
        publish.publish_preset("demo", store, published / "demo")
    assert error.value.kind == "no run" and not published.exists()
    first = ended(store, specs[0], official=False)
    AnalysisFile(store, "robustness", {"megabatch": 1}, {first["run_id"]: "1" * 64}, "c").finish({}, {})
    written, line = publish.publish_preset("demo", store, published / "demo")
    assert [path.name for path in written][:1] == ["digits-resnet8s-dense-sb8-s1.json"] and len(written) == 2
    assert "1 of 9" in line and files.read_sealed(written[0]) == record.stored(first)
    assert publish.publish_preset("demo", store, published / "again")[0] == []
    ended(store, specs[1], diverged=True)
    assert len(publish.publish_preset("demo", store, published / "demo")[0]) == 1
    written, line = publish.publish_preset("demo", store, published / "demo")
    assert written == [] and "2 of 9" in line


def results(folder: Path, run_id: str, accuracy: float) -> None:
    """Two megabatches of a run, as training leaves them."""
    for k in (1, 2):
        item = {"run_id": run_id, "megabatch": k, "test_errors": 7, "history": {"val_accuracy": [0.1, accuracy]}}
        files.write_sealed(folder / f"megabatch-00{k}.json", item)


def test_histories_are_published_on_demand_and_renewed_with_their_record(tmp_path: Path) -> None:
    store, published = tmp_path / "store", tmp_path / "published"
    specs = grid.parse(presets.preset("demo") | {"device": "auto", "workers": None}).specs
    first = ended(store, specs[0])
    folder = store / "runs" / first["run_id"]
    with pytest.raises(AppReproError, match="nor beside another run; publish without --histories"):
        publish.publish_preset("demo", store, published / "demo", per_epoch=True)
    assert not published.exists()
    results(folder, first["run_id"], 0.5)
    ended(store, specs[1], diverged=True)  # at once: it left no results
    assert len(publish.publish_preset("demo", store, published / "demo")[0]) == 2
    (written,), line = publish.publish_preset("demo", store, published / "demo", per_epoch=True)
    assert (
        written == published / "demo" / "histories" / "digits-resnet8s-dense-sb8-s1.json" and "1 files are new" in line
    )
    assert files.read_sealed(written)["megabatches"][1] == {"megabatch": 2, "history": {"val_accuracy": [0.1, 0.5]}}
    assert len(runs.read([published]).runs) == 2 and written not in runs.record_files(published)
    results(folder, first["run_id"], 0.6)
    assert publish.publish_preset("demo", store, published / "demo")[0] == [written]
    assert files.read_sealed(written)["megabatches"][1]["history"] == {"val_accuracy": [0.1, 0.6]}


def test_runs_laid_out_are_published_with_histories(tmp_path: Path) -> None:
    content = run(tmp_path / "runs", "a")
    results(tmp_path / "runs" / "a", content["run_id"], 0.5)
    written = publish.publish(tmp_path / "runs", tmp_path / "published", ["a"], per_epoch=True)
    assert [path.relative_to(tmp_path / "published").as_posix() for path in written] == ["a.json", "histories/a.json"]
    (tmp_path / "runs" / "a" / "megabatch-002.json").write_text("{")
    with pytest.raises(IntegrityError, match="megabatch-002"):
        publish.publish(tmp_path / "runs", tmp_path / "more", ["a"], per_epoch=True)
    assert not (tmp_path / "more").exists()


def long(tmp_path: Path, megabatches: int) -> dict[str, Any]:
    """A run of a network with the layers of ResNet-50."""
    layers = {f"layer{i}.conv1.weight": {"weights": 1_000_000, "flops": 1} for i in range(53)}
    return run(tmp_path / "runs", "long", changed={"sb": megabatches}, layers=layers, kept=[654_321] * 53)


def test_a_long_run_is_published_whole(tmp_path: Path) -> None:
    content = long(tmp_path, 150)
    (path,) = publish.publish(tmp_path / "runs", tmp_path / "published")
    assert files.read_sealed(path) == record.stored(content)


def test_one_beyond_the_limit_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    assert len(files.sealed(long(tmp_path, 250))) > publish.MAX_BYTES
    run(tmp_path / "runs", "a")
    with pytest.raises(publish.PublishError) as error:
        publish.publish(tmp_path / "runs", tmp_path / "published")
    assert error.value.kind == "size" and not (tmp_path / "published").exists()


def test_git_changes_no_line_ends_of_records(tmp_path: Path) -> None:
    (tmp_path / ".gitattributes").write_bytes((ROOT / ".gitattributes").read_bytes())
    path = tmp_path / "x.json"
    files.write_sealed(path, {"a": 1})
    raw = path.read_bytes()
    for words in (["init", "-q"], ["add", "."], ["checkout-index", "-f", "-a"]):
        subprocess.run(["git", "-c", "core.autocrlf=true", *words], cwd=tmp_path, check=True)
        path.unlink() if words[0] == "add" else None
    assert path.read_bytes() == raw
