"""What `engine: compiled` needs at run time: a compiler, for the C (Triton) or C++ that torch.compile writes."""

import os
import shutil
import sysconfig
from pathlib import Path

REMEDY = "install gcc, g++ and Python's headers (build-essential, python3-dev), or use engine: graph or eager"


def lacking(device: str) -> str:
    """What this machine lacks for it, for people; empty where nothing is missing. `device`: "cpu", else a GPU."""
    variable, usual = ("CXX", ["g++"]) if device == "cpu" else ("CC", ["gcc", "clang"])  # as Inductor and Triton look
    named = os.environ.get(variable)
    names = [named.split()[0]] if named and named.split() else usual
    if not any(map(shutil.which, names)):
        return f"no compiler here: {' or '.join(names)}"
    if not (Path(sysconfig.get_paths()["include"]) / "Python.h").exists():
        return "Python's headers are not here: Python.h"
    return ""
