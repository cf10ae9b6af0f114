import base64
import dataclasses
import gzip
import hashlib
import json
import re

import pages
import pytest

from app_repro.claims.verify import Report
from app_repro.report.page import excerpts, write
from app_repro.report.tables.runs import runs_table
from app_repro.report.tables.table import Cell, Column, Table

EMPTY = Report((), ())
HOSTILE = "</script><script>alert(1)</script>"


def rows(count: int, columns: int = 2, name: str = "many") -> Table:
    body = tuple(tuple(Cell(float(i), str(i)) for _ in range(columns)) for i in range(count))
    return Table(name, name, "", tuple(Column(f"c{j}", f"c{j}", True) for j in range(columns)), body)


@pytest.mark.parametrize("has_browser", [True, False])
def test_the_page_is_opened_as_a_file_and_its_path_printed(tmp_path, monkeypatch, capsys, has_browser) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or has_browser)
    with pytest.raises(write.NoPageError):
        write.show(tmp_path)
    path = tmp_path / "index.html"
    path.touch()
    write.show(tmp_path)
    assert opened == [path.as_uri()] and str(path) in capsys.readouterr().out


@pytest.mark.promise
def test_what_may_run_is_what_was_written(tmp_path) -> None:
    text = pages.write(tmp_path, pages.records()).read_text()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    rules = policy[1].replace("&#39;", "'")
    assert rules.startswith("default-src 'none'; ") and "unsafe" not in rules and "http" not in rules
    for tag, rule in (("script", "script-src"), ("style", "style-src")):
        written = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digests = [base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in written]
        listed = re.search(rf"{rule} ([^;]*)", rules)
        assert listed and listed[1] == " ".join(f"'sha256-{digest}'" for digest in digests), tag


def test_the_page_is_the_same_for_the_same_records(tmp_path) -> None:
    records = pages.records()
    first, again = pages.write(tmp_path / "a", records), pages.write(tmp_path / "b", records)
    assert first.read_bytes() == again.read_bytes()


def test_without_a_figure_the_bundle_is_left_out() -> None:
    assert len(write.render_html(EMPTY, [], [pages.NO_CHART], pages.run_records(pages.records()))) < 100_000


@pytest.mark.promise
def test_values_are_escaped_wherever_they_stand() -> None:
    records = pages.records(protocols=["paper"])
    for content in records:
        content["spec"]["dataset"] = HOSTILE
    chart = dataclasses.replace(pages.chart(records), title=HOSTILE, caption=HOSTILE, remarks=f"`{HOSTILE}`")
    table = dataclasses.replace(pages.main_table(records), title=HOSTILE, note=HOSTILE)
    report = Report((), (HOSTILE,), (HOSTILE,))
    text = write.render_html(report, [table], [chart], pages.run_records(records))
    assert "alert(1)" in text and "<script>alert" not in text and "`" + HOSTILE not in text


def test_figures_travel_as_letters_that_end_no_script() -> None:
    value = {"a": {"data": HOSTILE}}
    packed = write.pack(value)
    assert re.fullmatch(r"[A-Za-z0-9+/=]+", packed)
    assert json.loads(gzip.decompress(base64.b64decode(packed))) == value


def test_rows_left_out_are_said_with_the_file_that_has_them(monkeypatch) -> None:
    monkeypatch.setattr(excerpts, "MAX_CELLS", 40)
    text = write.render_html(EMPTY, [rows(1234)], [], pages.run_records(pages.records()))
    assert "The first 20 of 1234 rows;</strong> tables/many.csv has them all." in text
    table = text.partition('<table id="rows-many">')[2].partition("</table>")[0]
    assert table.count("<tr>") == 1 + 20 and table.count('data-v="') == 40


def test_a_number_carries_its_value_and_the_places_of_its_runs() -> None:
    records = pages.records(protocols=["paper"])
    table = pages.main_table(records)
    text = write.render_html(EMPTY, [table], [], pages.run_records(records))
    ids = [row[0].value for row in runs_table(pages.run_records(records)).rows]
    app = next(row for row in table.rows if row[2].value == "app")[5]
    places = " ".join(str(ids.index(run)) for run in app.runs)
    assert f'data-v="{app.value}"><button type="button" data-runs="{places}"><strong>60.20<' in text


def test_the_page_names_protocols_methods_and_seeds_without_runs_and_diverged_runs() -> None:
    records = pages.records(protocols=["paper"], seeds=[1])
    bad = records[0] | {"status": "diverged", "summary": None, "diverged": {"megabatch": 3, "epoch": 2}}
    text = write.render_html(EMPTY, [], [], pages.run_records([bad, *records[1:]]))
    for sentence in (
        "The released protocol has no run: nothing here is about it.",
        f"Diverged, in no mean: cifar100 resnet50 paper T = 8 dense seed 1 ({bad['run_id']}, megabatch 3, epoch 2).",
        "No runs of: osp (cifar100 resnet50 paper T = 8).",
        "One seed only, so no sd: cifar100 resnet50 paper T = 8 app.",
    ):
        assert sentence in text
    whole = pages.run_records(pages.records(methods=["dense", "osp", "app"]))
    assert not any(
        words in write.render_html(EMPTY, [], [], whole) for words in ("No runs of", "has no run", "One seed")
    )
