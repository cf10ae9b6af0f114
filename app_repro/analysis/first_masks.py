"""The masks before megabatch 1 of runs, exactly as the runs have them: all images scored, nothing trained."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import Any

import torch

from app_repro.analysis.masks_only import end_with_parent, masks_only
from app_repro.config.patterns import nominal_density
from app_repro.config.spec import RunSpec
from app_repro.core import files
from app_repro.core.errors import RunError
from app_repro.data import dataset, splits
from app_repro.pruning import masks
from app_repro.records import analyses, first_masks, provenance
from app_repro.records.analyses import Analysis
from app_repro.records.stores.store import labels
from app_repro.training import checkpoint, preflight
from app_repro.training.determinism import configure, set_precision, set_threads
from app_repro.training.device import describe_device
from app_repro.training.models import flops

Tell = Callable[[str], Any]


def make(
    specs: Sequence[RunSpec], axes: tuple[str, ...], raw: Path, store: Path, out: Path, tell: Tell
) -> dict[str, Analysis]:
    """The first mask of each run, by label, laid out in `out`; those that the store lacks are made and kept there.

    specs: of no control arms; their data sets are prepared in `raw`. axes: keys that labels say. They are made on the
    CPU with the threads of the settings, so that the bits do not depend on the machine's number of cores. Raises
    DataError for a data set that is not there, ParamsError, PlaceError, DiskFullError, and RunError if a process was
    killed; finished masks are kept.
    """
    for folder in (out, store):
        files.check_writable(folder)
    complete = [splits.with_digest(spec, raw) for spec in specs]
    preflight.check(complete, raw)
    names = labels(complete, axes)
    with analyses.lock(store, first_masks.KIND):
        found = {name: first_masks.file_of(spec, store).finished() for name, spec in zip(names, complete, strict=True)}
        todo = {spec: name for spec, name in zip(complete, names, strict=True) if found[name] is None}
        tell(f"{len(todo)} masks to make, {len(complete) - len(todo)} in the store")
        for spec, (results, made_with) in _made(list(todo), raw):
            found[todo[spec]] = first_masks.file_of(spec, store).finish(results, made_with)
            scored = f"{results['score_samples']:,} images scored" if results["score_samples"] else "nothing scored"
            tell(f"{todo[spec]}: {results['density_effective']:.4f} kept, {scored}, {made_with['wall_seconds']:.0f} s")
    done = {name: one for name, one in found.items() if one is not None}
    analyses.lay_out(done, first_masks.KIND, out, others=True)
    return done


def _made(specs: Sequence[RunSpec], raw: Path) -> "Any":
    """Each spec with the results of its mask and with what they were made, as they come, a process per core."""
    if not specs:
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(len(os.sched_getaffinity(0)), len(specs)), spawn, _begin) as pool:
        try:
            coming = {pool.submit(partial(_mask_of, raw=raw), spec): spec for spec in specs}
            for future in as_completed(coming):
                yield coming[future], future.result()
        except BrokenProcessPool:
            what = "a process was killed, mostly for want of memory; what it had finished is kept"
            how = "run again on fewer cores: taskset -c 0 app-repro audit ..."
            raise RunError(f"{what}; {how}", key="memory", kind="killed") from None
        except BaseException:  # interrupted, or one failed: what is at work would take minutes
            pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.terminate()
            raise


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a terminal sends it here, too; the parent says what happened
    provenance.source()
    end_with_parent()


def _mask_of(spec: RunSpec, raw: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The results of a run's first mask (records/first_masks.py), and where and how fast they were made."""
    configure("cpu")
    set_threads(spec.threads)
    set_precision(spec.precision)
    start = time.perf_counter()
    data = dataset.load(raw / dataset.data_folder(spec))
    cut = splits.cut(spec, raw)
    first = next(masks_only(spec, data, cut, torch.device("cpu"), len(data.train_labels)))
    results = {
        "megabatch": 1,
        "density_nominal": nominal_density(spec, 1),
        "density_effective": masks.density(first.mask),
        "kept": list(masks.kept(first.mask).values()),
        "score_samples": first.score_samples,
        "mask_sha256": files.digest(checkpoint.encode_mask(first.mask)),
        "network": flops.describe(spec.arch, len(data.classes), *data.train_images.shape[2:]),
        "data_source": data.source,
    }
    seconds = {"wall_seconds": time.perf_counter() - start}
    return results, dict(provenance.collect(describe_device("cpu"))) | seconds
