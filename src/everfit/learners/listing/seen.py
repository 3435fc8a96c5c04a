"""The rows of a history as interactions: who met which item, when, and how much it counts."""

from __future__ import annotations

import numpy as np
import polars as pl

from everfit.data.table import Table
from everfit.errors import LearnerFailed
from everfit.learners.contract import History
from everfit.lists.asked import Histories, Interactions
from everfit.records import Array

DAY_S = 86_400.0
# a plain number as a time: the unit is told by its size, since no log is older than 1973
UNITS = ((1e17, 1e-9), (1e14, 1e-6), (1e11, 1e-3), (1e8, 1.0))


def seen_in(history: History) -> tuple[Interactions, Histories]:
    """The interactions of a history, and its users by name.

    Rows without a user or an item tell nothing and are left out. Without a group column all rows
    are of one user without a name.

    Raises
    ------
    LearnerFailed : there is no interaction
    """
    names = names_of(history.table)
    known = np.isfinite(history.target) & (names != "")
    if not known.any():
        raise LearnerFailed(
            "there are no interactions to learn from",
            got=f"{history.target.size} rows, none with both a user and an item",
            expected="1 or more",
            do="give a table with rows that name a user and an item",
        )
    items = history.target[known].astype(np.int32)
    users, codes = np.unique(names[known], return_inverse=True)
    at = times_of(history.table)
    seen = Interactions.of(
        codes.astype(np.int32), items,
        at=None if at is None else at[known],
        weight=None if history.weight is None else history.weight[known],
        n_users=users.size, n_items=max(history.n_items, int(items.max()) + 1),
    )  # fmt: skip
    return seen, Histories(users, seen.histories())


def names_of(table: Table) -> Array:
    """The user of each row as text, "" where there is none.

    Whole numbers are written without a point, so that 7.0 and 7 name the same user.
    """
    group = table.role("group")
    if group is None:
        return np.full(table.n_rows, "-")
    column = table.frame[group.name]
    if column.dtype.is_float():
        rounded = column.round(0)
        whole = bool(((column == rounded) | column.is_nan()).fill_null(True).all())
        column = column.fill_nan(None)
        column = column.cast(pl.Int64) if whole else column
    texts = column.cast(pl.String).fill_null("")
    return texts.to_numpy().astype(np.str_)


def times_of(table: Table) -> Array | None:
    """When each row was, in seconds since 1970, NaN where unknown; None without a time column.

    Numbers below 1e8 are days.

    Examples
    --------
    >>> from everfit.records import Column, Source
    >>> frame = pl.DataFrame({"when": [1_600_000_000_000]})
    >>> table = Table(frame, (Column("when", "number", "time"),), Source("", "", 1, 1))
    >>> times_of(table).tolist()
    [1600000000.0]
    """
    time = table.role("time")
    if time is None:
        return None
    column = table.frame[time.name]
    if isinstance(column.dtype, (pl.Date, pl.Datetime)):
        micros = column.cast(pl.Datetime("us")).dt.epoch("us")
        return micros.cast(pl.Float64).fill_null(float("nan")).to_numpy() * 1e-6
    if not column.dtype.is_numeric():
        return None
    values = column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    finite = np.abs(values[np.isfinite(values)])
    if not finite.size:
        return None
    size = float(np.median(finite))
    unit = next((unit for least, unit in UNITS if size >= least), DAY_S)
    return np.asarray(values * unit)
