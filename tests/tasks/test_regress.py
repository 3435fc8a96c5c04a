"""Numbers as targets."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from everfit.errors import TargetUnusable
from everfit.records import Answers, Truth
from everfit.tasks.regress import Regress
from tests.tasks.test_classify import table

TASK = Regress()


@pytest.mark.parametrize(
    ("metric", "oracle"),
    [("rmse", root_mean_squared_error), ("mae", mean_absolute_error), ("r2", r2_score)],
)
def test_shown_metrics_agree_with_scikit_learn(metric: str, oracle: object) -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=100)
    answers = (truth + rng.normal(size=100))[:, None]

    assert TASK.shown(metric, answers, truth, None) == pytest.approx(oracle(truth, answers[:, 0]))  # type: ignore[operator]


def test_the_mean_of_the_losses_is_the_square_of_the_shown_root() -> None:
    rng = np.random.default_rng(0)
    truth, answers = rng.normal(size=50), rng.normal(size=(50, 1))
    ids = np.arange(50)

    losses = TASK.losses(Answers(ids, answers), Truth(ids, truth), "rmse").values

    assert losses.mean() == pytest.approx(TASK.shown("rmse", answers, truth, None) ** 2)


def test_weights_count_in_what_is_shown() -> None:
    answers, truth = np.array([[0.0], [0.0]]), np.array([1.0, 3.0])

    assert TASK.shown("mae", answers, truth, np.array([1.0, 0.0])) == 1.0


def test_missing_and_infinite_targets_are_not_known() -> None:
    data = table(x=[1.0] * 4, y=[1.0, None, float("inf"), 2.0])
    problem = TASK.problem(table(x=[1.0] * 40, y=[float(i) for i in range(40)]), "y")

    assert TASK.truth(data, problem).ids.tolist() == [0, 3]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.5] * 40, "has one value"),
        ([None, float("inf")] * 20, "none of them finite"),
        (["a", "b"] * 20, "is no number"),
    ],
)
def test_a_target_that_cannot_be_learnt_is_refused(values: list[object], message: str) -> None:
    with pytest.raises(TargetUnusable, match=message):
        TASK.problem(table(x=[1.0] * 40, y=values), "y")


def test_a_study_never_moves_the_level_and_recent_outcomes_do() -> None:
    rng = np.random.default_rng(0)
    truth = rng.gamma(2.0, 50.0, 500)
    ids, said = np.arange(500), (0.7 * truth + rng.normal(0, 5, 500))[:, None]

    assert TASK.calibrate(Answers(ids, said), Truth(ids, truth)) == {}
    found = TASK.recalibrate(Answers(ids, said), Truth(ids, truth))
    assert np.abs(TASK.adjust(said, found)[:, 0] - truth).mean() < 10
    np.testing.assert_array_equal(TASK.adjust(said, {}), said)
