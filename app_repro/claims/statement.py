"""What a claim is: what is said of which metric and methods, in which setting, and the runs that it needs."""

import re
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Literal

from app_repro.config import presets
from app_repro.config.catalogue import CONTROL_ONLY, CONTROLS, CRITERIA
from app_repro.config.grid import Params, parse
from app_repro.config.methods import METHODS, prunes
from app_repro.config.protocols import OF_GROUPS, PRUNING_ONLY, SWITCHES
from app_repro.config.reading import settings_from_words
from app_repro.config.spec import RunSpec
from app_repro.core.errors import ParamsError, nearest_and_known
from app_repro.records.measures.metrics import METRICS

OWN = "app-repro"
"""The source that rows of our own statements name; each of them says why it may fail."""

PAPER = "2204.01640"
"""The paper's number on arXiv; a source that names another one is another paper's."""

_OF_SIDES = ("method", *(key for key in PRUNING_ONLY if key not in SWITCHES), *CONTROL_ONLY)
"""Settings in which the sides of a claim may differ."""


@dataclass(frozen=True)
class Claim:
    """One row of the claims file."""

    id: str
    source: str
    quotation: str
    metric: str
    kind: str
    method: str
    """The side judged: a method or criterion, then settings of its own ("osp tau=17.5"). Without control=
    ("app control=ticket") it is about runs that are no control arms, without granularity= about runs that prune single
    weights, whatever the preset has."""
    against: tuple[str, ...]
    value: float | None
    unit: str
    rounding: float
    """Width of the reported number's last digit, in `unit`."""
    margin: float | None
    margin_reason: str
    n_reported: int | None
    """Runs behind the reported number; None: unknown, counted as 1."""
    preset: str
    settings: str
    """Overrides of the preset, "key=value" or "key=a|b". With "*", settings that are named neither here nor by a side
    may have any value."""
    layers: tuple[str, ...]
    """Of the kind layer_ordering: the early layers, by depth."""
    megabatches: tuple[int, ...]
    """Of the kind layer_ordering: the megabatches whose masks are compared."""
    may_fail: str
    """Of a statement of our own: why it might not hold."""
    note: str

    @property
    def sides(self) -> tuple[str, ...]:
        """`method`, then each of `against`."""
        return (self.method, *self.against)

    @property
    def whose(self) -> Literal["paper", "another", "own"]:
        """Who says it: the paper or its authors, the authors of another paper, or this project."""
        if self.source == OWN:
            return "own"
        return "another" if set(re.findall(r"arXiv:(\d+\.\d+)", self.source)) - {PAPER} else "paper"

    @cached_property
    def names_controls(self) -> bool:
        """Whether any of its sides is a control arm."""
        return any(spec.control for spec in self.grid.specs)

    @cached_property
    def is_of_first_masks(self) -> bool:
        """Whether it is about masks before megabatch 1 alone, which need no training."""
        return self.megabatches == (1,) and not self.names_controls

    @property
    def remedy(self) -> str:
        """What there are none of where it is not judged, and the command that says more."""
        if self.is_of_first_masks:
            return f"no masks; `app-repro audit --claim {self.id}` makes them, without training"
        return f"no runs; `app-repro plan --claim {self.id}` names those it needs"

    @property
    def is_open(self) -> bool:
        """Whether settings that the row does not name may be any ("*")."""
        return "*" in self.settings.split()

    @property
    def is_of_any_data(self) -> bool:
        """Whether its data set may be any, so that what is measured has to name it."""
        return self.is_open and "dataset" not in self.overrides

    @cached_property
    def overrides(self) -> dict[str, Any]:
        """`settings` as keys and values of params.yaml."""
        return settings_from_words([word for word in self.settings.split() if word != "*"], separator="|")

    @cached_property
    def raw(self) -> dict[str, Any]:
        """All settings, keys as in params.yaml: the preset's, then the row's; without its sides'."""
        machine: dict[str, Any] = {"device": "auto", "workers": None}
        return presets.preset(self.preset) | machine | {"control": None, "granularity": None} | self.overrides

    @cached_property
    def grid(self) -> Params:
        """Every run that the claim needs, the sources of control arms among them. Raises ParamsError."""
        variants = [side_settings(side) for side in self.sides]
        return parse(self.raw | {"variants": variants}, self.id)

    @cached_property
    def known_sides(self) -> frozenset[str]:
        """Sides whose value is known without a run: those that never prune, of a metric that is defined there."""
        if METRICS[self.metric].unpruned is None:
            return frozenset()
        values = {side: self.raw | side_settings(side) for side in self.sides}
        lists = {side: (listed(of["method"]), listed(of["sb"])) for side, of in values.items()}
        return frozenset(side for side, (ms, ks) in lists.items() if not any(prunes(m, k) for m in ms for k in ks))

    @property
    def names_protocols(self) -> bool:
        """Whether each side names its protocol."""
        return "protocol" in side_settings(self.method)

    @property
    def scale(self) -> float:
        """Factor from a record's value to the claim's unit."""
        return METRICS[self.metric].claim_units[self.unit]


@cache  # asked for each cell that it is compared in
def side_settings(side: str) -> dict[str, Any]:
    """Settings that a side stands for: {"method": "osp", "tau": 17.5}. Raises ParamsError naming what is known."""
    name, *rest = side.split() or [""]
    if name not in METHODS and name not in CRITERIA:
        known = [*METHODS, *CRITERIA]
        raise ParamsError(f"side {name!r} is no method and no criterion{nearest_and_known(name, known)}")
    found = {"method" if name in METHODS else "criterion": name} | settings_from_words(rest, separator="|")
    return found | ({"granularity": None} if found.get("granularity") == "weight" else {})


def side_protocol(side: str, protocol: str) -> str:
    """The protocol of a side's runs where the verdict is one under `protocol`."""
    return str(side_settings(side).get("protocol", protocol))


def protocols(claim: Claim) -> tuple[str, ...]:
    """The protocols for which the claim is made; of one whose sides name theirs, that of the method."""
    if claim.names_protocols:
        return (side_protocol(claim.method, ""),)
    return tuple(dict.fromkeys(spec.protocol[0] for spec in claim.grid.specs))


def seeds(claim: Claim) -> tuple[int, ...]:
    """The declared seeds."""
    return tuple(dict.fromkeys(spec.seed for spec in claim.grid.specs))


def side_specs(claim: Claim, side: str, protocol: str, seed: int) -> list[RunSpec]:
    """One spec per cell of the claim for a side under a protocol, all with the same seed, in the order of the axes."""
    wanted = {key: listed(value) for key, value in (claim.raw | side_settings(side)).items() if key in _OF_SIDES}
    own = side_protocol(side, protocol)
    specs = [spec for spec in claim.grid.specs if spec.seed == seed and spec.protocol[0] == own]
    return [spec for spec in specs if all(_fits(spec, key, values) for key, values in wanted.items())]


def _fits(spec: RunSpec, key: str, values: list[Any]) -> bool:
    """Whether a setting of a side's run is one of `values`; most are None where they do not apply."""
    value = getattr(spec, key)
    if key in OF_GROUPS and values == [None]:  # what the settings say of it: its default, or that it does not apply
        return True
    if key == "budget_cap":
        return spec.control is None or CONTROLS[spec.control].budget == "epochs" or value in values
    if key == "control" or (key == "granularity" and spec.tau is not None):
        return value in values
    return value in (None, *values)


def listed(value: Any) -> list[Any]:
    """The values of an axis; of a single value that one."""
    return value if isinstance(value, list) else [value]
