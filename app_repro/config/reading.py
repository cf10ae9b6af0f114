"""Settings as people write them: params.yaml, and "key=value" words of the command line and of claims."""

import copy
import datetime
import functools
import json
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app_repro.core.errors import ParamsError, nearest, one_line

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails
    from ruamel.yaml.error import MarkedYAMLError

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
        text = raw.decode()  # ruamel passes over a byte order mark, once, as DVC does
    except FileNotFoundError:
        raise ParamsError(
            f"{path}: no such file; run from the project's folder, or name one with --params", kind="missing"
        ) from None
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ParamsError(f"{path}: not readable as UTF-8 (line {line}); save it as UTF-8", kind="yaml") from None
    except OSError as error:
        raise ParamsError(f"{path}: not readable: {error.strerror or error}", kind="yaml") from None
    content = from_yaml(text, str(path))
    if not isinstance(content, dict):
        raise ParamsError(f"{path}: no settings in it; `app-repro preset short` shows every key", kind="empty")
    return content


def from_yaml(text: str, where: str) -> Any:
    """Plain values of a YAML 1.2 text, read as DVC reads it, but without aliases, merge keys and deep nesting.

    Raises ParamsError, which begins with `where` and names the line, of `kind` "yaml" (not readable), "double key",
    "alias" or "nesting".
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.constructor import DuplicateKeyError
    from ruamel.yaml.error import MarkedYAMLError

    parser = YAML(typ="safe", pure=True)
    try:
        _refuse_what_expands(parser.parse(text), where)
        content = parser.load(text)
        repr(content)  # a hexadecimal number may have more digits than Python shows
        return content
    except ParamsError:
        raise
    except DuplicateKeyError as error:
        raise ParamsError(f"{where}: {_problem(error)}; give it once", kind="double key") from None
    except Exception as error:  # anything, at a tag or key that ruamel's constructors do not expect
        what = _problem(error) if isinstance(error, MarkedYAMLError) else one_line(error)
        raise ParamsError(f"{where}: not readable as YAML: {what}", kind="yaml") from None


def _problem(error: "MarkedYAMLError") -> str:
    line = f" (line {error.problem_mark.line + 1})" if error.problem_mark else ""
    problem = error.problem or str(error)
    if "'\\t'" in problem:
        problem = "a tab where YAML has spaces"
    elif problem.startswith("but "):
        problem = f"{error.context}, {problem}"
    return one_line(problem) + line


def _refuse_what_expands(events: Iterable[Any], where: str) -> None:
    """Raises ParamsError for aliases, which can expand without bound, merge keys, and nesting beyond MAX_DEPTH."""
    from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, ScalarEvent

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
        values = [copy.deepcopy(_value(item, f"{lead}{key[:80]}")) for item in texts]
        settings[key] = values if len(values) > 1 else values[0]
    return settings


_NUMBER, _DECIMAL, _WORD = (
    re.compile(form) for form in (r"0|[1-9][0-9]{0,8}", r"[0-9]+\.[0-9]+", r"[A-Za-z][A-Za-z0-9_-]*")
)
_NAMED = {"null": None, "true": True, "false": False}


@functools.cache  # a claims file says the same few words in each row
def _value(text: str, where: str) -> Any:
    """What the text after a key stands for. Numbers and words, as most are, need no parser, which is slow to load."""
    if _NUMBER.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return float(text)
    if _WORD.fullmatch(text) and text.lower() not in _NAMED:
        return text
    return _NAMED[text] if text in _NAMED else from_yaml(text, where)


def shortened(value: Any) -> str:
    """The repr of `value` for a message, at most 60 characters; null, true and false as YAML has them."""
    text = repr(value)
    text = {"None": "null", "True": "true", "False": "false"}.get(text, text)
    return text if len(text) <= 60 else text[:57] + "..."


def reasons(refused: Iterable["ErrorDetails"]) -> str:
    """Why pydantic refused a value, in the words of this project: what is wanted, and what was given if it looks alike.

    "it is text; a number is wanted; write 500" for .5e3, which is text in YAML.
    """
    return "; or ".join(dict.fromkeys(map(_reason, refused)))


def _reason(item: "ErrorDetails") -> str:
    told, value, what = item.get("ctx", {}), item["input"], item["type"]
    if what == "value_error":  # of a validator of this project
        return str(told["error"])
    if what == "literal_error":
        known = re.findall(r"'([^']+)'", told["expected"])
        return f"known: {', '.join(known)}{nearest(value, known) if isinstance(value, str) else ''}"
    kinds = _KINDS.items() if what.endswith("_type") else ()
    kind = next((name for kind, name in kinds if isinstance(value, kind)), "")
    which = shortened(value) if item["loc"] else "it"  # an item of a list, or all of the value
    lead = f"{which} is {kind}; " if kind else f"{which}: " if item["loc"] else ""
    wanted = _WANTED[what].format_map(told) if what in _WANTED else item["msg"]
    return lead + wanted + (_as_number(value, whole=what == "int_type") if what in ("int_type", "float_type") else "")


def _as_number(value: Any, whole: bool) -> str:
    """`; write 8` for a value that means a number and is written otherwise: '8', 8.0, .5e3."""
    try:
        number = float(value) if isinstance(value, (str, float)) else math.nan
    except ValueError:
        return ""
    if not abs(number) < 1e15 or (whole and not number.is_integer()):
        return ""
    return f"; write {int(number) if number.is_integer() else number}"


_KINDS = {str: "text", datetime.date: "a date", bytes: "no text", set: "a set"}
_WANTED = {
    "int_type": "a whole number is wanted",
    "int_parsing": "a whole number is wanted",
    "float_type": "a number is wanted",
    "float_parsing": "a number is wanted",
    "finite_number": "a finite number is wanted",
    "string_type": "text is wanted",
    "bool_type": "true or false is wanted",
    "bool_parsing": "true or false is wanted",
    "tuple_type": "a list is wanted",
    "list_type": "a list is wanted",
    "dict_type": "a mapping is wanted",
    "too_long": "at most {max_length} values are wanted",
    "greater_than_equal": "at least {ge:g} is wanted",
    "greater_than": "more than {gt:g} is wanted",
    "less_than_equal": "at most {le:,.10g} is wanted",
    "less_than": "less than {lt:,.10g} is wanted",
}
"""pydantic's types of errors, in words; in braces what it tells with each."""
