"""The committed claims, and files that are none."""

from collections.abc import Callable
from pathlib import Path

import pytest
from synthetic import CLAIMS, claims_file, row

from app_repro.claims import claims_file as claims
from app_repro.claims import statement
from app_repro.claims.statement import Claim

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


def test_quotations_of_the_abstract_are_its_words(committed: dict[str, Claim]) -> None:
    quoted = [claim.quotation for claim in committed.values() if claim.source == "abstract of arXiv:2204.01640"]
    assert len(quoted) == 5 and all(text in ABSTRACT for text in quoted)


def test_a_quotation_without_its_number_says_what_is_left_out(committed: dict[str, Claim]) -> None:
    """The poster's sentence is known by its beginning alone: no row may pass that off as the whole."""
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
    assert len({claim.quotation for claim in own}) == 3
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
    models = pytest.importorskip("app_repro.training.networks")
    masks = pytest.importorskip("app_repro.pruning.masks")
    weights = [name.removesuffix(".weight") for name in masks.prunable(models.build("resnet50", 10, 32))]
    assert committed["magnitude-early-layers"].layers == tuple(weights[: len(weights) // 3])


def edited(**fields: str) -> Callable[[Path], Path]:
    return lambda path: claims_file(path, row(**fields))


def with_bytes(change: Callable[[bytes], bytes]) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        claims_file(path, row())
        path.write_bytes(change(path.read_bytes()))
        return path

    return write


OWN = {"source": "app-repro"}
SHAPE = {"kind": "shape", "value": "", "margin": "", "margin_reason": "", "method": "app"}
LAYERS = SHAPE | {"kind": "layer_ordering", "metric": "layer_density", "method": "magnitude", "against": "snip"}
LAYERS |= {"settings": "method=app protocol=paper"}

MALFORMED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "missing": (lambda path: path, "No such file"),
    "a folder": (lambda path: (path.mkdir(), path)[1], "directory"),
    "empty": (with_bytes(lambda b: b""), "columns"),
    "header only": (lambda path: claims_file(path), "no claims"),
    "too large": (with_bytes(lambda b: b + b"x" * 1_000_001), "larger than"),
    "not text": (with_bytes(lambda b: b + b"\xff\xfe"), "UTF-8"),
    "a NUL": (with_bytes(lambda b: b.replace(b"sixty", b"six\0ty")), "U+0000"),
    "an escape": (with_bytes(lambda b: b.replace(b"sixty", b"\x1b[31m")), "U+001B"),
    "an open quote": (with_bytes(lambda b: b.replace(b"sixty", b'"sixty')), "CSV"),
    "a torn quote": (with_bytes(lambda b: b.replace(b"sixty", b'"six"ty')), "CSV"),
    "an unknown column": (with_bytes(lambda b: b.replace(b"quotation", b"quotatoin", 1)), "did you mean 'quotation'"),
    "a column less": (with_bytes(lambda b: b.replace(b",note\n", b"\n", 1)), "columns must be"),
    "columns swapped": (with_bytes(lambda b: b.replace(b"id,source", b"source,id", 1)), "columns must be"),
    "a field less": (with_bytes(lambda b: b[:-2] + b"\n"), "18 fields"),
    "a field more": (with_bytes(lambda b: b[:-1] + b",x\n"), "20 fields"),
    "an id twice": (lambda path: claims_file(path, row(), row()), "given twice"),
    "no id": (edited(id=""), "no id"),
    "an id with spaces": (edited(id="C 1"), "lower-case"),
    "an id without end": (edited(id="a" * 101), "lower-case"),
    "no source": (edited(source=""), "source: is empty"),
    "no quotation": (edited(quotation=" "), "quotation: is empty"),
    "no method": (edited(method=""), "method: is empty"),
    "an unknown metric": (edited(metric="test_acuracy"), "did you mean 'test_accuracy'"),
    "an unknown kind": (edited(kind="valu"), "did you mean 'value'"),
    "an unknown preset": (edited(preset="headlin"), "did you mean 'headline'"),
    "a foreign unit": (edited(unit="errors"), "does not fit test_accuracy"),
    "no unit": (edited(unit=""), "does not fit"),
    "no value": (edited(value=""), "value: a value claim has one"),
    "a word for a value": (edited(value="sixty"), "'sixty' is no number"),
    "nan": (edited(value="nan"), "no number"),
    "infinity": (edited(value="-inf"), "no number"),
    "a huge value": (edited(value="1e300"), "no number"),
    "no margin": (edited(margin="", margin_reason=""), "margin: a value claim has one"),
    "a margin of zero": (edited(margin="0"), "no positive number"),
    "a negative margin": (edited(margin="-2"), "no positive number"),
    "a margin without a reason": (edited(margin_reason=""), "come together"),
    "a negative rounding": (edited(rounding="-0.1"), "no positive number"),
    "half a run": (edited(n_reported="0.5"), "no whole number"),
    "no run": (edited(n_reported="0"), "no whole number"),
    "an unknown method": (edited(method="dens"), "did you mean 'dense'"),
    "a side without a value": (edited(method="osp tau="), "not key=value"),
    "a setting twice": (edited(settings="sb=8 sb=9"), "given twice"),
    "an unknown setting": (edited(settings="sbb=8"), "unknown key 'sbb'"),
    "a setting out of range": (edited(settings="sb=0"), "sb: 0"),
    "a setting of another kind": (edited(settings="sb=eight"), "sb: 'eight'"),
    "several cells": (edited(settings="arch=resnet18|resnet50 protocol=paper"), "2 cells"),
    "a difference with itself": (edited(kind="difference", method="app", against="app"), "names a side twice"),
    "a difference of nothing": (edited(kind="difference", method="app", against="osp", value="0"), "no direction"),
    "a difference from two": (edited(kind="difference", method="app", against="osp|dense"), "1 sides"),
    "a value against something": (edited(against="osp"), "0 sides"),
    "an ordering without a side": (edited(**SHAPE | {"kind": "ordering"}), "1 to 9 sides"),
    "a value for a shape": (edited(**SHAPE | {"value": "3"}), "value: a shape claim has none"),
    "a short shape": (edited(**SHAPE), "too short"),
    "layers of no claim": (edited(layers="conv1", megabatches="1"), "only a layer_ordering"),
    "a layer_ordering without layers": (edited(**LAYERS), "names the early layers"),
    "a megabatch beyond": (edited(**LAYERS | {"layers": "conv1", "megabatches": "9"}), "beyond sb=8"),
    "a layer twice": (edited(**LAYERS | {"layers": "conv1|conv1", "megabatches": "1"}), "a layer twice"),
    "another metric for layers": (
        edited(**LAYERS | {"metric": "test_accuracy", "layers": "conv1", "megabatches": "1"}),
        "go together",
    ),
    "own without may_fail": (edited(**OWN), "may_fail"),
    "may_fail of another": (edited(may_fail="it may"), "may_fail"),
}


def test_the_row_that_the_others_break_is_valid(tmp_path: Path) -> None:
    assert claims.load(claims_file(tmp_path / "claims.csv", row()))[0].value == 60


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_file_is_one_line_that_says_what(tmp_path: Path, name: str) -> None:
    write, expected = MALFORMED[name]
    path = write(tmp_path / "claims.csv")
    with pytest.raises(claims.ClaimsError) as error:
        claims.load(path)
    text = str(error.value)
    assert expected in text and str(path) in text and "\n" not in text and len(text) < 600
    assert error.value.exit_code == 2


def test_there_are_fifty_of_them() -> None:
    assert len(MALFORMED) >= 50
