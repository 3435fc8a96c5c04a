"""Interactions, and the histories of those who are asked for."""

from __future__ import annotations

import numpy as np
import pytest

from everfit.lists.asked import Asked, Histories, Interactions
from everfit.records import Array
from tests.lists.walks import walks


def of(users: list[int], items: list[int], at: list[float] | None = None) -> Interactions:
    when = None if at is None else np.array(at)
    return Interactions.of(np.array(users), np.array(items), at=when)


def test_interactions_stand_by_time_and_ties_keep_the_order_of_rows() -> None:
    seen = of([0, 1, 2, 3], [5, 6, 7, 8], [20.0, 10.0, 10.0, 5.0])

    assert seen.items.tolist() == [8, 6, 7, 5]
    assert seen.newest == 20.0


def test_without_times_the_order_of_rows_is_the_time() -> None:
    seen = of([0, 0, 1], [4, 2, 3])

    assert seen.items.tolist() == [4, 2, 3]
    assert not seen.timed


def test_an_unknown_time_is_older_than_all_others() -> None:
    seen = of([0, 0, 0], [1, 2, 3], [50.0, float("nan"), 10.0])

    assert seen.items.tolist() == [2, 3, 1]


def test_places_in_each_history_are_no_time_that_users_share() -> None:
    places = of([0, 0, 0, 1, 1], [1, 2, 3, 4, 5], [0.0, 1.0, 2.0, 0.0, 1.0])
    times = of([0, 0, 0, 1, 1], [1, 2, 3, 4, 5], [10.0, 11.0, 12.0, 20.0, 21.0])

    assert not places.timed
    assert times.timed


def test_weights_are_one_on_average_and_never_negative() -> None:
    seen = Interactions.of(np.zeros(3), np.arange(3), weight=np.array([2.0, 4.0, -1.0]))

    np.testing.assert_allclose(seen.weight, [1.0, 2.0, 0.0])


def test_weights_of_zero_alone_count_as_one_each() -> None:
    seen = Interactions.of(np.zeros(2), np.arange(2), weight=np.zeros(2))

    assert seen.weight.tolist() == [1.0, 1.0]


def test_each_user_has_a_history_oldest_first() -> None:
    asked = of([1, 0, 1, 1], [7, 8, 9, 6], [3.0, 2.0, 1.0, 4.0]).histories()

    assert asked.starts.tolist() == [0, 1, 4]
    assert asked.items.tolist() == [8, 9, 7, 6]
    assert asked.now.tolist() == [4.0, 4.0]


def test_asks_can_be_taken_in_any_order() -> None:
    asked = walks(5, length=4).histories()

    taken = asked.take(np.array([3, 0, 3]))

    expected = np.concatenate([asked.items[12:16], asked.items[:4], asked.items[12:16]])
    np.testing.assert_array_equal(taken.items, expected)
    assert taken.users.tolist() == [3, 0, 3]


def test_blocks_hold_every_ask_once() -> None:
    asked = walks(11, length=3).histories()

    blocks = list(asked.blocks(1_000_000))

    assert len(blocks) == 3
    np.testing.assert_array_equal(np.concatenate([b.items for _, b in blocks]), asked.items)
    assert [place.start for place, _ in blocks] == [0, 4, 8]


def test_the_newest_interaction_counts_one_and_older_ones_fade() -> None:
    vector = Asked.one(np.array([2, 0, 1])).vectors(4, decay=0.5).toarray()

    np.testing.assert_allclose(vector, [[0.5, 1.0, 0.25, 0.0]])


def test_an_item_met_twice_counts_by_its_newest_time() -> None:
    asked = Asked(
        np.array([0, 3, 4]), np.array([2, 1, 2, 3], np.int32), np.zeros(4),
        np.ones(4, np.float32), np.zeros(2), np.array([0, 1], np.int32),
    )  # fmt: skip

    np.testing.assert_allclose(
        asked.vectors(4, decay=0.5).toarray(), [[0.0, 0.5, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
    )
    np.testing.assert_allclose(
        asked.take(np.array([0])).vectors(4, decay=0.5).toarray(), [[0.0, 0.5, 1.0, 0.0]]
    )


@pytest.mark.parametrize("decay", [1.0, 0.8])
def test_one_ask_has_the_same_vector_alone_as_among_others(decay: float) -> None:
    asked = walks(9, length=12).histories()

    together = asked.vectors(60, decay=decay).toarray()

    for i in range(asked.n):
        alone = asked.take(np.array([i])).vectors(60, decay=decay).toarray()
        np.testing.assert_array_equal(alone[0], together[i])


def histories() -> Histories:
    seen = of([0, 0, 1, 2], [3, 4, 5, 6], [1.0, 2.0, 3.0, 4.0])
    return Histories(np.array(["ann", "bob", "cy"]), seen.histories())


def test_users_are_found_by_name_and_unknown_ones_have_no_history() -> None:
    asked = histories().of(["cy", "zoe", "ann"])

    assert asked.users.tolist() == [2, -1, 0]
    assert asked.lengths.tolist() == [1, 0, 2]
    assert asked.items.tolist() == [6, 3, 4]
    assert asked.now.tolist() == [4.0, 4.0, 4.0]


def test_a_name_longer_than_all_known_ones_is_not_cut_to_fit() -> None:
    assert histories().codes(["anna", "an", "", "ann"]).tolist() == [-1, -1, -1, 0]


def test_histories_come_back_from_their_arrays() -> None:
    before = histories()
    arrays: dict[str, Array] = before.arrays()

    after = Histories.from_arrays(arrays)

    for name in ("starts", "items", "at", "weight", "now", "users"):
        np.testing.assert_array_equal(getattr(before.asked, name), getattr(after.asked, name))
    np.testing.assert_array_equal(before.names, after.names)
