"""Rows that came twice count once, where content tells rows apart."""

from __future__ import annotations

from collections import Counter

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from everfit.loop.gather.doubles import contents, firsts, tells
from everfit.records import Column

small = st.lists(st.integers(0, 6), max_size=12)


@given(small, small, small)
def test_each_content_counts_once_and_the_first_part_stays_whole(
    source: list[int], feed: list[int], log: list[int]
) -> None:
    parts = [np.array(part, dtype=np.uint64) for part in (source, feed, log)]

    kept = firsts(parts, keep_first=1)

    left = [part[stays].tolist() for part, stays in zip(parts, kept, strict=True)]
    assert left[0] == source
    later = Counter(left[1] + left[2])
    assert set(later) == set(feed + log) - set(source)
    assert all(count == 1 for count in later.values())


def test_of_equal_rows_of_the_log_the_last_stays() -> None:
    kept = firsts([np.array([], np.uint64), np.array([5, 6, 5], np.uint64)], keep_first=1)

    assert kept[1].tolist() == [False, True, True]


def test_rows_of_a_few_categories_do_not_tell_which_is_which() -> None:
    assert not tells(np.array([1, 1, 2, 2, 3], dtype=np.uint64))
    assert tells(np.arange(50, dtype=np.uint64))
    assert not tells(np.array([], dtype=np.uint64))


def test_two_that_differ_only_in_their_target_hold_the_same() -> None:
    columns = [Column("age", "number"), Column("y", "category", role="target")]
    first = pl.DataFrame({"age": [1.0, 2.0], "y": ["no", "no"]})
    second = pl.DataFrame({"age": [1.0, 2.0], "y": ["yes", "no"]})

    a, b = (contents(frame, columns, ["age", "y"]) for frame in (first, second))

    assert a.tolist() == b.tolist()


def test_two_with_different_keys_are_two() -> None:
    columns = [Column("id", "identifier", role="ignore"), Column("age", "number")]
    frame = pl.DataFrame({"id": ["a", "b"], "age": [1.0, 1.0]})

    assert len(set(contents(frame, columns, ["id", "age"]).tolist())) == 2
