"""A packed version lists items for users, histories and items, and marks what is no own list."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from everfit.column import DEPTH, Column
from everfit.data.table import Table
from everfit.errors import UsageError
from everfit.learners.contract import FitBudget, History
from everfit.learners.listing import NeighbourLists, PopularLists
from everfit.lists.top import mixed
from everfit.records import Source
from everfit.serve.lists.listed import Wanted
from everfit.serve.lists.lists import NO_HISTORY, NOBODY, STRANGER, Lists
from everfit.serve.lists.opening import open_lists

N_USERS, N_ITEMS = 60, 24


def history() -> History:
    """Two halves of users who each meet one half of the items; item 0 is met most."""
    rng = np.random.default_rng(3)
    users, items = [], []
    for user in range(N_USERS):
        side = user % 2
        own = rng.choice(N_ITEMS // 2, 6, replace=False) + side * (N_ITEMS // 2)
        met = [0, *own] if side == 0 else [*own]
        users += [user] * len(met)
        items += [int(item) for item in met]
    at = np.arange(len(users)) * 3600.0 + 1.6e9
    frame = pl.DataFrame(
        {
            "user": [f"u{u}" for u in users],
            "at": pl.Series((at * 1e6).astype(np.int64)).cast(pl.Datetime("us")),
        }
    )
    columns = (Column("user", "category", "group"), Column("at", "date", "time"))
    table = Table(frame, columns, Source("test", "", len(users), 2))
    return History(table, np.array(items, dtype=np.float64), "lists", 2 * DEPTH, n_items=N_ITEMS)


def packed(folder: Path, *learners: object) -> tuple[Lists, list[object]]:
    """A version of these learners, and the learners fitted."""
    known = history()
    members, fitted = [], []
    for at, learner in enumerate(learners):
        one = learner.fit(known, FitBudget(30.0))  # type: ignore[attr-defined]
        part = one.save(folder / f"m{at}")
        members.append({"weight": 1.0 + at, "folder": f"m{at}", "part": dict(part)})
        fitted.append(one)
    plain = {
        "labels": [str(100 + item) for item in range(N_ITEMS)],
        "label_type": "int",
        "columns": [{"name": "user", "kind": "category"}],
        "members": members,
    }
    return open_lists(folder, plain), fitted


@pytest.fixture(scope="module")
def near(tmp_path_factory: pytest.TempPathFactory) -> Lists:
    return packed(tmp_path_factory.mktemp("near"), NeighbourLists(shrink=1.0))[0]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lists, list[object]]:
    return packed(tmp_path_factory.mktemp("both"), PopularLists(days=0.0), NeighbourLists())


def test_a_user_gets_items_of_the_own_half_that_were_not_met(near: Lists) -> None:
    listed = near.top("u1", wanted=Wanted(k=4))

    assert listed.fallback == ""
    assert all(item >= 100 + N_ITEMS // 2 for item in listed.items)
    assert list(listed.scores) == sorted(listed.scores, reverse=True)
    met = {100 + item for item in near._histories.of(["u1"]).items.tolist()}
    assert not met & set(listed.items)


def test_what_was_met_comes_again_only_when_it_is_asked_for(near: Lists) -> None:
    met = {100 + item for item in near._histories.of(["u1"]).items.tolist()}

    whole = near.top("u1", wanted=Wanted(k=N_ITEMS, again=True))

    assert len(whole.items) == N_ITEMS
    assert met <= set(whole.items)


def test_a_history_is_as_good_as_its_user(near: Lists) -> None:
    met = [100 + item for item in near._histories.of(["u3"]).items.tolist()]

    assert near.top(history=met).items == near.top("u3").items


def test_an_interaction_counts_at_once(near: Lists) -> None:
    before = near.top("nobody yet")
    assert before.fallback == STRANGER

    assert near.add("nobody yet", 100 + N_ITEMS - 1, at=1.7e9)

    after = near.top("nobody yet", wanted=Wanted(k=3))
    assert after.fallback == ""
    assert 100 + N_ITEMS - 1 not in after.items
    assert all(item >= 100 + N_ITEMS // 2 for item in after.items)


def test_an_interaction_with_an_unknown_item_is_told_and_changes_nothing(near: Lists) -> None:
    before = near.top("u5")

    assert not near.add("u5", "no such item", at=1.7e9)

    assert near.top("u5") == before


@pytest.mark.parametrize(
    ("asked", "fallback"),
    [
        ({"user": "a stranger"}, STRANGER),
        ({"history": []}, NO_HISTORY),
        ({"history": ["no such item"]}, NO_HISTORY),
        ({}, NOBODY),
        ({"user": float("nan")}, NOBODY),
    ],
)
def test_who_is_not_known_gets_what_is_popular_and_is_told(
    near: Lists, asked: dict[str, object], fallback: str
) -> None:
    listed = near.top(**asked)  # type: ignore[arg-type]

    assert listed.items[0] == 100
    assert listed.fallback == fallback


def test_only_allowed_items_come_and_no_blocked_one(near: Lists) -> None:
    allowed = Wanted(allowed=[112, 113, 114, 115, 116, 117], blocked=[113, "?"], again=True)

    listed = near.top("u1", wanted=allowed)

    assert set(listed.items) == {112, 114, 115, 116, 117}


def test_items_are_the_same_as_numbers_and_as_words(near: Lists) -> None:
    words, numbers = (
        near.top("u1", wanted=Wanted(allowed=items)) for items in (["112", "115"], [112, 115.0])
    )

    assert words == numbers


def test_an_empty_allowed_list_gives_an_empty_list_that_says_so(near: Lists) -> None:
    listed = near.top("u1", wanted=Wanted(allowed=[]))

    assert listed.items == ()
    assert "no item is left" in listed.fallback


def test_who_met_all_that_is_allowed_gets_an_empty_list_that_says_so(near: Lists) -> None:
    met = [100 + item for item in near._histories.of(["u1"]).items.tolist()]

    listed = near.top("u1", wanted=Wanted(allowed=met))

    assert listed.items == ()
    assert "has met every item" in listed.fallback


def test_allowed_items_that_are_not_known_are_counted_in_a_warning(near: Lists) -> None:
    listed = near.top("u1", wanted=Wanted(allowed=[112, "x", "y"]))

    assert listed.warnings == ("2 of 3 allowed items are not known",)


def test_more_items_than_there_are_gives_all_of_them(
    both: tuple[Lists, list[object]], near: Lists
) -> None:
    for lists in (near, both[0]):
        listed = lists.top("u1", wanted=Wanted(k=10_000, again=True))
        assert sorted(listed.items) == [100 + item for item in range(N_ITEMS)]


@pytest.mark.parametrize("k", [0, -3, 2.5, True, "10", None])
def test_a_number_of_items_that_is_none_is_refused(near: Lists, k: object) -> None:
    with pytest.raises(UsageError, match="whole number from 1"):
        near.top("u1", wanted=Wanted(k=k))  # type: ignore[arg-type]


def test_similar_items_are_of_the_same_half_and_never_the_item_itself(near: Lists) -> None:
    listed = near.similar(115, wanted=Wanted(k=5))

    assert listed.fallback == ""
    assert 115 not in listed.items
    assert all(item >= 112 for item in listed.items)


def test_an_unknown_item_has_popular_ones_beside_it_and_says_so(near: Lists) -> None:
    listed = near.similar("no such item")

    assert listed.items[0] == 100
    assert "is not known" in listed.fallback


def test_the_reasons_are_items_that_the_user_met_with_shares_that_sum_to_1(near: Lists) -> None:
    item = near.top("u1").items[0]

    reasons = near.because(item, "u1")

    met = {100 + code for code in near._histories.of(["u1"]).items.tolist()}
    assert {past for past, _ in reasons} <= met
    assert sum(share for _, share in reasons) == pytest.approx(1.0)
    assert near.because("no such item", "u1") == []


def test_a_blend_answers_a_table_as_its_learners_do(both: tuple[Lists, list[object]]) -> None:
    lists, learners = both
    names = ["u1", "u2", "a stranger", "u40"]
    asks = lists.as_table([{"user": name} for name in names])
    asked = Table(asks.frame, (Column("user", "category", "group"),), asks.source)

    expected = mixed([one.answer(asked) for one in learners], [1.0, 2.0])  # type: ignore[attr-defined]

    np.testing.assert_array_equal(lists.table(asks), expected)
    for row, name in zip(expected, names, strict=True):
        np.testing.assert_array_equal(lists.numbers({"user": name}), row)


def test_a_blend_lists_first_what_its_packed_answer_has_first(
    both: tuple[Lists, list[object]],
) -> None:
    lists, _ = both

    packed_codes = [int(code) for code in lists.numbers({"user": "u7"})[:5]]

    assert [item - 100 for item in lists.top("u7", wanted=Wanted(k=5)).items] == packed_codes
