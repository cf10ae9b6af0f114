"""Settings as people write them: params.yaml, and "key=value" words of the command line and of claims."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from app_repro.core.errors import ParamsError

MAX_PARAMS_BYTES = 100_000
MAX_DEPTH = 10
"""Levels of lists and mappings in each other; PyYAML takes seconds to find that it cannot go on for thousands."""
_UNREADABLE = (yaml.YAMLError, ValueError, RecursionError, TypeError, LookupError, AttributeError)
"""What PyYAML raises at text that is no YAML, or at a tag or key that its constructors do not expect."""


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


def settings_from_words(words: Iterable[str], option: str = "", separator: str = "") -> dict[str, Any]:
    """Settings from "key=value" words, with values as in params.yaml.

    `option`: the command's option that the words were given with, which begins each message. `separator`: what parts
    the values of a list, for words that cannot hold spaces: "|" reads "seed=1|2" as [1, 2], and admits no empty value.
    Raises ParamsError for a word of another form, a key given twice, and a value that is not readable as YAML.
    """
    lead = f"{option} " if option else ""
    settings: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        texts = text.split(separator) if separator else [text]
        if not equals or (separator and not (key and all(texts))):
            raise ParamsError(f"{lead}{shortened(word)}: not key=value, as in {lead}epochs=1")
        if key in settings:
            example = f"seed=1{separator}2" if separator else "'seed=[1, 2]'"
            raise ParamsError(f"{lead}{key[:80]}: given twice; a list is an axis, as in {lead}{example}")
        values = [_value(item, f"{lead}{key[:80]}") for item in texts]
        settings[key] = values if len(values) > 1 else values[0]
    return settings


def _value(text: str, where: str) -> Any:
    try:
        return yaml.load(text, _StrictLoader)  # noqa: S506 (a SafeLoader)
    except ParamsError as error:
        raise ParamsError(f"{where}: {error}") from None
    except _UNREADABLE:
        raise ParamsError(f"{where}: {shortened(text)} is not readable as YAML") from None


def shortened(value: Any) -> str:
    """`value` as it stands in a message: at most 60 letters of its repr."""
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
                raise ParamsError(f"key {shortened(key_node.value)} is given twice (line {line})")
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
