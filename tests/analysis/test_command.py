"""The command `analyse`: which kinds, of which runs, and what is left where."""

from pathlib import Path

import pytest
import synthetic
from workbench import settings

from app_repro.analysis import command
from app_repro.analysis.command import Where
from app_repro.config import reading
from app_repro.core import files
from app_repro.core.errors import ParamsError
from app_repro.records import analyses
from app_repro.records.analyses import AnalysisFile


def params(folder: Path, **changes: object) -> Path:
    path = folder / "params.yaml"
    path.write_text(reading.to_yaml(settings(**changes)))
    return path


def test_without_analyses_in_the_params_file_the_folder_is_there_and_empty(tmp_path) -> None:
    out = tmp_path / "analyses"
    earlier = AnalysisFile(tmp_path / "store", "robustness", {}, {"run": "0"}, "c").finish({}, {})
    analyses.lay_out({"a": earlier}, "robustness", out)
    where = Where(tmp_path / "none", tmp_path / "none", tmp_path / "store")
    for given in ({}, {"analyses": None}, {"analyses": []}):
        assert command.run([], params(tmp_path, **given), where, out, print) == ""
        assert out.is_dir() and not [path for path in out.rglob("*") if path.is_file()]
    assert files.listing(earlier.path.parent)  # the store keeps it


def test_an_unknown_kind_is_refused_with_the_nearest(tmp_path) -> None:
    where = Where(tmp_path, tmp_path, tmp_path)
    with pytest.raises(ParamsError, match="'robustness'") as caught:
        command.run(["Robust"], tmp_path / "params.yaml", where, tmp_path / "out", print)
    assert (caught.value.key, caught.value.kind) == ("Robust", "unknown")


def test_what_shrink_left_about_the_runs_of_the_grid_is_laid_out_again(tmp_path) -> None:
    here, other = synthetic.make(synthetic.spec(seed=1)), synthetic.make(synthetic.spec(seed=2))
    synthetic.write(tmp_path / "runs", here)
    kept, out = tmp_path / "store", tmp_path / "analyses"
    for record in (here, other):
        AnalysisFile(kept, "shrunk", {}, {record["run_id"]: "0"}, "c").finish({}, {})
    command.run([], params(tmp_path), Where(tmp_path / "runs", tmp_path, kept), out, print)
    assert [one.runs for one in analyses.read([out]).of("shrunk")] == [[here["run_id"]]]
