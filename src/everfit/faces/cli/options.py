"""Arguments and options of single commands, each with its help."""

from __future__ import annotations

from typing import Annotated

import typer

DATA, SEARCH, RULES = "Data", "Search", "Policy"

Model = Annotated[str, typer.Argument(metavar="MODEL", help="Name of the model.")]
MaybeModel = Annotated[
    str | None, typer.Argument(metavar="MODEL", help="Name of the model; all without one.")
]
Source = Annotated[
    str | None,
    typer.Argument(
        metavar="SOURCE",
        help="File, pattern such as 'sales-*.parquet', or database URL. "
        "Without one: what everfit.toml says of the model.",
    ),
]
Target = Annotated[
    str | None,
    typer.Option("--target", "-t", help="Column to predict.", rich_help_panel=DATA),
]
Name = Annotated[
    str | None,
    typer.Option(
        "--name",
        "-n",
        help="Name of the model. (default: the name of the file without its ending, "
        "else the target)",
        rich_help_panel=DATA,
    ),
]
Kinds = Annotated[
    list[str] | None,
    typer.Option(
        "--kind",
        metavar="COL=KIND",
        rich_help_panel=DATA,
        help="What a column is: number, boolean, category, ordered, date, text, identifier, "
        "constant. May be repeated.",
    ),
]
Roles = Annotated[
    list[str] | None,
    typer.Option(
        "--role",
        metavar="COL=ROLE",
        rich_help_panel=DATA,
        help="What a column is for: feature, time, group, weight, ignore. May be repeated.",
    ),
]
Time = Annotated[
    str | None,
    typer.Option(
        "--time", metavar="COL", help="Column that orders the rows in time.", rich_help_panel=DATA
    ),
]
User = Annotated[
    str | None,
    typer.Option(
        "--user",
        metavar="COL",
        help="Column of the users, for --task recommend.",
        rich_help_panel=DATA,
    ),
]
Item = Annotated[
    str | None,
    typer.Option(
        "--item",
        metavar="COL",
        help="Column of the items that they met: the target of --task recommend.",
        rich_help_panel=DATA,
    ),
]
Items = Annotated[
    str | None,
    typer.Option(
        "--items",
        metavar="SOURCE",
        help="Table of what the items are, with the column of --item as its key.",
        rich_help_panel=DATA,
    ),
]
Group = Annotated[
    str | None,
    typer.Option(
        "--group",
        metavar="COL",
        help="Column of groups that are kept together.",
        rich_help_panel=DATA,
    ),
]
Weight = Annotated[
    str | None,
    typer.Option("--weight", metavar="COL", help="Column of row weights.", rich_help_panel=DATA),
]
Drop = Annotated[
    list[str] | None,
    typer.Option(
        "--drop", metavar="COL", help="Column to leave out. May be repeated.", rich_help_panel=DATA
    ),
]
Header = Annotated[
    bool | None,
    typer.Option(
        "--header/--no-header",
        help="Whether the first line holds names. (default: found out)",
        rich_help_panel=DATA,
        show_default=False,
    ),
]
Names = Annotated[
    str | None,
    typer.Option(
        "--names",
        metavar="A,B,C",
        help="Names of the columns of a file without them.",
        rich_help_panel=DATA,
    ),
]
Query = Annotated[
    str | None,
    typer.Option(
        "--query", metavar="SQL", help="Query, when the source is a database.", rich_help_panel=DATA
    ),
]
Budget = Annotated[
    str | None,
    typer.Option(
        "--budget",
        "-b",
        metavar="TIME",
        rich_help_panel=SEARCH,
        help="Time for everything, such as 60s, 10m, 1h30m. (default: 60s)",
    ),
]
Seed = Annotated[
    int | None,
    typer.Option("--seed", help="Seed of all random choices. (default: 0)", rich_help_panel=SEARCH),
]
Metric = Annotated[
    str | None,
    typer.Option(
        "--metric",
        help="What is optimised and shown: log_loss, auc, accuracy, brier; rmse, mae, r2; "
        "ndcg, recall, hit.",
        rich_help_panel=SEARCH,
    ),
]
Task = Annotated[
    str | None,
    typer.Option(
        "--task",
        help="Kind of question: classify, regress or recommend; the last one is never found out "
        "by itself. (default: found out)",
        rich_help_panel=SEARCH,
    ),
]
Learners = Annotated[
    list[str] | None,
    typer.Option(
        "--learner",
        metavar="FILE.py:CLASS",
        rich_help_panel=SEARCH,
        help="A scikit-learn-compatible estimator of yours that joins the race. May be repeated.",
    ),
]
Alpha = Annotated[
    float | None,
    typer.Option(
        "--alpha", help="Allowed error rate of a promotion. (default: 0.05)", rich_help_panel=RULES
    ),
]
Latency = Annotated[
    float | None,
    typer.Option(
        "--latency-ms", help="Most milliseconds for one row. (default: 50)", rich_help_panel=RULES
    ),
]
Guardrail = Annotated[
    float | None,
    typer.Option(
        "--guardrail",
        help="Most that the loss of a segment may exceed the champion's, "
        "as a share. (default: 0.1)",
        rich_help_panel=RULES,
    ),
]
MinGain = Annotated[
    float | None,
    typer.Option(
        "--min-gain",
        help="Smallest drop of the mean loss that is worth a promotion. (default: 0)",
        rich_help_panel=RULES,
    ),
]
Use = Annotated[
    str | None,
    typer.Option("--use", metavar="VERSION", help="Such as v2, previous. (default: champion)"),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]
