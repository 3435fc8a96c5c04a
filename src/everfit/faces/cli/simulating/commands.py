"""The command ``simulate``: its name, options and help, and nothing else."""

from __future__ import annotations

from typing import Annotated

import typer

from everfit.faces.cli.everywhere import Face, with_face
from everfit.faces.cli.options import (
    Drop,
    Group,
    Header,
    Kinds,
    Metric,
    Name,
    Names,
    Query,
    Roles,
    Seed,
    Target,
    Task,
    Time,
    Weight,
)

STREAM = "Stream"

Data = Annotated[
    str | None,
    typer.Argument(
        metavar="DATA",
        help="File, pattern or database URL whose rows come in time order. "
        "Without one: what everfit.toml says of the model.",
    ),
]
Window = Annotated[
    str | None,
    typer.Option(
        "--window", metavar="TIME", help="Length of a window. (default: 1d)", rich_help_panel=STREAM
    ),
]
Delay = Annotated[
    str | None,
    typer.Option(
        "--label-delay",
        metavar="TIME",
        help="How long outcomes take to come. (default: 0)",
        rich_help_panel=STREAM,
    ),
]
Rows = Annotated[
    int | None,
    typer.Option(
        "--rows",
        min=1,
        help="Rows of a window. More in all than there are: they are drawn again. "
        "(default: what the windows give)",
        rich_help_panel=STREAM,
    ),
]
Windows = Annotated[
    int | None,
    typer.Option(
        "--windows",
        min=1,
        help="Number of windows. (default: 60, or what the rows give)",
        rich_help_panel=STREAM,
    ),
]
First = Annotated[
    float,
    typer.Option(
        "--first",
        help="Rows that the first version learns from: a share, or above 1 their number.",
        rich_help_panel=STREAM,
    ),
]
Drifts = Annotated[
    list[str] | None,
    typer.Option(
        "--drift",
        metavar="KIND:COL[:SIZE]@WINDOW[-WINDOW]",
        help="A change on the way: shift, scale, swap, missing, drop, rename, retype of a column; "
        "labels, silent, late, same without one. May be repeated.",
        rich_help_panel=STREAM,
    ),
]
Budget = Annotated[
    str,
    typer.Option(
        "--budget",
        "-b",
        metavar="TIME",
        help="Time for the first run, and at most for each fit after it.",
        rich_help_panel="Search",
    ),
]


@with_face
def simulate(
    face: Face,
    *,
    source: Data = None,
    target: Target = None,
    name: Name = None,
    window: Window = None,
    label_delay: Delay = None,
    rows: Rows = None,
    windows: Windows = None,
    first: First = 0.3,
    drift: Drifts = None,
    budget: Budget = "20s",
    seed: Seed = None,
    metric: Metric = None,
    task: Task = None,
    kind: Kinds = None,
    role: Roles = None,
    time: Time = None,
    group: Group = None,
    weight: Weight = None,
    drop: Drop = None,
    header: Header = None,
    names: Names = None,
    query: Query = None,
) -> None:
    """Live through a data set as if it were a year: the real loop, with a clock that is made up."""
    from everfit.faces.cli.running import Asked
    from everfit.faces.cli.simulating.living import Stretch, do_simulate

    asked = Asked(
        source,
        target,
        name,
        kind or [],
        role or [],
        {"time": time, "group": group, "weight": weight},
        drop or [],
        header,
        names,
        query,
        budget,
        seed,
        metric,
        task,
    )
    stretch = Stretch(window, label_delay, rows, windows, first, tuple(drift or ()))
    do_simulate(face, asked, stretch)


def add(app: typer.Typer) -> None:
    """Put this command into ``app``."""
    app.command()(simulate)
