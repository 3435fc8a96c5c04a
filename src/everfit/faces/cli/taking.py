"""The commands that take what is here elsewhere: names, options and help, and nothing else."""

from __future__ import annotations

from typing import Annotated

import typer

from everfit.faces.cli.everywhere import Face, with_face
from everfit.faces.cli.options import Model, Use


@with_face
def export(
    face: Face,
    model: Model,
    *,
    to: Annotated[str, typer.Option("--to", metavar="KIND", help="onnx, c, python or mlflow.")],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="File or folder to write. (default: the model's name and version)",
        ),
    ] = None,
    version: Use = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
) -> None:
    """Write a version as ONNX, C, Python or MLflow, and compare its answers on real rows."""
    from everfit.faces.cli.exporting import do_export

    do_export(face, model, to, output, version, force=force)


@with_face
def mirror(
    face: Face,
    *,
    again: Annotated[
        bool,
        typer.Option(
            "--again", help="Tell everything once more, as when the server lost its data."
        ),
    ] = False,
    patient: Annotated[
        bool,
        typer.Option(
            "--patient", help="Wait before what failed is tried again, in the background."
        ),
    ] = False,
    most: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="At most so long. (default: 60s)")
    ] = None,
) -> None:
    """Tell the MLflow server of MLFLOW_TRACKING_URI what is new; runs do this by themselves."""
    from everfit.faces.cli.mirroring import do_mirror

    do_mirror(face, again=again, patient=patient, most=most)


def add(app: typer.Typer) -> None:
    """Put these commands into ``app``."""
    app.command()(export)
    app.command()(mirror)
