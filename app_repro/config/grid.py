"""params.yaml -> validated settings -> the grid: one RunSpec per cell."""

import functools
import itertools
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from app_repro.config.methods import nominal_density, prunes
from app_repro.config.protocols import PROTOCOLS, PRUNING_ONLY, SWITCHES
from app_repro.config.spec import RunSpec
from app_repro.core.errors import ParamsError, nearest, nearest_and_known

MAX_PARAMS_BYTES = 100_000
MAX_CELLS = 100_000
MAX_DEPTH = 10
"""Levels of lists and mappings in each other; PyYAML takes seconds to find that it cannot go on for thousands."""
_UNREADABLE = (yaml.YAMLError, ValueError, RecursionError, TypeError, LookupError, AttributeError)
"""What PyYAML raises at text that is no YAML, or at a tag or key that its constructors do not expect."""


@dataclass(frozen=True)
class Params:
    """A validated params.yaml."""

    cells: tuple[RunSpec, ...]
    """The grid: every combination, equal runs once; data digests not yet filled in."""
    device: str
    workers: int | None
    axes: tuple[str, ...]
    """Keys with more than one value, in the order of the file."""
    tracking: str = "off"


class _Outside(BaseModel):
    """Keys of params.yaml that are no field of a run: the bundle's name, where to compute, what is told to whom."""

    model_config = ConfigDict(strict=True, extra="forbid")

    protocol: Literal["paper", "released"]
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")]
    workers: Annotated[int, Field(ge=1, le=1024)] | None
    variants: list[dict[str, Any]] | None
    # YAML 1.1 reads the bare word off as false
    tracking: Annotated[Literal["off", "offline", "online"], BeforeValidator(lambda v: "off" if v is False else v)] = (
        "off"
    )


_NOT_IN_FILE = {"data_digest", "augmentation"}
_SINGLE = ("device", "workers", "variants", "tracking")


def known_keys() -> list[str]:
    """Keys that params.yaml may have."""
    return [*(name for name in RunSpec.model_fields if name not in _NOT_IN_FILE), *_Outside.model_fields]


def optional_keys() -> tuple[str, ...]:
    """Those of known_keys that params.yaml may lack: tracking is off then, a later setting of a run is null."""
    return (*RunSpec.later(), "tracking")


def load(path: Path) -> Params:
    """Read and validate a params file. Raises ParamsError: one line with key, value, what is allowed, nearest name."""
    return parse(read(path), str(path))


def given(items: Iterable[str]) -> dict[str, Any]:
    """Settings of the command line, "key=value" with a value as in params.yaml. Raises ParamsError for another form."""
    settings: dict[str, Any] = {}
    for item in items:
        key, equals, text = item.partition("=")
        if not equals:
            raise ParamsError(f"--set {_short(item)}: not key=value, as in --set epochs=1")
        if key in settings:
            raise ParamsError(f"--set {key[:80]}: given twice; a list is an axis, as in --set 'seed=[1, 2]'")
        try:
            settings[key] = yaml.load(text, _StrictLoader)  # noqa: S506 (a SafeLoader)
        except ParamsError as error:
            raise ParamsError(f"--set {key[:80]}: {error}") from None
        except _UNREADABLE:
            raise ParamsError(f"--set {key[:80]}: {_short(text)} is not readable as YAML") from None
    return settings


def parse(raw: Mapping[str, Any], where: str = "params") -> Params:
    """Validate `raw` (keys as in params.yaml) and expand its grid, in the order of its axes."""
    _check_keys(raw, where)
    raw = {**raw, **{key: None for key in RunSpec.later() if key not in raw}}
    settings = {key: _values(key, raw[key], where) for key in raw}
    variants = settings.pop("variants")[0] or [{}]
    cells: dict[str, RunSpec] = {}
    axes = {key for key, values in settings.items() if len(values) > 1}
    for variant in variants:
        unknown = [key for key in variant if key not in raw or key in _SINGLE]
        if unknown:
            why = "cannot vary" if unknown[0] in _SINGLE else f"is an unknown key{nearest(str(unknown[0]), list(raw))}"
            raise ParamsError(f"{where}: variants: {str(unknown[0])[:80]!r} {why}")
        merged = settings | {key: _values(key, value, where) for key, value in variant.items()}
        axes |= set(variant)
        if math.prod(map(len, merged.values())) > MAX_CELLS:
            raise ParamsError(f"{where}: the axes make more than {MAX_CELLS:,} runs; shorten a list")
        for combination in itertools.product(*merged.values()):
            spec = _resolve(dict(zip(merged, combination, strict=True)), where)
            cells.setdefault(spec.run_id, spec)
    ordered = tuple(key for key in raw if key in axes)
    tracking = settings.get("tracking", ["off"])[0]
    return Params(tuple(cells.values()), settings["device"][0], settings["workers"][0], ordered, tracking)


def _resolve(cell: dict[str, Any], where: str) -> RunSpec:
    """One cell as a spec: switches from its bundle unless given, settings that do not apply set to null."""
    bundle = PROTOCOLS[cell.pop("protocol")]
    fields = {key: value for key, value in cell.items() if key not in _SINGLE}
    fields |= {key: bundle[key] if fields[key] is None else fields[key] for key in SWITCHES}
    if prunes(fields["method"], fields["sb"]):
        if missing := [key for key in PRUNING_ONLY if fields[key] is None]:
            raise ParamsError(f"{where}: {missing[0]}: null is not allowed for method {fields['method']!r}: it prunes")
        densities = [nominal_density(fields["method"], k, fields["sb"], fields["tau"]) for k in (1, fields["sb"])]
        if densities[1] > densities[0]:
            raise ParamsError(
                f"{where}: tau: {fields['tau']} lets {fields['method']!r} ask for more weights in the end"
            )
    else:
        fields |= dict.fromkeys(PRUNING_ONLY)
    if fields["dataset"] != "restricted_imagenet":
        fields |= {"image_size": None, "few_shot": None}
    elif fields["image_size"] is None:
        raise ParamsError(f"{where}: image_size: null is not allowed for restricted_imagenet: 32 or 224")
    if fields["replay"] != "buffer":
        fields["buffer_size"] = None
    elif fields["buffer_size"] is None:
        raise ParamsError(f"{where}: buffer_size: null is not allowed with replay: buffer; a number of examples")
    return RunSpec.model_validate(fields)


def _check_keys(raw: Mapping[str, Any], where: str) -> None:
    known = known_keys()
    for key in raw:
        if key not in known:
            name = str(key)[:80]
            raise ParamsError(f"{where}: unknown key {name!r}{nearest_and_known(name, known)}")
    if missing := [key for key in known if key not in raw and key not in optional_keys()]:
        raise ParamsError(f"{where}: missing key {missing[0]!r}; `app-repro preset short` shows every key")


def _values(key: str, value: Any, where: str) -> list[Any]:
    """Values of one key: itself, or the items of an axis; each validated."""
    is_axis = isinstance(value, list) and key not in _SINGLE
    if key == "milestones":
        is_axis = isinstance(value, list) and bool(value) and isinstance(value[0], list)
    items = value if is_axis else [value]
    if not items:
        raise ParamsError(f"{where}: {key}: an empty list leaves no run; give a value or a list of values")
    if len({repr(item) for item in items}) < len(items):
        raise ParamsError(f"{where}: {key}: {_short(value)} names a value twice")
    return [_valid(key, item, where) for item in items]


def _valid(key: str, value: Any, where: str) -> Any:
    if value is None and key in SWITCHES:
        return None  # as the bundle says
    try:
        return _adapter(key).validate_python(value)
    except ValidationError as error:
        reasons = dict.fromkeys(item["msg"].removeprefix("Value error, ") for item in error.errors())
        raise ParamsError(f"{where}: {key}: {_short(value)} is not allowed: {'; or '.join(reasons)}") from None


@functools.cache  # a claims file asks for every key of every claim's grid
def _adapter(key: str) -> TypeAdapter[Any]:
    """What validates one value of `key`."""
    model = RunSpec if key in RunSpec.model_fields else _Outside
    field = model.model_fields[key]
    annotated: Any = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    return TypeAdapter(annotated, config=ConfigDict(strict=True))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


class _StrictLoader(yaml.SafeLoader):
    """Safe YAML without keys given twice, merge keys, deep nesting, or aliases (which can expand without bound)."""

    depth = 0

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            line = key_node.start_mark.line + 1
            if key_node.tag == "tag:yaml.org,2002:merge":
                raise ParamsError(f"the merge key '<<' is not allowed (line {line}); write the settings out")
            if key_node.value in seen:
                raise ParamsError(f"key {_short(key_node.value)} is given twice (line {line})")
            seen.add(key_node.value)
        return super().construct_mapping(node, deep)

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise ParamsError("aliases are not allowed; write the value out")
        if self.depth == MAX_DEPTH:
            raise ParamsError(f"nested more than {MAX_DEPTH} levels deep; no setting is")
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


# 1e-5 is a number in YAML 1.2, by which DVC reads and writes this file; PyYAML, of version 1.1, wants 1.0e-5
_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+"), list("-+0123456789")
)


def read(path: Path) -> dict[str, Any]:
    """Settings of a params file as they stand, not validated. Raises ParamsError where it is not readable."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_PARAMS_BYTES + 1)  # no more, whatever size a device or a pipe gives itself
        if len(raw) > MAX_PARAMS_BYTES:
            raise ParamsError(f"{path}: larger than {MAX_PARAMS_BYTES} bytes: not a params file")
        content = yaml.load(raw.decode("utf-8-sig"), _StrictLoader)  # noqa: S506 (a SafeLoader)
    except FileNotFoundError:
        raise ParamsError(f"{path}: no such file; run from the project's folder, or name one with --params") from None
    except ParamsError as error:
        raise ParamsError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from None
    except (*_UNREADABLE, OSError) as error:
        raise ParamsError(f"{path}: not readable as YAML: {' '.join(str(error).split())[:200]}") from None
    if not isinstance(content, dict):
        raise ParamsError(f"{path}: no settings in it; `app-repro preset short` shows every key")
    return content
