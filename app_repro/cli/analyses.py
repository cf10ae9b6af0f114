"""The command that measures finished networks: analyse."""

from pathlib import Path
from typing import Annotated

import typer

from app_repro.cli.options import ParamsFile, RawFolder, StoreFolder
from app_repro.core.errors import RunError
from app_repro.core.paths import ANALYSES, PARAMS, RAW, RUNS, store_at

app = typer.Typer()


Images = Annotated[
    int | None,
    typer.Option(
        min=2,
        help="Test images at most, the same for every run; regime: of the training and of the test images.",
        show_default="1000; regime: 2000",
    ),
]
Points = Annotated[int | None, typer.Option(help="regime: points of the path between two networks.", show_default="11")]
Corruptions = Annotated[
    list[str] | None,
    typer.Option(help="all, common (the benchmark's 15), or names; again for more.", show_default="all"),
]
Megabatches = Annotated[
    str | None,
    typer.Option(help="After these, too: 1,4,8, of runs that kept their weights.", show_default="the last alone"),
]
Samples = Annotated[
    Path | None,
    typer.Option(
        help="Folder for pictures: the corruptions, and what each --only run lost and won beside dense.",
        show_default="none",
    ),
]


@app.command()
def analyse(
    kinds: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KIND]...", help="robustness, regime; those of the params file if none."),
    ] = None,
    params: ParamsFile = PARAMS,
    runs: Annotated[Path, typer.Option(help="Finished runs, as run lays them out.")] = RUNS,
    raw: RawFolder = RAW,
    out: Annotated[Path, typer.Option(help="Where the analyses are laid out.")] = ANALYSES,
    store: StoreFolder = None,
    only: Annotated[
        list[str] | None, typer.Option(help="This run; by id, folder or what either begins with; again for more.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu, cuda or cuda:N.", show_default="as the params file says, else auto")
    ] = None,
    images: Images = None,
    points: Points = None,
    corruptions: Corruptions = None,
    source: Annotated[
        str, typer.Option(help="generated (here), or official files: cifar10c:PATH, cifar100c:PATH, a folder or tar.")
    ] = "generated",
    severities: Annotated[str, typer.Option(help="1 to 5.")] = "1,2,3,4,5",
    megabatches: Megabatches = None,
    samples: Samples = None,
) -> None:
    """Measure the weights of finished runs without training: what the store lacks, laid out for the report."""
    from app_repro.analysis import command

    where = command.Where(runs, raw, store_at(store), only or [], megabatches, device, samples)
    asked = {"images": images, "corruptions": corruptions or ["all"], "severities": severities, "source": source}
    asked["points"] = points
    missing = command.run(kinds or [], params, where, out, typer.echo, **asked)
    if missing:
        typer.echo(f"app-repro: {missing}", err=True)
        raise typer.Exit(RunError.exit_code)
