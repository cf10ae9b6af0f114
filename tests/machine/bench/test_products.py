"""Matrix products at 2:4: their sizes, how they are shown, and that they need a GPU, where they are timed."""

import pytest
import torch
from typer.testing import CliRunner

from app_repro.cli import machine
from app_repro.core.errors import ParamsError
from app_repro.execution.planning.speeds import read_benches
from app_repro.machine.bench import products, speed_table

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch has kernels of 2:4 for CUDA alone")


def test_products_are_those_of_the_convolutions() -> None:
    first, second, *_, last = products.products("resnet20s", batch=2)
    assert (first.layer, first.rows, first.inner, first.columns, first.takes_part) == ("conv1", 16, 27, 2048, False)
    assert (second.rows, second.inner, second.takes_part) == (16, 144, True)
    assert (last.rows, last.inner, last.columns) == (64, 576, 2 * 64)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_is_refused_before_anything_is_timed() -> None:
    ran = CliRunner().invoke(machine.app, ["bench", "--nm", "--arch", "resnet8s"])
    assert isinstance(ran.exception, ParamsError) and (ran.exception.key, ran.exception.kind) == ("--nm", "cuda")


def test_the_table_sums_what_can_be_compared_and_says_what_cannot() -> None:
    row = {"arch": "resnet8s", "rows": 16, "inner": 144, "columns": 64}
    rows = [row | {"layer": "a", "dense_seconds": 2e-6, "why": "odd"}]
    rows += [row | {"layer": name, "dense_seconds": 3e-6, "sparse_seconds": 2e-6} for name in "bc"]
    text = speed_table.to_text({"device": "a GPU", "batch": 64, "products": rows})
    assert "GEMM only" in text and "resnet8s, a: no 2:4: odd" in text
    (last,) = [line for line in text.splitlines() if "2 layers" in line]
    assert [cell.strip() for cell in last.split("|")[-4:-1]] == ["6.0", "4.0", "1.50"]


def test_what_was_timed_is_written_where_out_says_and_is_no_speed_of_a_run(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(products.bench, "about", lambda device: {"device": "a GPU", "kind": device, "cores": 2})
    monkeypatch.setattr(products, "time_product", lambda product: {"layer": product.layer, "dense_seconds": 1e-6})
    ran = CliRunner().invoke(machine.app, ["bench", "--nm", "--arch", "resnet8s", "--out", str(tmp_path / "bench")])
    assert ran.exit_code == 0
    (content,) = read_benches(tmp_path / "bench")
    assert len(content["products"]) == 7 and content["results"] == []


@needs_gpu
def test_every_layer_is_timed_dense_and_those_that_take_part_at_two_of_four() -> None:
    found = products.run(["resnet18"], None, lambda line: None)
    assert all(row["dense_seconds"] > 0 for row in found["products"])
    timed = [row for row in found["products"] if "sparse_seconds" in row]
    assert len(timed) >= len(found["products"]) - 1 and all(row["sparse_seconds"] > 0 for row in timed)
