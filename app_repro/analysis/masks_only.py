"""Masks without training: densities by megabatch and by layer that follow from a protocol alone."""

import json
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from tabulate import tabulate

from app_repro.config import grid, patterns, presets, reading
from app_repro.config.patterns import nominal_density
from app_repro.config.protocols import PROTOCOLS, protocol_title
from app_repro.config.spec import RunSpec
from app_repro.core import files
from app_repro.core.errors import ParamsError, nearest_and_known
from app_repro.data import dataset, splits
from app_repro.data.dataset import DataSet
from app_repro.data.megabatches import Split
from app_repro.pruning import masks
from app_repro.pruning.masks import Mask
from app_repro.pruning.removal import compact
from app_repro.records.measures import formulas
from app_repro.training import preflight
from app_repro.training.determinism import configure, keep_freed, set_precision
from app_repro.training.device import devices
from app_repro.training.inputs.host_batches import batches_of
from app_repro.training.inputs.images import Images
from app_repro.training.models import flops
from app_repro.training.protocol import channels_of, network_of, next_mask, phase_of

IMAGES = 1000
"""Images scored per megabatch, at most: T = 8 then takes a minute, and T = 100 minutes, on two cores."""

COLUMNS = 8
"""Megabatches that the table of layers shows, at most; audit.json has all."""

Audit = dict[str, Any]
"""`setting`: what all specs share; `layers`: weights per layer; `walks`: per protocol its whole spec, and a row per
megabatch with densities, weights kept and emptied layers."""


@dataclass(frozen=True)
class MaskAt:
    """The mask under which megabatch k would be trained."""

    megabatch: int
    mask: Mask
    score_samples: int
    """Images that were scored, 0 where nothing was pruned."""


def masks_only(spec: RunSpec, data: DataSet, split: Split, device: torch.device, score_limit: int) -> Iterator[MaskAt]:
    """The masks of a run, one per megabatch, as they are if training changes nothing: weights stay the initial ones.

    Of each scoring sample the first `score_limit` images are scored. The masks differ from the run's own only by what
    training would have changed.
    """
    images, net = Images.load(data, "train", device), network_of(spec, data, device)
    mask, batches = masks.full(masks.prunable(net)), batches_of(images, len(images.labels))
    channels = channels_of(spec, net)
    for k in range(1, spec.sb + 1):
        current = phase_of(spec, split, images, k)
        current = replace(current, score=current.score[:score_limit])
        new = next_mask(spec, net, mask, current, batches, channels=channels)
        if new is not None:
            if channels:
                compact(net, channels, channels.alive(mask), channels.alive(new))
            elif not patterns.is_live(spec.flow):  # under a flow to dense weights these stay, untrained
                masks.zero_pruned(masks.prunable(net), new)
            mask = new
        yield MaskAt(k, mask, 0 if new is None else len(current.score))


def specs(raw: dict[str, Any], protocols: Sequence[str], where: str = "params") -> list[RunSpec]:
    """One spec per protocol: of each axis of `raw` (keys as in params.yaml) the first value.

    A switch given in `raw` overrides the bundle, as everywhere. Raises ParamsError for what cannot be used.
    """
    single = {key: value[0] if isinstance(value, list) and value else value for key, value in raw.items()}
    single |= {"milestones": presets.SHORT["milestones"], "variants": None}
    parsed = [grid.parse(single | {"protocol": name}, where).specs[0] for name in protocols]
    return list({spec.run_id: spec for spec in parsed}.values())


def audit(chosen: Sequence[RunSpec], raw: Path, device: str = "cpu", images: int = IMAGES) -> Audit:
    """The masks without training of each spec, on the data sets prepared in `raw`; per scoring sample at most `images`.

    Raises DataError for a data set that is not there, ParamsError where a batch to score has one image and the network
    cannot normalise it.
    """
    complete = [splits.with_digest(spec, raw) for spec in chosen]
    preflight.check(complete, raw, images)
    one = partial(_walked, raw=raw, device=device, images=images)
    if device == "cpu" and len(complete) > 1:  # a process per spec: it uses the cores better than threads of one
        cores = len(os.sched_getaffinity(0))
        start, share = multiprocessing.get_context("spawn"), max(1, cores // len(complete))
        with ProcessPoolExecutor(min(cores, len(complete)), start, _begin, (share,)) as pool:
            walks = list(pool.map(one, complete))
    else:
        walks = [one(spec) for spec in complete]
    keys = ("dataset", "arch", "method", "sb", "tau", "criterion", "scope", "replay", "seed", "train_limit")
    setting = {key: getattr(chosen[0], key) for key in keys} | {"score_limit": images}
    layers = {name: size for walked in walks for name, size in walked.pop("layers").items()}
    return {"setting": setting, "layers": layers, "walks": walks}


def _begin(threads: int) -> None:
    """Set up a process of the pool: its number of threads, and that it ends when its parent does."""
    torch.set_num_threads(threads)
    end_with_parent()


def end_with_parent() -> None:
    """Have this process of a pool end when its parent does, also where that was killed."""
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def _walked(spec: RunSpec, raw: Path, device: str, images: int) -> dict[str, Any]:
    """The masks of one spec as plain values, by the kernels that a run on this device uses."""
    if device == "cpu":
        keep_freed()
    else:
        configure(device)
    set_precision(spec.precision)
    start, rows, sizes = time.perf_counter(), [], {}
    data = dataset.load(raw / dataset.data_folder(spec))
    network: Any = flops.describe(spec.arch, len(data.classes), *data.train_images.shape[2:])
    for at in masks_only(spec, data, splits.cut(spec, raw), torch.device(device), images):
        kept, sizes = masks.kept(at.mask), {name: layer.numel() for name, layer in at.mask.items()}
        rows.append(
            {
                "megabatch": at.megabatch,
                "density_nominal": nominal_density(spec, at.megabatch),
                "density_effective": masks.density(at.mask),
                "macs_share": formulas.flops(network, list(kept.values())) / formulas.flops(network),
                "density_layers": {name: kept[name] / sizes[name] for name in kept},
                "kept": list(kept.values()),
                "emptied_layers": [name for name, count in kept.items() if count == 0],
                "score_samples": at.score_samples,
            }
        )
    return {
        "protocol": protocol_title(*spec.protocol),
        "spec": spec.stored(),
        "layers": sizes,
        "wall_seconds": time.perf_counter() - start,
        "megabatches": rows,
    }


def to_text(audited: Audit) -> str:
    """The audit for people: a row per megabatch with the protocols side by side, then each protocol's layers."""
    setting = " ".join(f"{key}={value}" for key, value in audited["setting"].items() if value is not None)
    parts = [f"masks without training: {setting}", _densities(audited["walks"])]
    return "\n\n".join([*parts, *(_layers(walked, audited["layers"]) for walked in audited["walks"])])


def _densities(walks: Sequence[dict[str, Any]]) -> str:
    """The nominal density, and of each protocol the effective one, MACs, the sparsest layer's, and the empty layers."""
    head = ["megabatch", "nominal"]
    for walked in walks:
        head += [f"effective, {walked['protocol']}", "share of MACs", "sparsest layer", "emptied"]
    body = []
    for rows in zip(*(walked["megabatches"] for walked in walks), strict=True):
        line = [str(rows[0]["megabatch"]), f"{rows[0]['density_nominal']:.4f}"]
        for row in rows:
            lowest = min(row["density_layers"].values())
            line += [f"{row[key]:.4f}" for key in ("density_effective", "macs_share")]
            line += [f"{lowest:.4f}", str(len(row["emptied_layers"]))]
        body.append(line)
    return tabulate(body, head, tablefmt="github", disable_numparse=True, colalign=["right"] * len(head))


def _layers(walked: dict[str, Any], layers: dict[str, int]) -> str:
    """Density of each layer at up to COLUMNS megabatches, evenly spaced, the first and the last among them."""
    rows = walked["megabatches"]
    count = min(COLUMNS, len(rows))
    places = sorted({round(i * (len(rows) - 1) / max(count - 1, 1)) for i in range(count)})
    chosen = [rows[place] for place in places]
    head = [f"layer, {walked['protocol']}", "weights", *(f"k = {row['megabatch']}" for row in chosen)]
    body = [[name, f"{size:,}", *(_density(row, name) for row in chosen)] for name, size in layers.items()]
    align = ["left"] + ["right"] * (len(head) - 1)
    return tabulate(body, head, tablefmt="github", disable_numparse=True, colalign=align)


def _density(row: dict[str, Any], layer: str) -> str:
    return "empty" if layer in row["emptied_layers"] else f"{row['density_layers'][layer]:.4f}"


def audit_of_params(
    params_file: Path, raw: Path, settings: dict[str, Any], protocols: Sequence[str], images: int
) -> Audit:
    """The audit of the params file's first setting, with `settings` in place of its own.

    protocols: bundles to compare, all if empty. Raises ParamsError for an unknown one, and what `audit` raises.
    """
    for name in protocols:
        if name not in PROTOCOLS:
            raise ParamsError(f"--protocol {name}{nearest_and_known(name, PROTOCOLS)}")
    content = reading.read(params_file) | {"method": "app"} | settings
    chosen = specs(content, protocols or list(PROTOCOLS), str(params_file))
    return audit(chosen, raw, devices(str(content.get("device")), 1)[0], images)


def save(audited: Audit, folder: Path) -> None:
    """Write audit.json and audit.md into `folder`."""
    files.write_text(folder / "audit.json", json.dumps(audited, indent=1) + "\n")
    files.write_text(folder / "audit.md", to_text(audited) + "\n")
