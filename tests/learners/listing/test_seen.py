"""Rows of a history as interactions."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest

from everfit.column import DEPTH
from everfit.data.table import Table
from everfit.errors import LearnerFailed
from everfit.learners.contract import History
from everfit.learners.listing.seen import names_of, seen_in, times_of
from everfit.records import Column, Source


def table(users: list[Any], at: list[Any]) -> Table:
    frame = pl.DataFrame({"user": users, "at": at}, strict=False)
    columns = (Column("user", "identifier", "group"), Column("at", "number", "time"))
    return Table(frame, columns, Source("test", "", frame.height, 2))


def history(users: list[Any], items: list[float], at: list[Any], **more: Any) -> History:
    return History(table(users, at), np.array(items), "lists", 2 * DEPTH, **more)


def test_users_stand_by_name_and_rows_without_a_user_or_an_item_are_left_out() -> None:
    seen, histories = seen_in(
        history(["b", None, "a", "b", "c"], [1, 2, 3, 0, np.nan], [40, 30, 20, 10, 5], n_items=9)
    )

    assert histories.names.tolist() == ["a", "b"]
    assert (seen.n, seen.n_users, seen.n_items) == (3, 2, 9)
    assert histories.of(["b"]).items.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([7, None, 12], ["7", "", "12"]),
        ([7.0, None, 12.0], ["7", "", "12"]),
        ([7.5, float("nan"), 12.0], ["7.5", "", "12.0"]),
        (["x", "", None], ["x", "", ""]),
        ([True, False, None], ["true", "false", ""]),
    ],
)
def test_users_are_named_as_text(values: list[Any], expected: list[str]) -> None:
    assert names_of(table(values, [1, 2, 3])).tolist() == expected


def test_without_a_group_all_rows_are_of_one_user() -> None:
    seen, histories = seen_in(
        History(table(["a", "b"], [1, 2]).drop(["user"]), np.array([3.0, 4.0]), "lists", 2 * DEPTH)
    )

    assert seen.n_users == 1
    assert histories.of(["-"]).items.tolist() == [3, 4]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (1_600_000_000, 1.6e9),
        (1_600_000_000_000, 1.6e9),
        (1_600_000_000_000_000, 1.6e9),
        (1_600_000_000_000_000_000, 1.6e9),
        (30, 30 * 86_400.0),
        (datetime(2020, 9, 13, 12, 26, 40), 1.6e9),
        (date(1970, 1, 3), 2 * 86_400.0),
    ],
)
def test_times_are_seconds_whatever_their_unit(value: Any, seconds: float) -> None:
    found = times_of(table(["a"], [value]))

    assert found is not None
    assert found[0] == pytest.approx(seconds)


def test_texts_and_nothing_are_no_times() -> None:
    assert times_of(table(["a"], ["yesterday"])) is None
    assert times_of(table(["a", "b"], [float("nan"), float("nan")])) is None


def test_weights_reach_the_interactions() -> None:
    seen, _ = seen_in(history(["a", "a"], [1, 2], [1e9, 2e9], weight=np.array([1.0, 3.0])))

    assert seen.weight.tolist() == [0.5, 1.5]


def test_no_interaction_is_refused_in_words() -> None:
    with pytest.raises(LearnerFailed, match="no interactions to learn from"):
        seen_in(history([None, ""], [1, 2], [1, 2]))
