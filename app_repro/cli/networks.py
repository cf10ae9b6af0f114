"""Commands about the network that a finished run left: export, predict, shrink."""

import json
from pathlib import Path
from typing import Annotated

import typer

from app_repro.cli.options import AsJson, RawFolder, StoreFolder
from app_repro.core.errors import DataError
from app_repro.core.paths import ANALYSES, RAW, store_at

app = typer.Typer()


@app.command()
def export(
    run: Annotated[str, typer.Argument(help="A finished run: its id, name, folder, or what the first two begin with.")],
    onnx: Annotated[Path, typer.Option(help="The file to write.")],
    repeats: Annotated[int, typer.Option(min=0, help="Times that each batch is timed; 0: not at all.")] = 30,
    raw: RawFolder = RAW,
    store: StoreFolder = None,
    as_json: AsJson = False,
) -> None:
    """Write a finished run's network as ONNX: pixels in, logits out, checked against torch, its speed measured."""
    from app_repro.analysis import export as networks
    from app_repro.records.stores import finished

    root = store_at(store)
    told = networks.export(finished.named(run, root), raw, root, onnx)
    if not as_json:
        typer.echo(networks.to_text(told))  # before what may take a minute
    measured = networks.latency(onnx, repeats) if repeats else None
    if as_json:
        typer.echo(json.dumps(told | {"latency": measured}, indent=1))
    elif measured:
        typer.echo(networks.latency_to_text(measured))


@app.command()
def predict(
    network: Annotated[str, typer.Argument(metavar="FILE_OR_RUN", help="What export wrote, or a finished run.")],
    images: Annotated[list[str], typer.Argument(metavar="IMAGE...", help="Image files, or folders of them.")],
    top: Annotated[int, typer.Option(min=1, help="Classes to name per image.")] = 1,
    resize: Annotated[
        bool, typer.Option("--resize", help="Resize and crop images of another size than the network takes.")
    ] = False,
    raw: RawFolder = RAW,
    store: StoreFolder = None,
    as_json: AsJson = False,
) -> None:
    """Classify images with an exported file or with a run: per image the class and its probability."""
    from app_repro.analysis import classify

    paths = classify.image_files(images)
    answers = classify.classify(classify.open_named(network, raw, store_at(store)), paths, top, resize)
    typer.echo(classify.to_json(answers) if as_json else classify.to_text(answers), nl=as_json)
    refused = [item.error for item in answers if item.error]
    for line in refused:
        typer.echo(f"app-repro: left out: {line}", err=True)
    raise typer.Exit(DataError.exit_code if refused else 0)


@app.command()
def shrink(
    run: Annotated[str, typer.Argument(help="A finished run: its id, name, folder, or what the first two begin with.")],
    density: Annotated[
        str | None, typer.Option(help="Shares of the weights that stay: 0.5,0.2.", show_default="0.3664")
    ] = None,
    images: Annotated[
        str | None, typer.Option(help="How many images to adjust on; 0: none.", show_default="0,64,256,1024")
    ] = None,
    source: Annotated[str, typer.Option(help="train: training images; noise: like them, and none is read.")] = "train",
    reconstruct: Annotated[bool, typer.Option("--reconstruct", help="Fit weights by least squares, too.")] = False,
    criterion: Annotated[
        str | None, typer.Option(help="How channels are chosen.", show_default="the run's, else magnitude")
    ] = None,
    scope: Annotated[str, typer.Option(help="local: the same share of each group of channels; global.")] = "local",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    out: Annotated[Path, typer.Option(help="Where the analysis is laid out for the report.")] = ANALYSES,
    raw: RawFolder = RAW,
    store: StoreFolder = None,
    as_json: AsJson = False,
) -> None:
    """Remove channels of a finished run's network without training, adjust what is left, and test it: a row each."""
    from app_repro.analysis.after import shrink as networks

    asked = {"density": density, "images": images, "source": source, "reconstruct": reconstruct}
    asked |= {"criterion": criterion, "scope": scope}
    done = networks.shrink(
        run, raw, store_at(store), out, device=device, tell=lambda line: typer.echo(line, err=True), **asked
    )
    typer.echo(json.dumps(done.content, indent=1) if as_json else networks.to_text(done))
