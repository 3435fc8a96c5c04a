"""The commands of a server and of who answers: names, options and help, and nothing else."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from everfit.faces.cli.everywhere import Face, with_face
from everfit.faces.cli.options import Model, Yes

SERVER, STRANGERS = "Server", "Other machines"

Reason = Annotated[str, typer.Option("--reason", help="Kept in the ledger.")]
Version = Annotated[str, typer.Argument(metavar="VERSION", help="Such as v4.")]


Host = Annotated[
    str | None,
    typer.Option(
        "--host",
        rich_help_panel=SERVER,
        help="Address to listen on; any but loopback needs a token. (default: 127.0.0.1)",
    ),
]
Port = Annotated[
    int | None,
    typer.Option(
        "--port", min=0, max=65_535, rich_help_panel=SERVER, help="(default: 8321; 0: any)"
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers", min=1, rich_help_panel=SERVER, help="Processes that answer. (default: 1)"
    ),
]
Durability = Annotated[
    Literal["os", "fsync"] | None,
    typer.Option(
        "--durability",
        rich_help_panel=SERVER,
        help="os: an answer survives a kill, and a power cut may cost the last 10 ms of them; "
        "fsync: none. (default: os)",
        show_default=False,
    ),
]
OperatePort = Annotated[
    int | None,
    typer.Option(
        "--operate-port",
        min=0,
        max=65_535,
        rich_help_panel=SERVER,
        help="Where to promote and roll back, on 127.0.0.1 alone. (default: 8322; 0: any)",
    ),
]
NoOperate = Annotated[
    bool, typer.Option("--no-operate", rich_help_panel=SERVER, help="Have no operate port.")
]
TrustedProxy = Annotated[
    list[str] | None,
    typer.Option(
        "--trusted-proxy",
        metavar="NETWORK",
        rich_help_panel=STRANGERS,
        help="Address or network of a proxy that lets users in. May be repeated.",
    ),
]
TrustedProxyHeader = Annotated[
    str | None,
    typer.Option(
        "--trusted-proxy-header",
        metavar="NAME",
        rich_help_panel=STRANGERS,
        help="Header in which that proxy names the user.",
    ),
]


@with_face
def serve(
    face: Face,
    *,
    host: Host = None,
    port: Port = None,
    workers: Workers = None,
    durability: Durability = None,
    operate_port: OperatePort = None,
    no_operate: NoOperate = False,
    trusted_proxy: TrustedProxy = None,
    trusted_proxy_header: TrustedProxyHeader = None,
) -> None:
    """Answer requests for every model of the store over HTTP, and record them."""
    from everfit.faces.cli.serving.start import Asked, do_serve

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
    do_serve(face, asked)


@with_face
def promote(
    face: Face, model: Model, version: Version, *, reason: Reason = "", yes: Yes = False
) -> None:
    """Make a version the champion by hand, after it was verified."""
    from everfit.faces.cli.serving.appointing import do_promote

    do_promote(face, model, version, reason, yes=yes)


@with_face
def canary(
    face: Face,
    model: Model,
    version: Annotated[
        str | None, typer.Argument(metavar="VERSION", help="Such as v4; none with --share 0.")
    ] = None,
    *,
    share: Annotated[
        float,
        typer.Option(
            "--share", min=0.0, max=1.0, help="Share of the keys that it answers; 0 ends it."
        ),
    ],
    holdout: Annotated[
        float | None,
        typer.Option(
            "--holdout",
            min=0.0,
            max=1.0,
            help="Share of all keys that the champion answers whatever is tried on the others. "
            "(default: as it is)",
            show_default=False,
        ),
    ] = None,
    reason: Reason = "",
    yes: Yes = False,
) -> None:
    """Let a version answer for a share of the keys, after it was verified."""
    from everfit.faces.cli.serving.appointing import do_canary

    do_canary(face, model, version, share, holdout, reason, yes=yes)


@with_face
def shadow(
    face: Face,
    model: Model,
    version: Annotated[
        str | None, typer.Argument(metavar="VERSION", help="Such as v4; none with --off.")
    ] = None,
    *,
    off: Annotated[bool, typer.Option("--off", help="End the shadow.")] = False,
    reason: Reason = "",
) -> None:
    """Let a version answer the same requests for the record alone, after it was verified."""
    from everfit.faces.cli.serving.appointing import do_shadow

    do_shadow(face, model, version, reason, off=off)


@with_face
def traffic(face: Face, model: Model) -> None:
    """Say who answered, whether the split holds, and what each arm lost on known outcomes."""
    from everfit.faces.cli.serving.traffic import do_traffic

    do_traffic(face, model)


@with_face
def forget(
    face: Face,
    model: Model,
    *,
    key: Annotated[str, typer.Option("--key", help="The key that its rows were sent with.")],
    yes: Yes = False,
) -> None:
    """Remove what was recorded of one key: predictions, outcomes and the rows behind them."""
    from everfit.faces.cli.serving.appointing import do_forget

    do_forget(face, model, key, yes=yes)


@with_face
def token(
    face: Face,
    act: Annotated[
        Literal["make", "list", "revoke"],
        typer.Argument(metavar="ACT", help="make, list or revoke.", show_default=False),
    ],
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Who it is for; list needs none.")
    ] = None,
    *,
    scope: Annotated[
        list[str] | None,
        typer.Option(
            "--scope",
            help="predict, outcomes, read or operate; all but operate without. May be repeated.",
        ),
    ] = None,
    days: Annotated[
        int | None, typer.Option("--days", min=1, help="How long it holds. (default: for ever)")
    ] = None,
) -> None:
    """Make the token of a client and print it this once, list tokens, or take one back."""
    from everfit.faces.cli.serving.tokens import do_token

    do_token(face, act, name, scope or [], days)


def add(app: typer.Typer) -> None:
    """Put these commands into ``app``."""
    for command in (serve, traffic, promote, canary, shadow, forget, token):
        app.command()(command)
