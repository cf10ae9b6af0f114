"""Options that several commands share, as types for typer, and what those that read records do about damaged ones."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from app_repro.core.errors import IntegrityError

ParamsFile = Annotated[Path, typer.Option("--params", help="The experiments.")]
RawFolder = Annotated[Path, typer.Option("--raw", help="Decoded data sets, as fetch leaves them.")]
StoreFolder = Annotated[
    Path | None,
    # the store says itself what cannot be read, whose it is and what to do
    typer.Option("--store", help="Every run ever started; $APP_REPRO_STORE, else .store.", readable=False),
]
Records = Annotated[
    list[Path] | None, typer.Option(help="Folders of records: A B C.", show_default="data/runs, data/published")
]
MoreRecords = Annotated[list[Path] | None, typer.Argument(metavar="FOLDER", help="Folders of records, as --records.")]
ClaimsFile = Annotated[Path, typer.Option(help="The reported numbers.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", "-S", help="key=value, as in params.yaml; again for more.")
]


def end(damaged: Sequence[str], notes: Sequence[str] = ()) -> None:
    """End a command that has read records: with exit code 3 if damaged ones were left out, named on standard error.

    `notes` go there too, for a command that does not print them itself.
    """
    for line in notes:
        typer.echo(f"app-repro: note: {line}", err=True)
    for line in damaged:
        typer.echo(f"app-repro: left out: {line}", err=True)
    raise typer.Exit(IntegrityError.exit_code if damaged else 0)
