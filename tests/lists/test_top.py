"""The best of many scores, and lists of several models as one."""

from __future__ import annotations

import numpy as np
import pytest

from everfit.column import DEPTH, Array
from everfit.lists.asked import Asked
from everfit.lists.top import mixed, pack, scaled, top, top_shared, unpack
from tests.lists.walks import walks


def plainly(scores: Array, depth: int, seen: list[set[int]], allowed: set[int]) -> Array:
    """The same by sorting in Python."""
    found = np.full((scores.shape[0], depth), -1)
    for i, row in enumerate(scores):
        open_ = [j for j in range(row.size) if j not in seen[i] and j in allowed]
        best = sorted(open_, key=lambda j: (-row[j], j))[:depth]
        found[i, : len(best)] = best
    return found


@pytest.mark.parametrize("depth", [1, 5, 30, 80])
@pytest.mark.parametrize("coarse", [False, True])
def test_it_agrees_with_plain_sorting(depth: int, coarse: bool) -> None:
    rng = np.random.default_rng(depth)
    asked = walks(25, length=12).histories()
    scores = rng.normal(size=(25, 60)).astype(np.float32)
    scores = np.round(scores) if coarse else scores
    allowed = rng.random(60) < 0.7
    seen = [set(asked.take(np.array([i])).items.tolist()) for i in range(25)]

    codes, values = top(scores, depth=depth, seen=asked, allowed=allowed)

    np.testing.assert_array_equal(
        codes, plainly(scores, depth, seen, set(np.flatnonzero(allowed).tolist()))
    )
    there = codes >= 0
    np.testing.assert_array_equal(
        values, np.where(there, np.take_along_axis(scores, np.maximum(codes, 0), axis=1), 0.0)
    )


def test_minus_zero_ties_with_zero() -> None:
    codes, _ = top(np.array([[0.0, -0.0, 0.0]], dtype=np.float32)[:, [1, 0, 2]], depth=3)

    assert codes.tolist() == [[0, 1, 2]]


def test_nothing_allowed_gives_an_empty_list() -> None:
    codes, values = top(np.ones((2, 4), np.float32), depth=3, allowed=np.zeros(4, bool))

    assert (codes == -1).all()
    assert (values == 0).all()


@pytest.mark.parametrize("again", [False, True])
def test_one_score_for_all_gives_the_same_lists_as_its_copies(again: bool) -> None:
    asked = walks(40, length=30).histories()
    base = np.round(np.random.default_rng(1).random(60), 1).astype(np.float32)

    codes, values = top_shared(base, asked, depth=20, again=again)

    copies = np.tile(base, (40, 1))
    expected, their = top(copies, depth=20, seen=None if again else asked)
    np.testing.assert_array_equal(codes, expected)
    np.testing.assert_array_equal(values, their)


def test_packed_lists_come_back() -> None:
    codes = np.array([[3, 1, -1], [0, 2, 4]])
    scores = np.array([[0.5, 0.25, 9.0], [3.0, 2.0, 1.0]])

    values = pack(codes, scores)

    assert values.shape == (2, 2 * DEPTH)
    found, their = unpack(values)
    assert found[:, :4].tolist() == [[3, 1, -1, -1], [0, 2, 4, -1]]
    assert their[:, :4].tolist() == [[0.5, 0.25, 0.0, 0.0], [3.0, 2.0, 1.0, 0.0]]


def slowly_mixed(parts: list[Array], weights: list[float]) -> Array:
    n = parts[0].shape[0]
    found = np.full((n, DEPTH), -1)
    for i in range(n):
        total: dict[int, float] = {}
        for part, weight in zip(parts, weights, strict=True):
            shares = scaled(part)[i]
            for code, share in zip(unpack(part)[0][i].tolist(), shares.tolist(), strict=True):
                if code >= 0:
                    total[code] = total.get(code, 0.0) + weight / sum(weights) * share
        best = sorted(total, key=lambda code: (-round(total[code], 9), code))[:DEPTH]
        found[i, : len(best)] = best
    return found


def lists(n: int, n_items: int, depth: int, seed: int) -> Array:
    rng = np.random.default_rng(seed)
    return pack(*top(rng.random((n, n_items)).astype(np.float32), depth=depth))


def test_a_mixture_weighs_scaled_scores_item_by_item() -> None:
    parts = [lists(12, 150, DEPTH, 0), lists(12, 150, 40, 1), lists(12, 150, 7, 2)]
    weights = [0.5, 0.3, 0.4]

    found = mixed(parts, weights)

    np.testing.assert_array_equal(unpack(found)[0], slowly_mixed(parts, weights))
    assert (np.diff(unpack(found)[1], axis=1) <= 0).all()


def test_a_mixture_of_one_model_keeps_its_order() -> None:
    part = lists(5, 150, DEPTH, 3)

    np.testing.assert_array_equal(unpack(mixed([part], [2.0]))[0], unpack(part)[0])


def test_empty_lists_add_nothing_to_a_mixture() -> None:
    empty, part = pack(np.full((4, 1), -1), np.zeros((4, 1))), lists(4, 30, 20, 0)

    np.testing.assert_array_equal(unpack(mixed([empty, part], [0.9, 0.1]))[0], unpack(part)[0])
    assert (unpack(mixed([empty, empty], [0.5, 0.5]))[0] == -1).all()


def test_equal_scores_count_as_the_highest() -> None:
    part = pack(np.array([[4, 2]]), np.array([[0.3, 0.3]]))

    assert scaled(part)[0, :3].tolist() == [1.0, 1.0, 0.0]


@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
@pytest.mark.parametrize("depth", [1, 7, 60])
def test_a_large_catalogue_of_many_ties_agrees_with_plain_sorting(share: float, depth: int) -> None:
    rng = np.random.default_rng(depth)
    scores = np.round(rng.normal(size=(4, 3_000)), 2).astype(np.float32)
    scores[rng.random(scores.shape) < share] = 0.0
    allowed = rng.random(3_000) < 0.5
    lengths = np.array([0, 3, 400, 2_900])
    asked = Asked(
        np.concatenate([[0], np.cumsum(lengths)]),
        np.concatenate([rng.permutation(3_000)[:m] for m in lengths]).astype(np.int32),
        np.zeros(lengths.sum()), np.ones(lengths.sum()), np.zeros(4), np.full(4, -1),
    )  # fmt: skip
    seen = [set(asked.take(np.array([i])).items.tolist()) for i in range(4)]

    codes, values = top(scores, depth=depth, seen=asked, allowed=allowed)

    expected = plainly(scores, depth, seen, set(np.flatnonzero(allowed).tolist()))
    np.testing.assert_array_equal(codes, expected)
    there = np.take_along_axis(scores, np.maximum(codes, 0), axis=1)
    np.testing.assert_array_equal(values, np.where(codes >= 0, there, 0.0))


def test_items_in_falling_order_are_no_trouble() -> None:
    scores = np.linspace(1.0, 0.0, 20_000, dtype=np.float32)[None, :]

    assert top(scores, depth=50)[0][0].tolist() == list(range(50))


def test_a_large_catalogue_is_put_in_order_exactly() -> None:
    scores = np.random.default_rng(0).random((1, 60_000)).astype(np.float32)

    codes, _ = top(scores, depth=10, seen=Asked.one(np.array([int(scores.argmax())])))

    expected = np.argsort(-scores[0], kind="stable")[1:11]
    np.testing.assert_array_equal(codes[0], expected)
