"""Settings that nobody can mean: params files and overrides, each with the word that the refusal must say."""

from dataclasses import dataclass
from functools import cache

from torture import drawing

from app_repro.config import grid, presets, reading

VALUES = {
    "not a number": ".nan",
    "infinite": "-.inf",
    "beyond a float": "1e400",
    "negative": "-1",
    "a huge integer": "9" * 4000,
    "too huge an integer": "9" * 5000,
    "empty text": "''",
    "a mapping": "{a: 1}",
    "a duplicate key": "{a: 1, a: 2}",
    "bytes": "!!binary aGFybQ==",
    "a date": "2020-02-02",
    "no date": "2020-13-45",
    "a set": "!!set {a, b}",
    "a call": "!!python/object/apply:os.mkdir [owned]",
    "a new object": "!!python/object/new:pathlib.Path [owned]",
    "a name": "!!python/name:os.system",
    "an unclosed list": "[1, 2",
    "an alias": "[&a 1, *a]",
    "a merge": "{<<: {a: 1}}",
    "no list": "[]",
    "a deep list": "[[[[1]]]]",
    "an abyss": "[" * 1000,
}
"""Wrong for every key there is (an empty list of milestones or variants is none)."""
EMPTY_LIST_IS_FINE = ("milestones", "variants")
PRESET = presets.preset("demo") | {"device": "cpu", "workers": None, "seed": 1, "method": "app", "tracking": "off"}


@dataclass(frozen=True)
class Case:
    """One attempt: the bytes of a params file, or an override."""

    name: str
    named: str
    content: bytes = b""
    override: str = ""


def file_with(key: str, text: str) -> bytes:
    """The demo's params file, one value replaced by text."""
    rest = reading.to_yaml({name: value for name, value in PRESET.items() if name != key})
    return f"{key}: {text}\n{rest}".encode()


GOOD = reading.to_yaml(PRESET).encode()
FILES = {
    "empty": (b"", "no settings"),
    "blank": (b" \n\n", "no settings"),
    "a mark alone": (b"\xef\xbb\xbf", "no settings"),
    "a list": (b"- 1\n", "no settings"),
    "10 MB": (b"#" * 10_000_000, "larger than"),
    "10 MB of keys": (b"".join(b"k%d: 1\n" % i for i in range(800_000)), "larger than"),
    "just too large": (GOOD + b"#" * reading.MAX_PARAMS_BYTES, "larger than"),
    "no text": (bytes(range(256)), "not readable"),
    "UTF-16": (GOOD.decode().encode("utf-16"), "not readable"),
    "a zero byte": (GOOD + b"\x00", "not readable"),
    "two documents": (GOOD + b"---\n" + GOOD, "not readable"),
    "tabs": (b"\tsb: 1\n", "not readable"),
    "deep": (b"a: " + b"[" * 99_000, "nested"),
    "deep mapping": (b"a: " + b"{a: " * 20_000, "nested"),
    "a billion laughs": (b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "aliases"),
    "a merge key": (b"<<: {sb: 1}\n" + GOOD, "merge keys"),
    "a key twice": (GOOD + b"sb: 1\n", 'key "sb"'),
    "a key twice at once": (b"sb: 8\n" + GOOD, 'key "sb"'),
    "an unknown key": (GOOD + b"lrr: 1\n", "'lrr'"),
    "a number as a key": (GOOD + b"7: 1\n", "'7'"),
    "null as a key": (GOOD + b"~: 1\n", "'None'"),
    "a list as a key": (GOOD + b"? [a]\n: 1\n", "unknown key"),
    "a newline in a key": (GOOD + b'"a\\nb": 1\n', r"'a\nb'"),
    "an endless key": (GOOD + b"k" * 90_000 + b": 1\n", "not readable"),
    "an escape sequence": (GOOD + b'"\\e[2Jx": 1\n', "unknown key"),
    "an escape sequence twice": (GOOD + b'"\\e[2Jx": 1\n"\\e[2Jx": 1\n', "duplicate key"),
    "large, of odd letters": (b"#" + "é".encode() * 60_000, "larger than"),
    "the whole file a call": (b"!!python/object/apply:os.mkdir [owned]\n", "os.mkdir"),
    "a module": (b"!!python/module:antigravity ''\n", "antigravity"),
    "a grid without end": (
        file_with("seed", str(list(range(400)))).replace(b"split_seed: 0", b"split_seed: %a" % list(range(400))),
        "more than 100,000 runs",
    ),
}


@cache
def cases() -> list[Case]:
    """All of them; each value of each key alternately in a file and as an override."""
    found = [Case(name, named, content) for name, (content, named) in FILES.items()]
    found += [Case(f"no {key}", key, _without(key)) for key in grid.known_keys() if key not in grid.optional_keys()]
    for i, key in enumerate(grid.known_keys()):
        for j, (what, text) in enumerate(VALUES.items()):
            if what == "no list" and key in EMPTY_LIST_IS_FINE:
                continue
            name, in_file = f"{key}: {what}", (i + j) % 2
            form = {"content": file_with(key, text)} if in_file else {"override": f"{key}={text}"}
            found.append(Case(name, key, **form))  # type: ignore[arg-type]
    overrides = {"no equals sign": "epochs", "an unknown override": "lrr=1", "no key": "=1", "a long one": "x" * 9000}
    found += [Case(name, text.strip("=1")[:20], override=text) for name, text in overrides.items()]
    return found


def drawn(count: int) -> list[Case]:
    """Every odd file, and as many of the others as make `count`."""
    every = cases()
    return every[: len(FILES)] + drawing("malformed").sample(every[len(FILES) :], count - len(FILES))


def _without(key: str) -> bytes:
    return reading.to_yaml({name: value for name, value in PRESET.items() if name != key}).encode()
