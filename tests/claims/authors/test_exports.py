"""The authors' runs from a fake of wandb's API and from exported files of many forms."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app_repro.claims.authors import exports, reported

HEADER = ["Name", "State", "ID", "arch", "dataset", "meta_batch_number", "pruner", "sparsity_level", "Test/test_acc"]
BODY = [
    ["app, noted", "finished", "r1", "resnet50", "cifar100", "8", "snip", "4.5", "70.25"],
    ["app", "crashed", "r2", "resnet50", "cifar100", "8", "snip", "4.5", "NaN"],
]
"""What each form below says of two runs."""


def table(header: list[str] = HEADER, body: list[list[str]] = BODY, **how: Any) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, **how).writerows([header, *body])
    return text.getvalue()


def nested(row: list[str], values: Callable[[dict[str, Any]], Any] = dict) -> dict[str, Any]:
    config, summary = dict(zip(HEADER[3:8], row[3:8], strict=True)), {HEADER[8]: float(row[8])}
    about = {"name": row[0], "state": row[1], "id": row[2]}
    return about | {"config": values(config), "summary": values(summary)}


def prefixed(*prefixes: str) -> list[str]:
    return [*HEADER[:3], *(f"{prefixes[0]}{name}" for name in HEADER[3:8]), f"{prefixes[1]}{HEADER[8]}"]


NESTED = [nested(row) for row in BODY]
FORMS: dict[str, str | bytes] = {
    "commas": table(),
    "quoted": table(quoting=csv.QUOTE_ALL, lineterminator="\n"),
    "semicolons": table(delimiter=";"),
    "tabs, UTF-16": table(delimiter="\t").encode("utf-16"),
    "Excel's first line": "sep=;\r\n" + table(delimiter=";"),
    "a byte order mark": table().encode("utf-8-sig"),
    "Windows-1252": table([*HEADER, "Notes"], [[*row, "très"] for row in BODY]).encode("cp1252"),
    "quoted newlines, empty lines": "\n\n" + table([*HEADER, "Notes"], [[*row, "a\nb;c"] for row in BODY]) + "\n,,,\n",
    "lines of old Macs": table(lineterminator="\r"),
    "a huge field": table([*HEADER, "Notes"], [[*row, "x" * 200_000] for row in BODY]),
    "prefixes": table(prefixed("config/", "summary/")),
    "MLflow": table([*("tags.mlflow.runName", "status", "run_id"), *prefixed("params.", "metrics.")[3:]]),
    "a column twice": table([*HEADER, "arch"], [[*row, "resnet50"] for row in BODY]),
    "pandas, nested": table(["", *NESTED[0]], [["0", *map(str, run.values())] for run in NESTED]),
    "JSON": json.dumps(NESTED),
    "JSON of W&B's files": json.dumps(
        {"runs": [nested(row, lambda d: {k: {"value": d[k]} for k in d}) for row in BODY]}
    ),
    "JSON, nested as text": json.dumps([nested(row, json.dumps) for row in BODY]),
    "JSON lines": "\n".join(map(json.dumps, NESTED)),
    "flat JSON": json.dumps([dict(zip(HEADER, row, strict=True)) for row in BODY]),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_says_the_same(tmp_path: Path, form: str) -> None:
    path, content = tmp_path / "export", FORMS[form]
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    first, second = exports.from_file(path)
    assert (first.id, first.name, first.state, first.wrong) == ("r1", BODY[0][0], "finished", "")
    assert (second.id, second.state, "Test/test_acc" in second.values) == ("r2", "crashed", False)
    assert first.place[-1] in "1234567"
    assert {key: str(value) for key, value in first.values.items()} == dict(zip(HEADER[3:], BODY[0][3:], strict=True))


def test_rows_are_counted_as_a_spreadsheet_counts_them(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(table([*HEADER, "Notes"], [[*BODY[0], "a\nb"], [], [*BODY[1], "more", "fields"], BODY[1][:2]]))
    runs = exports.from_file(path)
    assert [run.place for run in runs] == ["row 2", "row 4", "row 5"]
    assert [run.wrong for run in runs] == [
        "",
        "row 4 has 11 fields, the header has 10",
        "row 5 has 2 fields, the header has 10",
    ]


def test_without_ids_runs_go_by_name_and_two_of_one_name_are_two(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(table(HEADER[:2] + HEADER[3:], [row[:2] + row[3:] for row in [BODY[0], BODY[1], BODY[1]]]))
    assert [run.id for run in exports.from_file(path)] == [BODY[0][0], "app (row 3)", "app (row 4)"]
    path.write_text(table(HEADER, [["app", "-", "-", *BODY[0][3:]]]))
    assert exports.from_file(path)[0].id == ""  # a group, in a table that has ids


def test_two_columns_of_one_key_that_differ_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(table([*HEADER, "config/arch"], [[*BODY[0], "resnet18"]]))
    assert "arch" in exports.from_file(path)[0].wrong


OTHERS = {
    "a chart": (b"Step,app - Test/test_acc,app - Test/test_acc__MIN\n0,3,3\n", "columns", "chart"),
    "a history": (b"_step,_runtime,Test/test_acc\n0,1,3\n", "columns", "history"),
    "TensorBoard": (b"Wall time,Step,Value\n1,0,3\n", "columns", "history"),
    "hidden columns": (b"Name,State,ID,_step,Test/test_acc\napp,finished,r,1,3\n", "columns", "arch"),
    "no results": (b"dataset,arch,meta_batch_number\ncifar10,vgg16,8\n", "columns", "Test/test_acc"),
    "a spreadsheet": (b"PK\x03\x04xl/workbook.xml", "format", "spreadsheet"),
    "an old spreadsheet": (b"\xd0\xcf\x11\xe0\xa1\xb1", "format", "spreadsheet"),
    "compressed": (b"\x1f\x8b\x08", "format", "compressed"),
    "a page": (b"\n<!DOCTYPE html>", "format", "page"),
    "no text": (b"a,b\x00", "format", "text"),
    "empty": (b"", "runs", "no run"),
    "a header": (table(body=[]).encode(), "runs", "no run"),
    "an open quote": (table().encode() + b'"', "file", "end of data"),
    "decimal commas": (
        table(body=[[*BODY[0][:8], "70,25"]], delimiter=";").encode(),
        "number",
        "row 2, Test/test_acc: '70,25'",
    ),
    "nested, cut off": (b"config,summary\n{'arch': 1,{}\n", "columns", "config"),
}


@pytest.mark.parametrize("what", OTHERS)
def test_what_is_no_table_of_runs_is_named(tmp_path: Path, what: str) -> None:
    raw, kind, named = OTHERS[what]
    path = tmp_path / "x.csv"
    path.write_bytes(raw)
    with pytest.raises(exports.ReportedError) as error:
        exports.from_file(path)
    assert (error.value.exit_code, error.value.key, error.value.kind) == (2, str(path), kind)
    assert named in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "{", "[]x", '{"a": 1}', "[1]", "[]", '[{"id": "a", "config": {}}]', "[" * 99_999])
def test_a_file_that_is_no_export_is_one_line_and_2(tmp_path: Path, text: str) -> None:
    path = tmp_path / "runs.json"
    path.write_text(text)
    with pytest.raises(exports.ReportedError) as error:
        exports.from_file(path)
    assert (error.value.exit_code, error.value.key) == (2, str(path)) and "\n" not in str(error.value)


class FakeApi:
    """wandb.Api() as far as it is used: runs with objects for config and summary."""

    def runs(self, project: str) -> list[SimpleNamespace]:
        assert project == "entity/app"
        shown = [SimpleNamespace(**run | {"summary": SimpleNamespace(_json_dict=run["summary"])}) for run in NESTED]
        return [
            *shown,
            SimpleNamespace(**vars(shown[0]) | {"id": "r3", "metadata": {"program": "a/main_anytime_one.py"}}),
        ]


def test_runs_of_the_api_are_those_of_an_export(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(json.dumps(NESTED))
    first, second, third = exports.from_wandb("entity/app", FakeApi())
    for run, other in zip((first, second), exports.from_file(tmp_path / "x.json"), strict=True):
        assert (run.id, run.name, run.state, run.values) == (other.id, other.name, other.state, other.values)
    assert third.program == "a/main_anytime_one.py"
    assert {row["n_reported"] for row in reported.claim_rows([first, second], "x").rows} == {"1"}


def test_no_key_and_no_network_are_one_line_and_2() -> None:
    class Down:
        def runs(self, project: str) -> None:
            raise ConnectionError("could not reach the server\nafter 3 tries")

    with pytest.raises(exports.ReportedError) as error:
        exports.from_wandb("entity/app", Down())
    assert (error.value.exit_code, error.value.key) == (2, "entity/app") and "\n" not in str(error.value)
