from __future__ import annotations

import numpy as np
import pytest

from everfit.errors import LearnerFailed
from everfit.learners.contract import FitBudget, History
from everfit.learners.rounds import (
    HIGHEST_LR,
    Patience,
    Slot,
    check,
    held_back,
    lr_that_fits,
    patience_for,
    refuse_few,
)
from tests.learners.histories import history_of


def made(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 3)), rng.integers(0, 3, n).astype(float)


def asked(target: np.ndarray) -> History:
    # rows are held back by the matrix; the table plays no part
    return History(history_of("values", 1, n=2).table, target, "probabilities", 4, seed=1)


def test_the_slot_ends_with_the_sooner_of_two_clocks() -> None:
    now = iter([0.0, 2.0, 2.0, 2.0])
    slot = Slot(FitBudget(10.0, left=lambda: 5.0), lambda: next(now))

    assert slot.spent() == 2.0
    assert slot.left() == 5.0
    assert Slot(FitBudget(1.0), iter([0.0, 3.0]).__next__).left() == -2.0


def test_a_slot_refuses_what_needs_more_than_is_left() -> None:
    slot = Slot(FitBudget(1.0), iter([0.0, 0.25, 0.25, 0.25]).__next__)

    slot.need(0.5, "a small thing")

    with pytest.raises(LearnerFailed, match="cannot finish: a large thing"):
        slot.need(2.0, "a large thing")


@pytest.mark.parametrize("kind", ["random", "last"])
@pytest.mark.parametrize("n", [60, 3_000, 12_000])
def test_no_row_is_on_both_sides(n: int, kind: str) -> None:
    matrix, target = made(n)

    pairs = held_back(matrix, asked(target), which=kind)

    for fitted, back in pairs:
        assert np.intersect1d(fitted, back).size == 0
        assert fitted.size + back.size == n
        assert 0.05 < back.size / n < 0.35


def test_few_rows_are_held_back_in_turn_and_each_once() -> None:
    matrix, target = made(1_000)

    pairs = held_back(matrix, asked(target))

    assert len(pairs) == 4
    assert sorted(np.concatenate([back for _, back in pairs])) == list(range(1_000))


def test_classes_are_held_back_evenly() -> None:
    matrix, _ = made(2_000)
    target = (np.arange(2_000) % 20 == 0).astype(float)

    pairs = held_back(matrix, asked(target))

    assert all(abs(target[back].mean() - 0.05) < 0.005 for _, back in pairs)


def test_identical_rows_stay_together() -> None:
    matrix, target = made(300)
    matrix, target = np.repeat(matrix, 4, axis=0), np.repeat(target, 4)

    pairs = held_back(matrix, asked(target))

    for _, back in pairs:
        assert np.bincount(back // 4, minlength=300).max() == 4
        assert set(np.bincount(back // 4)) <= {0, 4}


def test_a_class_of_few_rows_is_always_fitted() -> None:
    matrix, target = made(400)
    target[:5] = 3.0

    pairs = held_back(matrix, asked(target))

    assert all(np.isin(np.arange(5), fitted).all() for fitted, _ in pairs)


def test_rows_held_back_do_not_depend_on_their_order() -> None:
    matrix, target = made(500)
    order = np.random.default_rng(3).permutation(500)

    straight = held_back(matrix, asked(target))[0][1]
    shuffled = held_back(matrix[order], asked(target[order]))[0][1]

    np.testing.assert_array_equal(np.sort(order[shuffled]), straight)


def test_nothing_is_held_back_of_few_rows() -> None:
    matrix, target = made(39)

    assert held_back(matrix, asked(target)) == []


def test_patience_waits_longer_after_a_late_best_round() -> None:
    early, late = Patience(least=5), Patience(least=5)

    for loss in (1.0, *[2.0] * 4):
        assert not early.stop(loss)
    falling = [late.stop(1.0 / (i + 1)) for i in range(100)]
    flat = [late.stop(1.0) for _ in range(30)]

    assert early.stop(2.0)
    assert not any(falling)
    assert flat.index(True) == 29
    assert late.best_round == 100


def test_smaller_steps_get_more_patience_within_limits() -> None:
    assert [patience_for(lr).least for lr in (0.5, 0.05, 0.001)] == [30, 60, 300]


@pytest.mark.parametrize("wish", [0.02, 0.05, 0.15, 0.3])
def test_a_step_is_never_lowered_nor_raised_beyond_its_limit(wish: float) -> None:
    for seconds in (-1.0, 0.0, 0.1, 1.0, 1e6):
        lr = lr_that_fits(wish, seconds, per_round=0.01)

        assert wish <= lr <= max(wish, HIGHEST_LR)


def test_a_fifth_of_the_rounds_is_the_least() -> None:
    slot = Slot(FitBudget(1.0))

    refuse_few(20, 100, slot, 0.01)

    with pytest.raises(LearnerFailed, match="19 of about 100 rounds"):
        refuse_few(19, 100, slot, 0.01)


def test_a_history_without_features_is_refused() -> None:
    history = history_of("values", 1)
    bare = type(history)(
        history.table.drop([c.name for c in history.table.columns]), history.target, "values", 1
    )

    with pytest.raises(LearnerFailed, match="nothing to learn from"):
        check(bare)
