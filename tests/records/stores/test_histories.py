"""Curves and gradients per epoch: read alike from runs as laid out and as published."""

from pathlib import Path
from typing import Any

import pytest

from app_repro.core import files
from app_repro.records.stores import histories


def laid_out(runs: Path, name: str, run_id: str, length: int = 3) -> Path:
    for k in range(1, length + 1):
        item = {"run_id": run_id, "megabatch": k, "timing": {}, "history": {"lr": [0.1 * k]}, "flow": {"beta": [1.0]}}
        files.write_sealed(runs / name / f"megabatch-{k:03d}.json", item)
    return runs / name


def published(folder: Path, name: str, content: Any) -> Path:
    files.write_sealed(folder / "some" / "histories" / f"{name}.json", content)
    return folder / "some" / "histories" / f"{name}.json"


def ends(length: int) -> list[int]:
    return [1, length]


def test_both_are_read_alike_and_only_what_is_chosen(tmp_path: Path) -> None:
    content = histories.of_run(laid_out(tmp_path / "runs", "a", "id-a", 1001))
    published(tmp_path / "published", "a", content)
    (of_laid_out, none), (of_published, nothing) = (
        histories.read([tmp_path / name], ends) for name in ("runs", "published")
    )
    assert none == nothing == []
    for found in (of_laid_out, of_published):
        assert [item["megabatch"] for item in found["id-a"]] == [1, 1001]
        assert found["id-a"][1]["history"] == {"lr": [0.1 * 1001]} and found["id-a"][1]["flow"] == {"beta": [1.0]}
    assert set(of_published["id-a"][0]) == {"run_id", "megabatch", "history", "flow"}


def test_a_run_that_is_there_twice_counts_once(tmp_path: Path) -> None:
    laid_out(tmp_path / "runs", "a", "id-a")
    published(tmp_path / "published", "a", {"run_id": "id-a", "megabatches": [{"megabatch": 1, "history": {}}]})
    for order in (["runs", "published"], ["published", "runs"]):
        found, _ = histories.read([tmp_path / name for name in order], ends)
        assert len(found["id-a"]) == {"runs": 2, "published": 1}[order[0]]


def test_a_damaged_file_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    (laid_out(tmp_path / "runs", "a", "id-a") / "megabatch-003.json").write_text("{")
    published(tmp_path / "runs", "good", {"run_id": "id-b", "megabatches": [{"megabatch": 1}]})
    published(tmp_path / "runs", "torn", {}).write_text("{")
    found, damaged = histories.read([tmp_path / "runs"], ends)
    assert {name: len(own) for name, own in found.items()} == {"id-a": 1, "id-b": 1}
    assert len(damaged) == 2 and "megabatch-003.json" in damaged[0] and "torn.json" in damaged[1]


@pytest.mark.parametrize("content", [{}, {"run_id": "x", "megabatches": [1]}, {"run_id": "x", "megabatches": [{}]}])
def test_another_file_is_named_with_the_remedy(tmp_path: Path, content: Any) -> None:
    path = published(tmp_path, "odd", content)
    assert histories.read([tmp_path], ends) == (
        {}, [f"{path}: no histories of this version; remove it or publish its run again"]
    )  # fmt: skip


def test_a_run_without_results_has_none(tmp_path: Path) -> None:
    assert histories.of_run(tmp_path) is None and histories.read([tmp_path], ends) == ({}, [])
