"""The corrected score of a selection: exact cases, any score, and how often its range holds."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from everfit.evidence.auc import auc
from everfit.evidence.selection import LEAST_BOOT, selected_score

RUNS = 300
TOLERANCE = 3 * math.sqrt(0.05 * 0.95 / RUNS)


def _best_of(losses: np.ndarray) -> tuple[Callable, Callable]:
    return (
        lambda rows: int(losses[rows].mean(axis=0).argmin()),
        lambda k, rows: float(losses[rows, k].mean()),
    )


def test_a_single_candidate_has_no_optimism_and_the_range_of_a_mean():
    losses = np.random.default_rng(0).gamma(2.0, size=(400, 1))

    found = selected_score(400, *_best_of(losses), n_boot=2000, seed=0, test_share=0.0)

    error = losses.std(ddof=1) / 20
    assert found.optimism == 0.0
    assert found.interval.mid == found.apparent == pytest.approx(losses.mean())
    assert found.interval.high - found.interval.mid == pytest.approx(1.966 * error, rel=0.08)


def test_the_best_of_many_equal_candidates_is_pulled_back():
    rng = np.random.default_rng(1)

    found = [
        selected_score(
            200, *_best_of(rng.normal(1.0, 1.0, (200, 30))), n_boot=60, seed=s, test_share=0.0
        )
        for s in range(100)
    ]

    apparent = np.mean([f.apparent for f in found])
    corrected = np.mean([f.interval.mid for f in found])
    assert apparent < 1 - 0.12
    assert abs(corrected - 1) < 0.05


def test_optimism_is_apparent_less_corrected():
    losses = np.random.default_rng(2).normal(1.0, 1.0, (200, 10))

    found = selected_score(200, *_best_of(losses), seed=3)

    assert found.optimism == pytest.approx(found.apparent - found.interval.mid)
    assert found.n_boot == found.n_asked == 200


def test_the_same_seed_gives_the_same_range():
    losses = np.random.default_rng(3).normal(1.0, 1.0, (100, 5))

    one, two, other = (selected_score(100, *_best_of(losses), seed=s) for s in (1, 1, 2))

    assert one == two
    assert one != other


def test_a_deadline_stops_early_but_never_below_the_least_number():
    losses = np.random.default_rng(4).normal(1.0, 1.0, (100, 5))
    ticks = iter(range(10_000))

    at_once = selected_score(
        100, *_best_of(losses), seed=0, deadline=0.0, clock=lambda: float(next(ticks))
    )
    later = selected_score(
        100, *_best_of(losses), seed=0, deadline=50.0, clock=iter(range(10_000)).__next__
    )

    assert at_once.n_boot == LEAST_BOOT
    assert LEAST_BOOT < later.n_boot < 200
    assert math.isfinite(at_once.interval.high)


def test_whole_groups_are_drawn():
    losses = np.repeat(np.random.default_rng(5).normal(1.0, 1.0, (30, 3)), 10, axis=0)
    group = np.repeat(np.arange(30), 10)
    seen: list[int] = []

    def choose(rows: np.ndarray) -> int:
        counts = np.bincount(rows, minlength=300).reshape(30, 10)
        seen.append(int((counts == counts[:, :1]).all()))
        return 0

    grouped = selected_score(
        300, choose, _best_of(losses)[1], seed=0, groups=group, test_share=0.0, n_boot=1000
    )
    single = selected_score(
        30, lambda rows: 0, _best_of(losses[::10])[1], seed=1, test_share=0.0, n_boot=1000
    )

    assert all(seen)
    assert grouped.interval.high - grouped.interval.low == pytest.approx(
        single.interval.high - single.interval.low, rel=0.1
    )


def test_rare_classes_are_on_both_sides_of_every_draw():
    y = np.zeros(100, dtype=int)
    y[:3] = 1
    scores = np.random.default_rng(6).normal(size=(100, 4)) + y[:, None]

    def judge(k: int, rows: np.ndarray) -> float:
        assert set(y[rows]) == {0, 1}
        return auc(scores[rows, k], y[rows])

    found = selected_score(
        100, lambda rows: int(rows[0]) % 4, judge, seed=0, strata=y, limits=(0.0, 1.0)
    )

    assert found.n_boot == 200
    assert 0.0 <= found.interval.low < found.interval.high <= 1.0


def test_undefined_scores_are_left_out_and_no_score_leaves_the_range_open():
    y = np.array([1] + [0] * 9)
    scores = np.arange(10.0)

    some = selected_score(10, lambda rows: 0, lambda _, rows: auc(scores[rows], y[rows]), seed=0)
    none = selected_score(10, lambda rows: 0, lambda _, rows: math.nan, seed=0)

    assert some.n_boot < 200
    assert (none.n_boot, none.interval.high) == (0, math.inf)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_hardly_any_rows_leave_a_defined_range(n):
    losses = np.ones((n, 2))

    found = selected_score(
        n, lambda rows: 0, lambda k, rows: float(losses[rows, k].sum() / max(len(rows), 1)), seed=0
    )

    assert found.interval.n == n
    assert found.interval.low <= found.interval.high


@pytest.mark.parametrize(
    ("n", "k", "spread", "shared"),
    [(150, 20, 0.0, 0.8), (150, 20, 1.0, 0.8), (150, 40, 0.5, 0.5), (150, 20, 3.0, 0.8)],
)
def test_the_range_holds_the_true_loss_of_the_one_picked(n, k, spread, shared):
    held = []
    for run in range(RUNS):
        rng = np.random.default_rng([7, run])
        truth = 1 + spread * rng.standard_normal(k) / math.sqrt(n)
        noise = math.sqrt(shared) * rng.standard_normal((n, 1))
        losses = truth + noise + math.sqrt(1 - shared) * rng.standard_normal((n, k))
        choose, score = _best_of(losses)
        found = selected_score(n, choose, score, n_boot=50, seed=run, test_share=0.0)
        held.append(found.interval.contains(truth[choose(np.arange(n))]))

    assert 0.95 - TOLERANCE <= np.mean(held) <= 0.99


def test_without_the_correction_the_range_does_not_hold():
    # the mutation: the apparent score with its own standard error has to fail the test above
    rng = np.random.default_rng(8)
    held = []
    for _ in range(RUNS):
        losses = 1 + math.sqrt(0.5) * (rng.normal(size=(150, 1)) + rng.normal(size=(150, 40)))
        best = losses[:, losses.mean(axis=0).argmin()]
        held.append(abs(best.mean() - 1) <= 1.96 * best.std(ddof=1) / math.sqrt(150))

    assert np.mean(held) < 0.85


@pytest.mark.parametrize("root", [False, True])
def test_the_range_holds_the_true_risk_of_the_refitted_winner(root):
    # least squares on 15 random column subsets, 5 folds, the best refitted on all rows; its true
    # risk is known: noise + what its coefficients are off
    held = []
    for run in range(RUNS):
        held.append(_refitted_winner(np.random.default_rng([9, run]), run, root=root))

    assert 0.95 - TOLERANCE <= np.mean(held) <= 0.99


def _refitted_winner(rng: np.random.Generator, run: int, *, root: bool) -> bool:
    n, d = 150, 10
    b = np.array([1.0, -0.7, 0.5, 0.3, 0.2, 0.1, 0.0, 0.0, 0.0, 0.0])
    x = rng.normal(size=(n, d))
    y = x @ b + rng.normal(size=n)
    subsets = [rng.choice(d, rng.integers(2, 8), replace=False) for _ in range(15)]
    fold = rng.permutation(n) % 5
    losses = np.zeros((n, len(subsets)))
    for k in range(5):
        inside, outside = fold != k, fold == k
        for j, columns in enumerate(subsets):
            fitted = np.linalg.lstsq(x[inside][:, columns], y[inside], rcond=None)[0]
            losses[outside, j] = (y[outside] - x[outside][:, columns] @ fitted) ** 2
    choose, mean = _best_of(losses)

    def score(j: int, rows: np.ndarray) -> float:
        return math.sqrt(mean(j, rows)) if root else mean(j, rows)

    found = selected_score(n, choose, score, n_boot=40, seed=run, test_share=0.2)
    best = subsets[choose(np.arange(n))]
    whole = np.zeros(d)
    whole[best] = np.linalg.lstsq(x[:, best], y, rcond=None)[0]
    truth = 1 + float(((whole - b) ** 2).sum())
    return found.interval.contains(math.sqrt(truth) if root else truth)
