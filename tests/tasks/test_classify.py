"""Classes as targets."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

from everfit.data.table import Table
from everfit.errors import TargetUnusable, TooFewRows, UsageError
from everfit.named import by_name
from everfit.records import Answers, Column, Cut, Problem, Source, Truth
from everfit.tasks import TASKS, pick
from everfit.tasks.classify import Classify

TASK = Classify()


def table(**columns: list[object]) -> Table:
    frame = pl.DataFrame(columns)
    kinds = {n: "number" if t.is_numeric() else "category" for n, t in frame.schema.items()}
    described = tuple(
        Column(n, kinds[n], "target" if n == "y" else "feature")  # type: ignore[arg-type]
        for n in frame.columns
    )
    return Table(frame, described, Source("made", "", frame.height, frame.width))


def two_class() -> Table:
    return table(x=list(range(40)), y=["no", "yes"] * 20)


def test_words_and_few_whole_numbers_are_classes_and_many_numbers_are_not() -> None:
    words = table(y=["a", "b"] * 20)
    whole = table(y=[1, 2, 3, 4] * 10)
    many = table(y=[float(i) / 3 for i in range(40)])

    assert [pick(t)[0].name for t in (words, whole, many)] == ["classify", "classify", "regress"]


def test_a_task_that_is_not_there_offers_near_names() -> None:
    with pytest.raises(UsageError, match="did you mean 'classify'"):
        pick(two_class().drop(["x"]), "clasify")


def test_two_tasks_of_one_name_are_refused_and_both_are_shown() -> None:
    with pytest.raises(UsageError, match="two tasks are called 'classify'") as caught:
        by_name("task", (Classify(), Classify()))

    assert caught.value.got.count("Classify") == 2


def test_the_list_of_tasks_is_counted() -> None:
    assert sorted(TASKS) == ["classify", "recommend", "regress"]


def test_labels_keep_their_type_and_order() -> None:
    numbers = TASK.problem(table(x=[0.0] * 40, y=[10, 2] * 20), "y")
    words = TASK.problem(two_class(), "y")

    assert (numbers.labels, numbers.label_type) == (("2", "10"), "int")
    assert (words.labels, words.label_type) == (("no", "yes"), "str")


def test_losses_are_the_log_loss_of_scikit_learn_row_by_row() -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet([1, 1, 1], size=50)
    truth = rng.integers(0, 3, 50).astype(float)
    ids = np.arange(50)

    losses = TASK.losses(Answers(ids, p), Truth(ids, truth), "log_loss")

    assert losses.values.mean() == pytest.approx(log_loss(truth, p, labels=[0, 1, 2]), abs=1e-12)


def test_shown_metrics_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    p1 = rng.random(200)
    p = np.column_stack([1 - p1, p1])
    truth = (rng.random(200) < p1).astype(float)

    assert TASK.shown("auc", p, truth, None) == pytest.approx(roc_auc_score(truth, p1))
    assert TASK.shown("accuracy", p, truth, None) == pytest.approx(
        accuracy_score(truth, p.argmax(1))
    )


def test_losses_match_answers_to_truth_by_id_in_any_order() -> None:
    p = np.array([[0.9, 0.1], [0.2, 0.8]])
    truth = Truth(np.array([3, 7]), np.array([0.0, 1.0]))

    losses = TASK.losses(Answers(np.array([7, 3]), p[::-1]), truth, "log_loss")

    assert losses.ids.tolist() == [3, 7]
    assert losses.values == pytest.approx(-np.log([0.9, 0.8]))


def test_asks_show_neither_target_nor_weight() -> None:
    data = two_class().with_roles({"x": "feature"})

    asked = TASK.asks(data, Cut("c", np.arange(5), np.arange(5, 10)))

    assert [c.name for c in asked.columns] == ["x"]
    assert asked.n_rows == 5


def test_truth_knows_only_the_rows_whose_class_is_one_of_the_problem() -> None:
    data = table(x=[1.0] * 4, y=["no", None, "maybe", "yes"])
    problem = Problem("classify", "y", "log_loss", "probabilities", ("no", "yes"))

    truth = TASK.truth(data, problem)

    assert truth.ids.tolist() == [0, 3]
    assert truth.values.tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["yes"] * 40, "has one class"),
        ([None] * 40, "is missing in every row"),
        (["yes"] * 39 + ["no"], "has a class with one row"),
    ],
)
def test_a_target_that_cannot_be_learnt_is_refused(values: list[object], message: str) -> None:
    data = table(x=[1.0] * 40, y=values).with_roles({"y": "target"})

    with pytest.raises(TargetUnusable, match=message):
        TASK.problem(data, "y")


def test_too_few_rows_say_how_many_are_needed() -> None:
    with pytest.raises(TooFewRows, match="at least 30 rows"):
        TASK.problem(table(x=[1.0] * 10, y=["a", "b"] * 5), "y")


def test_an_unknown_metric_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="log_loss, auc, accuracy, brier"):
        TASK.problem(two_class(), "y", metric="f9")


def test_blending_is_the_weighted_mean() -> None:
    ids = np.arange(1)
    a, b = Answers(ids, np.array([[0.0, 1.0]])), Answers(ids, np.array([[1.0, 0.0]]))

    assert TASK.blend([a, b], [3, 1]).values.tolist() == [[0.25, 0.75]]
