"""Settings as people write them: params.yaml, and "key=value" words of the command line and of claims."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, ScalarEvent

from app_repro.core.errors import ParamsError, one_line

MAX_PARAMS_BYTES = 100_000
MAX_DEPTH = 10
"""Levels of lists and mappings in each other."""


def read(path: Path) -> dict[str, Any]:
    """Settings of a params file, not yet validated.

    Raises ParamsError of `kind` "missing", "size", "empty" (no settings in it), or one of from_yaml.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_PARAMS_BYTES + 1)  # not all of it: a device or a pipe can be endless
        if len(raw) > MAX_PARAMS_BYTES:
            raise ParamsError(f"{path}: larger than {MAX_PARAMS_BYTES} bytes: not a params file", kind="size")
        text = raw.decode("utf-8-sig")
    except FileNotFoundError:
        raise ParamsError(
            f"{path}: no such file; run from the project's folder, or name one with --params", kind="missing"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ParamsError(f"{path}: not readable as YAML: {one_line(error)}", kind="yaml") from None
    content = from_yaml(text, str(path))
    if not isinstance(content, dict):
        raise ParamsError(f"{path}: no settings in it; `app-repro preset short` shows every key", kind="empty")
    return content


def from_yaml(text: str, where: str) -> Any:
    """Plain values of a YAML 1.2 text, read as DVC reads it, but without aliases, merge keys and deep nesting.

    Raises ParamsError, which begins with `where` and names the line, of `kind` "yaml" (not readable), "double key",
    "alias" or "nesting".
    """
    parser = YAML(typ="safe", pure=True)
    try:
        _refuse_what_expands(parser.parse(text), where)
        return parser.load(text)
    except ParamsError:
        raise
    except DuplicateKeyError as error:
        raise ParamsError(f"{where}: {_problem(error)}; give it once", kind="double key") from None
    except Exception as error:  # anything, at a tag or key that ruamel's constructors do not expect
        what = _problem(error) if isinstance(error, MarkedYAMLError) else one_line(error)
        raise ParamsError(f"{where}: not readable as YAML: {what}", kind="yaml") from None


def _problem(error: MarkedYAMLError) -> str:
    line = f" (line {error.problem_mark.line + 1})" if error.problem_mark else ""
    return one_line(error.problem or error) + line


def _refuse_what_expands(events: Iterable[Any], where: str) -> None:
    """Raises ParamsError for aliases, which can expand without bound, merge keys, and nesting beyond MAX_DEPTH."""
    depth = 0
    for event in events:
        line = event.start_mark.line + 1
        if isinstance(event, AliasEvent) or (isinstance(event, ScalarEvent) and event.value == "<<"):
            what = f"aliases and merge keys are not allowed (line {line}); write the value out"
            raise ParamsError(f"{where}: {what}", kind="alias")
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > MAX_DEPTH:
            what = f"nested more than {MAX_DEPTH} levels deep (line {line}); no setting is"
            raise ParamsError(f"{where}: {what}", kind="nesting")


def to_yaml(settings: Mapping[str, Any]) -> str:
    """A params file of `settings`: one line per key, whose value is written as JSON, which is YAML, too."""
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in settings.items())


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
        values = [from_yaml(item, f"{lead}{key[:80]}") for item in texts]
        settings[key] = values if len(values) > 1 else values[0]
    return settings


def shortened(value: Any) -> str:
    """The repr of `value` for a message, at most 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
