"""The audit's figure: density over the stream under each protocol, and each protocol's by layer."""

from pathlib import Path
from typing import Any

from app_repro.core import files
from app_repro.report.figures import printing
from app_repro.report.figures.chart import pieces
from app_repro.report.figures.figure import View
from app_repro.report.figures.paper import density, layers


def save(audited: dict[str, Any], target: Path) -> list[Path]:
    """Write audit.svg, .pdf, .png and .csv of masks_only.audit's result; the files written."""
    table = [
        {"protocol": masks["protocol"], "label": masks["protocol"], "method": ""}
        | {key: row[key] for key in ("megabatch", "density_nominal", "density_effective")}
        | {"layer": layer.removesuffix(".weight"), "density": value}
        for masks in audited["walks"]
        for row in masks["megabatches"]
        for layer, value in row["density_layers"].items()
    ]
    rows = pieces.frame([{"setting": audited["setting"]["arch"]} | row for row in table])
    views = [
        _over_stream(rows),
        *(layers.heat_map(own, f"{name}: layers") for name, own in rows.groupby("protocol", sort=False)),
    ]
    written = printing.save(printing.sheet({str(rows["setting"].iloc[0]): views}), "audit", target)
    kept = rows.drop(columns=["setting", "label", "method"])
    files.write_text(target / "audit.csv", kept.to_csv(index=False))
    return [*written, target / "audit.csv"]


def _over_stream(rows: Any) -> View:
    [view] = density.views(rows.drop_duplicates(["label", "megabatch"]).assign(n=1), rows)
    return View(view.chart, view.data, view.values, view.height, "density")
