"""From a choice to a candidate: refits, records of trials, and how honest the score is."""

from __future__ import annotations

import json
from dataclasses import replace
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from everfit.data.table import Table
from everfit.evidence.interval import Interval
from everfit.learners import load
from everfit.records import Array, Candidate, Hypothesis
from everfit.study.blend import Blend
from everfit.study.choose import judge
from everfit.study.finish import candidate_name, ranges, refit, refit_seconds, speaks_of, trials
from everfit.study.race import Race
from everfit.tasks import TASKS
from tests.study.build import (
    CLASSES,
    Clock,
    Fit,
    Prepared,
    named,
    raced,
    run_all,
    studied,
    two_columns,
)
from tests.tables import make_table

N = 200
RNG = np.random.default_rng(0)
TRUE = RNG.normal(size=N)
ONE, TWO = RNG.normal(size=N), RNG.normal(size=N)


def finished(folder: Path, fits: dict[str, Any], **more: Any) -> tuple[Race, Prepared]:
    race, executor = raced(folder, TRUE, fits, **more)
    race.enter(named(*fits, stage="user"))
    run_all(race)
    return race, executor


BOTH = Blend((0, 1), (0.7, 0.3), 0.1)
PAIR = {"a": Fit(TRUE + 0.5 * ONE, fit_s=4.0), "b": Fit(TRUE + 0.6 * TWO, fit_s=2.0)}


# refits


def test_with_time_each_member_is_fitted_on_all_rows(tmp_path: Path) -> None:
    race, executor = finished(tmp_path, PAIR)

    members, notes = refit(race, judge(race), BOTH, seconds=60.0)

    assert executor.order()[-2:] == [("a", -1), ("b", -1)]
    assert [(m.hypothesis.name, m.weight, m.refitted) for m in members] == [
        ("a", 0.7, True), ("b", 0.3, True)
    ]  # fmt: skip
    assert all(len(m.folders) == 1 and Path(m.folders[0], "fit.json").exists() for m in members)
    assert notes == ()


def test_a_refit_uses_what_the_folds_found(tmp_path: Path) -> None:
    rounds = iter([100, 80, 90, 110, 70, -1])

    def found(job: Any) -> Fit:
        return Fit(TRUE + ONE, facts={"rounds": next(rounds), "settings": {"lr": 0.1}})

    race, executor = finished(tmp_path, {"a": found})

    (member,), _ = refit(race, judge(race), Blend((0,), (1.0,), 0.1), seconds=60.0)

    given = executor.submitted[-1].arguments
    assert given["rounds"] == 90
    assert given["settings"] == member.hypothesis.settings == {"lr": 0.1}


def test_without_time_the_models_of_the_folds_are_averaged_and_a_note_says_so(
    tmp_path: Path,
) -> None:
    race, executor = finished(tmp_path, PAIR)
    before = len(executor.submitted)

    members, notes = refit(race, judge(race), BOTH, seconds=5.0)

    assert len(executor.submitted) == before
    assert [(len(m.folders), m.refitted) for m in members] == [(5, False), (5, False)]
    assert "it would need about 7.7 s, 5.0 s are left" in notes[0]


@pytest.mark.parametrize("how", ["error", "lost", "timeout"])
def test_a_refit_that_fails_costs_only_its_own_member_the_refit(how: str, tmp_path: Path) -> None:
    fits = {**PAIR, "b": replace(PAIR["b"], ends={-1: how})}
    race, _ = finished(tmp_path, fits)

    members, notes = refit(race, judge(race), BOTH, seconds=60.0)

    assert [(m.hypothesis.name, len(m.folders), m.refitted) for m in members] == [
        ("a", 1, True), ("b", 5, False)
    ]  # fmt: skip
    assert len(notes) == 1
    assert notes[0].startswith("b: its refit did not end")


def test_a_refit_that_takes_longer_than_thought_ends_in_time(tmp_path: Path) -> None:
    def slow_at_last(job: Any) -> Fit:
        return Fit(TRUE + ONE, fit_s=1_000.0 if job.arguments["cut"] < 0 else 1.0)

    race, executor = finished(tmp_path, {"a": slow_at_last}, budget_s=500.0)
    before = executor.clock()

    (member,), notes = refit(race, judge(race), Blend((0,), (1.0,), 0.1), seconds=10.0)

    assert executor.clock() - before <= 11.0
    assert not member.refitted
    assert len(notes) == 1


def test_a_remembered_refit_costs_no_job(tmp_path: Path) -> None:
    first, executor = finished(tmp_path, PAIR)
    members, _ = refit(first, judge(first), BOTH, seconds=60.0)
    store = {job.key: Path(job.arguments["folder"]) for job in executor.submitted}

    again, fresh = finished(tmp_path, PAIR, recall=store.get)
    recalled, _ = refit(again, judge(again), BOTH, seconds=60.0)

    assert fresh.submitted == []
    assert [m.folders for m in recalled] == [m.folders for m in members]


def test_the_time_of_refits_is_that_of_the_fullest_slot(tmp_path: Path) -> None:
    fits = {name: Fit(TRUE, fit_s=s) for name, s in zip("abc", (4.0, 3.0, 2.0), strict=True)}
    one, _ = finished(tmp_path / "1", fits)
    two, _ = finished(tmp_path / "2", fits, slots=2)

    alone, side_by_side = (refit_seconds(race, race.entries) for race in (one, two))

    assert alone == pytest.approx(1.25 * 9.0 + 0.2)
    assert side_by_side == pytest.approx(1.25 * 5.0 + 0.2)
    assert refit_seconds(one, []) == 0.0


# the record


def test_trials_stand_best_first_and_those_without_a_score_last(tmp_path: Path) -> None:
    fits = {
        "bad": Fit(TRUE + 2 * ONE),
        "broken": Fit(TRUE, ends={0: "error"}, error="out of ideas"),
        "good": Fit(TRUE + 0.5 * TWO),
    }
    race, _ = finished(tmp_path, fits)
    race.enter(named("never"))

    found = trials(race, judge(race))

    assert [t.hypothesis.name for t in found] == ["good", "bad", "broken", "never"]
    assert [t.status for t in found] == ["done", "done", "failed", "skipped"]
    assert [t.score is None for t in found] == [False, False, True, True]
    assert found[2].reason == "fold 1: out of ideas"
    assert "ended before it began" in found[3].reason


def test_a_trial_that_the_clock_cut_off_says_how_far_it_came(tmp_path: Path) -> None:
    fits = {"quick": Fit(TRUE + ONE), "slow": Fit(TRUE + TWO, fit_s=10.0)}
    race, _ = finished(tmp_path, fits, budget_s=42.0)

    found = {t.hypothesis.name: t for t in trials(race, judge(race))}

    assert found["slow"].status == "done"
    assert found["slow"].reason.startswith(f"{found['slow'].folds} of 5 folds")
    assert found["quick"].reason == ""


def test_the_range_of_a_trial_holds_its_own_score(tmp_path: Path) -> None:
    race, _ = finished(tmp_path, {"a": Fit(TRUE + 0.5 * ONE), "b": Fit(TRUE + TWO)})

    found = trials(race, judge(race))

    for trial, error in zip(found, (0.5 * ONE, TWO), strict=True):
        assert trial.score is not None
        assert trial.loss is not None
        assert trial.score.mid == pytest.approx(sqrt(float((error**2).mean())))
        assert trial.loss.mid == pytest.approx(float((error**2).mean()))
        # the error of a root is that of the square by the slope of the root, here within luck
        half = (trial.loss.high - trial.loss.mid) / (2 * trial.score.mid)
        assert trial.score.high - trial.score.mid == pytest.approx(half, rel=0.35)


def test_losses_of_folds_are_weighted_as_the_loss_of_the_trial_is(tmp_path: Path) -> None:
    weight = np.where(np.arange(N) % 2, 9.0, 1.0)
    race, _ = finished(tmp_path, {"a": Fit(TRUE + np.where(weight > 1, 2.0, 0.0))}, weight=weight)

    (trial,) = trials(race, judge(race))

    assert trial.loss is not None
    assert trial.loss.mid == pytest.approx(3.6)
    assert trial.fold_losses == pytest.approx([3.6] * 5)


def test_the_score_speaks_of_what_is_packed(tmp_path: Path) -> None:
    race, _ = finished(tmp_path, PAIR)
    judged = judge(race)
    whole, _ = refit(race, judged, BOTH, seconds=60.0)
    folds, _ = refit(race, judged, BOTH, seconds=0.0)

    first, second = speaks_of(race, judged, whole), speaks_of(race, judged, folds)

    assert "200 rows that the fits had not seen (5 folds, each fit on 80% of the rows)" in first
    assert first.endswith("fitted on all rows")
    assert second.endswith("averages the models of the folds")


def test_a_candidate_of_one_model_has_its_name() -> None:
    one, two = Hypothesis("line", "linear"), Hypothesis("trees", "boosted")

    assert candidate_name([one]) == "line"
    assert "blend of" in candidate_name([one, two])


# ranges of answers


def test_the_range_of_a_number_is_what_the_final_answers_were_off_by(tmp_path: Path) -> None:
    race, _ = finished(tmp_path, {"a": Fit(TRUE + ONE)})
    judged = judge(race)

    found = ranges(judged, judged.truth.values[:, None] - 3.0, "values")

    # 200 rows make one bin; the answers here are all 3 too low
    assert found is not None
    assert (found.edges, found.n, found.least) == ((), N, None)
    assert (found.low, found.high) == ((pytest.approx(3.0),), (pytest.approx(3.0),))


def test_the_range_of_a_target_that_is_never_negative_ends_at_0(tmp_path: Path) -> None:
    race, _ = raced(tmp_path, np.abs(TRUE), {"a": Fit(TRUE)})
    race.enter(named("a", stage="user"))
    run_all(race)
    judged = judge(race)

    found = ranges(judged, np.zeros((N, 1)), "values")

    assert found is not None
    assert (found.least, found.most) == (0.0, None)


def test_rows_of_one_group_say_less_about_a_probability(tmp_path: Path) -> None:
    classes = (ONE > 0).astype(float)
    groups = np.repeat(np.arange(20), 10)
    classes[:] = classes[groups]
    found = {}
    for name, given in (("alone", None), ("grouped", groups)):
        race, _ = raced(
            tmp_path / name, classes, {"a": Fit(two_columns(np.full(N, 0.7)))},
            problem=CLASSES, groups=given,
        )  # fmt: skip
        race.enter(named("a", stage="user"))
        run_all(race)
        judged = judge(race)
        found[name] = ranges(judged, judged.values[0], "probabilities")

    alone, grouped = found["alone"], found["grouped"]
    assert alone is not None
    assert grouped is not None
    assert (alone.least, alone.most, alone.n) == (0.0, 1.0, N)
    share = classes.mean()
    below_alone, below_grouped = (share - (r.low[0] + 0.7) for r in (alone, grouped))
    assert below_alone > 0
    assert below_grouped > 2.0 * below_alone


def test_too_few_rows_have_no_range_of_a_number(tmp_path: Path) -> None:
    race, _ = raced(tmp_path, TRUE[:30], {"a": Fit(TRUE[:30])})
    race.enter(named("a", stage="user"))
    run_all(race)

    assert ranges(judge(race), np.zeros((30, 1)), "values") is None


# how honest the score is

FRESH = 50_000
CHEAP = (
    Hypothesis("line", "linear", {}, "the simple one", "simple"),
    Hypothesis("shrunk line", "linear", {"strength": 0.003}, "fewer weights"),
    Hypothesis("free line", "linear", {"strength": 100.0}, "no penalty"),
    Hypothesis("stumps", "boosted", {"n_rounds": 40, "leaves": 2, "lr": 0.1}, "single splits"),
    Hypothesis("small trees", "boosted", {"n_rounds": 40, "leaves": 6, "lr": 0.1}, "some depth"),
    Hypothesis("large trees", "boosted", {"n_rounds": 40, "leaves": 15, "lr": 0.1}, "more depth"),
)


def world(n: int, rng: np.random.Generator, twist: float) -> tuple[Table, Array]:
    """Rows whose true probabilities (n,) are known; ``twist`` is what no line can see."""
    x = rng.normal(size=(n, 6))
    logit = x @ np.array([0.9, -0.7, 0.5, 0.3, 0.0, 0.0]) + twist * x[:, 0] * x[:, 1]
    p = 1 / (1 + np.exp(-logit))
    said = np.where(rng.random(n) < p, "yes", "no")
    return make_table({**{f"x{i}": x[:, i] for i in range(6)}, "y": said}, target="y"), p


def true_loss(candidate: Candidate, table: Table, p: Array) -> float:
    """The expected log loss of what is released, over rows whose probabilities are known."""
    features = table.drop(["y"])
    values = np.zeros((table.n_rows, 2))
    for member in candidate.members:
        for folder in member.folders:
            part = json.loads((Path(folder) / "fit.json").read_text())["part"]
            answers = load(Path(folder), part).answer(features)
            values += member.weight / len(member.folders) * answers
    q = np.clip(TASKS["classify"].adjust(values, candidate.calibration), 1e-15, 1.0)
    return float(-(p * np.log(q[:, 1]) + (1 - p) * np.log(q[:, 0])).mean())


def one_world(
    folder: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> tuple[Interval, float, str]:
    """The reported range, the true score, and the name of what was released in one world."""

    class Nothing:
        def __init__(self, race: Race) -> None: ...

        def run(self, left: Any) -> tuple[str, int]:
            return "no search here", 0

    monkeypatch.setattr("everfit.study.field.entering.portfolio", lambda *_, **__: CHEAP)
    monkeypatch.setattr("everfit.study.conduct.Search", Nothing)
    rng = np.random.default_rng([11, seed])
    twist = (0.0, 0.5, 1.5)[seed % 3]
    table, _ = world(400, rng, twist)

    # a clock that stands still: what is chosen must not depend on how busy this machine is
    found = studied(table, folder / str(seed), clock=Clock(), seed=seed)

    fresh, p = world(FRESH, rng, twist)
    return found.candidate.score, true_loss(found.candidate, fresh, p), found.candidate.name


def test_the_reported_range_holds_the_true_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worlds = [one_world(tmp_path, monkeypatch, seed) for seed in range(8)]

    held = [score.contains(truth) for score, truth, _ in worlds]
    # at a rate of 95%, 5 or fewer of 8 have probability 0.006
    assert sum(held) >= 6
    # lines and blends are both among what was released
    assert len({name for _, _, name in worlds}) > 1


@pytest.mark.slow
def test_over_many_worlds_the_range_holds_at_its_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worlds = [one_world(tmp_path, monkeypatch, seed) for seed in range(100, 160)]

    held = [score.contains(truth) for score, truth, _ in worlds]
    off = [(score.mid - truth) / (score.high - score.low) * 4 for score, truth, _ in worlds]
    # binomial(60, 0.95) is below 52 with probability 0.006
    assert sum(held) >= 52
    # in standard errors of one score; 60 of them have a mean within 0.4 of theirs
    assert abs(np.mean(off)) < 0.4
