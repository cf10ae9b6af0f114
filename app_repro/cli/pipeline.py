"""The application and its commands. Rooms are imported inside the commands, so that --help needs no torch."""

import gc
import itertools
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from app_repro.cli import analyses as cli_analyses
from app_repro.cli import claims as cli_claims
from app_repro.cli import ends, machine, networks
from app_repro.cli import runs as cli_runs
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
from app_repro.core import checkout
from app_repro.core.errors import AppReproError, ParamsError
from app_repro.core.paths import CLAIMS, DEMO, PACKAGE, PARAMS, RAW, REPORT, SOURCES, SPLITS, store_at

app = typer.Typer(
    help="Re-run Anytime Progressive Pruning (arXiv 2204.01640) and say, claim by claim, whether it reproduces.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done; 2 a setting, a command line, a file or a data set cannot be used; 3 a run failed or "
    "diverged, a file is damaged, or a disk is full; 70 a defect of app-repro; 130 interrupted; 141 nobody reads what "
    "is printed. doctor: 1 if a run would fail. "
    "verify: 0 all reproduced, 1 a claim not reproduced, 3 integrity, "
    "4 partial, inconclusive or not run, 5 nothing to judge.",
)
app.add_typer(cli_runs.app)
app.add_typer(cli_analyses.app)
app.add_typer(cli_claims.app)
app.add_typer(networks.app)
app.add_typer(machine.app)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib import metadata

        typer.echo(f"app-repro {metadata.version('app-repro')}, package in {PACKAGE}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and whose code runs."
        ),
    ] = False,
) -> None:
    """Options of app-repro itself."""


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
    from app_repro.data import fetching

    fetching.fetch_grid(params, out, store_at(store), datasets or [], origin)


@app.command()
def look(
    params: ParamsFile = PARAMS,
    out: Annotated[Path, typer.Option(help="Where the digests go.")] = SOURCES,
    store: StoreFolder = None,
) -> None:
    """Digest what the folders of own images hold now, so that DVC fetches again what has changed."""
    from app_repro.data import fetching

    fetching.look_grid(params, out, store_at(store))


@app.command()
def split(
    params: ParamsFile = PARAMS,
    raw: RawFolder = RAW,
    out: Annotated[Path, typer.Option(help="Where index files go.")] = SPLITS,
) -> None:
    """Cut each training set of the grid into its stream of megabatches."""
    from app_repro.data import splits

    splits.write_grid(params, raw, out)


@app.command()
def report(
    runs: Records = None,
    more: MoreRecords = None,
    out: Annotated[Path | None, typer.Option(help="Where tables and figures go.", show_default=str(REPORT))] = None,
    claims: ClaimsFile = CLAIMS,
    card: Annotated[
        str | None, typer.Option(help="Print one run's model card; by id, folder or what either begins with.")
    ] = None,
    opened: Annotated[bool, typer.Option("--open", help="Write nothing: show the page there is in a browser.")] = False,
) -> None:
    """Tables, figures, metrics and a page to read (index.html) from records alone; or the model card of one run."""
    from app_repro.report import modelcard, write
    from app_repro.report.page import write as page

    if opened and card is not None:
        raise ParamsError("--open shows the page, and a model card is none; leave out --open or --card", key="--open")
    if opened:
        page.show(out or REPORT)
        return
    folders, reported = [*(runs or []), *(more or [])], claims if claims != CLAIMS or claims.exists() else None
    shown = write.write(folders, reported, out or REPORT) if card is None else modelcard.show(folders, card, out)
    typer.echo(shown[0])
    end(shown[1])


@app.command()
def demo(
    settings: Settings = None,
    folder: Annotated[Path, typer.Option(help="The demo's own workspace.")] = DEMO,
) -> None:
    """The whole pipeline on the embedded digits: 8 megabatches, three methods, three seeds."""
    from app_repro.machine import demo

    raise typer.Exit(demo.run(folder, settings or []))


@app.command()
def preset(
    name: Annotated[str | None, typer.Argument(help="Its name.")] = None,
    names: Annotated[bool, typer.Option("--list", help="Name the presets.")] = False,
) -> None:
    """Print a named grid as -S flags: dvc exp run $(app-repro preset demo)."""
    from app_repro.config import presets

    typer.echo(presets.flags(name) if name and not names else presets.listing())


@app.command()
def methods(as_json: AsJson = False) -> None:
    """What kind of pruning each method, criterion and control arm is: their tags, and those of networks and engines."""
    from app_repro.config import taxonomy

    typer.echo(taxonomy.to_json() if as_json else taxonomy.to_text())


@app.command()
def runs(store: StoreFolder = None) -> None:
    """List every run of the store: id, setting, state, accuracy, wall time."""
    from app_repro.report.tables.runs import to_text

    typer.echo(to_text(store_at(store)))


def main() -> None:
    """Run a command and end the process with its exit code; what went wrong is one line on standard error."""
    code = ends.code_of(_command)
    gc.freeze()  # a process that ends looks for cycles in all that it holds, which took a tenth of the time of verify
    sys.exit(code)


def _command() -> None:
    try:
        Path.cwd()
    except FileNotFoundError:  # libraries would end the process in ways of their own
        raise AppReproError("the working directory has been removed; change to another folder") from None
    words = [_at_home(word) for word in sys.argv[1:]]
    checkout.begin(words)
    _refuse_empty(words)
    command = typer.main.get_command(app)
    with command.make_context("app-repro", words) as context:
        command.invoke(context)


def _at_home(word: str) -> str:
    """`--out=~/x` and a quoted `~/x` as most shells would have given them."""
    option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    at_home = os.path.expanduser(value)  # noqa: PTH111 - unlike Path's it leaves an unknown user as it is
    return option + equals + at_home if value[:1] == "~" else word


def _refuse_empty(words: Sequence[str]) -> None:
    """Raise ParamsError for an empty value: of a shell's variable that is not set, and not the same as no option."""
    for before, word in itertools.pairwise(["", *words]):
        option = before if word == "" else word.removesuffix("=") if word.startswith("--") and word[-1] == "=" else None
        if option is not None and option != "--allow":
            raise ParamsError(f"{option} '': empty; give a value, or leave it out".lstrip(), key=option, kind="empty")
