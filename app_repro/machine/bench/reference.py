"""The training loop of the released code, written plainly after its description: what `bench` compares with."""

import contextlib
import os
import time
from collections.abc import Generator, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from app_repro.training.models import networks

AHEAD = 4
"""Batches that the two loader workers have ready before they are asked for."""


class Pictures(Dataset[tuple[torch.Tensor, int]]):
    """Images as the released code loads them: one PIL picture at a time, cropped, flipped, made a tensor."""

    def __init__(self, pixels: np.ndarray, labels: np.ndarray) -> None:
        """`pixels` (N, H, W, 3) uint8, `labels` (N,) int."""
        networks.torchvision_models()
        from torchvision import transforms

        self.pixels, self.labels = pixels, labels
        crop = transforms.RandomCrop(pixels.shape[1], padding=4)
        self.transform = transforms.Compose([crop, transforms.RandomHorizontalFlip(), transforms.ToTensor()])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        from PIL import Image

        return self.transform(Image.fromarray(self.pixels[index])), int(self.labels[index])


class Reference:
    """One run: DataLoader with 2 workers, masks as hooks of torch.nn.utils.prune, NCHW, two `.item()` a step."""

    def __init__(self, arch: str, batch_size: int, pixels: np.ndarray, labels: np.ndarray, device: str) -> None:
        from torch.nn.utils import prune

        self.device = device
        self.net = networks.build(arch, 10, pixels.shape[1], 3).to(device)
        for module in self.net.modules():
            if isinstance(module, nn.Conv2d):
                prune.random_unstructured(module, "weight", amount=0.5)
        self.sgd = torch.optim.SGD(self.net.parameters(), 0.1, momentum=0.9, weight_decay=1e-4)
        self.loader: DataLoader[Any] = DataLoader(
            Pictures(pixels, labels),
            batch_size,
            shuffle=True,
            num_workers=2,
            multiprocessing_context="fork",  # as Linux has it; in a process that was itself spawned it would be another
            pin_memory=device != "cpu",
            drop_last=True,
        )
        self.batches = self._forever()

    def _forever(self) -> Generator[tuple[torch.Tensor, torch.Tensor]]:
        while True:
            yield from self.loader

    def seconds(self, steps: int) -> float:
        """Seconds of so many steps; those that the loader has worked ahead for go before, not counted."""
        with torch_defaults():
            for _ in range(AHEAD):
                self._step(*next(self.batches))
            start = time.perf_counter()
            for _ in range(steps):
                self._step(*next(self.batches))
            if self.device != "cpu":
                torch.cuda.synchronize()
            return time.perf_counter() - start

    def close(self) -> None:
        """Let the loader's processes go now: the next collection may come in the middle of something else."""
        self.batches.close()

    def _step(self, images: torch.Tensor, labels: torch.Tensor) -> tuple[float, float]:
        images, labels = images.to(self.device), labels.to(self.device)
        logits = self.net(images)
        loss = nn.functional.cross_entropy(logits, labels)
        self.sgd.zero_grad()
        loss.backward()
        self.sgd.step()
        return loss.item(), (logits.argmax(1) == labels).float().mean().item()


@contextlib.contextmanager
def torch_defaults() -> Iterator[None]:
    """Within the block, torch's own defaults: kernels of any order, TF32 in convolutions, all threads."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    tf32 = torch.backends.cudnn.allow_tf32
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.allow_tf32 = True
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic)
        torch.backends.cudnn.allow_tf32 = tf32
