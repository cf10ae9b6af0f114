"""GPUs as doctor sees them: usable by torch, driver, kernels that repeat bit by bit, a compiler for torch.compile."""

import os
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import torch

from app_repro.core.errors import one_line
from app_repro.core.paths import BENCHES
from app_repro.execution.planning import gpu_advice
from app_repro.execution.planning.speeds import read_benches
from app_repro.machine.checks import Answer, Subject
from app_repro.training.determinism import configure
from app_repro.training.device import describe_device

KERNEL_MODULE = Path("/proc/driver/nvidia/version")

OLDEST_DRIVER = {13: 580, 12: 525, 11: 450}
"""CUDA's major release -> the oldest major driver release that runs it (NVIDIA, CUDA release notes, "minor version
compatibility")."""

COMPILER_REMEDY = "install gcc, g++ and Python's headers (build-essential, python3-dev), or use engine: graph or eager"


def gpu(subject: Subject) -> Answer:
    """Whether torch sees the GPUs that the settings ask for."""
    device = subject.params().device
    if device == "cpu":
        return "ok", "device: cpu asks for none", ""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count and device.startswith("cuda:") and int(device[5:]) >= count:
        number, names = ("is 1 GPU", "cuda:0") if count == 1 else (f"are {count} GPUs", f"cuda:0 to cuda:{count - 1}")
        return "fail", f"device: {device}, and there {number} here", f"device: auto, or {names}"
    if count:
        cards = map(torch.cuda.get_device_properties, range(count))
        return "ok", ", ".join(f"{card.name} ({card.total_memory / 1e9:.0f} GB)" for card in cards), ""
    if driver_version():
        if torch.version.cuda is None:
            return "fail", "a driver is here, but torch is its CPU build", "use the image, or device: cpu"
        remedy = "in a container: --gpus all, or --nv; see driver"
        return "fail", "a driver is here, but torch sees no GPU", remedy
    if device.startswith("cuda"):
        return "fail", f"device: {device}, and no GPU is here", "device: cpu or auto; in a container: --gpus all"
    return "warn", "no GPU: everything is trained on the CPU", "fit for the demo; with a GPU: docker run --gpus all"


def driver(_: Subject) -> Answer:
    """The driver against the CUDA release that torch is built for."""
    version, cuda = driver_version(), torch.version.cuda
    if not version:
        return "ok", "no NVIDIA driver here", ""
    if cuda is None:
        return "ok", f"driver {version}; torch is its CPU build", ""
    oldest = OLDEST_DRIVER.get(int(cuda.split(".")[0]), 0)
    finding = f"driver {version}, torch is built for CUDA {cuda}"
    if int(version.split(".")[0]) < oldest:
        return "fail", f"{finding}, which needs {oldest} or newer", f"install driver {oldest} or newer on the host"
    return "ok", finding, ""


def driver_version() -> str:
    """The version of the loaded kernel module, such as 580.65.06, else what nvidia-smi says; empty without a driver."""
    try:
        text = KERNEL_MODULE.read_text()
    except OSError:
        command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        try:
            text = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
        except (OSError, subprocess.SubprocessError):
            return ""
    match = re.search(r"\b\d{3}\.\d+(\.\d+)?\b", text)
    return match.group() if match else ""


def engine(subject: Subject) -> Answer:
    """Whether gpu-check has been made on this GPU, and whether the settings have the engine that it recommends."""
    params = subject.params()
    if params.device == "cpu" or not torch.cuda.is_available():
        return "ok", "no GPU is used: eager is the engine of a CPU", ""
    name, benches = describe_device("cuda")["name"], read_benches(BENCHES)
    if said := gpu_advice.said(params.specs, name, benches):
        return "warn", *said
    if gpu_advice.recommended(name, benches):
        return "ok", f"as gpu-check of this {name} recommends", ""
    return "ok", "captured steps, untested on this GPU", "`app-repro gpu-check` tests them in ten minutes"


def missing_compiler(device: str) -> str:
    """What `engine: compiled` lacks here, in words; empty if nothing is missing. `device`: "cpu", else a GPU.

    torch.compile writes C (Triton, on a GPU) or C++ (Inductor, on a CPU) and compiles it at run time.
    """
    variable, usual = ("CXX", ["g++"]) if device == "cpu" else ("CC", ["gcc", "clang"])  # as Inductor and Triton look
    named = os.environ.get(variable)
    names = [named.split()[0]] if named and named.split() else usual
    if not any(map(shutil.which, names)):
        return f"no compiler here: {' or '.join(names)}"
    if not (Path(sysconfig.get_paths()["include"]) / "Python.h").exists():
        return "Python's headers are not here: Python.h"
    return ""


def compiler(subject: Subject) -> Answer:
    """Whether engine: compiled can work, where the settings ask for it."""
    params = subject.params()
    if all(spec.engine != "compiled" for spec in params.specs):
        return "ok", "none is needed: no engine: compiled", ""
    if missing := missing_compiler("cuda" if params.device != "cpu" and torch.cuda.is_available() else "cpu"):
        return "fail", f"engine: compiled, and {missing}", COMPILER_REMEDY
    return "ok", "a compiler is here", ""


def kernels(subject: Subject) -> Answer:
    """Two equal training steps give equal bits on every device that would be used, with the settings of a worker."""
    on_gpu = subject.params().device != "cpu" and torch.cuda.is_available()
    devices = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if on_gpu else ["cpu"]
    for name in devices:
        configure(name)
        try:
            if not torch.equal(_step(name), _step(name)):
                return "fail", f"{name}: two equal steps differ", "results of this machine will not repeat; report it"
        except RuntimeError as error:
            return "fail", f"{name}: {one_line(error, 120)}", "start with CUBLAS_WORKSPACE_CONFIG=:4096:8"
    return "ok", f"two equal steps on {', '.join(devices)}: equal bits", ""


def _step(device: str) -> torch.Tensor:
    """Gradients of a small convolution and a linear layer, from a fixed seed."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(8, 3, 16, 16, generator=generator).to(device)
    kernel = torch.randn(16, 3, 3, 3, generator=generator).to(device).requires_grad_()
    weight = torch.randn(10, 16 * 14 * 14, generator=generator).to(device).requires_grad_()
    hidden = torch.nn.functional.conv2d(images, kernel).relu().flatten(1)
    torch.nn.functional.cross_entropy(hidden @ weight.T, torch.arange(8).to(device)).backward()
    assert kernel.grad is not None and weight.grad is not None
    return torch.cat([kernel.grad.flatten(), weight.grad.flatten()]).cpu()
