"""What siblings share: the state of the run that they part from, at the end of the megabatch before they do.

A folder `prefixes/<id of that run>-<branch>` in the store says that siblings wait for it; the run, or a sibling that
had to train so far itself, leaves there its state and the results up to it. A sibling that begins takes both as its
own. The bits are those that it would have computed, so one that finds nothing there computes them.
"""

import contextlib
import json
import shutil
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app_repro.config.spec import RunSpec
from app_repro.core.errors import DiskFullError
from app_repro.records.stores.store import RunFolder, Store


def parted_from(spec: RunSpec) -> RunSpec | None:
    """The run whose first megabatches a sibling repeats; None for a run that repeats none, and for control arms."""
    if spec.sgd_seed is None or spec.branch is None or spec.branch < 2 or spec.control:
        return None
    return spec.model_copy(update={"sgd_seed": None, "branch": None})


def waves(specs: Sequence[RunSpec]) -> tuple[list[RunSpec], list[RunSpec], list[RunSpec]]:
    """Runs that need no other, siblings, which go on from what these leave, and control arms, whose sources end first:
    each trained when those before have ended.
    """
    controls = [spec for spec in specs if spec.control]
    siblings = [spec for spec in specs if parted_from(spec)]
    return [spec for spec in specs if not (spec.control or parted_from(spec))], siblings, controls


def folder(store: Store, source: RunSpec, branch: int) -> RunFolder:
    """Where the state of `source` before megabatch `branch` lies."""
    return RunFolder(store.root / "prefixes" / f"{source.run_id}-{branch:03d}")


def _of(specs: Sequence[RunSpec], store: Store) -> dict[RunFolder, list[RunSpec]]:
    """The siblings among `specs`, by the folder that they take their prefix from."""
    found: dict[RunFolder, list[RunSpec]] = defaultdict(list)
    for spec in specs:
        if (source := parted_from(spec)) and spec.branch:
            found[folder(store, source, spec.branch)].append(spec)
    return found


def ask(specs: Sequence[RunSpec], store: Store) -> None:
    """Say in the store that the siblings among `specs` wait for their prefixes."""
    for prefix in _of(specs, store):
        with contextlib.suppress(OSError):  # without it they train on their own
            prefix.path.mkdir(parents=True, exist_ok=True)


def drop(specs: Sequence[RunSpec], store: Store, ended: Collection[str]) -> None:
    """Remove the prefixes whose siblings among `specs` have all ended (their ids)."""
    for prefix, siblings in _of(specs, store).items():
        if all(spec.run_id in ended for spec in siblings):
            shutil.rmtree(prefix.path, ignore_errors=True)


@dataclass(frozen=True)
class SharingFolder(RunFolder):
    """The files of a run that leaves its state to siblings where they wait for it."""

    store: Store
    spec: RunSpec
    device: str
    """Name of the device: bits of another one are others."""

    def save_state(self, content: bytes) -> None:
        """As RunFolder; before that the prefix, if this is the end of a megabatch that siblings wait for."""
        source = parted_from(self.spec) or self.spec
        if (branch := _begins(content)) and branch <= self.spec.sb and self.spec.branch in (None, branch):
            prefix = folder(self.store, source, branch)
            if prefix.path.is_dir() and (results := self.megabatches(branch - 1)):
                about = {"run_id": source.run_id, "device": self.device}
                with contextlib.suppress(OSError, DiskFullError), prefix.lock():
                    _leave(prefix, results, content, about)
        super().save_state(content)


def take_up(own: RunFolder, spec: RunSpec, store: Store, code: str, device: str) -> bool:
    """Let a sibling without a state go on from its prefix, if one is there of the same learning code and device; to be
    called under the sibling's lock. Whether it was taken up.
    """
    source = parted_from(spec)
    if source is None or spec.branch is None or next(iter(own.load_states()), None) is not None:
        return False
    prefix = folder(store, source, spec.branch)
    about = {"run_id": source.run_id, "code": code, "device": device, "finished": spec.branch - 1}
    for content in prefix.load_states():
        position = json.loads(_header(content)["__metadata__"]["position"])
        results = prefix.megabatches(spec.branch - 1)
        if results and all(position.get(key) == value for key, value in about.items()):
            _leave(own, results, content, {"run_id": spec.run_id})
            return True
    return False


def shared(own: RunFolder, spec: RunSpec, store: Store, code: str, device: str) -> RunFolder:
    """The files of a run that is about to begin or go on, under its lock: those of a prefix are taken up first, if it
    is a sibling's, and where siblings wait for its state it is left to them. device: cpu, cuda:0, ...
    """
    from app_repro.training.device import describe_device

    if spec.control:
        return own
    name = describe_device(device)["name"]
    take_up(own, spec, store, code, name)
    return SharingFolder(own.path, store, spec, name)


def begins(specs: Sequence[RunSpec], left: Collection[int], store: Store) -> dict[int, int]:
    """The megabatch at which each sibling among `specs` begins that will find a prefix; by place, those of `left` that
    are to be trained.

    It finds one where the run that it parts from is trained with it, where another sibling is trained before it, or
    where the store has one.
    """
    ids, there, found = {specs[place].run_id for place in left}, dict[RunFolder, bool](), dict[int, int]()
    for place in sorted(left):
        source, branch = parted_from(specs[place]), specs[place].branch
        if source and branch:
            prefix = folder(store, source, branch)
            if prefix not in there:
                there[prefix] = source.run_id in ids or bool(prefix.megabatches(1))
            if there[prefix]:
                found[place] = branch
            there[prefix] = True
    return found


def _leave(target: RunFolder, results: Sequence[dict[str, Any]], state: bytes, about: Mapping[str, Any]) -> None:
    """Write results and state as those of the run that `about` names."""
    for result in results:
        target.write_megabatch(result | {"run_id": about["run_id"]})
    target.save_state(renamed(state, about))


def renamed(content: bytes, changes: Mapping[str, Any]) -> bytes:
    """A state (training/checkpoint.py) with `changes` in its position; its tensors stay byte for byte."""
    header, start = _header(content), 8 + int.from_bytes(content[:8], "little")
    position = json.loads(header["__metadata__"]["position"]) | changes
    header["__metadata__"]["position"] = json.dumps(position)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors are aligned, as safetensors has it
    return len(text).to_bytes(8, "little") + text + content[start:]


def _begins(content: bytes) -> int | None:
    """The megabatch before which a state stands; None for one within a megabatch."""
    about = _header(content)["__metadata__"]
    progress, finished = json.loads(about["progress"]), json.loads(about["position"])["finished"]
    return finished + 1 if finished and progress["epoch"] == progress["step"] == 0 else None


def _header(content: bytes) -> dict[str, Any]:
    header: dict[str, Any] = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return header
