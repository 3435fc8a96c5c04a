"""What every task of rows promises, run over all of them as they are found in the list."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from everfit.data.table import Table
from everfit.learners import LEARNERS
from everfit.records import Answers, Column, Cut, Source, Truth
from everfit.tasks import TASKS, Task

N = 60
TARGETS: dict[str, list[Any]] = {
    "probabilities": ["no", "yes", "maybe"] * (N // 3),
    "values": [float(i % 7) + i / 9 for i in range(N)],
}


def table(task: Task) -> Table:
    target = TARGETS[task.form]
    frame = pl.DataFrame(
        {"x": [float(i) for i in range(N)], "w": [1.0, 2.0] * (N // 2), "y": target}
    )
    kind = "number" if task.form == "values" else "category"
    columns = (
        Column("x", "number"),
        Column("w", "number", "weight"),
        Column("y", kind, "target"),  # type: ignore[arg-type]
    )
    return Table(frame, columns, Source("made", "", N, 3))


def answers(task: Task, seed: int = 0) -> Answers:
    rng = np.random.default_rng(seed)
    wide = task.form == "probabilities"
    values = rng.dirichlet([1.0, 1.0, 1.0], N) if wide else rng.normal(3, 2, (N, 1))
    return Answers(np.arange(N), values)


@pytest.fixture(params=sorted(name for name, task in TASKS.items() if task.form in TARGETS))
def task(request: pytest.FixtureRequest) -> Task:
    return TASKS[request.param]


def test_the_tasks_under_contract_are_all_there_are() -> None:
    # a task of lists has asks that are no rows of features: tests/contracts/test_list_tasks.py
    assert {task.form for task in TASKS.values()} == {*TARGETS, "lists"}


def test_it_recognises_its_own_target_and_says_why(task: Task) -> None:
    data = table(task).drop(["x", "w"])

    fits, why = task.fits(data)

    assert fits
    assert "'y'" in why


def test_asks_hold_features_only(task: Task) -> None:
    asked = task.asks(table(task), Cut("c", np.arange(10), np.arange(10, 20)))

    assert [column.name for column in asked.columns] == ["x"]
    assert asked.n_rows == 10


def test_truth_knows_every_row_with_its_weight(task: Task) -> None:
    data = table(task)

    truth = task.truth(data, task.problem(data, "y"))

    assert truth.ids.tolist() == list(range(N))
    assert truth.weight is not None and truth.weight[:2].tolist() == [1.0, 2.0]


def test_losses_are_finite_not_negative_and_one_a_unit_for_every_metric(task: Task) -> None:
    data = table(task)
    truth = task.truth(data, task.problem(data, "y"))

    for metric in task.metrics:
        losses = task.losses(answers(task), truth, metric)

        assert losses.values.shape == (N,)
        assert np.isfinite(losses.values).all() and (losses.values >= 0).all()


def test_the_truth_itself_loses_least(task: Task) -> None:
    data = table(task)
    problem = task.problem(data, "y")
    truth = task.truth(data, problem)
    perfect = (
        np.eye(len(problem.labels))[truth.values.astype(int)]
        if problem.labels
        else truth.values[:, None]
    )

    for metric in task.metrics:
        best = task.losses(Answers(truth.ids, perfect), truth, metric).values.mean()
        assert best <= task.losses(answers(task), truth, metric).values.mean()
        shown = [
            task.shown(metric, values, truth.values, truth.weight)
            for values in (perfect, answers(task).values)
        ]
        assert (shown[0] > shown[1]) == (task.better(metric) == "higher")


def test_losses_do_not_depend_on_the_order_of_answers(task: Task) -> None:
    data = table(task)
    truth = task.truth(data, task.problem(data, "y"))
    given = answers(task)
    order = np.random.default_rng(1).permutation(N)
    shuffled = Answers(given.ids[order], given.values[order])

    for metric in task.metrics:
        straight = task.losses(given, truth, metric)
        assert np.array_equal(straight.values, task.losses(shuffled, truth, metric).values)


def test_partial_truth_gives_losses_for_what_is_known(task: Task) -> None:
    data = table(task)
    truth = task.truth(data, task.problem(data, "y"))
    some = Truth(truth.ids[5:9], truth.values[5:9])

    assert task.losses(answers(task), some, task.metrics[0]).ids.tolist() == [5, 6, 7, 8]


def test_a_blend_of_one_is_that_one_and_shares_need_not_sum_to_one(task: Task) -> None:
    one, two = answers(task, 0), answers(task, 1)

    assert np.allclose(task.blend([one], [7.0]).values, one.values)
    assert np.allclose(
        task.blend([one, two], [1.0, 1.0]).values, task.blend([one, two], [3.0, 3.0]).values
    )


def test_calibrated_answers_are_still_answers(task: Task) -> None:
    data = table(task)
    truth = task.truth(data, task.problem(data, "y"))
    given = answers(task)

    adjusted = task.adjust(given.values, task.calibrate(given, truth))

    assert adjusted.shape == given.values.shape
    if task.form == "probabilities":
        assert np.allclose(adjusted.sum(axis=1), 1.0)


def test_every_floor_is_a_learner_that_answers_in_this_form(task: Task) -> None:
    assert task.floors()
    for name in task.floors():
        assert task.form in LEARNERS[name].forms


def test_shown_metrics_lie_inside_their_limits(task: Task) -> None:
    data = table(task)
    truth = task.truth(data, task.problem(data, "y"))

    for metric in task.metrics:
        low, high = task.limits(metric)
        assert low <= task.shown(metric, answers(task).values, truth.values, None) <= high
