"""What a version that reads history is told of the rows that judge it."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from everfit.data.read import read
from everfit.data.table import Table
from everfit.errors import ColumnMissing
from everfit.events import Reads
from everfit.records import SplitPolicy, Truth
from everfit.release.past import Rows, known_before


def table() -> Table:
    days = pl.Series([4, 3, 2, 1, 0, 5]) * 86_400_000_000
    frame = pl.DataFrame(
        {
            "who": list("aaaaab"),
            "day": days.cast(pl.Datetime("us")),
            "size": [float(i) for i in range(6)],
        }
    )
    return read(frame, kinds={"who": "category", "size": "number"}, roles={"day": "time"})


def given(reads: Reads) -> list[list[float]]:
    """For the rows 0, 2 and 5, which are kept aside, the sizes of their events."""
    kept = np.array([True, False, True, False, False, True])
    truth = Truth(np.arange(6), np.zeros(6))
    rows = Rows(table(), truth, kept, SplitPolicy("random"))
    found = known_before(rows, reads, [table().column("size")], "values")
    return [[event.values["size"] for event in events] for events in found]


def test_with_a_time_all_that_is_earlier_is_known_as_it_would_be_in_use() -> None:
    assert given(Reads("who", 9, "day")) == [[4.0, 3.0, 2.0, 1.0], [4.0, 3.0], []]


def test_without_a_time_only_rows_of_the_training_are_known() -> None:
    assert given(Reads("who", 9)) == [[1.0, 3.0, 4.0], [1.0, 3.0, 4.0], []]


def test_data_without_the_key_cannot_judge_it() -> None:
    with pytest.raises(ColumnMissing, match="'whom'"):
        given(Reads("whom"))
