"""Histories that go on after a fit."""

from __future__ import annotations

import numpy as np

from everfit.lists.after import extended
from everfit.lists.asked import Histories, Interactions


def histories() -> Histories:
    seen = Interactions.of([0, 1, 0], [5, 3, 4], at=np.array([10.0, 20.0, 30.0]), n_items=9)
    return Histories(np.array(["ann", "bob"]), seen.histories())


def test_what_came_later_stands_last_in_the_history_of_its_user() -> None:
    found = extended(
        histories(), np.array(["bob", "ann"]), np.array([7, 8]), np.array([50.0, 40.0])
    )

    assert found.of(["ann"]).items.tolist() == [5, 4, 8]
    assert found.of(["bob"]).items.tolist() == [3, 7]
    assert found.of(["bob"]).at.tolist() == [20.0, 50.0]
    assert found.of(["ann"]).now.tolist() == [50.0]


def test_what_came_late_but_happened_earlier_stands_where_it_belongs() -> None:
    found = extended(histories(), np.array(["ann"]), np.array([8]), np.array([15.0]))

    assert found.of(["ann"]).items.tolist() == [5, 8, 4]
    assert found.of(["ann"]).now.tolist() == [30.0]


def test_a_new_user_has_a_history_and_others_keep_theirs() -> None:
    found = extended(histories(), np.array(["zoe"]), np.array([1]), np.array([np.nan]))

    assert found.of(["zoe"]).items.tolist() == [1]
    assert found.of(["zoe"]).users.tolist() == [2]
    assert found.of(["nobody"]).items.tolist() == []
    assert found.of(["ann"]).items.tolist() == [5, 4]


def test_an_item_of_no_catalogue_changes_nothing() -> None:
    before = histories()

    assert extended(before, np.array(["ann"]), np.array([-1]), np.array([50.0])) is before
