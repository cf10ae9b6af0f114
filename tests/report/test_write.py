import gc
import json
import re
from pathlib import Path

import pytest
import synthetic
from by_hand import a_record
from typer.testing import CliRunner

from app_repro.claims.claims_file import ClaimsError
from app_repro.claims.variance import Pool
from app_repro.cli.pipeline import app
from app_repro.core import files
from app_repro.core.errors import DataError, IntegrityError
from app_repro.core.paths import PUBLISHED, RUNS
from app_repro.records import record, settings
from app_repro.records import runs as evidence
from app_repro.report import modelcard, write
from app_repro.report.tables.main import main_table, means, to_overview


@pytest.fixture
def runs(tmp_path):
    for seed, errors in ((1, 60), (2, 64), (3, 68)):
        files.write_sealed(tmp_path / f"runs/app{seed}/record.json", a_record(seed, errors))
    dense = a_record(1, 50, method="dense", tau=None, criterion=None)
    files.write_sealed(tmp_path / "runs/dense/record.json", dense)
    return tmp_path / "runs"


def overview(folder: Path) -> list[str]:
    records = evidence.read_any([folder]).runs
    groups = settings.group(records)
    return to_overview(main_table(groups, Pool(records)), groups).splitlines()


def test_means_are_over_seeds_by_hand(runs) -> None:
    records = evidence.read_any([runs]).runs
    groups = settings.group(records)
    table = main_table(groups, Pool(records))
    cer = [column.key for column in table.columns].index("cer")
    dense, app = (row[cer] for row in table.rows)
    assert (app.value, app.sd, app.n) == (164.0, 4.0, 3) and (dense.value, dense.sd, dense.n) == (150.0, None, 1)
    assert [numbers["test_accuracy"] for numbers in means(table, groups).values()] == pytest.approx([0.75, 0.68])


def test_the_overview_shows_percent_points_and_counts(runs) -> None:
    lines = overview(runs)
    assert "68.00 ± 2.00" in lines[3] and "164 ± 4" in lines[3] and "20.00 ± 0.00" in lines[3]
    assert "75.00" in lines[2] and "±" not in lines[2]
    assert "tau" not in lines[0]  # the same wherever it applies


def test_a_setting_that_differs_gets_a_column_and_its_own_row(runs) -> None:
    files.write_sealed(runs / "other/record.json", a_record(1, 60, tau=3.0))
    lines = overview(runs)
    assert len(lines) == 2 + 3 and "tau" in lines[0]


def test_departures_from_a_protocol_make_another_cell(runs) -> None:
    files.write_sealed(runs / "other/record.json", a_record(1, 60, order="file"))
    assert "| paper, order=file |" in "\n".join(overview(runs))


def test_a_diverged_run_is_left_out_and_named(runs, tmp_path) -> None:
    bad = a_record(4) | {"status": "diverged", "summary": None}
    files.write_sealed(runs / "bad/record.json", bad)
    text = write.write([runs], None, tmp_path / "out")[0]
    assert f"not in the table, diverged: {bad['run_id']}" in text


def test_published_single_files_count_too_and_a_run_counts_once(runs) -> None:
    files.write_sealed(runs / "published.json", a_record(1, 60))
    assert len(evidence.read_any([runs]).runs) == 4


def test_tables_and_verdicts_read_each_record_once(runs, tmp_path, monkeypatch) -> None:
    read: list[Path] = []
    monkeypatch.setattr(record, "read", lambda path, real=record.read: read.append(path) or real(path))
    write.write([runs], synthetic.CLAIMS, tmp_path / "out")
    assert sorted(read) == sorted(runs.rglob("record.json"))


def test_a_report_waits_for_no_disk_and_looks_for_no_cycles(runs, tmp_path, monkeypatch) -> None:
    synced: list[int] = []
    collected: list[bool] = []
    monkeypatch.setattr("os.fsync", synced.append)
    monkeypatch.setattr(
        write, "write_tables", lambda *given, real=write.write_tables: collected.append(gc.isenabled()) or real(*given)
    )
    write.write([runs], synthetic.CLAIMS, tmp_path / "out")
    assert (synced, collected) == ([], [False]) and gc.isenabled()


def test_no_record_is_one_line_and_damaged_ones_are_named(runs, tmp_path) -> None:
    with pytest.raises(DataError, match="no record under"):
        evidence.read_any([tmp_path / "empty"])
    paths = sorted(runs.rglob("record.json"))
    for path in paths:
        assert len(evidence.read_any([runs]).damaged) == paths.index(path)
        path.write_text(path.read_text().replace("60", "61", 1)[:-1])
    with pytest.raises(IntegrityError, match=re.escape(str(paths[0]))):
        evidence.read_any([runs])
    with pytest.raises(IntegrityError, match=re.escape(str(paths[0]))):
        modelcard.show([runs], "app1", None)


def test_files_agree_with_each_other(runs, tmp_path) -> None:
    import pandas as pd

    text = write.write([runs], None, tmp_path / "out")[0]
    assert text.startswith((tmp_path / "out/tables/overview.md").read_text() + "\nthe page: ")
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    assert metrics["digits/resnet8s/app/paper"]["cer"] == 164.0
    table = pd.read_csv(tmp_path / "out/tables/main.csv")
    assert table["cer"].tolist() == [150.0, 164.0] and table["cer_n"].tolist() == [1, 3]
    assert len(pd.read_csv(tmp_path / "out/tables/per-megabatch.csv")) == 4
    final = pd.read_csv(tmp_path / "out/plots/final.csv")
    assert final["test_accuracy"].tolist() == table["test_accuracy"].tolist() == pytest.approx([0.75, 0.68])


def test_folders_are_searched_through_and_one_s_own_record_counts(runs, tmp_path) -> None:
    files.write_sealed(tmp_path / "more/grid/deep/one.json", a_record(1, 60))
    files.write_sealed(tmp_path / "z/one.json", a_record(1, 60))
    files.write_sealed(tmp_path / "more/grid/deep/other.json", a_record(9, 60))
    found = evidence.read_any([tmp_path / "more", runs, tmp_path / "z"])
    assert len(found.runs) == 5 and not found.notes
    assert {run.content["run_id"]: run.path.name for run in found.runs}[a_record(1)["run_id"]] == "record.json"


def test_of_a_run_found_with_other_numbers_one_s_own_counts_and_that_is_said(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    files.write_sealed(Path("data/published/demo/a.json"), a_record(1, 80))
    files.write_sealed(Path("data/runs/a/record.json"), a_record(1, 60))
    note = "data/published/demo/a.json: the same run as data/runs/a/record.json with other numbers"
    shown = CliRunner().invoke(app, ["report"])
    assert shown.exit_code == 0 and "70.00" in shown.stdout and note in shown.stdout
    assert note in Path("data/report/index.html").read_text()


def test_verify_report_and_power_look_at_own_and_published_runs(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    claims, sides = str(synthetic.CLAIMS), synthetic.specs(synthetic.claim("c100-r50-acc-vs-dense"), "paper")
    own, published = synthetic.make(sides["app"][1]), synthetic.make(sides["app"][2])
    synthetic.write(Path("data/runs"), own)
    files.write_sealed(Path("data/published/a.json"), published)
    ids = {own["run_id"], published["run_id"]}
    judged = CliRunner().invoke(app, ["verify", "--claims", claims, "--json"])
    assert {one for item in json.loads(judged.stdout)["verdicts"] for one in item["runs"]} == ids
    made = CliRunner().invoke(app, ["report", "--claims", claims])
    assert made.exit_code == 0 and all(one in Path("data/report/index.html").read_text() for one in ids)
    for one in ids:
        assert f"`{one}`" in CliRunner().invoke(app, ["report", "--card", one]).stdout
    synthetic.write(Path("data/runs"), synthetic.make(sides["dense"][1]))
    files.write_sealed(Path("data/published/b.json"), synthetic.make(sides["dense"][2]))
    power = CliRunner().invoke(app, ["power", "--claim", "c100-r50-acc-vs-dense", "--claims", claims])
    assert "2 seeds and no pooled noise" in power.stdout


def test_without_a_folder_those_that_exist_count(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"no record under data/runs, data/published; run .*`app-repro demo`"):
        evidence.read_any(evidence.known([]))
    PUBLISHED.mkdir(parents=True)
    assert evidence.known([]) == [PUBLISHED]
    RUNS.mkdir()
    assert evidence.known([]) == [RUNS, PUBLISHED]
    assert evidence.known([tmp_path / "none"]) == [tmp_path / "none"]


def test_runs_that_differ_in_any_setting_are_not_averaged(runs) -> None:
    files.write_sealed(runs / "other/record.json", a_record(4, 60, train_limit=800))
    head, _, *rows = ([text.strip() for text in line.split("|")[1:-1]] for line in overview(runs))
    assert [row[head.index("seeds")] for row in rows] == ["1", "3", "1"] and "train_limit" in head


def test_claims_stand_in_the_tables_where_their_file_is_given(runs, tmp_path) -> None:
    claims = synthetic.claims_file(
        tmp_path / "claims.csv", synthetic.row(id="my-claim", kind="difference", method="app", against="dense")
    )
    write.write([runs], claims, tmp_path / "with")
    write.write([runs], None, tmp_path / "without")
    assert "my-claim" in (tmp_path / "with/tables/differences.md").read_text()
    assert "my-claim" not in (tmp_path / "without/tables/differences.md").read_text()
    assert "No claims file: no verdicts." in (tmp_path / "without/index.html").read_text()


def test_the_command_writes_tables_or_prints_a_card(runs, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)  # no claims file here: that is said in the tables, not refused
    made = CliRunner().invoke(app, ["report", "--runs", str(runs), "--out", "out"])
    assert (
        made.exit_code == 0
        and made.stdout.startswith("| dataset")
        and (tmp_path / "out/tables/differences.tex").exists()
    )
    card = CliRunner().invoke(app, ["report", "--runs", str(runs), "--card", "dense", "--out", "card.md"])
    assert card.exit_code == 0 and card.stdout.startswith("# Model card: dense\n")
    assert (tmp_path / "card.md").read_text() == card.stdout.removesuffix("\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["card.md", "out", "runs"]
    missing = CliRunner().invoke(app, ["report", "--claims", "none.csv", "--runs", str(runs)])
    assert isinstance(missing.exception, ClaimsError)
