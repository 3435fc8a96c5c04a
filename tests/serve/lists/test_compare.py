"""Lists that are the same but for the last digits of their scores."""

from __future__ import annotations

import numpy as np
import pytest

from everfit.column import DEPTH
from everfit.lists.top import pack
from everfit.serve.lists.compare import TOLERANCE, apart


def one(codes: list[int], scores: list[float]) -> np.ndarray:
    return pack(np.array([codes]), np.array([scores]))


def test_the_last_digits_of_a_score_and_the_order_that_hangs_on_them_do_not_count() -> None:
    ours = one([7, 3, 5], [0.9, 0.5, 0.1])
    theirs = one([7, 5, 3], [0.9000001, 0.5, 0.4999999])
    close = one([3, 7, 5], [0.9000001, 0.9, 0.1])

    assert apart(ours, one([7, 3, 5], [0.9000001, 0.5, 0.1])) < TOLERANCE
    assert apart(one([7, 3, 5], [0.9, 0.9, 0.1]), close) < TOLERANCE
    assert apart(ours, theirs) == pytest.approx(0.4)


def test_an_item_that_only_one_list_holds_counts_by_what_it_is_above_the_last_of_the_other() -> (
    None
):
    scores = np.linspace(1.0, 0.01, DEPTH)
    ours = pack(np.arange(DEPTH)[None, :], scores[None, :])
    last = ours.copy()
    last[0, DEPTH - 1] = DEPTH  # another item, with the same score, at the end
    first = ours.copy()
    first[0, 0] = DEPTH

    assert apart(ours, last) < TOLERANCE
    assert apart(ours, first) == pytest.approx(0.99)


def test_a_shorter_list_is_another_one() -> None:
    assert apart(one([7, 3], [0.9, 0.5]), one([7], [0.9])) == pytest.approx(0.5)
