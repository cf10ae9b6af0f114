"""Commands about this machine (doctor, bench, gpu-check), and wandb sync."""

from pathlib import Path
from typing import Annotated

import typer

from app_repro.cli.options import AsJson, ParamsFile, RawFolder, StoreFolder
from app_repro.core.errors import ParamsError
from app_repro.core.paths import BENCHES, PARAMS, RAW, store_at
from app_repro.data.sets import TIMED

app = typer.Typer()
wandb = typer.Typer(no_args_is_help=True, help="Records in Weights & Biases.")
app.add_typer(wandb, name="wandb")


@app.command()
def doctor(
    params: ParamsFile = PARAMS,
    raw: RawFolder = RAW,
    store: StoreFolder = None,
    quick: Annotated[bool, typer.Option("--quick", help="Leave out kernels and every byte of the data sets.")] = False,
    as_json: AsJson = False,
) -> None:
    """Look at this machine before hours are spent: each finding with its remedy; exit code 1 if a run would fail."""
    from app_repro.machine import checks, doctor

    findings = doctor.examine(checks.Subject(params, raw, store_at(store), quick))
    typer.echo(doctor.to_json(findings) if as_json else doctor.to_text(findings))
    raise typer.Exit(doctor.exit_code(findings))


@app.command()
def bench(
    quick: Annotated[bool, typer.Option("--quick", help="Fewer networks, shorter windows: minutes.")] = False,
    arch: Annotated[list[str] | None, typer.Option(help="Network; again for more.", show_default="four")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the results there, as JSON.")] = None,
    by_granularity: Annotated[
        bool, typer.Option("--granularity", help="Instead: dense, masked and smaller networks, in turn: minutes.")
    ] = False,
    dataset: Annotated[
        str | None,
        typer.Option(help="With --granularity: whose images the networks take.", show_default=TIMED),
    ] = None,
    nm: Annotated[bool, typer.Option("--nm", help="Instead: matrix products at 2:4, on a GPU.")] = False,
    as_json: AsJson = False,
) -> None:
    """Measure this machine in one run: ceilings, the reference loop, engines, runs side by side; or, with
    --granularity, what networks cost that were pruned in other ways (`x dense`: the median of the
    rounds' ratios, which can differ from the ratio of the medians beside it); with --nm, what 2:4 brings to matrix
    products.
    """
    import json

    from app_repro.machine.bench import bench, granularity, products, speed_table

    if by_granularity and nm:
        raise ParamsError("--granularity and --nm measure two things; give one of them", key="--granularity")
    if dataset and not by_granularity:
        raise ParamsError(f"--dataset {dataset}: only with --granularity", key="dataset")
    if nm:
        results = products.run(arch or (["resnet20s"] if quick else []), out, lambda line: typer.echo(line, err=True))
    elif by_granularity:
        archs = arch or (["resnet20s"] if quick else [])
        results = granularity.run(archs, dataset or TIMED, out, lambda line: typer.echo(line, err=True))
    else:
        results = bench.run(quick, arch or [], out, lambda line: typer.echo(line, err=True))
    typer.echo(json.dumps(results, indent=1) if as_json else speed_table.to_text(results))


@app.command("gpu-check")
def gpu_check(
    minutes: Annotated[float, typer.Option(min=0.1, max=600, help="What does not fit is left out and named.")] = 10,
    out: Annotated[
        Path | None,
        typer.Option(help="Where results go, as JSON; plan, run, doctor read the default.", show_default=str(BENCHES)),
    ] = None,
    device: Annotated[str, typer.Option(help="cuda; cpu tries the command itself, with small networks.")] = "cuda",
    raw: RawFolder = RAW,
    store: StoreFolder = None,
    as_json: AsJson = False,
) -> None:
    """Test a GPU and measure it, in ten minutes: captured steps against eager ones bit by bit, a bench, cells of the
    short grid; ends with the engine, precision and runs at a time that it should be given. What was found until then
    is written after each step. Exit code 3 if bits differ or a step had no answer.
    """
    import json

    from app_repro.machine.bench import speed_table
    from app_repro.machine.gpu import gpu_check

    if device not in ("cuda", "cpu"):
        raise ParamsError(f"--device {device}: not one of cuda, cpu", key="--device", kind="unknown")
    log = lambda line: typer.echo(line, err=True)  # noqa: E731
    found, code = gpu_check.run(device, minutes, out, raw, store_at(store), log)
    typer.echo(json.dumps(found, indent=1) if as_json else speed_table.to_text(found))
    raise typer.Exit(code)


@wandb.command()
def sync(
    runs: Annotated[list[str], typer.Argument(help="Finished runs: ids, folders' names, or paths of records.")],
    store: StoreFolder = None,
) -> None:
    """Upload finished runs from their records (WANDB_MODE=offline writes wandb's files instead)."""
    from app_repro.execution import tracking

    tracking.sync(runs, store_at(store), typer.echo)
