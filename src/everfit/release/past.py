"""What was known before the rows that judge a version which reads history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from everfit.data.conform import conform
from everfit.data.table import Table
from everfit.data.timeline import Timeline, marks
from everfit.events import Past, Reads
from everfit.records import Array, Column, Form, SplitPolicy, Truth


@dataclass(frozen=True, slots=True)
class Rows:
    """All rows of a run as they were read, what turned out true of them, and who was kept aside."""

    as_read: Table
    truth: Truth
    kept: Array
    split: SplitPolicy


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
