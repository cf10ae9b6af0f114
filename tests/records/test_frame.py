"""Records as a DataFrame, as docs/records.md describes it."""

import os
import re
import subprocess
import sys

import pytest
import synthetic
from house import ROOT
from synthetic import spec

from app_repro.records import frame as frames
from app_repro.records.frame import frame

DOCS = (ROOT / "docs/records.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    made = [synthetic.make(spec("app", seed), accuracy=0.7, cer=24_000) for seed in (1, 2)]
    dense, bad = synthetic.make(spec("dense"), official=False), synthetic.make(spec("app", 3), diverged=True)
    return frame(synthetic.write(tmp_path_factory.mktemp("runs"), *made, dense, bad))


def test_there_is_a_row_per_run_and_megabatch(rows) -> None:
    assert len(rows) == 4 * 8 and all(list(one.megabatch) == [*range(1, 9)] for _, one in rows.groupby("run_id"))
    last = rows[(rows.method == "app") & (rows.seed == 1) & (rows.megabatch == 8)].iloc[0]
    assert last.test_accuracy == pytest.approx(0.7) and last.test_errors == 3000 and last.cer == last.run_cer == 24_000
    assert last.milestones == "20, 40" and last.protocol == "paper" and last.switches_changed == ""


def test_what_does_not_apply_or_was_not_measured_is_missing(rows) -> None:
    assert rows[rows.method == "dense"].tau.isna().all() and not rows[rows.method == "dense"].official.any()
    assert rows[rows.status == "diverged"].run_cer.isna().all() and rows.run_energy_joules.isna().all()


def test_dtypes_do_not_depend_on_the_records(rows, tmp_path) -> None:
    empty = frame(tmp_path)
    assert len(empty) == 0 and (empty.dtypes == rows.dtypes).all()
    assert {str(kind) for kind in rows.dtypes} == {"Int64", "Float64", "boolean", "string"}
    assert [str(rows[name].dtype) for name in ("tau", "sb", "lr_restart", "few_shot", "run_cer")] == [
        *("Float64", "Int64", "boolean", "Int64", "Int64")
    ]


def test_every_column_is_described() -> None:
    described = set(re.findall(r"`([a-z_]+)`", "\n".join(line for line in DOCS.splitlines() if line.startswith("|"))))
    assert frames.columns().keys() <= described


def test_the_lines_that_plot_something_do(tmp_path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", DOCS, re.S)
    code = code.replace('"data/published"', repr(str(ROOT / "data/published")))
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True, timeout=60)
    assert (tmp_path / "accuracy.png").read_bytes().startswith(b"\x89PNG")
