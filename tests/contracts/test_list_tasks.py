"""What every task of lists promises, run over all of them as they are found in the list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from everfit.column import DEPTH
from everfit.data.split import cuts
from everfit.data.table import Table
from everfit.learners import LEARNERS
from everfit.lists.top import pack
from everfit.records import Answers, Array, Cut, Problem, Truth
from everfit.tasks import TASKS, Task
from tests.meetings import meetings, posed

LISTED = sorted(name for name, task in TASKS.items() if task.form == "lists")


@dataclass(frozen=True, slots=True)
class Posed:
    """A question, where it is asked, and what came of it."""

    task: Task
    table: Table
    problem: Problem
    cuts: tuple[Cut, ...]
    truth: Truth

    def answers(self, seed: int) -> Answers:
        """Items in any order."""
        rng = np.random.default_rng(seed)
        n_items = len(self.problem.labels)
        codes = np.array([rng.permutation(n_items)[:DEPTH] for _ in self.truth.ids])
        scores = np.broadcast_to(np.arange(codes.shape[1], 0, -1), codes.shape)
        return Answers(self.truth.ids, pack(codes, scores))


@pytest.fixture(scope="module", params=LISTED)
def asked(request: pytest.FixtureRequest) -> Posed:
    task: Any = TASKS[request.param]
    table, problem = posed(meetings(1_500))
    table = table.take(np.argsort(table.frame["timestamp"].to_numpy(), kind="stable"))
    policy = task.split(table, problem)
    held = tuple(
        Cut(cut.name, cut.history, task.asked(table, problem, cut))
        for cut in cuts(table, policy, None, seed=0)
    )
    return Posed(task, table, problem, held, task.turned_out(table, problem, held))


def perfect(truth: Truth) -> Array:
    """What came, listed first."""
    codes = np.full((len(truth.ids), DEPTH), -1)
    for row, values in enumerate(truth.values):
        known = values[np.isfinite(values)][:DEPTH]
        codes[row, : len(known)] = known
    return pack(codes, np.where(codes >= 0, np.arange(DEPTH, 0, -1), 0.0))


def test_it_demands_a_split_and_asks_nobody_twice_at_a_cut(asked: Posed) -> None:
    assert asked.task.split(asked.table, asked.problem) is not None
    users = asked.table.frame[str(asked.problem.group)].to_numpy()
    for cut in asked.cuts:
        assert len(np.unique(users[cut.asked])) == len(cut.asked) > 0
        assert not set(cut.history.tolist()) & set(cut.asked.tolist())


def test_an_ask_does_not_hold_the_item(asked: Posed) -> None:
    found = asked.task.asks(asked.table, asked.cuts[0])

    assert asked.problem.target not in found.frame.columns
    assert found.n_rows == len(asked.cuts[0].asked)


def test_truth_is_of_all_asks_in_codes_of_the_catalogue(asked: Posed) -> None:
    every = np.sort(np.concatenate([cut.asked for cut in asked.cuts]))
    known = asked.truth.values[np.isfinite(asked.truth.values)]

    assert asked.truth.ids.tolist() == every.tolist()
    assert known.min() >= 0 and known.max() < len(asked.problem.labels)


def test_losses_are_one_a_unit_between_nothing_and_all_for_every_metric(asked: Posed) -> None:
    judged = np.isfinite(asked.truth.values).any(axis=1)
    for metric in asked.task.metrics:
        losses = asked.task.losses(asked.answers(0), asked.truth, metric)

        assert losses.values.shape == (len(asked.truth.ids),)
        assert ((losses.values[judged] >= 0) & (losses.values[judged] <= 1)).all()


def test_the_truth_itself_loses_least(asked: Posed) -> None:
    best = Answers(asked.truth.ids, perfect(asked.truth))
    for metric in asked.task.metrics:
        ideal, other = (
            np.nanmean(asked.task.losses(one, asked.truth, metric).values)
            for one in (best, asked.answers(0))
        )
        assert ideal < other
        shown = [
            asked.task.shown(metric, one.values, asked.truth.values, None)
            for one in (best, asked.answers(0))
        ]
        assert (shown[0] > shown[1]) == (asked.task.better(metric) == "higher")
        low, high = asked.task.limits(metric)
        assert all(low <= value <= high for value in shown)


def test_losses_do_not_depend_on_the_order_of_answers(asked: Posed) -> None:
    given = asked.answers(0)
    order = np.random.default_rng(1).permutation(len(given.ids))
    shuffled = Answers(given.ids[order], given.values[order])

    for metric in asked.task.metrics:
        straight = asked.task.losses(given, asked.truth, metric)
        again = asked.task.losses(shuffled, asked.truth, metric)
        np.testing.assert_array_equal(straight.values, again.values)


def test_a_blend_of_one_keeps_its_order_and_shares_need_not_sum_to_one(asked: Posed) -> None:
    one, two = asked.answers(0), asked.answers(1)

    alone = asked.task.blend([one], [7.0]).values
    both = [asked.task.blend([one, two], shares).values for shares in ([1.0, 1.0], [3.0, 3.0])]

    np.testing.assert_array_equal(alone[:, :DEPTH], one.values[:, :DEPTH])
    np.testing.assert_array_equal(*both)


def test_every_floor_is_a_learner_that_answers_with_lists(asked: Posed) -> None:
    assert asked.task.floors()
    for name in asked.task.floors():
        assert "lists" in LEARNERS[name].forms
