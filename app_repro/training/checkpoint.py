"""A run's files: the state of an unfinished one as safetensors, the weights and the mask of a finished one."""

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from app_repro.config.spec import RunSpec
from app_repro.core.errors import IntegrityError, ParamsError
from app_repro.core.files import digest, read_sealed
from app_repro.pruning.channels import Channels
from app_repro.pruning.masks import Mask, full, pack, prunable, unpack
from app_repro.pruning.removal import compact
from app_repro.training.fit import Progress
from app_repro.training.models import networks
from app_repro.training.updates.flows import Flow
from app_repro.training.updates.optimizer import momentum_of

_PARTS = ("net", "momentum", "best", "mask", "dense", "best_dense", "sums", "squares")


class RunFiles(Protocol):
    """Where a run keeps its files: records.store.RunFolder, which this room does not import.

    megabatches: the results of the first `count` megabatches, None if one is missing. load_states: newest first.
    restart: delete what an earlier attempt left.
    """

    def write_megabatch(self, content: dict[str, Any]) -> None: ...
    def megabatches(self, count: int) -> list[dict[str, Any]] | None: ...
    def save_state(self, content: bytes) -> None: ...
    def load_states(self) -> Iterable[bytes]: ...
    def restart(self) -> None: ...


@dataclass(frozen=True)
class State:
    """A snapshot of a run. Its tensors are copies or never change, so training can go on while it is written."""

    tensors: dict[str, Tensor]
    header: dict[str, str]
    ready: torch.cuda.Event | None
    """Recorded after the copies; None on the CPU, where copies are complete at once."""


def take(
    net: nn.Module,
    sgd: torch.optim.SGD,
    mask: Mask,
    progress: Progress,
    position: Mapping[str, Any],
    flow: Flow | None = None,
) -> State:
    """A snapshot between two steps: network, momentum, best epoch, mask, progress, and what a flow holds.

    position: JSON values that say which run this is and where it stands; `position_of` returns them.
    """
    parts: dict[str, Mapping[str, Tensor]] = {
        "net": net.state_dict(),
        "momentum": momentum_of(net, sgd),
        "best": progress.best,
        "mask": mask,
        "best_dense": progress.best_dense,
        **(flow.parts if flow else {}),
    }
    # masks and best weights are replaced, never changed: they need no copy
    tensors = {
        f"{part}/{name}": tensor if part in ("best", "best_dense", "mask") else tensor.detach().clone()
        for part, content in parts.items()
        for name, tensor in content.items()
    }
    plain = {
        item.name: getattr(progress, item.name) for item in fields(progress) if item.name not in ("best", "best_dense")
    }
    header = {"progress": json.dumps(plain), "position": json.dumps(dict(position))}
    ready = None
    if next(net.parameters()).device.type == "cuda":
        ready = torch.cuda.Event()
        ready.record()
    return State(tensors, header, ready)


def encode(state: State) -> bytes:
    """A snapshot as the bytes of one safetensors file; masks as packed bits. Waits for the copies."""
    if state.ready is not None:
        state.ready.synchronize()
    masks = {name: tensor for name, tensor in state.tensors.items() if name.startswith("mask/")}
    tensors = {name: tensor.cpu().contiguous() for name, tensor in (state.tensors | pack(masks)).items()}
    return save_tensors(tensors, metadata=state.header)


def position_of(content: bytes) -> dict[str, Any]:
    """The `position` that `take` was given, read from the header alone."""
    return json.loads(_header(content)["position"])


def mask_of(content: bytes, like: Mask) -> Mask:
    """The mask of a state. like: a mask of the same network, for shapes and device."""
    tensors = load_tensors(content)
    return unpack({name: tensors[f"mask/{name}"] for name in like}, like)


def restore(content: bytes, net: nn.Module, sgd: torch.optim.SGD, flow: Flow | None = None) -> Progress:
    """Load a state into `net`, `sgd` and `flow` in place; return its progress. Shapes are those under its mask, and a
    flow to dense weights has the pattern in force already."""
    parts: dict[str, dict[str, Tensor]] = {part: {} for part in _PARTS}
    for name, tensor in load_tensors(content).items():
        part, _, key = name.partition("/")
        parts[part][key] = tensor
    networks.load(net, parts["net"])
    for part, own in {"momentum": momentum_of(net, sgd), **(flow.parts if flow else {})}.items():
        for name, tensor in own.items():
            tensor.copy_(parts[part][name])
    if flow:
        flow.load(parts["dense"])
    progress = Progress(**json.loads(_header(content)["progress"]))
    device = next(net.parameters()).device
    progress.best = {name: tensor.to(device) for name, tensor in parts["best"].items()}
    progress.best_dense = {name: tensor.to(device) for name, tensor in parts["best_dense"].items()}
    return progress


def encode_weights(net: nn.Module) -> bytes:
    """Parameters and buffers of a network as safetensors."""
    return save_tensors({name: tensor.detach().cpu().contiguous() for name, tensor in net.state_dict().items()})


def of_run(folder: Path, device: torch.device | None = None, after: str = "") -> nn.Module:
    """The network that a finished run left in its `folder`, in evaluation mode, for normalised images (B, C, H, W).

    after: "-004" for the network after the fourth megabatch, of a run that kept its weights; empty: after the last.

    It computes the run's own logits, bit for bit on the device of the run. Channels that the run removed are not in it.
    Raises IntegrityError if a file is missing, damaged or another run's.
    """
    content = read_sealed(folder / "record.json")
    spec = RunSpec.model_validate(content["spec"])
    names = (f"model{after}.safetensors", f"masks{after}.safetensors")
    weights, packed = (_left(folder, name, content["files"], bool(after)) for name in names)
    shapes = {name: tensor.shape for name, tensor in weights.items()}
    for net in _candidates(spec, weights):
        if spec.granularity == "channel":
            channels, dense = Channels.of(net), full(prunable(net))
            compact(net, channels, channels.alive(dense), channels.alive(unpack(packed, dense)))
        if shapes == {name: tensor.shape for name, tensor in net.state_dict().items()}:
            networks.load(net, weights)
            return net.to(device or torch.device("cpu"), memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    what = f"{folder / 'model.safetensors'}: not the weights of {spec.arch} under its mask; run it again"
    raise IntegrityError(what, key=str(folder))


def _left(folder: Path, name: str, digests: Mapping[str, str], is_kept: bool) -> dict[str, Tensor]:
    """Tensors of a file beside a record, checked against it; weights kept on the way stand in no record."""
    try:
        content = (folder / name).read_bytes()
    except OSError as error:
        raise IntegrityError(f"{folder / name}: {error.strerror}; run it again", key=str(folder / name)) from None
    if not is_kept and digest(content) != digests.get(name):
        raise IntegrityError(f"{folder / name}: damaged, or another run's; run it again", key=str(folder / name))
    try:
        return load_tensors(content)
    except SafetensorError as error:
        raise IntegrityError(f"{folder / name}: damaged ({error}); run it again", key=str(folder / name)) from None


def _candidates(spec: RunSpec, weights: Mapping[str, Tensor]) -> Iterator[nn.Module]:
    """The networks at full widths that could have these weights: the size of the images decides the first layers."""
    builder_takes = networks.ARCHITECTURES[spec.arch][1]
    with torch.device("meta"):
        named = networks.build(spec.arch, 2, builder_takes)
    last = [name for name, module in named.named_modules() if isinstance(module, nn.Linear)][-1]
    classes, channels = len(weights[f"{last}.weight"]), weights[next(iter(prunable(named)))].shape[1]
    for size in (builder_takes, networks.IMAGENET_SIZE):
        with contextlib.suppress(ParamsError):  # for images of three channels only
            yield networks.build(spec.arch, classes, size, channels)


def encode_mask(mask: Mask) -> bytes:
    """A mask as safetensors of packed bits; the shapes are the network's."""
    return save_tensors(pack(mask))


def _header(content: bytes) -> dict[str, str]:
    # safetensors: 8 bytes with the length of a JSON header, then it; the library reads metadata from files alone
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length])["__metadata__"]
