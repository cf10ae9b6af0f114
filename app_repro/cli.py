"""The commands. Each calls one room; what is heavy is imported inside, so that --help needs no torch."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from app_repro.errors import AppReproError

app = typer.Typer(
    help="Re-run Anytime Progressive Pruning (arXiv 2204.01640) and say, claim by claim, whether it reproduces.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    epilog="Exit codes: 0 done; 2 a setting, a command line or a data set cannot be used; 3 a run failed or diverged, "
    "or a file is damaged; 130 interrupted. verify: 0 all reproduced, 1 a claim not reproduced, 3 integrity, "
    "4 partial, inconclusive or not run, 5 nothing to judge.",
)

ParamsFile = Annotated[Path, typer.Option("--params", help="The experiments.")]
RawFolder = Annotated[Path, typer.Option("--raw", help="Decoded data sets, as fetch leaves them.")]
StoreFolder = Annotated[
    Path | None, typer.Option("--store", help="Every run ever started; $APP_REPRO_STORE, else .store.")
]
Records = Annotated[
    list[Path] | None, typer.Option(help="Folder of records; again for more. [default: data/runs, data/published]")
]
ClaimsFile = Annotated[Path, typer.Option(help="The reported numbers.")]
PARAMS, RAW, SPLITS = Path("params.yaml"), Path("data/raw"), Path("data/splits")
RUNS, REPORT, PUBLISHED = Path("data/runs"), Path("data/report"), Path("data/published")
CLAIMS = Path("data/claims.csv")


@app.command()
def fetch(
    datasets: Annotated[list[str] | None, typer.Argument(help="Data sets; those of the params file if none.")] = None,
    origin: Annotated[
        str | None, typer.Option("--from", help="A mirror's URL, a local archive or a folder of class folders.")
    ] = None,
    params: ParamsFile = PARAMS,
    out: Annotated[Path, typer.Option(help="Where decoded data sets go.")] = RAW,
    store: StoreFolder = None,
) -> None:
    """Download data sets, check their digests, decode them to uint8 arrays."""
    from app_repro import stages

    stages.fetch(params, out, stages.store_at(store), datasets or [], origin)


@app.command()
def split(
    params: ParamsFile = PARAMS,
    raw: RawFolder = RAW,
    out: Annotated[Path, typer.Option(help="Where index files go.")] = SPLITS,
) -> None:
    """Cut each training set of the grid into its stream of megabatches."""
    from app_repro import stages

    stages.split(params, raw, out)


@app.command()
def run(
    params: ParamsFile = PARAMS,
    raw: RawFolder = RAW,
    splits: Annotated[Path, typer.Option(help="Index files, as split leaves them.")] = SPLITS,
    out: Annotated[Path, typer.Option(help="Where the grid's finished runs are laid out.")] = RUNS,
    store: StoreFolder = None,
    workers: Annotated[int | None, typer.Option(help="Processes; one a GPU, or one a core, if not given.")] = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", envvar="APP_REPRO_ANYWAY", help="Start a grid that takes a CPU days.")
    ] = False,
    accept_code: Annotated[
        bool, typer.Option("--accept-code", help="Let finished runs of other learning code stand; recorded.")
    ] = False,
) -> None:
    """Train every run of the grid that the store lacks; carry on what was interrupted."""
    from app_repro import stages

    places = stages.Places(raw, splits, stages.store_at(store))
    raise typer.Exit(stages.run(params, places, out, workers=workers, anyway=anyway, accept_code=accept_code))


@app.command()
def report(
    runs: Annotated[Path, typer.Option(help="Runs, as run lays them out.")] = RUNS,
    out: Annotated[Path, typer.Option(help="Where tables and figures go.")] = REPORT,
) -> None:
    """Tables, figures and metrics from records alone."""
    from app_repro.report import write

    typer.echo(write(runs, out))


@app.command()
def verify(
    records: Records = None,
    claims: ClaimsFile = CLAIMS,
    only: Annotated[list[str] | None, typer.Option(help="Judge this claim; again for more.")] = None,
    protocol: Annotated[str | None, typer.Option(help="Judge under this protocol alone: paper or released.")] = None,
    allow: Annotated[str, typer.Option(help="Verdicts that count as success: partial,inconclusive,not_run.")] = "",
    explain: Annotated[str | None, typer.Option(help="Every step of one claim's judgement, with its numbers.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    junit: Annotated[Path | None, typer.Option(help="Write the verdicts there as JUnit XML.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the verdicts there as Markdown.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write verdicts.json and verdicts.md there, and exit 0.")] = None,
) -> None:
    """Judge every claim of the paper on the records there are; the exit code speaks."""
    from app_repro import judging

    chosen = judging.Question(claims, tuple(records or []), tuple(only or []), protocol, tuple(allow.split(",")))
    forms = judging.Forms(as_json, explain, junit, markdown, out)
    raise typer.Exit(judging.verify(chosen, forms))


@app.command()
def publish(
    names: Annotated[list[str] | None, typer.Argument(help="Runs by folder or id; all of them if none.")] = None,
    runs: Annotated[Path, typer.Option(help="Runs, as run lays them out.")] = RUNS,
    out: Annotated[Path, typer.Option(help="Where records go, without weights.")] = PUBLISHED,
) -> None:
    """Copy finished runs' records, checked and small, to data/published."""
    from app_repro.publish import publish as copy

    typer.echo("\n".join(map(str, copy(runs, out, names or []))))


@app.command()
def power(
    claim: Annotated[str, typer.Option(help="The claim's id.")],
    records: Records = None,
    claims: ClaimsFile = CLAIMS,
) -> None:
    """How many seeds a hard verdict needs, with the noise measured so far, and what they cost."""
    from app_repro import judging

    typer.echo(judging.power(tuple(records or []), claims, claim))


@app.command()
def reported(
    origin: Annotated[str, typer.Option("--from", help="`wandb`, or an exported CSV or JSON file.")],
    project: Annotated[str | None, typer.Argument(help="With --from wandb: ENTITY/PROJECT.")] = None,
) -> None:
    """Read the authors' dashboard, or its export, into rows for the claims file, printed as CSV."""
    from app_repro import judging

    typer.echo(judging.reported(origin, project), nl=False)


@app.command()
def audit(
    arch: Annotated[str, typer.Option(help="Network.")] = "resnet20s",
    sb: Annotated[int | None, typer.Option(help="Number of megabatches; that of the params file if not given.")] = None,
    criterion: Annotated[str | None, typer.Option(help="How weights are scored.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Data set; the params file's first if not given.")] = None,
    protocol: Annotated[list[str] | None, typer.Option(help="paper, released; both if not given.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", "-S", help="key=value, as in params.yaml; again for more.")
    ] = None,
    images: Annotated[int, typer.Option(min=1, help="Images scored a megabatch, at most.")] = 1000,
    out: Annotated[Path | None, typer.Option(help="Write table, JSON and figure there.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    differences: Annotated[bool, typer.Option(help="What each switch does to results, from records alone.")] = False,
    records: Annotated[
        list[Path] | None, typer.Option(help="With --differences: folder of records. [default: store, runs, published]")
    ] = None,
    params: ParamsFile = PARAMS,
    raw: RawFolder = RAW,
    store: StoreFolder = None,
) -> None:
    """Show what each protocol does to masks, megabatch by megabatch and layer by layer, without training."""
    from app_repro import stages

    if differences:
        typer.echo(stages.differences(records or [stages.store_at(store) / "runs", RUNS, PUBLISHED], out, as_json))
        return
    given = {"arch": arch, "sb": sb, "criterion": criterion, "dataset": dataset}
    typer.echo(stages.audit(params, raw, given, settings or [], protocol or [], images, out, as_json))


@app.command()
def demo(
    settings: Annotated[
        list[str] | None, typer.Option("--set", "-S", help="key=value, as in params.yaml; again for more.")
    ] = None,
    folder: Annotated[Path, typer.Option(help="The demo's own workspace.")] = Path("data/demo"),
) -> None:
    """The whole pipeline on the embedded digits: 8 megabatches, three methods, three seeds."""
    from app_repro.demo import show

    raise typer.Exit(show(folder, settings or []))


@app.command()
def preset(
    name: Annotated[str | None, typer.Argument(help="Its name.")] = None,
    names: Annotated[bool, typer.Option("--list", help="Name the presets.")] = False,
) -> None:
    """Print a named grid as -S flags: dvc exp run $(app-repro preset demo)."""
    from app_repro import presets

    typer.echo(presets.flags(name) if name and not names else presets.listing())


@app.command()
def plan(
    params: ParamsFile = PARAMS,
    raw: RawFolder = RAW,
    store: StoreFolder = None,
    preset: Annotated[str | None, typer.Option(help="Plan a preset instead of the params file.")] = None,
    claim: Annotated[str | None, typer.Option(help="Plan the runs that this claim needs.")] = None,
    claims: ClaimsFile = CLAIMS,
) -> None:
    """Print the grid without running it: what is done, samples, FLOPs, disk."""
    from app_repro import stages

    typer.echo(stages.plan(params, raw, stages.store_at(store), preset, (claims, claim) if claim else None))


@app.command()
def runs(store: StoreFolder = None) -> None:
    """List every run of the store: id, setting, state, accuracy, wall time."""
    from app_repro import stages

    typer.echo(stages.runs(stages.store_at(store)))


def main() -> None:
    """Run a command; what a user can mend is one line on standard error and an exit code, never a traceback."""
    try:
        app()
    except AppReproError as error:
        sys.stdout.flush()
        typer.echo(f"app-repro: {error}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
