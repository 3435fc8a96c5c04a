"""Items alike in what is written about them."""

from __future__ import annotations

import numpy as np

from everfit.lists.asked import Asked
from everfit.lists.content import Content, described

WORDS = [["war", "space"], ["space", "robot"], ["robot", "space"], ["love"], ["love", "war"], []]


def test_rows_have_length_one_or_are_empty() -> None:
    lengths = np.sqrt(np.asarray(described(WORDS).power(2).sum(axis=1)).ravel())

    np.testing.assert_allclose(lengths, [1, 1, 1, 1, 1, 0], rtol=1e-6)


def test_a_mark_of_one_item_or_of_most_items_tells_nothing() -> None:
    marks = [["all", f"own{i}", "half" if i < 3 else "other"] for i in range(6)]

    assert described(marks).shape == (6, 2)


def test_an_item_that_nobody_met_is_found_by_its_words() -> None:
    scorer = Content(described(WORDS), np.array([1, 1, 0, 1, 1, 1], np.float32), mix=1e-4)

    scores = scorer.scores(Asked.one(np.array([1])))[0]

    scores[1] = -1.0
    assert scores.argmax() == 2
    assert scorer.because(Asked.one(np.array([3, 1])), 2) == [(1, 1.0)]


def test_items_without_words_can_be_described() -> None:
    assert described([[], []]).shape[0] == 2
