"""The commands that keep a model good: names, options and help, and nothing else."""

from __future__ import annotations

from typing import Annotated

import typer

from everfit.faces.cli.everywhere import Face, with_face
from everfit.faces.cli.options import Model

PREVIEW = "What would have been"


@with_face
def policy(
    face: Face,
    model: Model,
    *,
    floor: Annotated[
        float | None,
        typer.Option("--floor", help="Worst value of the metric.", rich_help_panel=PREVIEW),
    ] = None,
    error_budget: Annotated[
        float | None,
        typer.Option(
            "--error-budget",
            help="Chance of any false alarm or act in a year.",
            rich_help_panel=PREVIEW,
        ),
    ] = None,
    hold_looks: Annotated[
        int | None,
        typer.Option(
            "--hold-looks",
            help="Looks at which something must hold before you are told.",
            rich_help_panel=PREVIEW,
        ),
    ] = None,
    quiet_looks: Annotated[
        int | None,
        typer.Option(
            "--quiet-looks",
            help="Looks at which it must be gone before it is over.",
            rich_help_panel=PREVIEW,
        ),
    ] = None,
    days: Annotated[
        int,
        typer.Option("--days", min=1, max=366, help="How far back.", rich_help_panel=PREVIEW),
    ] = 90,
    table: Annotated[
        bool,
        typer.Option("--table", help="Show what is done at which age and loss, and why it pays."),
    ] = False,
) -> None:
    """Show every rule in force and who set it; with others, what they would have brought."""
    from everfit.faces.cli.keeping.policy import do_policy, do_table

    given = {
        "floor": floor,
        "error_budget": error_budget,
        "hold_looks": hold_looks,
        "quiet_looks": quiet_looks,
    }
    if table:
        do_table(face, model)
    else:
        do_policy(face, model, given, days)


@with_face
def alerts(
    face: Face,
    act: Annotated[
        str | None,
        typer.Argument(
            metavar="ACT",
            help="list, test, mute or unmute; or the name of a model to list. (default: list)",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Argument(metavar="MODEL", help="The model; mute and unmute need one.")
    ] = None,
    *,
    length: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="How long to mute, such as 2d.")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Kept in the ledger.")] = "",
) -> None:
    """List alerts and whether they arrived; test sends one to each target; mute is for a while."""
    from everfit.faces.cli.keeping.alerts import do_alerts

    do_alerts(face, act, model, length, reason)


@with_face
def score(
    face: Face,
    model: Model,
    *,
    fit: Annotated[
        str | None,
        typer.Option(
            "--fit",
            metavar="TIME",
            help="Also fit a member again, to see whether that repeats and how it ages.",
        ),
    ] = None,
) -> None:
    """Grade the champion by the 28 tests of the ML Test Score, most of them run now."""
    from everfit.faces.cli.keeping.score import do_score
    from everfit.settings import read_budget

    do_score(face, model, 0.0 if fit is None else read_budget(fit))


@with_face
def labels(
    face: Face,
    model: Model,
    *,
    most: Annotated[int, typer.Option("--most", min=1, max=100_000, help="Rows to ask for.")] = 100,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="CSV, Parquet or JSON lines, by its ending. (default: CSV to stdout)",
        ),
    ] = None,
    bring: Annotated[
        str | None,
        typer.Option("--bring", metavar="FILE", help="Take the outcomes of a filled file."),
    ] = None,
) -> None:
    """Draw the rows whose outcomes tell most, as a file to fill; --bring takes it back."""
    from everfit.faces.cli.keeping.labels import do_bring, do_labels

    if bring is not None:
        do_bring(face, model, bring)
    else:
        do_labels(face, model, most, output)


def add(app: typer.Typer) -> None:
    """Put these commands into ``app``."""
    app.command()(policy)
    app.command()(alerts)
    app.command()(score)
    app.command()(labels)
