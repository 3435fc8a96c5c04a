"""A study of lists: who enters, what is chosen, and when the floor itself is proposed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from everfit.column import DEPTH
from everfit.data.split import cuts
from everfit.deadline import Deadline
from everfit.errors import LearnerFailed
from everfit.evidence.interval import Interval
from everfit.executors import Job
from everfit.lists.top import pack
from everfit.records import Answers, Assessment, Profile, Study, Truth
from everfit.release.proof import worth_it
from everfit.study import Setting, study
from everfit.study.blend import MENU_FIELD, blended, greedy, mean_loss, menu
from everfit.study.fold import _check
from everfit.study.workspace import pick_up
from everfit.tasks import TASKS
from tests.meetings import meetings, posed
from tests.study.build import Clock, Fit, Prepared, Whoever

TASK = TASKS["recommend"]
N_ITEMS = 150


def truth(n: int = 200, seed: int = 0) -> Truth:
    rng = np.random.default_rng(seed)
    return Truth(np.arange(n), rng.integers(0, N_ITEMS, (n, 2)).astype(np.float64))


def guesses(true: Truth, skill: float, seed: int) -> np.ndarray:
    """Lists that hold each true item near their top with the chance ``skill``."""
    rng = np.random.default_rng(seed)
    n = len(true.ids)
    scores = rng.random((n, N_ITEMS))
    knows = rng.random(true.values.shape) < skill
    rows, columns = np.nonzero(knows)
    scores[rows, true.values[rows, columns].astype(int)] += 0.98
    order = np.argsort(-scores, axis=1)[:, :DEPTH]
    return pack(order, np.take_along_axis(scores, order, axis=1))


def test_a_mixture_of_lists_that_know_different_things_beats_each_of_them() -> None:
    true = truth()
    values = [guesses(true, 0.5, seed) for seed in range(3)]

    blend = greedy(values, true, TASK, "ndcg")

    alone = [mean_loss(TASK, "ndcg", Answers(true.ids, v), true) for v in values]
    assert len(blend.members) > 1
    assert blend.loss < min(alone)
    mixed = Answers(true.ids, blended(values, blend, TASK))
    assert blend.loss == pytest.approx(mean_loss(TASK, "ndcg", mixed, true))


def test_a_list_that_knows_nothing_is_not_mixed_in() -> None:
    true = truth()
    values = [guesses(true, 0.9, 0), guesses(true, 0.0, 1)]

    assert greedy(values, true, TASK, "ndcg").members == (0,)


def test_the_menu_has_all_alone_and_few_mixtures() -> None:
    true = truth(60)
    values = [guesses(true, 0.5, seed) for seed in range(7)]

    found = menu(values, true, TASK, "ndcg")

    alone = [blend for blend in found.blends if len(blend.members) == 1]
    assert [blend.members for blend in alone] == [(i,) for i in range(7)]
    assert len(found.blends) - 7 == 3 * 6 + MENU_FIELD - 2
    assert found.losses.shape == (len(found.blends), 60)
    assert all(sum(blend.shares) == pytest.approx(1.0) for blend in found.blends)


def test_the_best_of_some_units_may_be_another() -> None:
    true = truth(100)
    half = np.arange(100) < 50
    first, second = guesses(true, 0.9, 0), guesses(true, 0.9, 1)
    none = guesses(true, 0.0, 2)
    values = [np.where(half[:, None], first, none), np.where(half[:, None], none, second)]

    found = menu(values, true, TASK, "ndcg")

    assert found.best(np.arange(50)).members == (0,)
    assert found.best(np.arange(50, 100)).members == (1,)


@pytest.mark.parametrize(
    "codes", [[3, 3], [0.5, 1], [N_ITEMS, 1], [-2, 1]], ids=["twice", "half", "beyond", "below"]
)
def test_lists_that_are_none_are_refused(codes: list[float]) -> None:
    values = pack(np.full((1, DEPTH), -1), np.zeros((1, DEPTH)))
    values[0, :2] = codes

    with pytest.raises(LearnerFailed, match="cannot be used"):
        _check(values, 1, "lists", 2 * DEPTH, N_ITEMS)


def lists_study(
    folder: Path, skill: dict[str, float], *, budget_s: float = 1_000.0, fit_s: float = 1.0
) -> tuple[Study, Prepared]:
    """The study of a made record, where learners know what comes with the chance ``skill``."""
    table, problem = posed(meetings(1_500))
    policy = TASK.split(table, problem)
    assert policy is not None
    order = table.frame.with_row_index().sort("timestamp", "index")["index"].to_numpy()
    ordered = table.take(order)
    held = cuts(ordered, policy, None, seed=0)
    true = TASK.turned_out(ordered, problem, held)
    rng = np.random.default_rng(0)
    noise = rng.random((table.n_rows, len(problem.labels)))

    def fit(job: Job) -> Fit:
        chance = skill.get(job.arguments["learner"], 0.0)
        knows = np.random.default_rng(1).random(true.values.shape) < chance
        scores = noise.copy()
        rows, columns = np.nonzero(knows & np.isfinite(true.values))
        scores[true.ids[rows], true.values[rows, columns].astype(int)] += 2.0
        found = np.argsort(-scores, axis=1)[:, :DEPTH]
        return Fit(pack(found, np.take_along_axis(scores, found, axis=1)), fit_s=fit_s)

    clock = Clock()
    prepared = Prepared(Whoever(fit), clock)
    nothing = Interval(0.0, 0.0, 0.0)
    assessment = Assessment(
        problem, table.n_rows, (), policy, Profile(table.n_rows, ()),
        floor=nothing, smallest_gain=0.0,
    )  # fmt: skip
    setting = Setting(
        executor=prepared,
        threads=1,
        workspace=folder / "workspace",
        fits=folder / "fits",
        recall=lambda key: None,
        keep=lambda key, record, fitted: fitted,
        tell=lambda line, detail: None,
    )
    found = study(
        table, problem, assessment,
        task=TASK, deadline=Deadline(0.0, budget_s, clock), setting=setting, seed=0,
    )  # fmt: skip
    return found, prepared


def test_what_is_clearly_better_than_the_floor_is_proposed(tmp_path: Path) -> None:
    found, _ = lists_study(tmp_path, {"popular": 0.3, "ease": 0.9})

    candidate = found.candidate
    assert {member.hypothesis.learner for member in candidate.members} == {"ease"}
    assert candidate.gain_on_floor.low > 0
    assert candidate.gain_on_simple.low > 0
    assert candidate.ranges is None
    assert candidate.sample == ""


def test_when_nothing_beats_the_floor_the_floor_is_proposed_and_it_is_said(
    tmp_path: Path,
) -> None:
    found, _ = lists_study(tmp_path, {"popular": 0.7, "ease": 0.5, "neighbours": 0.4})

    candidate = found.candidate
    assert [member.hypothesis.stage for member in candidate.members] == ["floor"]
    assert any("not chosen" in note and "the floor" in note for note in found.not_tried)
    assert worth_it(candidate, floor_serves=True)[0].passed
    assert "it is the floor itself" in worth_it(candidate, floor_serves=True)[0].note
    assert worth_it(candidate)[0].passed is False


def test_the_score_is_that_of_the_lists_and_other_measures_stand_beside_it(tmp_path: Path) -> None:
    found, _ = lists_study(tmp_path, {"popular": 0.3, "ease": 0.9})

    candidate = found.candidate
    assert candidate.score.low < candidate.selection_score < candidate.score.high
    assert candidate.measures["ndcg@10"] == pytest.approx(candidate.selection_score)
    assert candidate.loss.mid == pytest.approx(1 - candidate.selection_score)
    assert {"recall@20", "hit@10", "debiased ndcg@10", "coverage@10"} <= set(candidate.measures)
    assert "lists" in candidate.speaks_of
    assert "rows" not in candidate.speaks_of


def test_segments_are_told_in_words_of_users(tmp_path: Path) -> None:
    found, _ = lists_study(tmp_path, {"popular": 0.3, "ease": 0.9})

    assert all("users" in segment.name for segment in found.candidate.segments)


def test_learners_see_items_and_histories_but_nothing_of_the_ask(tmp_path: Path) -> None:
    lists_study(tmp_path, {})

    material = pick_up(tmp_path / "workspace")

    assert material.features.frame.columns == ["user", "timestamp"]
    assert material.n_items == 80
    assert all(set(cut.asked).isdisjoint(cut.history) for cut in material.cuts)
    # the newest cut first: should time end, it says most about tomorrow
    assert [len(cut.history) for cut in material.cuts] == sorted(
        (len(cut.history) for cut in material.cuts), reverse=True
    )


def test_without_time_for_a_refit_the_newest_cut_stands_in_and_no_older_one(
    tmp_path: Path,
) -> None:
    found, _ = lists_study(tmp_path, {"popular": 0.3, "ease": 0.9}, budget_s=100.0, fit_s=8.0)

    (member,) = found.candidate.members
    assert not member.refitted
    assert len(member.folders) == 1
    assert any("the model of the newest cut stands in" in note for note in found.not_tried)
