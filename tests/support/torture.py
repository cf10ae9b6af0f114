"""How often a promise is put to the test: a few times in `make test`, its full count in `make torture`."""

import os
import random

FULL = os.environ.get("TORTURE") == "1"
"""Whether this is `make torture`."""

SEED = int(os.environ.get("TORTURE_SEED", "2204"))
"""What is drawn at random is drawn from this; `make torture SEED=n` tries another."""


def times(few: int, promised: int) -> int:
    """How many trials to make: the promised count under `make torture`, else `few`, which fit in every test run."""
    return promised if FULL else few


def drawing(*role: object) -> random.Random:
    """A generator of random trials for one role, the same for the same seed."""
    return random.Random(f"{SEED} {role}")
