"""What a column is for, where that is plain from its kind and name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import polars as pl

from everfit.records import Column, Role

N_TIMES = 20  # distinct dates; fewer are a category of dates
_TIME_NAMES = frozenset(
    {"date", "datetime", "timestamp", "time", "ds", "month", "day", "week", "period", "dt", "when"}
    | {"date_time", "event_time", "event_date", "utc_time", "local_time", "ts"}
)
_LIFE = re.compile(r"birth|dob|born|expir|due|deadline|until|end|valid", re.IGNORECASE)
_GROUP_NAMES = frozenset({"qid", "query_id", "group_id", "groupid"})
_WEIGHT_NAMES = frozenset({"sample_weight", "sampleweight", "row_weight", "case_weight"})


def infer_roles(
    columns: Sequence[Column], frame: pl.DataFrame, given: Mapping[str, Role]
) -> tuple[Column, ...]:
    """Columns with their roles: ``given`` ones first, then only what is plain.

    Keys are ignored. A date is the time of the rows when it is the only date and either has a
    plain name or puts the rows in order; a birthday never is. All others are features.
    """
    time = given_name(given, "time") or _time_column(columns, frame, given)
    found: list[Column] = []
    for column in columns:
        role, why = _role(column, frame[column.name], time, given)
        joined = "; ".join(part for part in (column.why, why) if part)
        found.append(replace(column, role=role, why=joined))
    return tuple(found)


def given_name(given: Mapping[str, Role], role: Role) -> str | None:
    """The column that was given ``role``, or None."""
    return next((name for name, value in given.items() if value == role), None)


def _role(
    column: Column, values: pl.Series, time: str | None, given: Mapping[str, Role]
) -> tuple[Role, str]:
    lower = column.name.lower()
    if column.name in given:
        return given[column.name], ""
    if column.name == time:
        return "time", "the one date by which rows can be put in order"
    repeated = 1 < column.n_distinct < 0.8 * len(values)
    if lower in _GROUP_NAMES and repeated and not given_name(given, "group"):
        return "group", "named as a group"
    if lower in _WEIGHT_NAMES and not given_name(given, "weight"):
        least = values.min() if column.kind == "number" else None
        if isinstance(least, (int, float)) and least >= 0:
            return "weight", "named as a weight"
    if column.kind == "identifier":
        return "ignore", "a key says nothing about new rows"
    return "feature", ""


def _time_column(
    columns: Sequence[Column], frame: pl.DataFrame, given: Mapping[str, Role]
) -> str | None:
    dates = [c for c in columns if c.kind == "date" and not _LIFE.search(c.name)]
    if len(dates) != 1 or dates[0].name in given or dates[0].n_distinct < N_TIMES:
        return None
    name = dates[0].name
    plain = re.sub(r"[\s-]+", "_", name.lower()) in _TIME_NAMES
    values = frame[name].drop_nulls()
    return name if plain or values.is_sorted() or values.is_sorted(descending=True) else None
