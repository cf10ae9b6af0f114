"""params.yaml as a grid: its settings validated, and one RunSpec for each combination of them."""

import functools
import itertools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from app_repro.config import catalogue, nm, reading
from app_repro.config.methods import nominal_density, prunes
from app_repro.config.protocols import OF_PRUNING, PROTOCOLS, PRUNING_ONLY, SWITCHES
from app_repro.config.reading import reasons, shortened
from app_repro.config.spec import RunSpec
from app_repro.core.errors import ParamsError, nearest, nearest_and_known
from app_repro.data.sets import FOLDER, SETS

MAX_RUNS = 100_000


@dataclass(frozen=True)
class Params:
    """A validated params.yaml."""

    specs: tuple[RunSpec, ...]
    """The grid: every combination and the sources of its control arms, equal runs once; without data digests yet."""
    device: str
    workers: int | None
    axes: tuple[str, ...]
    """Keys with more than one value, in the order of the file."""
    tracking: str = "off"
    analyses: tuple[str, ...] = ()
    """Kinds of analyses that the pipeline makes of finished runs."""
    keep_weights: str = "last"
    """After which megabatches runs leave their weights: last or all."""


def _is_device(value: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:[0-9]+)?", value):
        raise ValueError(f"known: auto, cpu, cuda, cuda:N{nearest(value, ('auto', 'cpu', 'cuda'))}")
    return value


_Analysis = Literal["robustness", "regime"]
ANALYSES: tuple[str, ...] = get_args(_Analysis)
"""What can be measured on the weights of finished runs."""


class _FileOnly(BaseModel):
    """Keys of params.yaml that are no field of a run: the protocol's name, where to compute, what is tracked."""

    model_config = ConfigDict(strict=True, extra="forbid")

    protocol: Literal["paper", "released"]
    device: Annotated[str, AfterValidator(_is_device)]
    workers: Annotated[int, Field(ge=1, le=1024)] | None
    variants: list[dict[str, Any]] | None
    tracking: Literal["off", "offline", "online"] = "off"
    analyses: list[_Analysis] | None = None
    keep_weights: Literal["last", "all"] = "last"


_NOT_IN_FILE = {"data_digest", "augmentation"}
_ASSUMED = {"budget_cap": 2.0}
"""Values of later settings that a params file lacks, where it is not null."""
_SINGLE = ("device", "workers", "variants", "tracking", "analyses", "keep_weights")
_OPTIONAL = ("tracking", "analyses", "keep_weights")


def known_keys() -> list[str]:
    """Keys that params.yaml may have."""
    return [*(name for name in RunSpec.model_fields if name not in _NOT_IN_FILE), *_FileOnly.model_fields]


def optional_keys() -> tuple[str, ...]:
    """Those of known_keys that params.yaml may lack: tracking is off then, keep_weights last, the others null."""
    return (*RunSpec.later(), *_OPTIONAL)


def load(path: Path) -> Params:
    """Read and validate a params file. Raises ParamsError: one line with key, value, what is allowed, nearest name.

    Its `key` is that of params.yaml, its `kind` "unknown" or "missing" where that key should not, or should, be there.
    """
    return parse(reading.read(path), str(path))


def parse(raw: Mapping[str, Any], where: str = "params") -> Params:
    """Validate `raw` (keys as in params.yaml) and expand its grid, in the order of its axes."""
    _check_keys(raw, where)
    raw = {**raw, **{key: _ASSUMED.get(key) for key in RunSpec.later() if key not in raw}}
    settings = {key: _values(key, raw[key], where) for key in raw}
    variants = settings.pop("variants")[0] or [{}]
    specs: dict[RunSpec, None] = {}  # in the order in which they are found
    axes = {key for key, values in settings.items() if len(values) > 1}
    for variant in variants:
        unknown = [key for key in variant if key not in raw or key in _SINGLE]
        if unknown:
            why = "cannot vary" if unknown[0] in _SINGLE else f"is an unknown key{nearest(str(unknown[0]), list(raw))}"
            raise _error(where, "variants", f"{str(unknown[0])[:80]!r} {why}")
        merged = settings | {key: _values(key, value, where) for key, value in variant.items()}
        axes |= set(variant)
        if math.prod(map(len, merged.values())) > MAX_RUNS:
            raise ParamsError(f"{where}: the axes make more than {MAX_RUNS:,} runs; shorten a list")
        for combination in itertools.product(*merged.values()):
            spec = _resolve(dict(zip(merged, combination, strict=True)), where)
            for needed in filter(None, (spec.source, spec)):
                specs.setdefault(needed)
    if any(spec.control for spec in specs):
        axes.add("control")  # their sources stand beside them
    ordered = tuple(key for key in raw if key in axes)
    (device,), (workers,), (tracking,), (analyses,), (keep,) = (
        settings.get(key, [_FileOnly.model_fields[key].default]) for key in ("device", "workers", *_OPTIONAL)
    )
    return Params(tuple(specs), device, workers, ordered, tracking, tuple(analyses or ()), keep)


def _resolve(combined: dict[str, Any], where: str) -> RunSpec:
    """One combination as a spec: switches from its protocol unless given, settings that do not apply set to null."""
    switches = PROTOCOLS[combined.pop("protocol")]
    fields = {key: value for key, value in combined.items() if key not in _SINGLE}
    fields |= {key: switches[key] if fields[key] is None else fields[key] for key in SWITCHES}
    fields |= _of_pruning(fields, where)
    if not (sizes := SETS.get(fields["dataset"], FOLDER).sizes):
        fields |= {"image_size": None, "few_shot": None}
    elif fields["image_size"] is None:
        known = " or ".join(map(str, sizes))
        raise _error(where, "image_size", f"null is not allowed for {fields['dataset']}: {known}")
    _resolve_later(fields, where)
    if fields["replay"] != "buffer":
        fields["buffer_size"] = None
    elif fields["buffer_size"] is None:
        raise _error(where, "buffer_size", "null is not allowed with replay: buffer; a number of examples")
    return RunSpec.model_validate(fields)


def _of_pruning(fields: dict[str, Any], where: str) -> dict[str, Any]:
    """The settings of pruning, None where one does not apply. Raises ParamsError for one that is missing or at odds."""
    if not prunes(fields["method"], fields["sb"]):
        return dict.fromkeys(PRUNING_ONLY)
    found = {key: fields[key] for key in PRUNING_ONLY} | nm.resolve(fields, functools.partial(_error, where))
    found |= dict.fromkeys(nm.not_needed(fields | found))
    if missing := [key for key in OF_PRUNING if found[key] is None and key not in nm.not_needed(fields | found)]:
        raise _error(where, missing[0], f"null is not allowed for method {fields['method']!r}: it prunes")
    if found["tau"] is not None:
        densities = [nominal_density(fields["method"], k, fields["sb"], found["tau"]) for k in (1, fields["sb"])]
        if densities[1] > densities[0]:
            raise _error(where, "tau", f"{fields['tau']} lets {fields['method']!r} ask for more weights in the end")
    return found


def _resolve_later(fields: dict[str, Any], where: str) -> None:
    """The same for the settings that were added later."""
    if fields["control"] and not prunes(fields["method"], fields["sb"]):
        what = f"{fields['control']!r} trains on the mask of a run that prunes, and {fields['method']!r} never does; "
        raise _error(where, "control", f"{what}leave out one of the two, or give each its own grid in variants")
    if fields["granularity"] == "channel":
        fields["candidates"] = None  # a channel that was removed cannot compete again
    granularity = fields["granularity"]
    if granularity and fields["control"] and catalogue.CONTROLS[fields["control"]].mask != "the source's":
        whole = catalogue.GRANULARITIES[granularity].kept
        what = f"{fields['control']!r} keeps single weights elsewhere, and granularity {granularity!r} {whole}; "
        raise _error(where, "control", f"{what}leave out one of the two, or give each its own grid in variants")
    if fields["control"] is None or catalogue.CONTROLS[fields["control"]].budget == "epochs":
        fields["budget_cap"] = None
    if fields["sgd_seed"] is None:
        fields["branch"] = None
    elif fields["branch"] is None:
        fields["branch"] = fields["sb"]
    elif fields["branch"] > fields["sb"]:
        raise _error(where, "branch", f"{fields['branch']} is beyond the last megabatch (sb: {fields['sb']})")


def _check_keys(raw: Mapping[str, Any], where: str) -> None:
    known = known_keys()
    for key in raw:
        if key not in known:
            name = str(key)[:80]
            raise ParamsError(
                f"{where}: unknown key {name!r}{nearest_and_known(name, known)}", key=name, kind="unknown"
            )
    if missing := [key for key in known if key not in raw and key not in optional_keys()]:
        what = f"missing key {missing[0]!r}; `app-repro preset short` shows every key"
        raise ParamsError(f"{where}: {what}", key=missing[0], kind="missing")


def _values(key: str, value: Any, where: str) -> list[Any]:
    """Values of one key: itself, or the items of an axis; each validated."""
    is_axis = isinstance(value, list) and key not in _SINGLE
    if key == "milestones":
        is_axis = isinstance(value, list) and bool(value) and isinstance(value[0], list)
    items = value if is_axis else [value]
    if not items:
        raise _error(where, key, "an empty list leaves no run; give a value or a list of values")
    if len({repr(item) for item in items}) < len(items):
        raise _error(where, key, f"{shortened(value)} names a value twice")
    return [_valid(key, item, where) for item in items]


def _valid(key: str, value: Any, where: str) -> Any:
    if value is None and key in SWITCHES:
        return None  # as the protocol says
    try:
        return _adapter(key).validate_python(value)
    except ValidationError as error:
        raise _error(where, key, f"{shortened(value)} is not allowed: {reasons(error.errors())}") from None


def _error(where: str, key: str, what: str) -> ParamsError:
    return ParamsError(f"{where}: {key}: {what}", key=key)


@functools.cache  # a claims file asks for every key of every claim's grid
def _adapter(key: str) -> TypeAdapter[Any]:
    """What validates one value of `key`."""
    model = RunSpec if key in RunSpec.model_fields else _FileOnly
    field = model.model_fields[key]
    annotated: Any = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    return TypeAdapter(annotated, config=ConfigDict(strict=True))
