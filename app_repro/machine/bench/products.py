"""`app-repro bench --nm`: the matrix products of each layer of a network, dense and at 2:4, on a GPU.

A convolution is the product of its weights (O, kh kw I) and its unfolded input (kh kw I, B H W). torch has kernels of
2:4 for products alone: what unfolding would take is not in these times.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.sparse import to_sparse_semi_structured

from app_repro.core.errors import ParamsError
from app_repro.machine.bench import bench, ceilings
from app_repro.machine.bench.trials import described
from app_repro.pruning import nm
from app_repro.training.models.networks import build

BATCH = 64
REPEATS = 30


@dataclass(frozen=True)
class Product:
    """The matrix product of a convolution: (rows, inner) times (inner, columns)."""

    layer: str
    rows: int
    inner: int
    columns: int
    takes_part: bool
    """Whether its input channels are a multiple of four."""


def products(arch: str, batch: int = BATCH, image_size: int = 32, classes: int = 10) -> list[Product]:
    """Those of a network for a batch of images, by depth."""
    found: list[Product] = []

    def note(name: str, module: nn.Conv2d, output: Tensor) -> None:
        rows, inner = module.weight.shape[0], module.weight[0].numel()
        columns = batch * output.shape[2] * output.shape[3]
        found.append(Product(name, rows, inner, columns, nm.takes_part(module.weight, 4)))

    with torch.device("meta"):
        net = build(arch, classes, image_size).eval()
        for name, module in net.named_modules():
            if isinstance(module, nn.Conv2d):
                module.register_forward_hook(lambda module, _, output, name=name: note(name, module, output))
        net(torch.empty(1, 3, image_size, image_size))
    return found


def time_product(product: Product) -> dict[str, Any]:
    """Seconds of a product in bfloat16, dense and at 2:4; why there are none of 2:4 where torch refuses it."""
    weight, data = (
        torch.randn(*shape, device="cuda", dtype=torch.bfloat16)
        for shape in ((product.rows, product.inner), (product.inner, product.columns))
    )
    # (rows, inner) is in the order (kh, kw, I), in which groups lie, as a 1x1 convolution of `inner` channels
    kept = nm.highest(weight.abs().float()[:, :, None, None], 2, 4)[:, :, 0, 0] if product.takes_part else None
    row: dict[str, Any] = {
        "layer": product.layer,
        "rows": product.rows,
        "inner": product.inner,
        "columns": product.columns,
        "dense_seconds": ceilings.median_seconds(lambda: torch.mm(weight, data), True, REPEATS),
    }
    if kept is None:
        return row | {"why": "input channels no multiple of 4"}
    try:
        sparse = to_sparse_semi_structured(weight.masked_fill(~kept, 0.0))
        return row | {"sparse_seconds": ceilings.median_seconds(lambda: torch.mm(sparse, data), True, REPEATS)}
    except RuntimeError as error:  # sizes that its kernels do not take
        return row | {"why": described(error)}


def run(archs: list[str], out: Path | None, log: Callable[[str], None]) -> dict[str, Any]:
    """Time the products of networks (none named: resnet20s and resnet18); plain values, also saved to `out` after each.

    Raises ParamsError for an unknown network, and where there is no CUDA device; PlaceError where `out` cannot be
    written, before anything is timed.
    """
    bench.check(archs, out)
    if not torch.cuda.is_available():
        raise ParamsError("--nm needs a CUDA device: torch has no kernels of 2:4 for a CPU", key="--nm", kind="cuda")
    rows: list[dict[str, Any]] = []
    # results: of how fast runs are trained, which is another thing
    results = bench.about("cuda") | {"batch": BATCH, "products": rows, "results": []}
    for arch in archs or ["resnet20s", "resnet18"]:
        for product in products(arch):
            log(f"{arch}: {product.layer}")
            rows.append({"arch": arch} | time_product(product))
        bench.save(results, out, "nm")
    return results
