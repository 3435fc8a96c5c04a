"""The command line: names, options and help of all commands, and nothing else.

Each command imports the module that does its work when it is called, because ``everfit --help``
must not wait for numpy and Polars; that is the one place where this project imports late.
"""

from __future__ import annotations

from typing import Annotated

import typer

from everfit.faces.cli import everywhere, taking
from everfit.faces.cli.everywhere import Face, with_face
from everfit.faces.cli.keeping.commands import add as add_keeping
from everfit.faces.cli.listing.commands import add as add_listing
from everfit.faces.cli.options import (
    Alpha,
    Budget,
    Drop,
    Group,
    Guardrail,
    Header,
    Item,
    Items,
    Kinds,
    Latency,
    Learners,
    MaybeModel,
    Metric,
    MinGain,
    Model,
    Name,
    Names,
    Query,
    Roles,
    Seed,
    Source,
    Target,
    Task,
    Time,
    Use,
    User,
    Weight,
    Yes,
)
from everfit.faces.cli.serving.commands import add as add_serving
from everfit.faces.cli.simulating.commands import add as add_simulating
from everfit.faces.cli.turning.commands import add as add_turning
from everfit.faces.version import version as installed

app = typer.Typer(
    name="everfit",
    help="From a messy table and a target to a tested, released model, in a time that you set.",
    epilog="Start: everfit demo, or everfit run data.csv --target NAME --name MODEL",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(show: bool) -> None:
    if show:
        typer.echo(f"everfit {installed()}")
        raise typer.Exit()


@app.callback()
def everfit(
    ctx: typer.Context,
    *,
    as_json: everywhere.Json = False,
    quiet: everywhere.Quiet = False,
    verbose: everywhere.Verbose = False,
    no_color: everywhere.NoColor = False,
    progress: everywhere.ProgressOption = None,
    store: everywhere.StoreOption = None,
    config: everywhere.ConfigOption = None,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_version,
            is_eager=True,
            help="Print the version.",
            rich_help_panel=everywhere.PANEL,
        ),
    ] = False,
) -> None:
    """From a messy table and a target to a tested, released model, in a time that you set."""
    outer = ctx.obj if isinstance(ctx.obj, Face) else Face()
    shared = {
        "as_json": as_json,
        "quiet": quiet,
        "verbose": verbose,
        "no_color": no_color,
        "progress": progress,
        "store": store,
        "config": config,
    }
    ctx.obj = everywhere.merged(outer, shared)


@app.command()
@with_face
def run(
    face: Face,
    *,
    source: Source = None,
    target: Target = None,
    name: Name = None,
    kind: Kinds = None,
    role: Roles = None,
    time: Time = None,
    group: Group = None,
    weight: Weight = None,
    user: User = None,
    item: Item = None,
    items: Items = None,
    drop: Drop = None,
    header: Header = None,
    names: Names = None,
    query: Query = None,
    budget: Budget = None,
    seed: Seed = None,
    metric: Metric = None,
    task: Task = None,
    learner: Learners = None,
    alpha: Alpha = None,
    latency_ms: Latency = None,
    guardrail: Guardrail = None,
    min_gain: MinGain = None,
) -> None:
    """Assess the data, study models, release the best one that passes the gates."""
    from everfit.faces.cli.running import Asked, do_run

    columns = {"time": time, "group": group, "weight": weight, "user": user, "item": item}
    limits = {
        "alpha": alpha,
        "latency_ms": latency_ms,
        "guardrail": guardrail,
        "min_gain": min_gain,
    }
    asked = Asked(
        source,
        target,
        name,
        kind or [],
        role or [],
        columns,
        drop or [],
        header,
        names,
        query,
        budget,
        seed,
        metric,
        task,
        learner or [],
        limits,
        items,
    )
    do_run(face, asked)


@app.command()
@with_face
def assess(
    face: Face,
    *,
    source: Source = None,
    target: Target = None,
    name: Name = None,
    kind: Kinds = None,
    role: Roles = None,
    time: Time = None,
    group: Group = None,
    weight: Weight = None,
    user: User = None,
    item: Item = None,
    items: Items = None,
    drop: Drop = None,
    header: Header = None,
    names: Names = None,
    query: Query = None,
    seed: Seed = None,
    metric: Metric = None,
    task: Task = None,
) -> None:
    """Say what is in the data, what must be done about it, and how it will be split."""
    from everfit.faces.cli.running import Asked, do_assess

    columns = {"time": time, "group": group, "weight": weight, "user": user, "item": item}
    asked = Asked(
        source,
        target,
        name,
        kind or [],
        role or [],
        columns,
        drop or [],
        header,
        names,
        query,
        None,
        seed,
        metric,
        task,
        [],
        {},
        items,
    )
    do_assess(face, asked)


@app.command()
@with_face
def predict(
    face: Face,
    model: Model,
    *,
    source: Annotated[
        str | None, typer.Argument(metavar="SOURCE", help="Rows to predict: file or URL.")
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Parquet, CSV or JSON lines, by its ending. (default: CSV to stdout)",
        ),
    ] = None,
    row: Annotated[
        str | None, typer.Option("--row", metavar="JSON", help="One row instead of a source.")
    ] = None,
    version: Use = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            "--keep",
            metavar="COL",
            help="Column to copy to the output, such as an id. May be repeated.",
        ),
    ] = None,
    query: Query = None,
) -> None:
    """Predict rows of any number; says on stderr what did not fit the model."""
    from everfit.faces.cli.predicting import do_predict

    do_predict(
        face, model, source, output=output, row=row, version=version, keep=keep or [], query=query
    )


@app.command()
@with_face
def why(
    face: Face,
    model: Model,
    id: Annotated[int | None, typer.Argument(metavar="ID", help="Number of one decision.")] = None,
) -> None:
    """Tell the ledger in words, newest first: what was decided, why, and what was not done."""
    from everfit.faces.cli.asking import do_why

    do_why(face, model, id)


@app.command()
@with_face
def status(face: Face, model: MaybeModel = None) -> None:
    """Say how each model is and what was decided last."""
    from everfit.faces.cli.asking import do_status

    do_status(face, model)


@app.command()
@with_face
def models(face: Face) -> None:
    """List the models of the store."""
    from everfit.faces.cli.asking import do_models

    do_models(face)


@app.command()
@with_face
def leaderboard(
    face: Face,
    model: Model,
    version: Annotated[
        str | None,
        typer.Option(
            "--use", metavar="VERSION", help="The run that made it. (default: the last run)"
        ),
    ] = None,
    why: Annotated[bool, typer.Option("--why", help="Say why each trial was tried.")] = False,
) -> None:
    """List all trials of the last run, the unfinished ones too."""
    from everfit.faces.cli.asking import do_leaderboard

    do_leaderboard(face, model, version, why=why)


@app.command()
@with_face
def columns(face: Face, model: Model, version: Use = None) -> None:
    """List the columns that a model expects, with their values."""
    from everfit.faces.cli.asking import do_columns

    do_columns(face, model, version)


@app.command()
@with_face
def card(face: Face, model: Model, version: Use = None) -> None:
    """Print the model card: how good it is, how it was tested, what its limits are."""
    from everfit.faces.cli.asking import do_card

    do_card(face, model, version)


@app.command()
@with_face
def compare(
    face: Face,
    model: Model,
    a: Annotated[str, typer.Argument(metavar="V1", help="A version, such as v1.")],
    b: Annotated[str, typer.Argument(metavar="V2", help="Another version.")],
) -> None:
    """Say what differs between two versions, and how much better one is."""
    from everfit.faces.cli.asking import do_compare

    do_compare(face, model, a, b)


@app.command()
@with_face
def rollback(
    face: Face,
    model: Model,
    to: Annotated[
        str | None, typer.Option("--to", metavar="VERSION", help="(default: previous)")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Kept in the ledger.")] = "",
    yes: Yes = False,
) -> None:
    """Make an older version the champion again, after it was verified."""
    from everfit.faces.cli.acting import do_rollback

    do_rollback(face, model, to, reason, yes=yes)


add_listing(app)
add_serving(app)
add_turning(app)
add_keeping(app)
add_simulating(app)
taking.add(app)


@app.command()
@with_face
def demo(
    face: Face,
    data: Annotated[
        str | None, typer.Argument(metavar="DATA", help="See --list. (default: the first)")
    ] = None,
    budget: Budget = None,
    list_: Annotated[bool, typer.Option("--list", help="List the data sets.")] = False,
) -> None:
    """Run the main job on real data that installed packages carry, written to a CSV file first."""
    from everfit.faces.cli.showing import do_demo

    do_demo(face, data, budget=budget, only_list=list_)


@app.command()
@with_face
def init(
    face: Face,
    show: Annotated[bool, typer.Option("--print", help="Print it, write nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write an everfit.toml with every setting and its meaning."""
    from everfit.faces.cli.acting import do_init

    do_init(face, show=show, force=force)


@app.command()
@with_face
def doctor(face: Face) -> None:
    """Check what Everfit needs: versions, SQLite, the store."""
    from everfit.faces.cli.showing import do_doctor

    do_doctor(face)
