"""How a step is launched: kernel by kernel, or captured once as a CUDA graph and replayed, with the same bits."""

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from app_repro.core.errors import ParamsError

AHEAD = 4
"""Launches that a graph engine lets wait on the device: enough to keep it busy; more would delay concurrent runs."""

WARM_UP = 2
"""Times a step is run before it is captured: libraries make their handles and workspaces at first use, which a
capture must not."""


Body = Callable[[], None]
"""A piece of work that reads and writes tensors at fixed addresses only, and never looks at a value."""


def warm_up(body: Body, changed: Sequence[Tensor]) -> None:
    """Do `body` WARM_UP times, each time from the tensors `changed` as they are now, and leave them so, bit for bit.

    They are put back each time, not only at the end: a body moves a loader's position on, and beyond its batch lie
    indices of an earlier order, perhaps of other images.
    """
    before = [tensor.detach().clone() for tensor in changed]
    for _ in range(WARM_UP):
        body()
        with torch.no_grad():
            for tensor, was in zip(changed, before, strict=True):
                tensor.copy_(was)


class Engine(Protocol):
    """Launches pieces of work in order, on the stream that is current."""

    def launch(self, key: Hashable, body: Body, changed: Sequence[Tensor]) -> None:
        """Do `body`, which changes the tensors `changed`; equal keys mean the same work on the same tensors."""
        ...

    def has_capacity(self) -> bool:
        """Whether another launch would start soon, rather than wait behind many."""
        ...


class Eager:
    """Kernel by kernel, on any device."""

    def __init__(self, device: torch.device) -> None:
        pass

    def launch(self, key: Hashable, body: Body, changed: Sequence[Tensor]) -> None:
        """Do `body` now."""
        body()

    def has_capacity(self) -> bool:
        """Always: on a CPU a body is done when it returns; on a GPU a full queue makes the host wait by itself."""
        return True


class Graph:
    """Each piece of work captured once, then replayed: one launch instead of hundreds.

    What a piece of work changes is put back after the warm-up, bit for bit. All graphs of an engine share one memory
    pool and run one after the other, on one stream that is not the default one.
    """

    def __init__(self, device: torch.device) -> None:
        if device.type != "cuda":
            raise ParamsError(f"engine: graph needs a CUDA device, this is {device.type}; use engine: eager")
        self.pool = torch.cuda.graph_pool_handle()
        self.graphs: dict[Hashable, torch.cuda.CUDAGraph] = {}
        self.waiting: deque[torch.cuda.Event] = deque()

    def launch(self, key: Hashable, body: Body, changed: Sequence[Tensor]) -> None:
        """Replay what `key` stands for; capture it first if it is new."""
        if key not in self.graphs:
            self.graphs[key] = self._capture(body, changed)
        self.graphs[key].replay()
        event = torch.cuda.Event()
        event.record()
        self.waiting.append(event)

    def has_capacity(self) -> bool:
        """Whether fewer than AHEAD launches are under way."""
        while self.waiting and self.waiting[0].query():
            self.waiting.popleft()
        return len(self.waiting) < AHEAD

    def _capture(self, body: Body, changed: Sequence[Tensor]) -> torch.cuda.CUDAGraph:
        warm_up(body, changed)
        graph = torch.cuda.CUDAGraph()
        # thread_local: another thread may copy a finished state to the host meanwhile
        with torch.cuda.graph(
            graph, pool=self.pool, stream=torch.cuda.current_stream(), capture_error_mode="thread_local"
        ):
            body()
        return graph


ENGINES: dict[str, Callable[[torch.device], Engine]] = {
    "eager": Eager,
    "graph": Graph,
    "compiled": lambda device: (Graph if device.type == "cuda" else Eager)(device),
}
"""compiled: the network's passes through torch.compile, then launched as a graph where there are graphs."""
