"""Nothing that could run foreign code is called, here or in the package: ruff's rules, and what it has none for."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT, HERE = Path(__file__).parents[2], Path(__file__).name
SOURCES = sorted(path.relative_to(ROOT) for folder in ("app_repro", "tests") for path in (ROOT / folder).rglob("*.py"))
FORBIDDEN = {
    *("pickle.load", "pickle.loads", "pickle.Unpickler", "marshal.load", "marshal.loads", "shelve.open"),
    *("dill.load", "dill.loads", "cloudpickle.load", "cloudpickle.loads", "joblib.load", "pandas.read_pickle"),
    *("yaml.full_load", "yaml.unsafe_load", "yaml.load_all", "yaml.unsafe_load_all", "yaml.full_load_all"),
    *("eval", "exec", "os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"),
    *("numpy.memmap.loads", "torch.jit.load", "torch.hub.load", "torch.package.PackageImporter", "builtins.eval"),
}
ALLOWED = {
    ("tests/data/test_pickles.py", "pickle.loads"): 1,  # shows that each payload would be executed
    ("tests/data/test_pickles.py", "allow_pickle"): 1,  # writes one
    # what the payloads would call
    ("tests/data/test_pickles.py", "exec"): 1,
    ("tests/data/test_pickles.py", "os.system"): 1,
    ("tests/data/test_pickles.py", "subprocess.getoutput"): 1,
    ("app_repro/data/cifar.py", "pickle.Unpickler"): 1,  # the base of the one that admits arrays alone
}
"""File and call -> how often it stands there, with a reason."""


def calls(source: str) -> Iterator[str]:
    """The forbidden names that a file uses and the forbidden options that it gives, whatever they are imported as."""
    tree = ast.parse(source)
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {item.asname: item.name for item in node.names if item.asname}
        elif isinstance(node, ast.ImportFrom):
            names |= {item.asname or item.name: f"{node.module}.{item.name}" for item in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name) and (name := dotted(node, names)) in FORBIDDEN:
            yield name
        if isinstance(node, ast.Call):
            yield from options(dotted(node.func, names), node.keywords)


def dotted(node: ast.AST, names: dict[str, str]) -> str:
    """The full name of what is meant, "" for what is no name."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    inner = dotted(node.value, names) if isinstance(node, ast.Attribute) else ""
    return f"{inner}.{node.attr}" if isinstance(node, ast.Attribute) and inner else ""


def options(name: str, keywords: list[ast.keyword]) -> Iterator[str]:
    """Forbidden options of a call of `name`."""
    given = {keyword.arg: keyword.value for keyword in keywords}
    for option in ("shell", "allow_pickle"):
        if option in given and not is_constant(given[option], False):
            yield option
    if name == "torch.load" and not is_constant(given.get("weights_only"), True):
        yield name
    if name == "yaml.load" or (name == "ruamel.yaml.YAML" and not is_constant(given.get("typ"), "safe")):
        yield name


def is_constant(node: ast.AST | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value == value and isinstance(node.value, type(value))


@pytest.mark.promise
def test_nothing_that_runs_foreign_code_is_used() -> None:
    found = [(path.as_posix(), name) for path in SOURCES for name in calls((ROOT / path).read_text(encoding="utf-8"))]
    assert Counter(found) == ALLOWED


BAD = {
    "pickle.load": "import pickle\npickle.load(file)",
    "pickle.loads": "from pickle import loads as read\nread(raw)",
    "pickle.Unpickler": "import pickle as p\np.Unpickler(file).load()",
    "torch.load": "import torch\ntorch.load(path)",
    "torch.load, asked for less": "import torch\ntorch.load(path, weights_only=False)",
    "allow_pickle": "import numpy as np\nnp.load(path, allow_pickle=True)",
    "allow_pickle, computed": "import numpy as np\nnp.load(path, allow_pickle=flag)",
    "yaml.load": "import yaml\nyaml.load(text, yaml.Loader)",
    "yaml.unsafe_load": "import yaml\nyaml.unsafe_load(text)",
    "ruamel.yaml.YAML": "from ruamel.yaml import YAML\nYAML(typ='unsafe').load(text)",
    "eval": "eval(text)",
    "exec": "exec(text)",
    "exec, by another name": "run = exec",
    "shell": "import subprocess\nsubprocess.run(text, shell=True)",
    "os.system": "from os import system\nsystem(text)",
    "pandas.read_pickle": "import pandas as pd\npd.read_pickle(path)",
    "joblib.load": "from joblib import load\nload(path)",
}


@pytest.mark.promise
@pytest.mark.parametrize("what", BAD)
def test_the_gate_sees_it(what: str) -> None:
    assert what.split(",")[0] in calls(BAD[what])


def test_the_gate_lets_the_safe_forms_pass() -> None:
    safe = """
import subprocess, numpy as np, torch
from ruamel.yaml import YAML
from app_repro.data.dataset import load
np.load(path, allow_pickle=False), torch.load(path, weights_only=True), YAML(typ="safe").load(text), load(path)
subprocess.run(words, shell=False), net.eval()
"""
    assert list(calls(safe)) == []


RULES = {
    "S102": "exec(text)",
    "S202": "import tarfile\ntarfile.open(path).extractall(folder)",
    "S301": "import pickle\npickle.loads(raw)",
    "S302": "import marshal\nmarshal.loads(raw)",
    "S306": "import tempfile\ntempfile.mktemp()",
    "S307": "eval(text)",
    "S310": "import urllib.request\nurllib.request.urlopen(url)",
    "S323": "import ssl\nssl._create_unverified_context()",
    "S501": "import requests\nrequests.get(url, verify=False, timeout=1)",
    "S506": "import yaml\nyaml.load(text, yaml.Loader)",
    "S602": "import subprocess\nsubprocess.run(text, shell=True)",
    "S604": "run(text, shell=True)",
    "S605": "import os\nos.system(text)",
    "S701": "import jinja2\njinja2.Environment(autoescape=False)",
}


@pytest.mark.promise
def test_ruffs_rules_are_on_and_each_is_seen_failing(tmp_path: Path) -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert {rule for rule in settings["select"] if rule.startswith("S") and rule[1:].isdigit()} == set(RULES)
    for rule, source in RULES.items():
        (tmp_path / f"{rule}.py").write_text(source + "\n")
    ruff = [str(Path(sys.executable).parent / "ruff"), "check", "--no-cache", "--output-format", "json"]
    ran = subprocess.run(
        [*ruff, "--config", str(ROOT / "pyproject.toml"), str(tmp_path)], capture_output=True, text=True
    )
    found = {(Path(item["filename"]).stem, item["code"]) for item in json.loads(ran.stdout)}
    assert {(rule, rule) for rule in RULES} <= found


def test_what_is_excused_from_a_rule_is_known() -> None:
    lines = [(path.as_posix(), (ROOT / path).read_text(encoding="utf-8")) for path in SOURCES if path.name != HERE]
    excused = [f"{path}: {rule}" for path, text in lines for rule in re.findall(r"# noqa: (S\d+)", text)]
    assert sorted(excused) == [
        "app_repro/data/files/download.py: S310",
        "app_repro/report/modelcard.py: S701",
        "tests/data/test_pickles.py: S301",
    ]
