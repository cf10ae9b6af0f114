"""`app-repro gpu-check`: what a GPU computes and how fast, in ten minutes, and which engine it should be given.

Comparisons bit by bit, a bench, and cells of the short grid. All that needs the GPU is done by another process
(hand.py); after each step all that has been found is written.
"""

import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from app_repro.core import files
from app_repro.core.errors import AppReproError, ParamsError
from app_repro.core.paths import BENCHES
from app_repro.execution.workers.outcome import sigterm_as_interrupt
from app_repro.machine.bench import bench, ceilings
from app_repro.machine.bench.trials import described
from app_repro.machine.gpu import gpu_cells, same_bits
from app_repro.machine.gpu.gpu_cells import Cells
from app_repro.machine.gpu.gpu_steps import SIZES, Size, Step, about, begin, compare, groups, measure
from app_repro.machine.gpu.hand import Hand, Log, WorkError
from app_repro.machine.gpu.recommendation import recommend
from app_repro.training.run import SAVE_EVERY_SECONDS

WHOLE, UNFINISHED = "gpu-check", "gpu-check unfinished"
"""Ends of the file's name."""

INTERRUPTED, FAILED = 130, 3
"""Exit codes, beside 0 and 2: asked to stop; bits differ, or a step had no answer."""

LEAST_FOR_CELLS = 60.0
"""Seconds; with fewer no cell is begun."""


class Campaign:
    """Steps within a number of minutes, and what they have found so far."""

    def __init__(self, device: str, minutes: float, out: Path, log: Log, size: Size) -> None:
        self.device, self.out, self.log, self.size = device, out, log, size
        self.deadline = time.monotonic() + 60 * minutes
        self.hand = Hand(partial(begin, device))
        self.failed = False
        self.found: dict[str, Any] = {
            "device": "GPU" if device != "cpu" else "CPU",
            "kind": device,
            "cores": 0,
            "save_every_seconds": SAVE_EVERY_SECONDS,
            "minutes": minutes,
            "notes": [],
            "ceilings": {},
            "checks": [],
            "reference": [],
            "results": [],
            "processes": [],
            "parts": [],
            "steps": [],
        }

    @property
    def left(self) -> float:
        """Seconds until time is up."""
        return self.deadline - time.monotonic()

    def go(self, cells: Cells) -> int:
        """All steps that fit, then cells; the exit code. What has been found is written whatever happens."""
        is_whole = False
        try:
            with sigterm_as_interrupt():
                self._all(cells)
            is_whole = True
        except KeyboardInterrupt:
            self.note("interrupted: what follows was not done")
            return INTERRUPTED
        except Exception as error:  # what was found is shown even so
            self.log(traceback.format_exc())
            self._fails(f"a defect of gpu-check, please report it: {described(error)}")
        finally:
            self.hand.end()
            self._write(is_whole)
        return FAILED if self.failed else 0

    def note(self, line: str) -> None:
        """Say something now and in the results."""
        self.log(line)
        self.found["notes"].append(line)

    def _fails(self, line: str) -> None:
        self.failed = True
        self.note(line)

    def _write(self, is_whole: bool = False) -> None:
        """Write what has been found; under a name of its own until it is whole, so that an earlier one stays."""
        self.found["recommended"] = recommend(self.found)
        is_whole &= self.found["recommended"]["tested"] or self.device == "cpu"
        try:
            bench.save(self.found, self.out, WHOLE if is_whole else UNFINISHED)
            if is_whole:
                bench.path_of(self.found, self.out, UNFINISHED).unlink(missing_ok=True)
        except (AppReproError, OSError) as error:  # all is printed at the end, too
            self._fails(f"not written: {error}")

    def _all(self, cells: Cells) -> None:
        for step in self._steps():
            self._do(step)
            if "provenance" not in self.found:
                self.note("nothing can be tested where not even the set-up works")
                return
        self._train(cells)

    def _do(self, step: Step) -> None:
        if step.seconds > self.left:
            self._without(step, f"skipped: it takes about {step.seconds:.0f} s, and {max(0, self.left):.0f} s are left")
            return
        self.log(step.name)
        start, limit = time.monotonic(), min(self.left, max(60.0, 5 * step.seconds))
        try:
            step.keep(self.hand.do(step.work, *step.given, seconds=limit, log=self.log))
        except WorkError as error:
            self.failed = True
            self._without(step, f"{error.kind}: {error}")
        self.found["steps"].append({"name": step.name, "estimate": step.seconds, "seconds": time.monotonic() - start})
        self._write()

    def _without(self, step: Step, why: str) -> None:
        step.lacks(why)
        self.note(f"{step.name}: {why}")

    def _steps(self) -> Iterator[Step]:
        yield Step("set-up", 30, about, (self.device,), self.found.update)
        yield from map(self._check, same_bits.comparisons(self.device, self.size.archs))
        timed = [(arch, *group) for group in groups(self.device) for arch in self.size.archs]
        for arch, what, seconds, cases in timed:
            given = (self.device, self.size.rounds, self.size.window, [replace(case, arch=arch) for case in cases])
            yield Step(f"bench: {arch}, {what}", seconds, measure, given, self._keep_rows)
        if self.device == "cpu":
            self.note("on a GPU alone: captured steps, bf16, lanes; here eager steps stand for them")

    def _check(self, one: same_bits.Comparison) -> Step:
        def keep(differing: Sequence[str]) -> None:
            add("differs" if differing else "same", differing=list(differing))
            if differing:
                self._fails(f"{one.name}: bits differ: {len(differing)} tensors, {differing[0]} first")

        def add(state: str, **more: Any) -> None:
            self.found["checks"].append({"name": one.name, "state": state, **more})

        given = (self.device, tuple(self.size.archs), one.name)
        lacks = lambda why: add(why.partition(":")[0])  # noqa: E731
        return Step(f"compared: {one.name}", one.seconds, compare, given, keep, lacks)

    def _keep_rows(self, rows: list[dict[str, Any]]) -> None:
        limits = {precision: ceilings.Ceilings(**value) for precision, value in self.found["ceilings"].items()}
        if any("failed" in row for row in rows):
            self.hand.end()  # what failed may have made the GPU unusable for its process
        for row in rows:
            known = {one["arch"] for one in self.found["reference"] if "failed" not in one}
            if row["kind"] == "reference" and row["arch"] in known:
                continue
            place = {"reference": "reference", "workers": "processes"}.get(row["kind"], "results")
            self.found[place].append(row | bench.share_of_roofline(row, self.device, limits))

    def _train(self, cells: Cells) -> None:
        best = recommend(self.found)
        cells = replace(cells, settings={**cells.settings, "engine": best["engine"]})
        if self.left < LEAST_FOR_CELLS:
            self.note(f"cells: skipped: {LEAST_FOR_CELLS:.0f} s are needed, and {max(0, self.left):.0f} s are left")
            return
        if lacking := cells.lacking():
            self.note(f"cells: skipped: {lacking}")
            return
        self.log(f"cells of the short grid, engine: {best['engine']}, for {self.left:.0f} s")
        try:
            self.found["cells"] = cells.train(self.left, best["lanes"], self.log)
        except (AppReproError, OSError) as error:
            self._fails(f"cells: failed: {error}")
        else:
            code = self.found["cells"]["exit_code"]
            self.failed |= code not in (0, INTERRUPTED)
            if code:
                self.note("cells: not all have ended; the same command, or `app-repro run`, carries on")


def run(device: str, minutes: float, out: Path | None, raw: Path, store: Path, log: Log) -> tuple[dict[str, Any], int]:
    """What was found, as plain values, also written into the folder `out` after each step; and the exit code.

    device: "cpu" makes a small campaign of eager runs, to try it, whose results are no measurements: by default they
    are kept apart. Raises ParamsError where there is no GPU, PlaceError
    where `out` cannot be written.
    """
    if device != "cpu" and not torch.cuda.is_available():
        what = "no GPU is here: torch sees none; `app-repro doctor` says why; --device cpu tries this command itself"
        raise ParamsError(what, key="--device", kind="no GPU")
    out = out or (BENCHES if device != "cpu" else gpu_cells.PLACE / "tried")
    files.check_writable(out.parent)
    size = SIZES["cpu" if device == "cpu" else "cuda"]
    campaign = Campaign(device, minutes, out, log, size)
    code = campaign.go(Cells(raw, store, device, size.settings, gpu_cells.target(out)))
    return campaign.found, code
