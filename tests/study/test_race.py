"""The race: who runs when, who leaves, and what is kept when something goes wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from everfit.records import Array, Hypothesis
from everfit.study.race import LAG, LEAST_S, WAVE, Race
from tests.study.build import CLASSES, Fit, folds_of, named, raced, run_all, two_columns, written

N = 200
RNG = np.random.default_rng(0)
TRUE = RNG.normal(size=N)
OWN, OTHER, EXTRA = (RNG.normal(size=N) for _ in range(3))
GOOD = TRUE + 0.5 * OWN
WORSE = GOOD + 2.0 * EXTRA  # the good one's errors, and more of its own: no use beside it
APART = TRUE + 1.2 * OTHER  # worse, but it errs elsewhere


def statuses(race: Race) -> dict[str, str]:
    return {entry.hypothesis.name: entry.status for entry in race.entries}


# the order


def test_the_first_fold_of_all_comes_before_the_second_of_any(tmp_path: Path) -> None:
    race, executor = raced(tmp_path, TRUE, dict.fromkeys("abc", Fit(GOOD)))

    race.enter(named("a", "b", "c"))
    run_all(race)

    assert executor.order() == [(name, fold) for fold in range(5) for name in "abc"]


def test_a_second_wave_lags_two_folds_behind_the_first(tmp_path: Path) -> None:
    names = [f"h{i}" for i in range(WAVE + 2)]
    race, executor = raced(tmp_path, TRUE, dict.fromkeys(names, Fit(GOOD)))

    race.enter(named(*names))
    run_all(race)

    order, first, late = executor.order(), names[:WAVE], names[WAVE:]
    for fold in range(3):
        begun = order.index((late[0], fold))
        assert all(order.index((name, fold + int(LAG) - 1)) < begun for name in first)
        assert all(order.index((name, fold + int(LAG) + 1)) > begun for name in first if fold < 2)


def test_all_slots_are_filled_and_no_entry_runs_two_folds_at_once(tmp_path: Path) -> None:
    race, executor = raced(tmp_path, TRUE, dict.fromkeys("ab", Fit(GOOD)), slots=4)
    race.enter(named("a", "b"))

    race.run(lambda: 100.0 if len(executor.submitted) < 2 else 0.0)

    assert executor.order() == [("a", 0), ("b", 0)]


def test_later_folds_get_what_the_first_one_settled(tmp_path: Path) -> None:
    found = Fit(GOOD, facts={"rounds": 70, "settings": {"lr": 0.1}})
    race, executor = raced(tmp_path, TRUE, {"a": found}, n_folds=3)

    race.enter([Hypothesis("a", "a", {"leaves": 4})])
    run_all(race)

    given = [job.arguments for job in executor.submitted]
    assert [g["rounds"] for g in given] == [None, 70, 70]
    assert [g["settings"] for g in given] == [{"leaves": 4}, *[{"leaves": 4, "lr": 0.1}] * 2]


# the time


def test_no_job_is_started_that_cannot_end_in_time(tmp_path: Path) -> None:
    fits = {"slow": Fit(GOOD, fit_s=10.0), "quick": Fit(GOOD, fit_s=0.5)}
    race, executor = raced(tmp_path, TRUE, fits, budget_s=44.0)

    race.enter(named("slow", "quick"))
    run_all(race)

    folds = {name: [f for n, f in executor.order() if n == name] for name in fits}
    assert folds["quick"] == [0, 1, 2, 3, 4]
    assert folds["slow"] == [0, 1, 2, 3]  # a fifth would need 10 s of the 1.5 s that are left
    ends = [at + job.timeout_s for at, job in zip(executor.at, executor.submitted, strict=True)]
    assert max(ends) <= 44.0
    assert statuses(race) == {"slow": "running", "quick": "done"}


def test_a_first_fold_may_use_a_quarter_of_what_is_left(tmp_path: Path) -> None:
    race, executor = raced(tmp_path, TRUE, dict.fromkeys("ab", Fit(GOOD)), budget_s=100.0)

    race.enter([*named("a", stage="simple"), *named("b")])
    run_all(race)

    allowed = [job.timeout_s for job in executor.submitted[:2]]
    assert allowed == [100.0, pytest.approx(99.0 / 4)]


def test_the_simple_model_is_tried_when_there_is_time_for_nothing_else(tmp_path: Path) -> None:
    fits = dict.fromkeys(("line", "trees"), Fit(GOOD, fit_s=0.1))
    race, executor = raced(tmp_path, TRUE, fits, budget_s=LEAST_S / 2)

    race.enter([*named("trees"), *named("line", stage="simple")])
    run_all(race)

    assert executor.order()[0] == ("line", 0)
    assert "trees" not in {name for name, _ in executor.order()}


def test_a_fit_that_was_cancelled_is_run_again_when_there_is_time_again(tmp_path: Path) -> None:
    race, executor = raced(tmp_path, TRUE, dict.fromkeys("ab", Fit(GOOD)), slots=2)
    race.enter(named("a", "b"))

    race.run(lambda: 10.0 if executor.clock() == 0.0 else 0.0)  # one fit ends, the other waits
    race.run(lambda: 1_000.0 - executor.clock())

    assert len(executor.cancelled) == 1
    assert statuses(race) == {"a": "done", "b": "done"}


# what goes wrong


def test_a_floor_may_use_all_the_time_in_every_fold(tmp_path: Path) -> None:
    race, executor = raced(tmp_path, TRUE, {"f": Fit(WORSE)}, slots=1)
    race.enter(named("f", stage="floor"))

    race.run(lambda: 100.0 - len(executor.submitted))

    assert [job.timeout_s for job in executor.submitted] == [100.0, 99.0, 98.0, 97.0, 96.0]


@pytest.mark.parametrize(
    ("how", "status"), [("error", "failed"), ("lost", "failed"), ("timeout", "timed_out")]
)
def test_a_job_that_ends_badly_is_a_failed_entry_and_not_a_failed_race(
    tmp_path: Path, how: str, status: str
) -> None:
    broken = Fit(GOOD, ends={1: how}, error="out of ideas\n  File somewhere")
    race, _ = raced(tmp_path, TRUE, {"good": Fit(GOOD), "broken": broken})

    race.enter(named("broken", "good"))
    run_all(race)

    entry = race.entries[0]
    assert statuses(race) == {"broken": status, "good": "done"}
    assert entry.reason == "fold 2: out of ideas"
    assert entry.n_folds == 1


def test_a_job_that_says_nothing_has_a_reason_all_the_same(tmp_path: Path) -> None:
    race, _ = raced(tmp_path, TRUE, {"broken": Fit(GOOD, ends={0: "lost"})})

    race.enter(named("broken"))
    run_all(race)

    assert race.entries[0].reason == "fold 1: lost"


def test_a_race_in_which_all_fail_ends_with_nobody_standing(tmp_path: Path) -> None:
    race, executor = raced(tmp_path, TRUE, dict.fromkeys("ab", Fit(GOOD, ends={0: "error"})))

    race.enter(named("a", "b"))
    run_all(race)

    assert race.standing() == ([], 0)
    assert len(executor.submitted) == 2


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_answers_that_are_no_numbers_fail_the_entry(tmp_path: Path, bad: float) -> None:
    holed = GOOD.copy()
    holed[6] = bad  # asked about in the second fold
    race, _ = raced(tmp_path, TRUE, {"holed": Fit(holed), "good": Fit(GOOD)})

    race.enter(named("holed", "good"))
    run_all(race)

    entry = race.entries[0]
    assert statuses(race) == {"holed": "failed", "good": "done"}
    assert entry.reason == "fold 2: answers that are no numbers"
    assert sorted(entry.folds) == [0]
    assert race.standing()[0][0].hypothesis.name == "good"


def test_ctrl_c_keeps_what_is_finished(tmp_path: Path) -> None:
    race, executor = raced(
        tmp_path, TRUE, dict.fromkeys("ab", Fit(GOOD)), slots=2, interrupted=6
    )  # fmt: skip
    race.enter(named("a", "b"))

    with pytest.raises(KeyboardInterrupt):
        run_all(race)
    race.stop()

    judged, n_folds = race.standing()
    assert sum(entry.n_folds for entry in race.entries) >= 5
    assert n_folds >= 2
    assert len(judged) == 2
    assert executor.cancelled
    assert race.jobs == {}
    assert not any(entry.waiting for entry in race.entries)


# who leaves


def test_what_is_clearly_worse_and_of_no_use_to_a_blend_leaves(tmp_path: Path) -> None:
    race, executor = raced(tmp_path, TRUE, {"good": Fit(GOOD), "worse": Fit(WORSE)})

    race.enter(named("good", "worse"))
    run_all(race)

    entry = race.entries[1]
    assert statuses(race) == {"good": "done", "worse": "dropped"}
    assert "worse than good by" in entry.reason
    assert "on 40 common rows" in entry.reason
    assert executor.order().count(("worse", 1)) == 0


def test_what_is_clearly_worse_but_errs_elsewhere_stays_for_the_blend(tmp_path: Path) -> None:
    race, _ = raced(tmp_path, TRUE, {"good": Fit(GOOD), "apart": Fit(APART)})

    race.enter(named("good", "apart"))
    run_all(race)

    good, apart = race.entries
    assert apart.losses(5).mean() > 3 * good.losses(5).mean()
    assert statuses(race) == {"good": "done", "apart": "done"}


def test_what_is_only_unlucky_stays(tmp_path: Path) -> None:
    # no use to a blend, and a little worse, but well within the noise
    race, _ = raced(
        tmp_path, TRUE, {"good": Fit(GOOD), "near": Fit(GOOD + 0.05 * RNG.normal(size=N))}
    )

    race.enter(named("good", "near"))
    run_all(race)

    assert statuses(race) == {"good": "done", "near": "done"}


@pytest.mark.parametrize("stage", ["floor", "simple", "user"])
def test_floors_simple_models_and_a_persons_own_never_leave(tmp_path: Path, stage: str) -> None:
    race, _ = raced(tmp_path, TRUE, {"good": Fit(GOOD), "worse": Fit(WORSE)})

    race.enter([*named("good"), *named("worse", stage=stage)])
    run_all(race)

    assert statuses(race) == {"good": "done", "worse": "done"}


def test_losses_of_rows_that_hang_together_do_not_dismiss(tmp_path: Path) -> None:
    # worse by far, but all of that on the rows of one of 20 groups
    group = np.arange(N) // 10
    once = GOOD + 3.0 * (group == 7) * np.abs(EXTRA)
    fits = {"good": Fit(GOOD), "once": Fit(once)}
    alone, _ = raced(tmp_path / "rows", TRUE, fits)
    together, _ = raced(tmp_path / "groups", TRUE, fits, groups=group)

    for race in (alone, together):
        race.enter(named("good", "once"))
        run_all(race)

    assert statuses(together)["once"] == "done"


def test_the_standing_counts_rows_by_their_weight(tmp_path: Path) -> None:
    heavy = np.arange(N) % 20 == 0
    on_heavy = np.where(heavy, TRUE, TRUE + 1.0)
    on_light = np.where(heavy, TRUE + 2.0, TRUE)
    fits = {"heavy": Fit(on_heavy), "light": Fit(on_light)}
    plain, _ = raced(tmp_path / "plain", TRUE, fits)
    weighted, _ = raced(tmp_path / "weighted", TRUE, fits, weight=np.where(heavy, 500.0, 1.0))

    for race in (plain, weighted):
        race.enter(named("heavy", "light", stage="user"))
        run_all(race)

    assert plain.standing()[0][0].hypothesis.name == "light"
    assert weighted.standing()[0][0].hypothesis.name == "heavy"


def test_a_fold_in_which_no_row_counts_does_not_end_the_race(tmp_path: Path) -> None:
    # as when the newest rows were given no weight
    weight = np.where(np.arange(N) % 5 == 0, 0.0, 1.0)
    fits = {"good": Fit(GOOD), "apart": Fit(APART)}
    race, _ = raced(tmp_path, TRUE, fits, weight=weight)

    race.enter(named("apart", "good", stage="user"))
    run_all(race)

    assert [entry.hypothesis.name for entry in race.standing()[0]] == ["good", "apart"]


# what is remembered


def kept(folder: Path, values: Array) -> dict[int, Path]:
    """Finished folds as a store would give them back."""
    cuts = folds_of(N)
    for i, cut in enumerate(cuts):
        written(folder / str(i), Fit(values, fit_s=99.0), cut.asked)
    return {i: folder / str(i) for i in range(len(cuts))}


def test_remembered_folds_cost_no_job_and_no_time(tmp_path: Path) -> None:
    folders = iter(kept(tmp_path / "kept", GOOD).values())
    race, executor = raced(tmp_path, TRUE, {}, recall=lambda key: next(folders, None))

    (entry,) = race.enter(named("a"))
    race.run(lambda: 0.0)

    assert executor.submitted == []
    assert executor.clock() == 0.0
    assert (entry.status, entry.n_folds) == ("done", 5)
    assert all(fold.reused for fold in entry.folds.values())
    np.testing.assert_array_equal(entry.answers(5).values[:, 0], GOOD)


def test_a_run_goes_on_where_the_remembered_folds_end(tmp_path: Path) -> None:
    folders = iter(list(kept(tmp_path / "kept", GOOD).values())[:2])
    race, executor = raced(tmp_path, TRUE, {"a": Fit(GOOD)}, recall=lambda key: next(folders, None))

    (entry,) = race.enter(named("a"))
    run_all(race)

    assert executor.order() == [("a", 2), ("a", 3), ("a", 4)]
    assert [entry.folds[f].reused for f in range(5)] == [True, True, False, False, False]


def test_what_is_finished_is_kept_under_a_key_that_finds_it_again(tmp_path: Path) -> None:
    store: dict[str, Path] = {}
    first, executor = raced(tmp_path, TRUE, {"a": Fit(GOOD)}, recall=store.get)
    first.enter(named("a"))
    run_all(first)
    store |= {job.key: Path(job.arguments["folder"]) for job in executor.submitted}

    second, again = raced(tmp_path, TRUE, {"a": Fit(GOOD)}, recall=store.get)
    other, fresh = raced(tmp_path / "other", TRUE, {"a": Fit(GOOD)}, recall=store.get, seed=1)
    for race in (second, other):
        race.enter(named("a"))
        run_all(race)

    assert again.submitted == []
    assert len(fresh.submitted) == 5


def test_two_equal_hypotheses_are_fitted_once_and_hold_nobody_up(tmp_path: Path) -> None:
    race, executor = raced(tmp_path, TRUE, dict.fromkeys("ab", Fit(GOOD)), budget_s=500.0)

    race.enter([Hypothesis("one", "a"), Hypothesis("two", "a"), *named("b")])
    run_all(race)

    assert sorted(set(executor.order())) == sorted(executor.order())
    assert statuses(race)["one"] == statuses(race)["b"] == "done"
    assert statuses(race)["two"] in ("done", "skipped")
    assert executor.clock() < 20.0  # nobody waits for a job that never runs


def test_classes_are_raced_like_numbers(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    p = rng.random(N)
    code = (rng.random(N) < p).astype(float)
    fits = {"true": Fit(two_columns(p)), "blunt": Fit(two_columns(np.full(N, 0.5)))}
    race, _ = raced(tmp_path, code, fits, problem=CLASSES)

    race.enter([*named("blunt", stage="floor"), *named("true")])
    run_all(race)

    judged, n_folds = race.standing()
    assert [entry.hypothesis.name for entry in judged] == ["true", "blunt"]
    assert n_folds == 5
    np.testing.assert_array_equal(race.judged_truth(5).values, code)
