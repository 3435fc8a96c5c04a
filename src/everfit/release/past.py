"""What was known before the rows that judge a version which reads history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

import numpy as np

from everfit.data.conform import conform
from everfit.data.table import Table
from everfit.data.timeline import Timeline, marks
from everfit.events import Past, Reads
from everfit.learners.listing.seen import names_of, times_of
from everfit.records import Array, Column, Form, Problem, SplitPolicy, Truth

AnyLists = TypeVar("AnyLists", bound="Lists")


@dataclass(frozen=True, slots=True)
class Rows:
    """All rows of a run as they were read, what turned out true of them, and who was kept aside."""

    as_read: Table
    truth: Truth
    kept: Array
    split: SplitPolicy


class Lists(Protocol):
    """A version that answers with lists, as far as it is told what happened since its fit."""

    def knowing(
        self, users: Array, items: Sequence[str], at: Array, weight: Array | None = None
    ) -> Self:
        """The same version with later interactions."""
        ...


def lists_before(lists: AnyLists, rows: Rows, problem: Problem, seen: Array | None) -> AnyLists:
    """A version of lists that knows all that happened before the rows that were kept aside.

    ``seen``, bool (n,), are the rows that it was fitted to; None when that cannot be told.
    """
    known = np.zeros(rows.as_read.n_rows, dtype=bool) if seen is None else seen
    later = np.intersect1d(np.flatnonzero(~known & ~rows.kept), rows.truth.ids)
    if not len(later):
        return lists
    table = rows.as_read.take(later)
    codes = rows.truth.values[np.searchsorted(rows.truth.ids, later)].astype(np.int64)
    at = times_of(table)
    # without a time rows stand in its order, and their positions are it
    when = later.astype(np.float64) if at is None else at
    return lists.knowing(names_of(table), [problem.labels[code] for code in codes], when)


def known_before(rows: Rows, reads: Reads, columns: Sequence[Column], form: Form) -> Past:
    """The history of each row that was kept aside, as a version knows it by ``columns``.

    With a time all rows count that are earlier than the one that is asked, as they would in use;
    without one only those that were not kept aside.

    Raises
    ------
    ColumnMissing : the data lacks the key by which the version knows its history
    """
    table, kept = rows.as_read, rows.kept
    marked, timed = marks(table, reads, rows.split)
    frame, _ = conform(table.frame, columns)
    outcomes = np.full(table.n_rows, np.nan)
    outcomes[rows.truth.ids] = rows.truth.values
    values = Table(frame, tuple(columns), table.source)
    timeline = Timeline(marked, values, outcomes, form == "probabilities", timed)
    seen = np.arange(table.n_rows) if timed else np.flatnonzero(~kept)
    return timeline.before(np.flatnonzero(kept), seen=seen, n=reads.events)
