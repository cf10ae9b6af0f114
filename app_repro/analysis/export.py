"""A finished run as one ONNX file: pixels in, logits out, checked against torch, its speed measured."""

import importlib
import io
import json
import logging
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from app_repro.analysis.classify import Classifier, of_content
from app_repro.config.spec import RunSpec
from app_repro.core import files
from app_repro.core.errors import ParamsError, RunError, one_line
from app_repro.data import dataset
from app_repro.data.dataset import DataSet
from app_repro.records import runs
from app_repro.records.measures import metrics
from app_repro.records.runs import RunRecord
from app_repro.records.stores import finished
from app_repro.training import checkpoint
from app_repro.training.device import describe_device
from app_repro.training.inputs.images import Images

NEEDED = ("onnx", "onnxscript", "onnxruntime")
"""Packages of the extra onnx; torch's exporter uses the first two."""
OPSET = 20
CHECKED = 64
"""Test images on which the file has to say what torch says."""
TOLERANCE = 1e-4
"""Largest difference of a logit between the two; of logits above 1, as a share of the largest."""
BATCHES, REPEATS, WARM_UPS = (1, 64), 30, 3
"""Sizes of the batches that are timed, how often each, and how often before that."""


class _OfPixels(nn.Module):
    """A network that takes pixels and normalises them as training does."""

    mean: Tensor
    std: Tensor

    def __init__(self, net: nn.Module, images: Images) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("mean", images.mean)
        self.register_buffer("std", images.std)

    def forward(self, images: Tensor) -> Tensor:
        """(B, H, W, C) uint8 -> (B, classes) logits"""
        return self.net(images.float().sub(self.mean).div(self.std).permute(0, 3, 1, 2))


@dataclass(frozen=True)
class Network:
    """The network of a finished run, with what it was trained on."""

    run: RunRecord
    data: DataSet
    net: nn.Module
    test: Images
    """The test images, on the CPU as the network."""

    @classmethod
    def load(cls, run: RunRecord, raw: Path, store: Path) -> "Network":
        """Raises what finished.folder, dataset.of_run and checkpoint.of_run raise."""
        folder, spec = finished.folder(run, store), RunSpec.model_validate(run.content["spec"])
        data = dataset.of_run(spec, raw, store)
        net = checkpoint.of_run(folder)
        return cls(run, data, net, Images.load(data, "test", torch.device("cpu")))

    @property
    def facts(self) -> dict[str, Any]:
        """What an exported file says of itself. Of own images the folder's name alone: it may go to others."""
        spec, (name, _, path) = self.run.content["spec"], self.data.name.partition(":")
        return {
            "run_id": self.run.content["run_id"],
            "arch": spec["arch"],
            "method": spec["method"],
            "granularity": spec.get("granularity") or "weight",
            "density": metrics.value("density_effective", self.run.content),
            "dataset": f"{name}:{Path(path).name}" if path else name,
            "image_size": list(self.data.test_images.shape[1:]),
            "classes": list(self.data.classes),
        }


def classifier_of(run: RunRecord, raw: Path, store: Path) -> Classifier:
    """The network of a finished run, to classify images with."""
    network = Network.load(run, raw, store)
    of_pixels = _OfPixels(network.net, network.test)

    @torch.inference_mode()
    def logits(pixels: np.ndarray) -> np.ndarray:
        return of_pixels(torch.from_numpy(pixels)).numpy()

    height, width, channels = network.data.test_images.shape[1:]
    return Classifier((height, width, channels), network.data.classes, logits)


def export(run: RunRecord, raw: Path, store: Path, target: Path) -> dict[str, Any]:
    """Write the network of a finished run to `target` as ONNX; what the file is and how near it is to torch.

    The bytes are the same for the same run and versions. Raises ParamsError for a target that cannot be a file,
    RunError for a network that ONNX has no words for or that says something else there, and as Network.load. Then
    nothing is written, and a file before it is left.
    """
    for package in NEEDED:
        importlib.import_module(package)
    _check_target(target)
    network = Network.load(run, raw, store)
    content = _converted(network)
    checked = _checked(network, of_content(content, str(target)))
    files.write_bytes(target, content)
    told: dict[str, Any] = {"file": str(target), "bytes": len(content), "sha256": files.digest(content)}
    return told | {"run": runs.name_of(run)} | network.facts | checked


def latency(file: Path, repeats: int = REPEATS) -> dict[str, Any]:
    """How long onnxruntime takes for an exported file on one thread: per size of BATCHES the median of `repeats` times
    in milliseconds and their quartiles, after WARM_UPS.
    """
    exported = of_content(file.read_bytes(), str(file), threads=1)
    rows: list[dict[str, float]] = []
    for size in BATCHES:
        pixels, seconds = np.random.default_rng(0).integers(0, 256, (size, *exported.size), np.uint8), []
        for _ in range(WARM_UPS + repeats):
            start = time.perf_counter()
            exported.logits(pixels)
            seconds.append(time.perf_counter() - start)
        low, middle, high = np.percentile(seconds[WARM_UPS:], (25, 50, 75)) * 1000
        rows.append({"images": size, "ms": middle, "ms_low": low, "ms_high": high, "repeats": repeats})
    runtime = f"onnxruntime {metadata.version('onnxruntime')}"
    return {"device": describe_device("cpu")["name"], "threads": 1, "runtime": runtime, "batches": rows}


def _check_target(target: Path) -> None:
    """Raise before anything is computed what writing the file would raise after it."""
    if target.is_dir():
        raise ParamsError(f"--onnx {target}: a folder; name a file", key="--onnx", kind="folder")
    files.check_writable(target.parent)


def _converted(network: Network) -> bytes:
    """The network as the bytes of an ONNX file that takes pixels, with its facts. Raises RunError where it has no words
    for an operator.
    """
    shape = network.data.test_images.shape[1:]
    pixels = torch.zeros(2, *shape, dtype=torch.uint8)  # the size 1 would be taken for the only one
    names: dict[str, Any] = {"input_names": ["images"], "output_names": ["logits"]}
    with _quiet():
        try:
            program = torch.onnx.export(
                _OfPixels(network.net, network.test).eval(),
                (pixels,),
                dynamo=True,
                opset_version=OPSET,
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                verbose=False,
                **names,
            )
        except torch.onnx.OnnxExporterError as error:
            what = f"run {network.run.content['run_id']}: {network.run.content['spec']['arch']} cannot be put into ONNX"
            first: BaseException = error
            while first.__cause__:
                first = first.__cause__
            raise RunError(f"{what} ({one_line(first)})", kind="operator") from error
    assert program is not None
    return _without_traces(program.model_proto, network.facts)


def _without_traces(model: Any, facts: dict[str, Any]) -> bytes:
    """The bytes of a model with `facts` in place of what torch notes of this machine: paths, lines of code, hooks."""
    graph = model.graph
    for item in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        item.ClearField("metadata_props")
        item.ClearField("doc_string")
    model.ClearField("metadata_props")
    for key, value in facts.items():
        model.metadata_props.add(key=key, value=value if isinstance(value, str) else json.dumps(value))
    return model.SerializeToString(deterministic=True)


def _checked(network: Network, exported: Classifier) -> dict[str, Any]:
    """How far the logits of the first CHECKED test images differ between torch and the exported file.

    Raises RunError if that is more than TOLERANCE, or a class differs that torch does not find as likely.
    """
    pixels = network.data.test_images[:CHECKED]
    with torch.inference_mode():
        expected = network.net(network.test.clean(torch.arange(len(pixels)))[0]).numpy()
    found = exported.logits(pixels)
    largest, difference = float(np.abs(expected).max()), float(np.abs(found - expected).max())
    allowed = TOLERANCE * max(1.0, largest)
    behind = expected.max(1) - expected[np.arange(len(pixels)), found.argmax(1)]
    if (others := int((behind > allowed).sum())) or not difference < allowed:
        what = f"in onnxruntime {others} of {len(pixels)} test images get another class than in torch"
        text = f"run {network.run.content['run_id']}: {what}, logits of up to {largest:.3g} differ by {difference:.1e}"
        raise RunError(f"{text}; nothing was written", key=network.run.content["run_id"], kind="other logits")
    return {"checked_images": len(pixels), "largest_logit": largest, "largest_difference": difference}


@contextmanager
def _quiet() -> Iterator[None]:
    """Nothing on the terminal of what torch's exporter warns its own developers of."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def to_text(told: dict[str, Any]) -> str:
    """What `export` tells, for people."""
    size = ", ".join(map(str, told["image_size"]))
    what = f"{told['arch']} on {told['dataset']}, density {told['density']:.4f}"
    logits = f"logits of up to {told['largest_logit']:.3g} differ by {told['largest_difference']:.1e} at most"
    lines = [
        f"{told['file']}: {told['bytes']:,} bytes, sha256 {told['sha256']}",
        f"run {told['run_id']}: {what}; takes uint8 (batch, {size}), gives logits of {len(told['classes'])} classes",
        f"on {told['checked_images']} test images it says what torch says; {logits}",
    ]
    if told["density"] < 1 and told["granularity"] != "channel":
        lines.append("pruned weights are zeros in it: it is as large and as slow as the file of a dense network")
    return "\n".join(lines)


def latency_to_text(measured: dict[str, Any]) -> str:
    """What `latency` measured, for people."""
    rows = measured["batches"]
    where = (
        f"{measured['runtime']} on one thread of {measured['device']}, median of {rows[0]['repeats']} and quartiles:"
    )
    times = [f"{row['ms']:.2f} ms ({row['ms_low']:.2f} to {row['ms_high']:.2f})" for row in rows]
    return "\n".join(
        [where, *(f"  {row['images']:>2} at a time: {time}" for row, time in zip(rows, times, strict=True))]
    )
