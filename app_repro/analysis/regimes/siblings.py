"""Which finished runs are siblings, so that the path between them says something, and which are not."""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from safetensors.numpy import load as load_tensors

from app_repro.analysis.trained import Trained
from app_repro.core.errors import DataError, IntegrityError
from app_repro.records.settings import OF_DATA

MASKS = "masks.safetensors"
REMEDY_OF_MASKS = "siblings that part at the last megabatch (branch: null) have one mask"
REMEDY = "dvc exp run -S '++sgd_seed=[null,1,2]' trains some"


@dataclass(frozen=True)
class Pair:
    """Two siblings: all is equal but the order and augmentation of training images from one megabatch on."""

    one: Trained
    other: Trained

    @property
    def name(self) -> str:
        """Both names."""
        return f"{self.one.name} with {self.other.name}"

    def check(self) -> None:
        """Raise DataError, of `kind` "masks", where their masks differ; IntegrityError for a file that is damaged."""
        ones, others = (_masks(network) for network in (self.one, self.other))
        counts = (int(np.bitwise_count(ones[name] ^ others[name]).sum()) for name in ones)
        if differing := sum(counts):
            what = f"{self.name}: their masks differ in {differing:,} places, so no path joins them"
            last, branches = self.one.spec.sb, {self.one.spec.branch, self.other.spec.branch}
            how = "their method prunes while they train" if last in branches else REMEDY_OF_MASKS
            raise DataError(f"{what}; {how}", key=self.name, kind="masks")


def _masks(network: Trained) -> dict[str, np.ndarray]:
    path = network.folder / MASKS
    try:
        content = path.read_bytes()
    except OSError as error:
        raise IntegrityError(f"{path}: {error.strerror}; run it again", key=str(path)) from None
    return load_tensors(content)


def pairs(networks: Sequence[Trained], only: Sequence[str] = ()) -> tuple[list[Pair], list[str]]:
    """Every pair of siblings, those of one setting and seed together, and a line per sibling that is alone.

    only: run ids, of which one at least must be in a pair. Raises DataError where there is no sibling at all.
    """
    families: dict[str, list[Trained]] = defaultdict(list)
    for network in networks:
        families[_family(network)].append(network)
    found, alone = list[Pair](), list[Trained]()
    for members in _branches(families.values()):
        found += itertools.starmap(Pair, itertools.combinations(members, 2))
        alone += members if len(members) == 1 else []
    meant = [pair for pair in found if not only or {pair.one.run_id, pair.other.run_id} & set(only)]
    lone = [one for one in alone if not only or one.run_id in only]
    if not meant and not lone:
        raise DataError(f"no siblings among {len(networks)} runs; {REMEDY}", key="sgd_seed", kind="no siblings")
    return meant, [_why_alone(one, networks) for one in lone]


def _family(network: Trained, *but: str) -> str:
    """Equal for a run and its siblings."""
    return f"{network.run.setting_without('sgd_seed', 'branch', *but)} {network.run.seed}"


def _branches(families: Iterable[list[Trained]]) -> Iterator[list[Trained]]:
    """The siblings that part at one megabatch, with the run that they part from, if it is there."""
    for members in families:
        source = [one for one in members if one.run.spec["sgd_seed"] is None]
        for branch in sorted({one.run.spec["branch"] for one in members} - {None}):
            yield source + [one for one in members if one.run.spec["branch"] == branch]


def _why_alone(network: Trained, networks: Sequence[Trained]) -> str:
    """What a sibling without another lacks."""
    like = _family(network, *OF_DATA)
    elsewhere = [one.name for one in networks if one is not network and _family(one, *OF_DATA) == like]
    if elsewhere:
        return (
            f"{network.name}: its siblings were trained on other data: {', '.join(elsewhere[:3])}; no path joins them"
        )
    return f"{network.name}: alone; the run that it parts from is not there, nor another sibling; {REMEDY}"
