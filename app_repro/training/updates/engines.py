"""How a step is launched: kernel by kernel, or captured once as a CUDA graph and replayed, with the same bits."""

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from app_repro.core.errors import ParamsError

AHEAD = 4
"""Launches that a graph engine queues on the device: enough to keep it busy; more would delay concurrent runs."""

WARM_UP = 2
"""Times that a step is run before it is captured: libraries allocate handles and workspaces when first used, which is
not allowed during a capture."""


Body = Callable[[], None]
"""Work that reads and writes tensors at fixed addresses only, and reads no value of them on the host."""


def warm_up(body: Body, changed: Sequence[Tensor]) -> None:
    """Run `body` WARM_UP times and restore the tensors that it changes after each, bit for bit.

    After each, not only at the end: a body advances its loader's position, and a second run from there could read
    indices that an earlier, longer order left, perhaps of other images.
    """
    before = [tensor.detach().clone() for tensor in changed]
    for _ in range(WARM_UP):
        body()
        with torch.no_grad():
            for tensor, was in zip(changed, before, strict=True):
                tensor.copy_(was)


class Engine(Protocol):
    """Launches work in order, on the current CUDA stream."""

    def launch(self, key: Hashable, body: Body, changed: Sequence[Tensor]) -> None:
        """Do `body`, which changes the tensors `changed`; equal keys mean the same work on the same tensors."""
        ...

    def has_capacity(self) -> bool:
        """Whether the device has few enough launches queued to be given another one."""
        ...


class Eager:
    """Launches each kernel as the body calls it, on any device."""

    def __init__(self, device: torch.device) -> None:
        pass

    def launch(self, key: Hashable, body: Body, changed: Sequence[Tensor]) -> None:
        """Call `body`."""
        body()

    def has_capacity(self) -> bool:
        """Always true: a CPU is done when a body returns; a GPU's driver makes the host wait if its queue is full."""
        return True


class Graph:
    """Captures each kind of work once as a CUDA graph and then replays it: one launch instead of hundreds.

    The warm-up before a capture leaves no trace (see `warm_up`). All graphs of an engine share one memory pool and run
    one after the other, on one stream that is not the default one. Raises ParamsError for a device without CUDA.
    """

    def __init__(self, device: torch.device) -> None:
        if device.type != "cuda":
            raise ParamsError(f"engine: graph needs a CUDA device, this is {device.type}; use engine: eager")
        self.pool = torch.cuda.graph_pool_handle()
        self.graphs: dict[Hashable, torch.cuda.CUDAGraph] = {}
        self.waiting: deque[torch.cuda.Event] = deque()

    def launch(self, key: Hashable, body: Body, changed: Sequence[Tensor]) -> None:
        """Replay the graph of `key`, captured from `body` at its first launch."""
        if key not in self.graphs:
            self.graphs[key] = self._capture(body, changed)
        self.graphs[key].replay()
        event = torch.cuda.Event()
        event.record()
        self.waiting.append(event)

    def has_capacity(self) -> bool:
        """Whether fewer than AHEAD launches are unfinished."""
        while self.waiting and self.waiting[0].query():
            self.waiting.popleft()
        return len(self.waiting) < AHEAD

    def _capture(self, body: Body, changed: Sequence[Tensor]) -> torch.cuda.CUDAGraph:
        warm_up(body, changed)
        graph = torch.cuda.CUDAGraph()
        # thread_local: the thread that writes states may copy one to the host during the capture
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
"""compiled: the network goes through torch.compile; its steps are launched as graphs on a GPU, eagerly on a CPU."""
