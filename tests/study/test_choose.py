"""Which answers win, and an honest range for what was chosen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isinf, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from everfit.deadline import Deadline
from everfit.evidence.paired import paired_gain
from everfit.records import Array, Hypothesis, Losses
from everfit.study.choose import (
    Chosen,
    Judged,
    choose_blend,
    error_of,
    gain_over,
    judge,
    propose,
    score_honestly,
    thinned,
)
from everfit.study.race import Race
from tests.study.build import CLASSES, NUMBERS, Fit, raced, run_all, two_columns

N = 400


def judged_of(
    folder: Path, truth: Array, values: dict[str, Array], **more: Any
) -> tuple[Race, Judged]:
    """A race through all folds; hypotheses called ``floor`` and ``simple`` are of that stage."""
    race, _ = raced(folder, truth, {name: Fit(value) for name, value in values.items()}, **more)
    stages: dict[str, Any] = {"floor": "floor", "simple": "simple"}
    race.enter([Hypothesis(n, n, {}, "", stages.get(n, "user")) for n in values])
    run_all(race)
    return race, judge(race)


def names_of(judged: Judged, chosen: Chosen) -> set[str]:
    return {judged.entries[m].hypothesis.name for m in chosen.blend.members}


@dataclass(frozen=True)
class Errors:
    """Models whose errors are ``shared`` times a common one plus ``own`` times one of their own."""

    shared: Array
    own: Array

    def draw(self, n: int, rng: np.random.Generator) -> Array:
        """Errors (models, n)."""
        common = rng.normal(size=n)
        return self.shared[:, None] * common + self.own[:, None] * rng.normal(
            size=(len(self.own), n)
        )

    def rmse(self, members: Array, shares: Array) -> float:
        """The true error of a blend on rows that nobody has seen."""
        shared = float(shares @ self.shared[members])
        return sqrt(shared**2 + float((shares**2) @ (self.own[members] ** 2)))


def true_rmse(judged: Judged, chosen: Chosen, errors: Errors) -> float:
    names = [judged.entries[m].hypothesis.name for m in chosen.blend.members]
    members = np.array([0 if name == "simple" else int(name[1:]) for name in names])
    return errors.rmse(members, np.array(chosen.blend.shares))


def drawn(folder: Path, errors: Errors, seed: int, n: int = N) -> tuple[Race, Judged]:
    """A race of models with these errors; the first one is the simple model."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=n)
    found = truth + errors.draw(n, rng)
    names = ["simple", *(f"m{i}" for i in range(1, len(found)))]
    return judged_of(folder / str(seed), truth, dict(zip(names, found, strict=True)), seed=seed)


# what is judged


def test_entries_are_judged_on_the_folds_that_most_of_them_ran(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=N)
    fits = {name: Fit(truth + rng.normal(size=N)) for name in "abc"}
    fits["slow"] = Fit(truth + 0.9 * rng.normal(size=N), ends={1: "timeout"})
    race, _ = raced(tmp_path, truth, fits)
    race.enter([Hypothesis(n, n, {}, "", "user") for n in fits])
    run_all(race)

    judged = judge(race)

    assert judged.n_folds == 5
    assert {e.hypothesis.name for e in judged.entries} == {"a", "b", "c"}
    np.testing.assert_array_equal(judged.truth.values, truth)


def test_all_values_stand_for_the_same_rows_in_the_order_of_the_truth(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=103)  # folds of unequal size
    values = {name: truth + rng.normal(size=103) for name in "ab"}
    race, _ = raced(tmp_path, truth, {n: Fit(v, ends={3: "error"}) for n, v in values.items()})
    race.enter([Hypothesis(n, n, {}, "", "user") for n in values])
    run_all(race)

    judged = judge(race)

    rows = np.flatnonzero(np.arange(103) % 5 < 3)
    assert judged.n_folds == 3
    np.testing.assert_array_equal(judged.truth.ids, rows)
    np.testing.assert_array_equal(judged.truth.values, truth[rows])
    for entry, found in zip(judged.entries, judged.values, strict=True):
        np.testing.assert_array_equal(found[:, 0], values[entry.hypothesis.name][rows])


def test_ranges_are_widened_by_the_share_of_rows_that_a_fold_holds_back(tmp_path: Path) -> None:
    truth = np.random.default_rng(0).normal(size=N)

    five = judged_of(tmp_path / "5", truth, {"a": truth})[1]
    two = judged_of(tmp_path / "2", truth, {"a": truth}, n_folds=2)[1]

    assert five.widening == pytest.approx(sqrt(1.25))
    assert two.widening == pytest.approx(sqrt(2.0))
    assert (five.test_share, two.test_share) == (pytest.approx(0.2), pytest.approx(0.5))


def test_thinned_rows_stay_together_with_their_truth_weight_and_group(tmp_path: Path) -> None:
    truth, weight, group = np.arange(N) * 1.0, np.arange(N) + 1.0, np.arange(N) // 4
    _, judged = judged_of(tmp_path, truth, {"a": -truth}, weight=weight, groups=group)

    found = thinned(judged, 50, seed=1)

    assert found.truth.weight is not None
    assert found.groups is not None
    assert len(found.truth.values) == 50
    np.testing.assert_array_equal(found.values[0][:, 0], -found.truth.values)
    np.testing.assert_array_equal(found.truth.weight, found.truth.values + 1.0)
    np.testing.assert_array_equal(found.groups, found.truth.values // 4)


# what is proposed

RNG = np.random.default_rng(5)
TRUE = RNG.normal(size=N)
ONE, TWO, THREE = (RNG.normal(size=N) for _ in range(3))


def test_a_blend_that_is_clearly_better_is_proposed(tmp_path: Path) -> None:
    values = {"simple": TRUE + ONE, "a": TRUE + 0.6 * TWO, "b": TRUE + 0.6 * THREE}
    race, judged = judged_of(tmp_path, TRUE, values)

    chosen = propose(race, judged)

    assert {"a", "b"} <= names_of(judged, chosen)
    assert chosen.note == ""
    assert chosen.losses.values.mean() < 0.3


def test_the_simple_model_is_proposed_when_no_blend_is_clearly_better(tmp_path: Path) -> None:
    near = TRUE + 0.98 * ONE + 0.15 * THREE
    race, judged = judged_of(tmp_path, TRUE, {"simple": TRUE + ONE, "near": near})

    chosen = propose(race, judged)

    assert names_of(judged, chosen) == {"simple"}
    assert "near" in chosen.note
    assert "not clearly above 0" in chosen.note
    np.testing.assert_array_equal(chosen.values[:, 0], TRUE + ONE)


def test_a_single_model_that_was_not_chosen_is_not_called_a_blend(tmp_path: Path) -> None:
    near = TRUE + 0.98 * ONE + 0.15 * THREE
    race, judged = judged_of(tmp_path, TRUE, {"simple": TRUE + 1.01 * ONE, "near": near})

    chosen = propose(race, judged)

    assert len(choose_blend(race, judged).members) == 1
    assert chosen.note.startswith("near was not chosen")


def test_a_floor_is_no_part_of_a_blend(tmp_path: Path) -> None:
    # the floor's errors are the opposite of the others'
    values = {"floor": TRUE - ONE, "simple": TRUE + 1.1 * ONE, "a": TRUE + ONE}
    race, judged = judged_of(tmp_path, TRUE, values)

    assert "floor" not in names_of(judged, propose(race, judged))


def test_what_failed_on_a_later_fold_is_not_released(tmp_path: Path) -> None:
    holed = TRUE + 0.1 * TWO
    holed[1] = np.nan  # asked about in the second fold; whoever releases this will answer NaN
    race, judged = judged_of(tmp_path, TRUE, {"simple": TRUE + ONE, "holed": holed})

    assert names_of(judged, propose(race, judged)) == {"simple"}


def test_a_floor_that_stands_alone_is_proposed(tmp_path: Path) -> None:
    race, judged = judged_of(tmp_path, TRUE, {"floor": TRUE + ONE})

    chosen = propose(race, judged)

    assert names_of(judged, chosen) == {"floor"}
    assert chosen.blend.shares == (1.0,)


def test_rows_count_by_their_weight_when_it_is_decided(tmp_path: Path) -> None:
    heavy = np.arange(N) % 10 == 0
    fits = {
        "simple": np.where(heavy, TRUE + 0.2 * ONE, TRUE + ONE),
        "a": np.where(heavy, TRUE + 3.0, TRUE + 0.2 * TWO),
    }
    plain = judged_of(tmp_path / "plain", TRUE, fits)
    weighted = judged_of(tmp_path / "weighted", TRUE, fits, weight=np.where(heavy, 1e4, 1.0))

    unweighted = propose(*plain)
    by_weight = propose(*weighted)

    assert "a" in names_of(plain[1], unweighted)
    assert names_of(weighted[1], by_weight) == {"simple"}


def test_a_gain_that_hangs_on_a_few_groups_is_not_clear(tmp_path: Path) -> None:
    # two of 10 groups gain a lot, the others nothing
    group = np.arange(N) // 40
    gains = np.isin(group, [3, 8])
    fits = {"simple": TRUE + ONE, "a": TRUE + np.where(gains, 0.2, 1.0) * ONE}
    rows = judged_of(tmp_path / "rows", TRUE, fits)
    groups = judged_of(tmp_path / "groups", TRUE, fits, groups=group)

    assert names_of(rows[1], propose(*rows)) == {"a"}
    assert names_of(groups[1], propose(*groups)) == {"simple"}


def test_the_gain_over_a_stage_is_the_paired_one_widened(tmp_path: Path) -> None:
    race, judged = judged_of(tmp_path, TRUE, {"simple": TRUE + ONE, "a": TRUE + 0.5 * TWO})
    mine = Losses("rmse", judged.truth.ids, (0.5 * TWO) ** 2)

    gain = gain_over(race, judged, mine, "simple")

    plain = paired_gain(mine.values, ONE**2)
    assert gain.mid == pytest.approx(plain.mid)
    assert gain.high - gain.mid == pytest.approx(judged.widening * (plain.high - plain.mid))


def test_nothing_is_known_about_a_gain_over_nobody(tmp_path: Path) -> None:
    race, judged = judged_of(tmp_path, TRUE, {"a": TRUE})

    gain = gain_over(race, judged, Losses("rmse", judged.truth.ids, np.ones(N)), "simple")

    assert isinf(gain.low)
    assert isinf(gain.high)
    assert gain.n == 0


def test_the_error_of_a_mean_counts_groups_as_units(tmp_path: Path) -> None:
    group = np.arange(N) // 20
    shared = np.repeat(np.random.default_rng(0).exponential(size=20), 20)
    losses = Losses("rmse", np.arange(N), shared)
    rows = judged_of(tmp_path / "rows", TRUE, {"a": TRUE})[1]
    groups = judged_of(tmp_path / "groups", TRUE, {"a": TRUE}, groups=group)[1]

    assert error_of(losses, rows) == pytest.approx(
        rows.widening * np.std(shared, ddof=1) / sqrt(N)
    )  # fmt: skip
    # 20 values, each known 20 times over
    assert error_of(losses, groups) == pytest.approx(
        groups.widening * np.std(shared[::20], ddof=1) / sqrt(20), rel=0.05
    )


# the honest range


def scored(race: Race, judged: Judged, *, seconds: float = 1e9) -> tuple[Any, float]:
    return score_honestly(race, judged, propose(race, judged), seconds=seconds)


def test_one_model_that_nobody_chose_needs_no_correction(tmp_path: Path) -> None:
    race, judged = judged_of(tmp_path, TRUE, {"simple": TRUE + ONE})

    score, optimism = scored(race, judged)

    assert optimism == 0.0
    assert score.mid == pytest.approx(sqrt(float((ONE**2).mean())))
    assert score.low < score.mid < score.high
    assert score.n == N


def test_the_score_is_weighted_as_the_rows_are(tmp_path: Path) -> None:
    weight = np.random.default_rng(0).exponential(size=N)
    race, judged = judged_of(tmp_path, TRUE, {"simple": TRUE + ONE}, weight=weight)

    score, _ = scored(race, judged)

    assert score.mid == pytest.approx(sqrt(float(np.average(ONE**2, weights=weight))))


@pytest.mark.parametrize(("metric", "sign"), [("accuracy", 1), ("auc", 1), ("log_loss", -1)])
def test_choosing_among_many_equal_ones_flatters(metric: str, sign: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    code = (rng.random(N) < 0.5).astype(float)
    # a logit that knows something, under noise of each model's own
    values = {
        f"m{i}": two_columns(1 / (1 + np.exp(-(code - 0.5) - 1.5 * rng.normal(size=N))))
        for i in range(12)
    }
    problem = replace(CLASSES, metric=metric)
    race, judged = judged_of(tmp_path, code, values, problem=problem)

    score, optimism = scored(race, judged)

    assert sign * optimism > 0
    assert score.low < score.mid < score.high
    assert metric == "log_loss" or score.high <= 1.0


def test_the_loss_does_not_move_towards_a_blend_that_was_not_chosen(tmp_path: Path) -> None:
    # a blend is better in truth, which 200 rows cannot show: the simple model is released
    errors = Errors(shared=np.array([1.0, 0.99]), own=np.array([0.2, 0.2]))
    moved, gaps = [], []
    for seed in range(16):
        race, judged = drawn(tmp_path, errors, seed, n=200)
        chosen = propose(race, judged)
        if names_of(judged, chosen) != {"simple"}:
            continue
        score, _ = score_honestly(race, judged, chosen, seconds=1e9)
        apparent = sqrt(float(chosen.losses.values.mean()))
        moved.append(score.mid - apparent)
        blend = choose_blend(race, judged)
        gaps.append(apparent - sqrt(blend.loss))

    assert len(moved) >= 5
    assert np.mean(moved) > -0.25 * np.mean(gaps)


@pytest.mark.parametrize(
    "errors",
    [
        # twelve that differ by luck alone
        Errors(shared=np.full(12, 0.8), own=np.full(12, 0.6)),
        # the simple model beside one that is a little better
        Errors(shared=np.array([1.0, 0.95]), own=np.array([0.2, 0.2])),
        # a blend is far better
        Errors(shared=np.full(6, 0.3), own=np.full(6, 0.9)),
    ],
    ids=["equal", "simple", "blend"],
)
def test_the_range_holds_the_true_score_of_what_is_released(errors: Errors, tmp_path: Path) -> None:
    held, off = [], []
    for seed in range(10):
        race, judged = drawn(tmp_path, errors, seed)
        chosen = propose(race, judged)
        score, _ = score_honestly(race, judged, chosen, seconds=1e9)
        truth = true_rmse(judged, chosen, errors)
        held.append(score.contains(truth))
        off.append((score.mid - truth) / (score.high - score.low) * 4)

    # at a rate of 95%, 7 or fewer of 10 have probability 0.012
    assert sum(held) >= 8
    # the middle of 10 lies within 3 standard errors of their mean
    assert abs(np.mean(off)) < 3 / sqrt(10)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.90, 0.95, 1.0])
def test_over_many_draws_the_range_holds_at_its_rate(share: float, tmp_path: Path) -> None:
    errors = Errors(shared=np.array([1.0, *[share] * 5]), own=np.array([0.2, *[0.4] * 5]))
    held, off = [], []
    for seed in range(100):
        race, judged = drawn(tmp_path, errors, seed)
        chosen = propose(race, judged)
        score, _ = score_honestly(race, judged, chosen, seconds=1e9)
        truth = true_rmse(judged, chosen, errors)
        held.append(score.contains(truth))
        off.append((score.mid - truth) / (score.high - score.low) * 4)

    # binomial(100, 0.95) is below 89 with probability 0.004
    assert sum(held) >= 89
    assert abs(np.mean(off)) < 0.4


def test_rows_of_a_group_make_the_range_wider(tmp_path: Path) -> None:
    group = np.arange(N) // 20
    shared = np.random.default_rng(0).normal(size=20)[group]
    values = {"simple": TRUE + shared}
    rows, _ = scored(*judged_of(tmp_path / "rows", TRUE, values))
    groups, _ = scored(*judged_of(tmp_path / "groups", TRUE, values, groups=group))

    assert groups.mid == pytest.approx(rows.mid)
    assert groups.high - groups.low > 2.5 * (rows.high - rows.low)


class Ticking:
    """A clock that moves a second whenever it is read."""

    def __init__(self) -> None:
        self.reads = 0

    def __call__(self) -> float:
        self.reads += 1
        return float(self.reads)


@pytest.mark.parametrize(("seconds", "most"), [(0.0, 40), (60.0, 75)])
def test_the_deadline_ends_the_draws_but_leaves_enough_of_them(
    seconds: float, most: int, tmp_path: Path
) -> None:
    race, judged = judged_of(tmp_path, TRUE, {"simple": TRUE + ONE, "a": TRUE + 0.5 * TWO})
    clock = Ticking()
    race.deadline = Deadline(0.0, 1e9, clock)
    full, _ = scored(race, judged)
    all_reads, clock.reads = clock.reads, 0

    short, _ = scored(race, judged, seconds=seconds)

    assert clock.reads <= most < all_reads
    assert short.mid == pytest.approx(full.mid, rel=0.05)
    assert short.high - short.low == pytest.approx(full.high - full.low, rel=0.6)


def test_the_same_seed_gives_the_same_range(tmp_path: Path) -> None:
    values = {"simple": TRUE + ONE, "a": TRUE + 0.9 * ONE + 0.4 * TWO, "b": TRUE + THREE}
    first = scored(*judged_of(tmp_path / "1", TRUE, values, problem=NUMBERS))
    second = scored(*judged_of(tmp_path / "2", TRUE, values, problem=NUMBERS))

    assert first == second
