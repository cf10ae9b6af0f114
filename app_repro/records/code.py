"""A digest of the code that can change a number of a run. Records name it, so that a change makes runs outdated."""

import ast
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app_repro.config.catalogue import CONTROLS
from app_repro.config.spec import RunSpec
from app_repro.core.files import canonical, digest
from app_repro.core.paths import PACKAGE

LEARNING_CODE = (
    "core/seeds.py",
    "config/methods.py",
    "config/patterns.py",
    "data/megabatches.py",
    "pruning/masks.py",
    "pruning/criteria.py",
    "pruning/select.py",
    "pruning/nm.py",
    "pruning/coupling.py",
    "pruning/channels.py",
    "pruning/removal.py",
    "pruning/shrinking.py",
    "training/determinism.py",
    "training/models/networks.py",
    "training/models/flops.py",
    "training/inputs/images.py",
    "training/inputs/phases.py",
    "training/inputs/batches.py",
    "training/inputs/host_batches.py",
    "training/updates/engines.py",
    "training/updates/optimizer.py",
    "training/updates/energies.py",
    "training/updates/flows.py",
    "training/updates/steps.py",
    "training/fit.py",
    "training/protocol.py",
    "training/checkpoint.py",
    "training/models/groups.py",
    "training/models/widths.py",
    "training/results.py",
    "training/run.py",
)
"""Files of the package, relative to it, whose code can change a number of a run."""

CONTROL_CODE = ("training/controls.py",)
"""Files whose code can change a number of a control arm, beside LEARNING_CODE, and of no other run."""

SHOWN_ONLY = ("Appearance", "MethodTags")
"""Classes of LEARNING_CODE whose values say how a thing is shown or what kind it is: no part of the digest."""


def code_digest(spec: RunSpec | None = None, folder: Path | None = None) -> str:
    """First 16 hex digits of sha256 over the statements that can change a number of the run `spec`, of any run by
    default: those of LEARNING_CODE, and if it is a control arm those of CONTROL_CODE and what the arm is
    (catalogue.ControlTags), in `folder` (this package's own).

    Left out are comments, docstrings, imports, values of SHOWN_ONLY, names of modules, the order of top-level
    statements and the file in which each stands: none of them can change a number.
    """
    plain, control = _code_digests(folder) if folder else _own_code_digests()
    if not spec or not spec.control:
        return plain
    tags = CONTROLS[spec.control]
    return digest(canonical([control, tags.mask, tags.weights, tags.budget]).encode())[:16]


def digest_of(names: Sequence[str]) -> str:
    """The same over the statements of the files `names` of this package."""
    return _digest(_statements(names, PACKAGE))


@functools.cache  # asked for every run; a process keeps the code that it began with
def _own_code_digests() -> tuple[str, str]:
    return _code_digests(PACKAGE)


def _code_digests(folder: Path) -> tuple[str, str]:
    """That of any run, and that of a control arm."""
    plain = _statements(LEARNING_CODE, folder)
    return _digest(plain), _digest([*plain, *_statements(CONTROL_CODE, folder)])


def _digest(statements: Sequence[str]) -> str:
    return digest("\n".join(sorted(statements)).encode())[:16]


def _statements(names: Sequence[str], folder: Path) -> list[str]:
    statements: list[str] = []
    for name in names:
        tree = ast.parse((folder / name).read_text(encoding="utf-8"))
        modules = _modules(tree, folder)
        statements += [canonical(_tree(node, modules)) for node in tree.body if not _is_silent(node)]
    return statements


def _modules(tree: ast.Module, folder: Path) -> set[str]:
    """Names by which a file in `folder` imports modules: masks, of `from app_repro.pruning import masks`."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "app_repro":
            place = folder.joinpath(*str(node.module).split(".")[1:])
            within = [a for a in node.names if (place / f"{a.name}.py").exists() or (place / a.name).is_dir()]
            names |= {alias.asname or alias.name for alias in within}
    return names


def _tree(node: Any, modules: set[str]) -> Any:
    """A syntax tree as plain values, the same under every Python: empty fields, which come and go, are left out.

    What is looked up in one of `modules` is a name like one that is imported from it: `masks.full` is `full`.
    """
    if isinstance(node, list):
        return [_tree(item, modules) for item in node if not _is_silent(item)]
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
        return _tree(ast.Name(node.attr, node.ctx), modules)
    if isinstance(node, ast.AST):
        fields = {name: _tree(value, modules) for name, value in ast.iter_fields(node) if value not in (None, [])}
        return {"": type(node).__name__, **fields}
    return repr(node)


def _is_silent(node: Any) -> bool:
    """Whether a node does not count: a docstring, an import, an `if` of nothing else, what is of SHOWN_ONLY."""
    made = node.value if isinstance(node, ast.keyword) else node
    if isinstance(made, ast.Call) and isinstance(made.func, ast.Name) and made.func.id in SHOWN_ONLY:
        return True
    if isinstance(node, ast.ClassDef) and node.name in SHOWN_ONLY:
        return True
    if isinstance(node, ast.If):
        return all(map(_is_silent, [*node.body, *node.orelse]))
    is_docstring = isinstance(node, ast.Expr) and isinstance(getattr(node.value, "value", None), str)
    return is_docstring or isinstance(node, ast.Import | ast.ImportFrom)
