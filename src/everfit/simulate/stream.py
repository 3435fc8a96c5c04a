"""A data set as a stream: rows to begin with, then windows of rows, in time order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from everfit.data.table import Table
from everfit.errors import TooFewRows, UsageError
from everfit.records import Array
from everfit.simulate.drift import Drift, check_drifts, drifted

LEAST_FIRST = 50  # rows to begin with


@dataclass(frozen=True, slots=True)
class Streaming:
    """How a data set becomes a stream.

    Parameters
    ----------
    first : share of the rows, or number of them when above 1, that the first version learns from
    windows : number of windows; None: as many as the rows give
    rows : rows of a window; None: the rest of the rows in ``windows`` parts
    time : the column that orders rows; None: they come as they stand
    drifts : what is changed on the way
    """

    first: float = 0.3
    windows: int | None = None
    rows: int | None = None
    time: str | None = None
    drifts: tuple[Drift, ...] = field(default=())
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Which rows a window holds, int (n,), ``of`` how many that are drawn again and again."""

    at: Array
    of: int


@dataclass(frozen=True, slots=True)
class Stream:
    """Rows to begin with, and a way to draw each window; ``drawn_again`` says that rows repeat."""

    begin: pl.DataFrame
    rest: pl.DataFrame
    target: str
    n_windows: int
    n_rows: int
    streaming: Streaming
    drawn_again: bool

    def window(self, index: int) -> pl.DataFrame:
        """Rows of window ``index``, the target among them; the same each time."""
        low = index * self.n_rows
        if not self.drawn_again:
            rows = self.rest[low : low + self.n_rows]
        else:
            rows = self.rest[self._places(index)]
        return drifted(rows, self.target, self.streaming.drifts, index, seed=self.streaming.seed)

    def drawn(self, index: int) -> Drawn | None:
        """Which rows window ``index`` holds; None where they come once, or are changed."""
        if not self.drawn_again or any(one.strength(index) for one in self.streaming.drifts):
            return None
        return Drawn(self._places(index), self.rest.height)

    def _places(self, index: int) -> Array:
        rng = np.random.default_rng([self.streaming.seed, index])
        return rng.integers(0, self.rest.height, self.n_rows)

    def __iter__(self) -> Iterator[pl.DataFrame]:
        for index in range(self.n_windows):
            yield self.window(index)


def stream_of(table: Table, target: str, streaming: Streaming) -> Stream:
    """Cut a table into rows to begin with and windows.

    When more rows are wanted than there are, windows are drawn with replacement: then the
    stream is stationary but for the drifts that were asked for.

    Raises
    ------
    ColumnMissing : the target or the time is not there
    UsageError, TooFewRows : it cannot be cut so, or a drift cannot be made
    """
    frame = table.frame
    table.column(target)
    if streaming.time is not None:
        table.column(streaming.time)
        frame = frame.sort(streaming.time, nulls_last=True, maintain_order=True)
    n = frame.height
    begin = int(streaming.first) if streaming.first > 1 else int(n * streaming.first)
    if begin < LEAST_FIRST or begin >= n:
        raise TooFewRows(
            "a simulation needs rows to begin with, and rows that come later",
            got=f"{begin:,} of {n:,} rows to begin with",
            expected=f"at least {LEAST_FIRST}, and fewer than all",
            do="give more rows, or another --first",
        )
    rest = n - begin
    rows = streaming.rows or max(1, rest // (streaming.windows or 60))
    windows = streaming.windows or rest // rows
    if windows < 1:
        raise UsageError(
            "a simulation needs a window",
            got=f"{rows:,} rows a window, {rest:,} rows left",
            expected="fewer rows a window",
        )
    check_drifts(frame, target, streaming.drifts, windows)
    again = windows * rows > rest
    return Stream(frame[:begin], frame[begin:], target, windows, rows, streaming, again)
