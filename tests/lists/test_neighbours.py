"""Neighbours of items: against plain formulas."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from everfit.lists.asked import Interactions
from everfit.lists.neighbours import (
    LONGEST,
    cosine,
    ease,
    from_plain,
    met,
    plain,
    row_of,
    spoken,
    strongest,
)
from tests.lists.walks import groups


def test_cosine_is_the_shrunk_cosine_of_who_met_them() -> None:
    x = met(groups()).toarray().astype(float)

    near = cosine(met(groups()), shrink=5.0, kept=60).toarray()

    length = np.sqrt((x**2).sum(axis=0))
    expected = x.T @ x / (np.outer(length, length) + 5.0)
    np.fill_diagonal(expected, 0.0)
    np.testing.assert_allclose(near, expected, rtol=1e-5, atol=1e-7)


def test_the_kept_neighbours_are_the_nearest() -> None:
    whole, few = (cosine(met(groups()), kept=kept).toarray() for kept in (60, 7))

    assert ((few > 0).sum(axis=1) <= 7).all()
    for row, kept in zip(whole, few, strict=True):
        np.testing.assert_array_equal(np.sort(kept)[-7:], np.sort(row)[-7:])


def test_equal_values_are_kept_by_column() -> None:
    matrix = sparse.csr_array(np.array([[1.0, 1.0, 0.0, 1.0], [0.0, -1.0, 2.0, 0.0]]))

    assert strongest(matrix, 2).toarray().tolist() == [[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 2.0, 0.0]]


def test_ease_solves_each_item_from_all_others() -> None:
    x = met(groups()).toarray().astype(float)

    weights = ease(met(groups()), penalty=50.0)

    for item in (0, 17, 59):
        others = np.delete(np.arange(60), item)
        gram = x[:, others].T @ x[:, others] + 50.0 * np.eye(59)
        expected = np.linalg.solve(gram, x[:, others].T @ x[:, item])
        np.testing.assert_allclose(weights[others, item], expected, rtol=2e-3, atol=2e-4)
    assert np.diag(weights).tolist() == [0.0] * 60


def test_equations_without_a_solution_are_an_error() -> None:
    with pytest.raises(np.linalg.LinAlgError, match="penalty"):
        ease(met(groups()), penalty=-500.0)


def test_a_robot_counts_by_its_newest_interactions_alone() -> None:
    n = LONGEST + 200
    seen = Interactions.of(np.zeros(n, int), np.arange(n), at=np.arange(n) + 1e9)

    row = met(seen).toarray()[0]

    assert (row[:200] == 0).all()
    assert (row[200:] == 1).all()


@pytest.mark.parametrize("dense", [False, True])
def test_a_matrix_comes_back_from_its_arrays(dense: bool) -> None:
    near = ease(met(groups())) if dense else cosine(met(groups()))

    again = from_plain("near", plain("near", near))

    for item in (0, 33):
        np.testing.assert_array_equal(row_of(near, item), row_of(again, item))
    history = groups().histories().vectors(60)
    np.testing.assert_array_equal(spoken(history, near), spoken(history, again))
