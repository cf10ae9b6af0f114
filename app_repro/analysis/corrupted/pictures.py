"""The images that networks of a data set are shown: its test images as they are, and under corruptions."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from app_repro.analysis.corrupted import official
from app_repro.analysis.corrupted.corruptions import block
from app_repro.analysis.corrupted.official import Official
from app_repro.analysis.corrupted.releases import GENERATED
from app_repro.config import corruptions
from app_repro.config.corruptions import CORRUPTIONS, SEVERITIES
from app_repro.core.seeds import seed_for
from app_repro.data.dataset import DataSet

CLEAN = "clean"
CODE = tuple(f"analysis/corrupted/{name}.py" for name in ("draws", "filters", "corruptions", "pictures"))


@dataclass(frozen=True)
class Asked:
    """What networks are to be shown."""

    images: int = 1000
    """Test images at most, the same for every network of a data set."""
    corruptions: Sequence[str] = ("all",)
    """Names, "common" or "all", as in config/corruptions.py."""
    severities: Sequence[int] = SEVERITIES
    source: str = GENERATED
    """GENERATED, or official files: "cifar10c:PATH"."""

    def __post_init__(self) -> None:
        corruptions.check(next(iter(CORRUPTIONS)), self.severities)

    @property
    def middle(self) -> int:
        """The severity at which corruptions are compared with each other: 3, else the middle one."""
        return 3 if 3 in self.severities else self.severities[len(self.severities) // 2]


@dataclass(frozen=True)
class Pictures:
    """The images of a data set that its networks are shown."""

    data: DataSet
    indices: np.ndarray
    """Places in the data set's test part, in order: drawn once for a data set and a number of images."""
    names: tuple[str, ...]
    """Of the corruptions."""
    files: Official | None = None
    _labels: dict[bool, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(cls, data: DataSet, asked: Asked) -> "Pictures":
        """At most so many as asked for, whatever the test images of a run are: all of them are unseen.

        Raises ParamsError, DataError, IntegrityError for what cannot be had (official.find, corruptions.chosen).
        """
        files = official.find(asked.source, data)
        drawn = np.random.default_rng(seed_for(0, "analysis", "images")).permutation(len(data.test_labels))
        names = corruptions.chosen(asked.corruptions, files is not None, data.test_images.shape[-1])
        if files and not set(asked.corruptions) - {"all", "common"}:  # as many of them as a user has
            names = [name for name in names if name in files.names]
        if files:
            files.require(names)
        return cls(data, np.sort(drawn[: asked.images]), tuple(names), files)

    @property
    def title(self) -> str:
        """The source, as tables name it."""
        return self.files.title if self.files else GENERATED

    @property
    def is_paired(self) -> bool:
        """Whether the image at a place is the same one clean and corrupted: a mirror may have another order."""
        return np.array_equal(self.labels(clean=True), self.labels(clean=False))

    def labels(self, clean: bool) -> np.ndarray:
        """(N,) int64: of the images as they are, or of the corrupted ones."""
        if clean not in self._labels:
            of_all = self.data.test_labels if clean or not self.files else self.files.labels
            self._labels[clean] = np.asarray(of_all[self.indices])
        return self._labels[clean]

    def block(self, corruption: str, severity: int) -> np.ndarray:
        """The images (N, H, W, C) uint8, corrupted unless `corruption` is CLEAN."""
        if self.files and corruption != CLEAN:
            return np.asarray(self.files.images(corruption, severity)[self.indices])
        clean = np.asarray(self.data.test_images[self.indices])
        return clean if corruption == CLEAN else block(corruption, severity, clean, self.indices)

    def blocks(self, conditions: Sequence[tuple[str, int]]) -> Iterator[np.ndarray]:
        """The blocks of some conditions, each made while the one before is in use."""
        with ThreadPoolExecutor(1) as maker:
            coming = [maker.submit(self.block, *condition) for condition in conditions[:1]]
            for place in range(len(conditions)):
                made = coming.pop().result()
                coming += [maker.submit(self.block, *condition) for condition in conditions[place + 1 : place + 2]]
                yield made
