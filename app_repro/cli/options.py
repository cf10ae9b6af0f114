"""Options that several commands share, as types for typer."""

from pathlib import Path
from typing import Annotated

import typer

ParamsFile = Annotated[Path, typer.Option("--params", help="The experiments.")]
RawFolder = Annotated[Path, typer.Option("--raw", help="Decoded data sets, as fetch leaves them.")]
StoreFolder = Annotated[
    Path | None, typer.Option("--store", help="Every run ever started; $APP_REPRO_STORE, else .store.")
]
Records = Annotated[
    list[Path] | None, typer.Option(help="Folder of records; again for more.", show_default="data/runs, data/published")
]
ClaimsFile = Annotated[Path, typer.Option(help="The reported numbers.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", "-S", help="key=value, as in params.yaml; again for more.")
]
