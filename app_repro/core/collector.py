"""Python's cyclic collector, which costs time where many objects are made and none form cycles."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def off() -> Iterator[None]:
    """Turn it off: records hold no cycles; looking for some took a tenth of verify and report."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
