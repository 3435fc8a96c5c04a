"""The command that lists items for somebody: its name, options and help, and nothing else."""

from __future__ import annotations

from typing import Annotated

import typer

from everfit.faces.cli.everywhere import Face, with_face
from everfit.faces.cli.options import Model, Use

WHO, WHAT = "For whom", "Which items"


@with_face
def recommend(
    face: Face,
    model: Model,
    *,
    user: Annotated[
        str | None,
        typer.Option("--user", metavar="NAME", help="The user.", rich_help_panel=WHO),
    ] = None,
    history: Annotated[
        str | None,
        typer.Option(
            "--history",
            metavar="ITEMS",
            help="Items that somebody met, oldest first, by commas: for users that are new.",
            rich_help_panel=WHO,
        ),
    ] = None,
    similar: Annotated[
        str | None,
        typer.Option(
            "--similar",
            metavar="ITEM",
            help="Items that are near to this one.",
            rich_help_panel=WHO,
        ),
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="How many.", rich_help_panel=WHAT)] = 10,
    allowed: Annotated[
        str | None,
        typer.Option(
            "--allowed",
            metavar="ITEMS",
            help="The only items that may come, by commas, or @FILE with one a line.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    blocked: Annotated[
        str | None,
        typer.Option(
            "--blocked",
            metavar="ITEMS",
            help="Items that may not, by commas or @FILE.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    again: Annotated[
        bool,
        typer.Option("--again", help="Also what the user has met.", rich_help_panel=WHAT),
    ] = False,
    why: Annotated[
        bool, typer.Option("--why", help="Say which past items speak for each.")
    ] = False,
    version: Use = None,
) -> None:
    """List the best items for a user, for a history, or near to an item."""
    from everfit.faces.cli.listing.lists import Asking, do_recommend

    asking = Asking(user, history, similar, k, allowed, blocked, again=again, why=why)
    do_recommend(face, model, asking, version)


def add(app: typer.Typer) -> None:
    """Put this command into ``app``."""
    app.command()(recommend)
