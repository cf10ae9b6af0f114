"""Commands about claims: verify, publish, power, reported, audit."""

import json
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from app_repro.cli.options import (
    AsJson,
    ClaimsFile,
    MoreRecords,
    ParamsFile,
    RawFolder,
    Records,
    Settings,
    StoreFolder,
    end,
)
from app_repro.core import collector
from app_repro.core.errors import ParamsError
from app_repro.core.paths import ANALYSES, CLAIMS, PARAMS, PUBLISHED, RAW, RUNS, store_at

app = typer.Typer()


@app.command()
def verify(
    records: Records = None,
    more: MoreRecords = None,
    claims: ClaimsFile = CLAIMS,
    only: Annotated[list[str] | None, typer.Option(help="Judge this claim; again for more.")] = None,
    protocol: Annotated[str | None, typer.Option(help="Judge under this protocol alone: paper or released.")] = None,
    allow: Annotated[str, typer.Option(help="Verdicts that count as success: partial,inconclusive,not_run.")] = "",
    explain: Annotated[str | None, typer.Option(help="Every step of one claim's judgement, with its numbers.")] = None,
    as_json: AsJson = False,
    junit: Annotated[Path | None, typer.Option(help="Write the verdicts there as JUnit XML.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the verdicts there as Markdown.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write verdicts.json and verdicts.md there, and exit 0.")] = None,
) -> None:
    """Judge every claim of the paper on the records at hand; the exit code depends on the verdicts."""
    from app_repro.claims import claims_file, printing
    from app_repro.claims.verify import check_allowed
    from app_repro.claims.verify import verify as judge
    from app_repro.records import first_masks, runs

    allowed = [name for name in allow.split(",") if name]
    check_allowed(allowed)  # before anything is read, printed or written
    chosen = [*(only or []), *([explain] if explain else [])]
    named = [*(records or []), *(more or [])]
    with collector.off():
        reported = claims_file.load(claims)
        evidence, masks = runs.read(runs.known(named)), first_masks.known(named)
        verdicts = judge(evidence, reported, masks, only=chosen, protocol=protocol)
    typer.echo(printing.show(verdicts, explain, as_json))
    printing.save(verdicts, junit=junit, markdown=markdown, folder=out)
    raise typer.Exit(0 if out else verdicts.exit_code(allowed))


@app.command()
def publish(
    names: Annotated[list[str] | None, typer.Argument(help="Runs by folder or id; all of them if none.")] = None,
    runs: Annotated[Path, typer.Option(help="Runs, as run lays them out.")] = RUNS,
    analyses: Annotated[Path, typer.Option(help="Analyses of them, as analyse lays them out.")] = ANALYSES,
    out: Annotated[
        Path | None,
        typer.Option(help="Where records go, without weights.", show_default="data/published, or its folder PRESET"),
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="Instead of --runs: what has ended of this preset in the store, as it comes.")
    ] = None,
    store: StoreFolder = None,
    histories: Annotated[
        bool, typer.Option("--histories", help="Also curves and gradients per epoch, for the figures of them.")
    ] = False,
) -> None:
    """Copy finished runs' records and analyses, checked and small, to data/published."""
    from app_repro.records import publish as publishing

    if not preset:
        written = publishing.publish(runs, out or PUBLISHED, names or [], analyses, histories)
        typer.echo("\n".join(map(str, written)))
        return
    if names:
        raise ParamsError(f"--preset {preset} names its runs; leave out {names[0]}", key="--preset")
    written, count = publishing.publish_preset(preset, store_at(store), out or PUBLISHED / preset, histories)
    typer.echo("\n".join([*map(str, written), count]))


@app.command()
def power(
    claim: Annotated[str, typer.Option(help="The claim's id.")],
    records: Records = None,
    more: MoreRecords = None,
    claims: ClaimsFile = CLAIMS,
) -> None:
    """How many seeds a hard verdict needs, with the noise measured so far, and what they cost."""
    from app_repro.claims import claims_file
    from app_repro.claims.power import power as of_claim
    from app_repro.records import runs

    reported = claims_file.load(claims)
    evidence = runs.read(runs.known([*(records or []), *(more or [])]))
    typer.echo(of_claim(evidence, reported, claim))
    end(evidence.damaged, evidence.notes)


@app.command()
def reported(
    origin: Annotated[str, typer.Option("--from", help="`wandb`, or an exported CSV or JSON file.")],
    project: Annotated[str | None, typer.Argument(help="With --from wandb: ENTITY/PROJECT.")] = None,
) -> None:
    """Read the authors' dashboard, or its export, into rows for the claims file, printed as CSV."""
    from app_repro.claims.authors.reported import import_rows

    text, lines = import_rows(origin, project)
    typer.echo(text, nl=False)
    typer.echo("\n".join(f"app-repro: {line}" for line in lines), err=True)


OfDifferences = Annotated[
    list[Path] | None,
    typer.Option(help="With --differences: folders of records.", show_default="store, runs, published"),
]
OfClaim = Annotated[
    str | None, typer.Option(help="Instead: the masks before megabatch 1 that this claim is about, all images scored.")
]


@app.command()
def audit(
    context: typer.Context,
    arch: Annotated[str, typer.Option(help="Network.")] = "resnet20s",
    sb: Annotated[int | None, typer.Option(help="Number of megabatches; that of the params file if not given.")] = None,
    criterion: Annotated[str | None, typer.Option(help="How weights are scored.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Data set; the params file's first if not given.")] = None,
    protocol: Annotated[list[str] | None, typer.Option(help="paper, released; both if not given.")] = None,
    more: Annotated[
        list[str] | None, typer.Argument(metavar="MORE", help="More protocols; with --differences, of records.")
    ] = None,
    settings: Settings = None,
    images: Annotated[int, typer.Option(min=1, help="Images scored a megabatch, at most.")] = 1000,
    out: Annotated[
        Path | None,
        typer.Option(help="Write table, JSON and figure there; with --claim the masks, else into data/analyses."),
    ] = None,
    as_json: AsJson = False,
    differences: Annotated[bool, typer.Option(help="What each switch does to results, from records alone.")] = False,
    records: OfDifferences = None,
    params: ParamsFile = PARAMS,
    raw: RawFolder = RAW,
    store: StoreFolder = None,
    claim: OfClaim = None,
    claims: ClaimsFile = CLAIMS,
) -> None:
    """Show what each protocol does to masks, megabatch by megabatch and layer by layer, without training."""
    if claim is not None:
        _refuse_beside_claim(context)
        _first_masks(claim, claims, raw, store, out, as_json)
        return
    if differences:
        _ablations([*(records or []), *map(Path, more or [])], store, out, as_json)
    from app_repro.analysis import masks_only
    from app_repro.config.reading import settings_from_words
    from app_repro.report.figures import audit as audit_figure

    options = {"arch": arch, "sb": sb, "criterion": criterion, "dataset": dataset}
    given = {key: value for key, value in options.items() if value is not None}  # -S can say null
    given |= settings_from_words(settings or [], "--set")
    audited = masks_only.audit_of_params(params, raw, given, [*(protocol or []), *(more or [])], images)
    if out is not None:
        masks_only.save(audited, out)
        audit_figure.save(audited, out)
    typer.echo(json.dumps(audited, indent=1) if as_json else masks_only.to_text(audited))


_WITH_CLAIM = ("claim", "claims", "raw", "store", "out", "as_json")
"""Parameters of `audit` that go with --claim, which says all else itself."""


def _refuse_beside_claim(context: typer.Context) -> None:
    for parameter in context.command.params:
        source = context.get_parameter_source(str(parameter.name))
        if source and source.name == "COMMANDLINE" and parameter.name not in _WITH_CLAIM:
            option = parameter.opts[0]
            raise ParamsError(f"--claim says the whole setting; leave out {option}", key=option, kind="unfit")


def _first_masks(claim: str, claims: Path, raw: Path, store: Path | None, out: Path | None, as_json: bool) -> None:
    """Make the first masks that a claim is about, lay them out, and print what they keep."""
    from app_repro.analysis import first_masks
    from app_repro.claims import claims_file, needs

    grid = needs.first_masks(claims_file.load(claims), claim)
    tell = partial(typer.echo, err=as_json)
    made = first_masks.make(grid.specs, grid.axes, raw, store_at(store), out or ANALYSES, tell)
    if as_json:
        typer.echo(json.dumps({name: one.content for name, one in made.items()}, indent=1))
    else:
        typer.echo(f"{out or ANALYSES}: {len(made)} masks; `app-repro verify --only {claim}` judges them")


def _ablations(folders: list[Path], store: Path | None, out: Path | None, as_json: bool) -> None:
    """Print what each switch does to APP, from the records in `folders`, else all there are; ends the command."""
    from app_repro.claims.studies import ablations
    from app_repro.records import runs

    known = [folder for folder in (store_at(store) / "runs", *runs.known([])) if folder.exists()]
    evidence = runs.read(folders or known)
    result = ablations.ablations(evidence)
    if out is not None:
        ablations.save(result, out)
    typer.echo(json.dumps(result, indent=1) if as_json else ablations.to_text(result))
    end(evidence.damaged, evidence.notes)
