"""params.yaml and "key=value" words: what is read as it stands, and what is refused in one line."""

import re
import string
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dvc.utils.serialize import ParseError, load_yaml, parse_yaml
from hypothesis import given
from hypothesis import strategies as st

from app_repro.config import grid, presets, reading
from app_repro.core.errors import ParamsError

COMMITTED = Path(__file__).parents[2] / "params.yaml"


def edited(key: str, value: str) -> bytes:
    """The committed file with another value, as text."""
    text, count = re.subn(rf"(?m)^{key}:.*$", lambda _: f"{key}: {value}", COMMITTED.read_text())
    assert count == 1
    return text.encode()


def refusal_of_file(path: Path, content: bytes) -> ParamsError:
    path.write_bytes(content)
    with pytest.raises(ParamsError) as caught:
        grid.load(path)
    text = str(caught.value)
    assert "\n" not in text and text.startswith(f"{path}: ") and len(text) < 1000
    return caught.value


def test_a_byte_order_mark_is_no_harm(tmp_path) -> None:
    (tmp_path / "params.yaml").write_bytes(b"\xef\xbb\xbf" + COMMITTED.read_bytes())
    assert grid.load(tmp_path / "params.yaml") == grid.load(COMMITTED)


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        *(("lr", text, 1e-5) for text in ("1e-5", "+1E-05", "1.0e-05")),
        ("lr", "1.e0", 1.0),
        ("sb", "010", 10),
        ("tracking", "off", "off"),
    ],
)
def test_a_value_is_read_as_dvc_reads_it(tmp_path, key, text, value) -> None:
    (tmp_path / "params.yaml").write_bytes(edited(key, text))
    assert reading.read(tmp_path / "params.yaml")[key] == value == reading.settings_from_words([f"{key}={text}"])[key]
    assert parse_yaml((tmp_path / "params.yaml").read_text(), "")[key] == value
    grid.load(tmp_path / "params.yaml")


SCALARS = (
    "010 -010 0o10 0O10 0x1F 0b11 08 1:30 2:4 190:20:30.15 1_000 1_000.5 1_ _1 1e3 1.e3 .5 -.5 .5e3 +1 -0.0 1e400 12e "
    ".inf -.INF .nan nan yes no on off NO y true True tRue null Null ~ nUll 2020-01-01 1.2.3 \"1\" '1e5' !!bool|yes = "
    '!!int|"010" &x|1 [1|2] [1,] {a} folder:a|#b folder:a#b 1|#c @a %a `a -|1 a:|b ١ 1\t [1,\t2] a\tb 1\u00a0 \u2028'
)
"""Parted by spaces; a bar stands for a space."""
TEXTS = [
    *(f"k: {scalar.replace('|', ' ')}\n" for scalar in SCALARS.split(" ")),
    *("\ufeffk: 1\n", "\ufeff\ufeffk: 1\n", "k: 1\r\nm: 'a\r\n  b'\r\n", "k: 1\rm: 2\r", "k: 8\t# c\n", "k:\n\tm: 1\n"),
    *("%YAML 1.1\n---\nk: 010\nm: off\ny: 1:30\n", "%YAML 2.0\n---\nk: 1\n", "k: 1\n---\nm: 2\n", "---\nk: 1\n...\n"),
    *("k: 1\nk: 2\n", "1: a\n1.0: b\n", "1: a\n'1': b\n", "on: a\n", "? [a, b]\n: 1\n", "k: \x80\n", "k: \x07\n"),
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_means_what_it_means_to_dvc_or_nothing_to_both(tmp_path, text) -> None:
    (tmp_path / "params.yaml").write_bytes(text.encode())
    try:
        theirs = repr(load_yaml(tmp_path / "params.yaml"))
    except (ParseError, ValueError):
        theirs = "refused"
    try:
        ours = repr(reading.read(tmp_path / "params.yaml"))
    except ParamsError as error:
        ours = "refused"
        assert error.kind in ("yaml", "double key")
    assert ours == theirs


def value_of(read: Callable[[], Any]) -> str:
    try:
        return repr(read())
    except ParamsError as error:
        return f"refused: {error.kind}"


def as_word_and_in_file(text: str) -> tuple[str, str]:
    word = value_of(lambda: reading.settings_from_words([f"k={text}"])["k"])
    return word, value_of(lambda: reading.from_yaml(text, "k"))


@given(text=st.text(string.ascii_letters + string.digits + ".-_+~:", min_size=1, max_size=5))
def test_a_word_means_what_it_means_in_a_file(text) -> None:
    word, in_file = as_word_and_in_file(text)
    assert word == in_file


def test_so_do_those_that_look_like_something_else() -> None:
    for text in (scalar.replace("|", " ") for scalar in SCALARS.split(" ")):
        word, in_file = as_word_and_in_file(text)
        assert word == in_file, text


def test_a_list_that_is_read_twice_is_two_lists() -> None:
    one, two = (reading.settings_from_words(["seed=[1, 2]"])["seed"] for _ in range(2))
    one.append(3)
    assert two == [1, 2]


def test_a_device_without_end_is_read_no_further_than_a_params_file_goes() -> None:
    with pytest.raises(ParamsError) as caught:
        grid.load(Path("/dev/zero"))
    assert caught.value.kind == "size"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        *((content, "empty") for content in (b"", b"# nothing\n", b"- dataset\n- arch\n", b"cifar10")),
        *((content, "yaml") for content in (b"\xff\xfe\x00", b"a: \x00", b"a: 1\n---\nb: 2\n", b"dataset: 'cifar10")),
        (b"dataset: [cifar10\narch: x", "yaml"),
        (edited("seed", "2020-13-45"), "yaml"),
        (edited("seed", "9" * 5000), "yaml"),
        (edited("seed", "0x" + "f" * 5000), "yaml"),
        (b"#" * 10_000_000, "size"),
        (b"a: " + b"[" * 5000, "nesting"),
        (b"a: " + b"[" * 1000 + b"]" * 1000, "nesting"),
        (COMMITTED.read_bytes() + b"sb: 8\n", "double key"),
        (edited("variants", "[{tau: 1.0, tau: 2.0}]"), "double key"),
        (edited("seed", "&x [1, 2]\nsplit: *x"), "alias"),
        (b"<<: {sb: 8}\n" + COMMITTED.read_bytes(), "alias"),
        (edited("variants", "[{<<: {tau: 1.0}}]"), "alias"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(tmp_path, content, kind) -> None:
    assert refusal_of_file(tmp_path / "params.yaml", content).kind == kind


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"sb: 8\nlr: 1\nsb: 9\n", 'key "sb" with value "9" (original value: "8") (line 3)'),
        (b"a: 1\nb: [*x]\n", "(line 2)"),
        (b"a: [1\nb: 2\n", "(line 2)"),
        (b"a: 1\nb: 2\t# c\n", "a tab where YAML has spaces (line 2)"),
        (b"a: 1\nb: \xe9\n", "UTF-8 (line 2)"),
        (b"a: 1\n---\nb: 2\n", "another document (line 2)"),
        (COMMITTED.read_bytes() + b"extra: 8\n", "unknown key 'extra'"),
        (edited("tau", ".nan"), "tau: nan"),
        (edited("lr", "'1e-5'"), "lr: '1e-5'"),
        (edited("seed", "2020-01-01"), "seed: datetime.date"),
        (edited("arch", "!!python/object/apply:os.system ['touch harm']"), "python/object/apply:os.system"),
    ],
)
def test_what_is_refused_is_named_with_its_line_or_key_and_not_executed(tmp_path, monkeypatch, content, named) -> None:
    monkeypatch.chdir(tmp_path)
    assert named in str(refusal_of_file(tmp_path / "params.yaml", content))
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


def test_aliases_that_would_expand_without_bound_are_refused_before_they_do(tmp_path) -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    assert refusal_of_file(tmp_path / "p", "\n".join(levels).encode()).kind == "alias"


def test_what_is_written_is_read_again_by_dvc_too() -> None:
    settings = presets.preset("audit") | {"dataset": "folder:a: #'\"é", "lr": 1e-5, "tracking": "off", "device": None}
    assert reading.from_yaml(reading.to_yaml(settings), "") == settings == parse_yaml(reading.to_yaml(settings), "")


def test_settings_of_the_command_line_are_read_as_in_the_file() -> None:
    found = reading.settings_from_words(["method=[osp, app]", "tau=3", "order=null", "dataset=folder:/a=b"])
    assert found == {"method": ["osp", "app"], "tau": 3, "order": None, "dataset": "folder:/a=b"}


@pytest.mark.parametrize(
    ("item", "named"),
    [
        ("epochs", "--set 'epochs': not key=value"),
        ("seed=[1", "--set seed: "),
        ("seed=2020-13-45", "--set seed: "),
        ("variants=[{tau: 1, tau: 2}]", '--set variants: found duplicate key "tau"'),
    ],
)
def test_a_setting_of_the_command_line_that_is_none_is_one_line(item: str, named: str) -> None:
    with pytest.raises(ParamsError, match=f"^{named}[^\n]*$"):
        reading.settings_from_words([item], "--set")


def test_a_setting_given_twice_on_the_command_line_is_refused() -> None:
    with pytest.raises(ParamsError, match=r"^--set seed: given twice; a list is an axis, as in --set 'seed=\[1, 2\]'$"):
        reading.settings_from_words(["seed=1", "lr=2", "seed=1"], "--set")


def test_a_missing_file_and_a_folder_are_one_line_each(tmp_path) -> None:
    for path, kind in ((tmp_path / "none", "missing"), (tmp_path, "yaml")):
        with pytest.raises(ParamsError) as caught:
            grid.load(path)
        assert caught.value.kind == kind and "\n" not in str(caught.value)


def test_settings_and_records_are_read_without_torch() -> None:
    code = (
        "import sys; from pathlib import Path; from app_repro.config import grid, presets\n"
        "from app_repro.data import megabatches; from app_repro.records import record\n"
        "grid.load(Path(sys.argv[1])); record.code_digest()\n"
        "print([name for name in ('torch', 'torchvision', 'pandas', 'altair') if name in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(COMMITTED)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "[]"


@pytest.mark.parametrize("text", ["{[a]: 1}: 2", "x: !!bool x", "x: !!timestamp 5", 'x: !!int ""'])
def test_yaml_that_breaks_its_own_reader_is_one_line_too(tmp_path, text) -> None:
    assert refusal_of_file(tmp_path / "params.yaml", text.encode()).kind == "yaml"


def test_a_key_that_is_a_list_is_an_unknown_setting(tmp_path) -> None:
    assert refusal_of_file(tmp_path / "params.yaml", b"? [a, b]\n: 1").kind == "unknown"


def test_words_of_a_claim_may_list_values_and_hold_no_empty_one() -> None:
    found = reading.settings_from_words(
        ["seed=1|2", "tau=17.5", "order=file", "lr_restart=true", "few_shot=null", "lr=1e-4"], separator="|"
    )
    assert found == {"seed": [1, 2], "tau": 17.5, "order": "file", "lr_restart": True, "few_shot": None, "lr": 1e-4}
    for word in ("tau=", "=3", "tau", "seed=1|", "seed=|1"):
        with pytest.raises(ParamsError, match=f"^{re.escape(repr(word))}: not key=value, as in epochs=1$"):
            reading.settings_from_words([word], separator="|")
    with pytest.raises(ParamsError, match=r"^seed: given twice; a list is an axis, as in seed=1\|2$"):
        reading.settings_from_words(["seed=1", "seed=2"], separator="|")


def test_a_bar_is_a_letter_of_a_value_where_it_parts_no_list() -> None:
    assert reading.settings_from_words(["dataset=folder:a|b"]) == {"dataset": "folder:a|b"}
