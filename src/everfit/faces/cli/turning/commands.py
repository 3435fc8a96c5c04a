"""The commands of the loop that runs itself: names, options and help, and nothing else."""

from __future__ import annotations

from typing import Annotated

import typer

from everfit.faces.cli.everywhere import Face, with_face
from everfit.faces.cli.options import MaybeModel, Model
from everfit.faces.cli.serving.commands import (
    Durability,
    Host,
    NoOperate,
    OperatePort,
    Port,
    Reason,
    TrustedProxy,
    TrustedProxyHeader,
    Workers,
)

LOOP = "The loop"

Every = Annotated[
    str,
    typer.Option(
        "--every",
        metavar="TIME",
        rich_help_panel=LOOP,
        help="Longest time between two turns of a model.",
    ),
]


@with_face
def tick(face: Face, model: MaybeModel = None) -> None:
    """Take one turn: look, decide, and do what is due; of all models, or of one."""
    from everfit.faces.cli.turning.ticking import do_tick

    do_tick(face, model)


@with_face
def up(
    face: Face,
    *,
    every: Every = "60s",
    no_serve: Annotated[
        bool,
        typer.Option(
            "--no-serve", rich_help_panel=LOOP, help="Run the loop alone, in this process."
        ),
    ] = False,
    host: Host = None,
    port: Port = None,
    workers: Workers = None,
    durability: Durability = None,
    operate_port: OperatePort = None,
    no_operate: NoOperate = False,
    trusted_proxy: TrustedProxy = None,
    trusted_proxy_header: TrustedProxyHeader = None,
    beside: Annotated[int | None, typer.Option("--beside", hidden=True)] = None,
) -> None:
    """Serve every model of the store, and run the loop that keeps them good."""
    from everfit.faces.cli.serving.start import Asked
    from everfit.faces.cli.turning.upping import do_loop, do_up

    if no_serve:
        do_loop(face, every, beside)
        return
    asked = Asked(
        host,
        port,
        operate_port,
        workers,
        durability,
        tuple(trusted_proxy or ()),
        trusted_proxy_header,
        operate=not no_operate,
    )
    do_up(face, asked, every)


@with_face
def check(face: Face, model: MaybeModel = None) -> None:
    """Say how good each model is by the newest look; exit code 1 when one needs a person."""
    from everfit.faces.cli.turning.checking import do_check

    do_check(face, model)


@with_face
def pause(face: Face, model: Model, *, reason: Reason = "") -> None:
    """Go on watching a model, and let the loop change nothing about it."""
    from everfit.faces.cli.turning.pausing import do_pause

    do_pause(face, model, reason)


@with_face
def resume(face: Face, model: Model, *, reason: Reason = "") -> None:
    """Let the loop change things about a model again."""
    from everfit.faces.cli.turning.pausing import do_resume

    do_resume(face, model, reason)


def add(app: typer.Typer) -> None:
    """Put these commands into ``app``."""
    for command in (up, tick, check, pause, resume):
        app.command()(command)
