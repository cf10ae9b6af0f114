"""docs/architecture.md: the places that it names exist, and a training step lies as deep as it says."""

import ast
import contextlib
import multiprocessing
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from house import PACKAGE, ROOMS, ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PLACES = sorted(set(re.findall(r"`([\w/]+\.py):([\w.]+)`", PAGE)))


def named(body: list[ast.stmt], parts: list[str]) -> bool:
    """Whether a function or class of that dotted name is defined in `body`."""
    inside = [node for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == parts[0]]
    return bool(inside) and (len(parts) == 1 or named(inside[0].body, parts[1:]))


@pytest.mark.parametrize(("file", "name"), PLACES, ids=":".join)
def test_what_the_page_names_exists(file: str, name: str) -> None:
    tree = ast.parse((PACKAGE / file).read_text(encoding="utf-8"))
    assert named(tree.body, name.split("."))


def test_the_table_of_the_page_is_the_table_of_the_tests() -> None:
    rows = re.findall(r"^\| \d \| `(\w+)` \| [^|]+ \| ([^|]+) \|", PAGE, re.MULTILINE)
    everything = {
        "all but cli": set(ROOMS) - {"machine", "cli"},
        "all, inside commands": set(ROOMS) - {"cli"},
        "-": set(),
    }
    assert {room: everything.get(may, set(may.split(", "))) for room, may in rows} == ROOMS


@contextlib.contextmanager
def signals_kept() -> Iterator[None]:
    """A worker that is served in this process sets its own handlers of signals."""
    names = (signal.SIGINT, signal.SIGTERM)
    before = {name: signal.getsignal(name) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def test_a_training_step_is_as_many_calls_away_as_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    from workbench import prepared

    from app_repro.execution import worker
    from app_repro.training.steps import Steps

    way = re.findall(r"`([\w/]+\.py):(?:\w+\.)?(\w+)`", PAGE.split("to a training step")[1].strip().splitlines()[0])
    [spec], paths = prepared(tmp_path, method="dense", sb=1, epochs=1, milestones=[])
    stacks: list[list[tuple[str, str]]] = []
    step = Steps._train

    def spy(self: Steps, *given: object) -> None:
        frame, stack = sys._getframe(1), [("training/steps.py", "_train")]
        while frame is not None:
            path = Path(frame.f_code.co_filename)
            if path.is_relative_to(PACKAGE):
                stack.append((path.relative_to(PACKAGE).as_posix(), frame.f_code.co_name))
            frame = frame.f_back  # type: ignore[assignment]
        stacks.append(stack[::-1])
        step(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(Steps, "_train", spy)
    ours, theirs = multiprocessing.Pipe()
    for text in (spec.model_dump_json(), None):
        ours.send(text)
    with signals_kept():
        worker.serve(theirs, paths, "cpu")
    inside = way[[name for _, name in way].index("serve") :]
    assert stacks[0] == inside
    assert len(way) <= 11
