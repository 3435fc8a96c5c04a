"""Points of users and items: against the equations they solve."""

from __future__ import annotations

import numpy as np
import pytest

from everfit.lists.asked import Asked
from everfit.lists.factors import Factors, alternating, solved_points
from everfit.lists.neighbours import met
from everfit.lists.popular import popularity
from tests.lists.walks import groups, walks


def test_points_solve_their_equations() -> None:
    rng = np.random.default_rng(0)
    others = rng.normal(size=(60, 6)).astype(np.float32)
    history = walks(700, length=9).histories().vectors(60, decay=0.9)

    found = solved_points(history, others, others.T @ others, 0.2, 0.05)

    dense = history.toarray()
    for row in (0, 350, 699):
        w = dense[row]
        seen = int((w > 0).sum())
        left = (others * w[:, None]).T @ others + 0.2 * others.T @ others
        left += 0.05 * (seen + 0.2 * 60) * np.eye(6)
        np.testing.assert_allclose(
            found[row], np.linalg.solve(left, w @ others), rtol=1e-3, atol=1e-5
        )


def test_a_row_without_a_history_stands_at_the_origin() -> None:
    others = np.ones((5, 2), np.float32)
    history = Asked.one(np.array([], dtype=np.int32)).vectors(5)

    assert solved_points(history, others, others.T @ others, 0.1, 0.1).tolist() == [[0.0, 0.0]]


def test_each_round_lowers_what_is_minimised() -> None:
    matrix = met(groups())
    dense = matrix.toarray()

    def loss(rounds: int) -> float:
        points, _ = alternating(matrix, d=6, rounds=rounds, unseen=0.1, penalty=0.01)
        users = solved_points(matrix, points, points.T @ points, 0.1, 0.01)
        fit = users @ points.T
        seen = dense > 0
        n_user, n_item = seen.sum(axis=1), seen.sum(axis=0)
        return float(
            (dense * (fit - 1) ** 2)[seen].sum() + 0.1 * (fit**2).sum()
            + 0.01 * ((n_user + 0.1 * 60) * (users**2).sum(axis=1)).sum()
            + 0.01 * ((n_item + 0.1 * 150) * (points**2).sum(axis=1)).sum()
        )  # fmt: skip

    losses = [loss(rounds) for rounds in (1, 2, 4, 8)]

    assert losses == sorted(losses, reverse=True)


def test_it_ends_after_the_round_in_which_time_ran_out() -> None:
    points, done = alternating(met(groups()), d=4, rounds=50, left=lambda: 0.0)

    assert done == 1
    assert np.isfinite(points).all()


def test_reasons_are_parts_of_the_score() -> None:
    seen = groups()
    points, _ = alternating(met(seen), d=6, rounds=4)
    scorer = Factors(points, points.T @ points, popularity(seen), mix=0.0)
    asked = seen.histories().take(np.array([3]))
    item = int(scorer.personal(asked)[0].argmax())

    reasons = dict(scorer.because(asked, item))

    assert sum(reasons.values()) == pytest.approx(1.0, abs=0.5)
    assert all(past % 60 // 20 == 0 for past in list(reasons)[:2])
