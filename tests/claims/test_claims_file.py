"""The committed claims, and files that are none."""

from collections.abc import Callable
from pathlib import Path

import pytest
from synthetic import CLAIMS, claims_file, row

from app_repro.claims import claims_file as claims
from app_repro.claims import statement
from app_repro.claims.statement import Claim
from app_repro.config.catalogue import FLOWS

REPORTED = {
    "c100-r50-acc-vs-dense": ("difference", "test_accuracy", "app", ("dense",), 17.97, "points"),
    "c100-r50-acc-vs-osp": ("difference", "test_accuracy", "app", ("osp",), 11.12, "points"),
    "c100-r50-cer-vs-dense": ("difference", "cer", "app", ("dense",), -9927, "errors"),
    "c100-r50-cer-vs-osp": ("difference", "cer", "app", ("osp",), -5533, "errors"),
    "c100-r50-gap-vs-dense": ("difference", "generalisation_gap", "app", ("dense",), -20.49, "points"),
    "c100-r50-gap-vs-osp": ("difference", "generalisation_gap", "app", ("osp",), -14.79, "points"),
    "rin-fewshot-acc": ("difference", "test_accuracy", "app", ("dense",), 7, "points"),
    "rin-fewshot-gap": ("difference", "generalisation_gap", "app", ("dense",), -22, "points"),
    "size-third": ("ratio", "density_nominal", "app tau=4.5", ("dense",), 0.3333, "fraction"),
    "gap-nonmonotone-100": ("shape", "generalisation_gap", "app", (), None, "points"),
    "magnitude-early-layers": ("layer_ordering", "layer_density", "magnitude", ("snip",), None, "points"),
    "app-beats-both-short": ("ordering", "test_accuracy", "app", ("dense", "osp"), None, "points"),
    "rethinking-ticket-no-gain": (
        *("upper_bound", "test_accuracy", "app control=ticket", ("app control=scratch-e",), 1.0, "points"),
    ),
}
ABSTRACT = (  # arXiv:2204.01640v2; its formulas as text
    "the proposed approach significantly outperforms the baseline dense and Anytime OSP models across multiple "
    "architectures and datasets under short, moderate, and long-sequence training. Our method, for example, shows an "
    "improvement in accuracy of ≈7% and a reduction in the generalization gap by ≈22%, while being ≈1/3 rd the size of "
    "the dense baseline model in few-shot restricted imagenet training. We further observe interesting nonmonotonic "
    "transitions in the generalization gap in the high number of megabatches-based ALMA."
)
DATA_SET_MARGIN = {"c100": 2.0, "rin": 1.0}


@pytest.fixture(scope="module")
def committed() -> dict[str, Claim]:
    return {claim.id: claim for claim in claims.load(CLAIMS)}


def test_every_reported_number_is_there_as_reported(committed: dict[str, Claim]) -> None:
    found = {c.id: (c.kind, c.metric, c.method, c.against, c.value, c.unit) for c in committed.values()}
    assert {key: value for key, value in found.items() if not key.startswith("own-")} == REPORTED


def test_quotations_are_the_source_s_words_or_say_what_is_left_out(committed: dict[str, Claim]) -> None:
    """The poster's sentence is known by its beginning alone: no row may pass that off as the whole."""
    quoted = [claim.quotation for claim in committed.values() if claim.source == "abstract of arXiv:2204.01640"]
    assert len(quoted) == 5 and all(text in ABSTRACT for text in quoted)
    poster = [claim for claim in committed.values() if claim.source == "poster" and claim.value is not None]
    assert len(poster) == 6 and all(claim.quotation.endswith(" [...]") for claim in poster)
    assert all("only the words quoted" in c.note or "see there" in c.note for c in poster)


def test_margins_of_differences_follow_the_rule(committed: dict[str, Claim]) -> None:
    for claim in committed.values():
        if claim.kind == "difference" and claim.value:
            base = 0.05 * abs(claim.value) if claim.metric == "cer" else DATA_SET_MARGIN[claim.id.split("-")[0]]
            assert claim.margin == pytest.approx(max(2**0.5 * base, 0.25 * abs(claim.value)), rel=1e-5)


def test_own_statements_say_why_they_may_fail(committed: dict[str, Claim]) -> None:
    own = [claim for claim in committed.values() if claim.source == "app-repro"]
    assert len({claim.quotation for claim in own}) == 23
    assert all(len(claim.may_fail) > 40 for claim in own)


@pytest.mark.parametrize(
    ("claim_id", "cells", "sb", "protocols"),
    [
        ("c100-r50-acc-vs-dense", 12, 8, ("paper", "released")),
        ("rin-fewshot-acc", 12, 10, ("paper", "released")),
        ("gap-nonmonotone-100", 6, 100, ("paper", "released")),
        ("magnitude-early-layers", 12, 8, ("paper", "released")),
        ("app-beats-both-short", 108, 8, ("paper", "released")),
        ("own-osp-sparse-closer-gap", 9, 8, ("released",)),
        ("own-paper-app-beats-osp", 6, 8, ("paper",)),
        ("own-released-density", 3, 8, ("released",)),
    ],
)
def test_a_claim_names_the_runs_it_needs(
    committed: dict[str, Claim], claim_id: str, cells: int, sb: int, protocols: tuple[str, ...]
) -> None:
    grid = committed[claim_id].grid.specs
    assert len(grid) == cells and {spec.sb for spec in grid} == {sb}
    assert statement.protocols(committed[claim_id]) == protocols


def test_sides_get_their_own_settings(committed: dict[str, Claim]) -> None:
    claim = committed["own-osp-sparse-closer-gap"]
    specs = [statement.side_specs(claim, side, "released", 2) for side in claim.sides]
    assert [(s.method, s.tau, s.seed) for found in specs for s in found] == [
        ("app", 4.5, 2),
        ("osp", 17.5, 2),
        ("osp", 4.5, 2),
    ]


def test_early_layers_are_the_first_third_of_the_network(committed: dict[str, Claim]) -> None:
    models = pytest.importorskip("app_repro.training.models.networks")
    masks = pytest.importorskip("app_repro.pruning.masks")
    weights = [name.removesuffix(".weight") for name in masks.prunable(models.build("resnet50", 10, 32))]
    assert committed["magnitude-early-layers"].layers == tuple(weights[: len(weights) // 3])


SHAPE = {"kind": "shape", "value": "", "margin": "", "margin_reason": "", "method": "app"}
LAYERS = SHAPE | {"kind": "layer_ordering", "metric": "layer_density", "method": "magnitude", "against": "snip"}
LAYERS |= {"settings": "method=app protocol=paper", "layers": "conv1", "megabatches": "1"}

# what is changed in the row, the column that is wrong, and the kind of error
ROWS: dict[str, tuple[dict[str, str], str, str]] = {
    "no id": ({"id": ""}, "id", "form"),
    "an id with spaces": ({"id": "C 1"}, "id", "form"),
    "an id without end": ({"id": "a" * 101}, "id", "form"),
    "no source": ({"source": ""}, "source", "empty"),
    "no quotation": ({"quotation": " "}, "quotation", "empty"),
    "no method": ({"method": ""}, "method", "empty"),
    "an unknown metric": ({"metric": "test_acuracy"}, "metric", "unknown"),
    "an unknown kind": ({"kind": "valu"}, "kind", "unknown"),
    "an unknown preset": ({"preset": "headlin"}, "preset", "unknown"),
    "a foreign unit": ({"unit": "errors"}, "unit", "unfit"),
    "no unit": ({"unit": ""}, "unit", "unfit"),
    "no value": ({"value": ""}, "value", "unfit"),
    "a word for a value": ({"value": "sixty"}, "value", "form"),
    "nan": ({"value": "nan"}, "value", "form"),
    "infinity": ({"value": "-inf"}, "value", "form"),
    "a huge value": ({"value": "1e300"}, "value", "form"),
    "no margin": ({"margin": "", "margin_reason": ""}, "margin", "unfit"),
    "a margin of zero": ({"margin": "0"}, "margin", "form"),
    "a negative margin": ({"margin": "-2"}, "margin", "form"),
    "a margin without a reason": ({"margin_reason": ""}, "margin_reason", "unfit"),
    "a negative rounding": ({"rounding": "-0.1"}, "rounding", "form"),
    "half a run": ({"n_reported": "0.5"}, "n_reported", "form"),
    "no run": ({"n_reported": "0"}, "n_reported", "form"),
    "an unknown method": ({"method": "dens"}, "settings", "setting"),
    "a side without a value": ({"method": "osp tau="}, "settings", "setting"),
    "a setting twice": ({"settings": "sb=8 sb=9"}, "settings", "setting"),
    "an unknown setting": ({"settings": "sbb=8"}, "settings", "setting"),
    "a setting out of range": ({"settings": "sb=0"}, "settings", "setting"),
    "a setting of another kind": ({"settings": "sb=eight"}, "settings", "setting"),
    "several cells": ({"settings": "arch=resnet18|resnet50 protocol=paper"}, "settings", "setting"),
    "a difference with itself": ({"kind": "difference", "method": "app", "against": "app"}, "against", "twice"),
    "a difference of nothing": (
        {"kind": "difference", "method": "app", "against": "osp", "value": "0"}, "value", "setting",
    ),
    "a difference from two": ({"kind": "difference", "method": "app", "against": "osp|dense"}, "against", "unfit"),
    "a value against something": ({"against": "osp"}, "against", "unfit"),
    "an ordering without a side": (SHAPE | {"kind": "ordering"}, "against", "unfit"),
    "a value for a shape": (SHAPE | {"value": "3"}, "value", "unfit"),
    "a short shape": (SHAPE, "settings", "setting"),
    "layers of no claim": ({"layers": "conv1", "megabatches": "1"}, "layers", "unfit"),
    "a layer_ordering without layers": (LAYERS | {"layers": "", "megabatches": ""}, "layers", "unfit"),
    "a megabatch beyond": (LAYERS | {"megabatches": "9"}, "megabatches", "setting"),
    "a layer twice": (LAYERS | {"layers": "conv1|conv1"}, "layers", "setting"),
    "another metric for layers": (LAYERS | {"metric": "test_accuracy"}, "metric", "unfit"),
    "own without may_fail": ({"source": "app-repro"}, "may_fail", "unfit"),
    "may_fail of another": ({"may_fail": "it may"}, "may_fail", "unfit"),
}  # fmt: skip

# how the bytes of a valid file are changed, the line of the error (0: none), and its kind
FILES: dict[str, tuple[Callable[[bytes], bytes], int, str]] = {
    "empty": (lambda b: b"", 0, "columns"),
    "header only": (lambda b: b.splitlines(keepends=True)[0], 0, "empty"),
    "too large": (lambda b: b + b"x" * 1_000_001, 0, "file"),
    "not text": (lambda b: b + b"\xff\xfe", 0, "file"),
    "a NUL": (lambda b: b.replace(b"sixty", b"six\0ty"), 2, "file"),
    "an escape": (lambda b: b.replace(b"sixty", b"\x1b[31m"), 2, "file"),
    "an open quote": (lambda b: b.replace(b"sixty", b'"sixty'), 2, "csv"),
    "a torn quote": (lambda b: b.replace(b"sixty", b'"six"ty'), 2, "csv"),
    "an unknown column": (lambda b: b.replace(b"quotation", b"quotatoin", 1), 0, "columns"),
    "a column less": (lambda b: b.replace(b",note\n", b"\n", 1), 0, "columns"),
    "columns swapped": (lambda b: b.replace(b"id,source", b"source,id", 1), 0, "columns"),
    "a field less": (lambda b: b[:-2] + b"\n", 2, "fields"),
    "a field more": (lambda b: b[:-1] + b",x\n", 2, "fields"),
    "semicolons": (lambda b: b.replace(b",", b";"), 0, "columns"),
    "a spreadsheet": (lambda b: b"PK\x03\x04" + b, 0, "file"),
    "an id twice": (lambda b: b + b.splitlines(keepends=True)[1], 3, "twice"),
}


def refusal(path: Path) -> claims.ClaimsError:
    with pytest.raises(claims.ClaimsError) as error:
        claims.load(path)
    text = str(error.value)
    assert text.startswith(f"{path}: ") and "\n" not in text and len(text) < 800 and error.value.exit_code == 2
    return error.value


def test_the_row_that_the_others_break_is_valid(tmp_path: Path) -> None:
    assert claims.load(claims_file(tmp_path / "claims.csv", row()))[0].value == 60


@pytest.mark.parametrize("name", ROWS)
def test_a_malformed_row_is_refused_by_line_column_and_kind(tmp_path: Path, name: str) -> None:
    fields, key, kind = ROWS[name]
    error = refusal(claims_file(tmp_path / "claims.csv", row(**fields)))
    assert (error.line, error.key, error.kind) == (2, key, kind)


@pytest.mark.parametrize("name", FILES)
def test_a_malformed_file_is_refused_by_line_and_kind(tmp_path: Path, name: str) -> None:
    change, line, kind = FILES[name]
    path = claims_file(tmp_path / "claims.csv", row())
    path.write_bytes(change(path.read_bytes()))
    error = refusal(path)
    assert (error.line, error.kind) == (line, kind)


def test_empty_lines_and_rows_of_commas_are_none(tmp_path: Path) -> None:
    header, first, second = claims_file(tmp_path / "c.csv", row(), row(id="c2")).read_text().splitlines()
    empty = (",,,", "", '"",,,', " , ," + "," * 30, ",".join('""' for _ in claims.COLUMNS))
    text = "\r\n".join([*empty, header.replace(",", " ,") + ",,", *empty, first + ", ", *empty, second, *empty])
    (tmp_path / "c.csv").write_text(text)
    assert [claim.id for claim in claims.load(tmp_path / "c.csv")] == ["c1", "c2"]
    (tmp_path / "c.csv").write_text("\n".join([header, *empty, first, *empty, second + ",x"]))
    assert refusal(tmp_path / "c.csv").line == 2 * len(empty) + 3


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "nowhere.csv").kind == refusal(tmp_path).kind == "file"
    (tmp_path / "c.csv").write_text(";".join(claims.COLUMNS))
    assert "';'" in str(refusal(tmp_path / "c.csv"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("no run", "c1: n_reported: '0' is no whole number from 1 on"),
        ("no method", "c1: method: is empty; every claim has one"),
        ("an unknown kind", "c1: kind: 'valu' is unknown; known: "),
        ("no margin", "c1: margin: a value claim has one"),
        ("several cells", "c1: settings: 2 cells, a value claim has one; fix every axis but seed"),
        ("an unknown method", "c1: side 'dens' is no method and no criterion; did you mean 'dense'? known: "),
        ("a difference with itself", "c1: against: names a side twice"),
    ],
)
def test_a_message_names_line_claim_and_column_and_the_remedy(tmp_path: Path, name: str, text: str) -> None:
    path = claims_file(tmp_path / "claims.csv", row(**ROWS[name][0]))
    assert str(refusal(path)).startswith(f"{path}: line 2: {text}")


@pytest.mark.parametrize(
    ("method", "settings", "is_refused"),
    [
        ("app", "", True),
        ("osp", "", False),
        ("osp", "granularity=nm nm_m=4 nm_n=2 flow=none", False),
        *(
            ("osp", f"granularity=nm nm_m=4 nm_n=2 criterion=null flow={name}", True)
            for name in FLOWS
            if name != "none"
        ),
    ],
)
def test_a_claim_about_what_an_arm_does_with_knowledge_of_the_future_is_refused(
    tmp_path: Path, method: str, settings: str, is_refused: bool
) -> None:
    base = {"kind": "ordering", "method": method, "against": f"{method} control=scratch-e", "preset": "controls"}
    empty = dict.fromkeys(("value", "rounding", "margin", "margin_reason"), "")
    wrong = row(metric="cer", **base | empty | {"unit": "errors", "settings": settings})
    path = claims_file(tmp_path / "claims.csv", wrong)
    if is_refused:
        with pytest.raises(claims.ClaimsError) as caught:
            claims.load(path)
        assert (caught.value.key, caught.value.kind) == ("metric", "setting")
    else:
        assert claims.load(path)
