"""Cutting a table into first rows and windows."""

from __future__ import annotations

import polars as pl
import pytest

from everfit.errors import ColumnMissing, TooFewRows, UsageError
from everfit.simulate.drift import read_drift
from everfit.simulate.stream import Streaming, stream_of
from tests.tables import make_table

TABLE = make_table(
    pl.DataFrame({"at": list(range(1_000))[::-1], "y": ["a", "b"] * 500}), target="y"
)


def test_windows_follow_the_first_rows_in_the_order_of_time():
    stream = stream_of(TABLE, "y", Streaming(first=0.2, rows=100, time="at"))

    assert stream.begin["at"].to_list() == list(range(200))
    assert (stream.n_windows, stream.n_rows, stream.drawn_again) == (8, 100, False)
    assert stream.window(0)["at"].to_list() == list(range(200, 300))
    assert stream.window(7)["at"][-1] == 999


def test_without_a_time_rows_come_as_they_stand():
    assert stream_of(TABLE, "y", Streaming(first=100, windows=9)).begin["at"][0] == 999


def test_more_rows_than_there_are_are_drawn_again_the_same_each_time():
    stream = stream_of(TABLE, "y", Streaming(first=0.5, rows=400, windows=5, seed=3))

    assert stream.drawn_again
    assert stream.window(2).height == 400
    assert stream.window(2).equals(stream.window(2))
    assert not stream.window(2).equals(stream.window(3))


def test_a_window_says_which_rows_it_holds_where_they_come_again_unchanged():
    drifts = (read_drift("shift:at:1.0@3"), read_drift("silent::0.5@0"))
    again = stream_of(TABLE, "y", Streaming(first=0.5, rows=400, windows=5, drifts=drifts[:1]))
    told = stream_of(TABLE, "y", Streaming(first=0.5, rows=400, windows=5, drifts=drifts))
    once = stream_of(TABLE, "y", Streaming(first=0.5, rows=100))

    drawn = again.drawn(2)

    assert drawn is not None
    assert drawn.of == 500
    assert again.rest[drawn.at].equals(again.window(2))
    assert again.drawn(3) is None
    assert told.drawn(0) is None
    assert once.drawn(0) is None


@pytest.mark.parametrize("first", [0.0, 0.04, 1.0, -1.0, 1_000, 5_000])
def test_too_few_or_too_many_first_rows_are_refused(first):
    with pytest.raises(TooFewRows, match="rows to begin with") as caught:
        stream_of(TABLE, "y", Streaming(first=first))

    assert "--first" in caught.value.do


def test_windows_larger_than_what_is_left_are_refused():
    with pytest.raises(UsageError, match="needs a window"):
        stream_of(TABLE, "y", Streaming(first=0.5, rows=600))


@pytest.mark.parametrize("names", [("z", None), ("y", "when")])
def test_a_target_or_time_that_is_not_there_is_refused(names):
    target, time = names
    with pytest.raises(ColumnMissing):
        stream_of(TABLE, target, Streaming(time=time))
