"""Commands that compute: run, plan, merge."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app_repro.cli.options import ClaimsFile, ParamsFile, RawFolder, StoreFolder, end
from app_repro.core.errors import ParamsError
from app_repro.core.paths import BENCHES, CLAIMS, PARAMS, RAW, RUNS, SPLITS, store_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app_repro.claims.statement import Claim
    from app_repro.config.grid import Params

RunsPerGpu = Annotated[
    int | None,
    typer.Option(
        min=1, max=32, help="Runs that share a GPU.", show_default="local as benched, for captured steps; ray 1"
    ),
]
Minutes = Annotated[
    int | None,
    typer.Option("--time", min=3, help="slurm: minutes per task; then saved, queued again.", show_default="240"),
]

app = typer.Typer(add_completion=False)


@app.command()
def run(
    params: ParamsFile = PARAMS,
    raw: RawFolder = RAW,
    splits: Annotated[Path, typer.Option(help="Index files, as split leaves them.")] = SPLITS,
    out: Annotated[Path, typer.Option(help="Where the grid's finished runs are laid out.")] = RUNS,
    store: StoreFolder = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Runs at a time; one per GPU, or one per core, if not given (slurm: no limit)."),
    ] = None,
    executor: Annotated[
        str, typer.Option(envvar="APP_REPRO_EXECUTOR", help="local, ray (a Ray or its cluster) or slurm (job arrays).")
    ] = "local",
    shard: Annotated[str | None, typer.Option(help="A share of the grid, for machines apart: 2/8; see merge.")] = None,
    address: Annotated[
        str | None,
        typer.Option(envvar="RAY_ADDRESS", help="ray: an existing cluster, from a node of it: auto, HOST:PORT."),
    ] = None,
    runs_per_gpu: RunsPerGpu = None,
    partition: Annotated[str | None, typer.Option(help="slurm: as sbatch has it.")] = None,
    account: Annotated[str | None, typer.Option(help="slurm: as sbatch has it.")] = None,
    minutes: Minutes = None,
    python: Annotated[
        str | None, typer.Option(help="slurm: what starts Python there: 'apptainer exec --nv app-repro.sif python'.")
    ] = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", envvar="APP_REPRO_ANYWAY", help="Start a grid that takes a CPU days.")
    ] = False,
    accept_code: Annotated[
        bool, typer.Option("--accept-code", help="Let finished runs of other learning code stand; recorded.")
    ] = False,
) -> None:
    """Train every run of the grid that the store lacks, here or on a cluster; carry on what was interrupted."""
    from app_repro.execution import grid
    from app_repro.records.stores.store import Paths

    options = {"workers": workers, "address": address, "runs_per_gpu": runs_per_gpu, "minutes": minutes}
    options |= {"python": python, "partition": partition, "account": account, "anyway": anyway}
    paths, how = Paths(raw, splits, store_at(store)), {"executor": executor, "share": shard, "accept_code": accept_code}
    raise typer.Exit(grid.run(params, paths, out, **how, **options))  # type: ignore[arg-type]


@app.command()
def plan(
    params: ParamsFile = PARAMS,
    raw: RawFolder = RAW,
    store: StoreFolder = None,
    preset: Annotated[str | None, typer.Option(help="Plan a preset instead of the params file.")] = None,
    claim: Annotated[str | None, typer.Option(help="Plan the runs that this claim needs.")] = None,
    small: Annotated[bool, typer.Option("--small", help="With --claim: stand-ins for a laptop, no verdict.")] = False,
    claims: ClaimsFile = CLAIMS,
    gpus: Annotated[str | None, typer.Option(help="When done on 1,4,8 GPUs or CPU workers; else as run.")] = None,
    device: Annotated[str | None, typer.Option(help="A measured device, by part of its name; else this one.")] = None,
    watts: Annotated[float | None, typer.Option(min=0.001, help="What a device draws at work, for the energy.")] = None,
    bench: Annotated[Path, typer.Option(help="Folder of measured speeds.")] = BENCHES,
    growth: Annotated[bool, typer.Option("--growth", help="How cost grows with T, N, image size, epochs.")] = False,
    claims_cost: Annotated[
        bool,
        typer.Option(
            "--claims-cost",
            help="Instead: what the runs of each claim cost; of the options above only --claim and --claims matter.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="All of it as JSON.")] = False,
) -> None:
    """Print the grid without running it: what is done, seconds, energy, memory, disk, the claims it can decide."""
    from app_repro.claims import claims_file, needs
    from app_repro.execution.planning import plan as planning
    from app_repro.execution.planning import plan_text
    from app_repro.records.stores.store import Store

    _check_grids(preset, claim, claims_cost, small)
    if bench != BENCHES and not bench.is_dir():
        raise ParamsError(f"--bench {bench}: no such folder; `app-repro bench --out` makes one", key="--bench")
    if claims_cost:
        _claims_cost(claim, claims, as_json)
    known = claims_file.load(claims) if claim or claims.exists() else []
    grid, told = needs.small_grid(known, claim) if claim and small else (_grid(params, preset, known, claim), "")
    asked = {"gpus": gpus, "device": device, "watts": watts, "bench": bench, "growth": growth or as_json}
    planned = planning.plan(grid, raw, Store(store_at(store)), **asked)  # type: ignore[arg-type]
    decided = needs.decidable(known, grid.specs, planned.records)
    planned = replace(planned, notes=[*planned.notes, told] if told else planned.notes)
    typer.echo(plan_text.to_json(planned, decided) if as_json else plan_text.to_text(planned, decided))
    if claim and needs.is_of_first_masks(known, claim):
        typer.echo(f"app-repro: {claim} needs none of these runs: app-repro audit --claim {claim}", err=True)


def _check_grids(preset: str | None, claim: str | None, claims_cost: bool, small: bool) -> None:
    """Raise ParamsError where options of `plan` name two grids, or --small none."""
    if preset and (claim or claims_cost):
        other = "--claims-cost" if claims_cost else "--claim"
        raise ParamsError(f"--preset {preset} and {other} name two grids; give one of them", key="--preset")
    if small and (not claim or claims_cost):
        raise ParamsError(
            "--small names stand-ins for one claim's runs; give --claim ID, no --claims-cost", key="--small"
        )


def _grid(params: Path, preset: str | None, known: "Sequence[Claim]", claim: str | None) -> "Params":
    """What is planned: the runs of a claim, of a preset or of the params file."""
    from app_repro.claims import needs
    from app_repro.config import grid, presets

    outside = {"device": "auto", "workers": None}
    if claim:
        return needs.grid(known, claim)
    return grid.parse(presets.preset(preset) | outside, f"preset {preset}") if preset else grid.load(params)


def _claims_cost(claim: str | None, claims: Path, as_json: bool) -> None:
    """Print what the runs of each claim, or of one alone, cost, by the records that `verify` judges."""
    from app_repro.claims import claims_file, needs
    from app_repro.execution.planning import claim_costs
    from app_repro.records import runs

    chosen = claims_file.select(claims_file.load(claims), [claim] if claim else [])
    evidence = runs.read(runs.known([]))
    rows = claim_costs.claim_costs(needs.by_protocol(chosen), evidence.runs)
    typer.echo(claim_costs.to_json(rows) if as_json else claim_costs.to_text(rows))
    end(evidence.damaged)


@app.command()
def merge(
    folders: Annotated[list[Path], typer.Argument(help="Stores: what --store named where they were filled.")],
    store: StoreFolder = None,
) -> None:
    """Unite stores that were filled apart: checksums checked, conflicting results refused."""
    from app_repro.records.stores import merge as stores

    root = store_at(store)
    typer.echo(stores.merge(folders, root).line(root))
