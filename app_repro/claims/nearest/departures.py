"""How a setting in which runs depart from a claim is named, and how much it counts."""

from dataclasses import dataclass
from typing import Any

from app_repro.config.protocols import SWITCHES
from app_repro.data.sets import FOLDER, SETS, SetInfo
from app_repro.records.settings import in_words


@dataclass(frozen=True)
class Departure:
    """A setting in which runs depart from a claim."""

    setting: str
    claimed: Any
    here: Any

    @property
    def text(self) -> str:
        """As people read it: "8,000 images"."""
        value = in_words(self.here)
        if self.setting == "dataset" and (size := set_of(self.here).size) != set_of(self.claimed).size and size:
            return f"{value} ({size} x {size} pixels)"
        if self.setting in SWITCHES:
            return f"switch {self.setting}={value}"
        if self.setting in ("dataset", "arch", "method", "criterion"):
            return value
        if self.setting == "data":
            return f"images of {value}"
        if self.here is None:
            return _ALL.get(self.setting, f"{self.setting} null")
        if self.setting in _COUNTED:
            return f"{self.here:,} {_COUNTED[self.setting]}"
        if self.setting == "megabatches":
            return f"megabatch {value} alone"
        if self.setting == "milestones":
            return f"milestones ({value})"
        return f"T = {value}" if self.setting == "sb" else f"{self.setting} {value}"

    @property
    def weight(self) -> int:
        """What it counts: 1; of a data set 1 more for each property of its images that differs too."""
        if self.setting != "dataset":
            return 1
        here, claimed = set_of(self.here), set_of(self.claimed)
        return 1 + sum(getattr(here, name) != getattr(claimed, name) for name in ("classes", "size", "channels"))


def set_of(name: Any) -> SetInfo:
    """The entry of a data set; one that has none here is like a folder."""
    return SETS.get(name, FOLDER)


# train_limit can stand beside few_shot, so that the latter's null is not always all images
_ALL = {
    "train_limit": "all images",
    "test_limit": "all test images",
    "few_shot": "not few-shot",
    "nm_n": "N by tau",
}
_COUNTED = {
    "train_limit": "images",
    "test_limit": "test images",
    "few_shot": "images a class",
    "epochs": "epochs",
}
