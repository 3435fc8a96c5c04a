"""A whole study: what is tried in which order, on which cuts, and what is proposed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from everfit.data.table import Table
from everfit.errors import BudgetSpent, Interrupted
from everfit.executors import Job
from everfit.records import Array, Hypothesis, SplitPolicy
from everfit.study.race import LEAST_S
from everfit.study.workspace import Material, pick_up
from tests.study.build import Clock, Fit, Prepared, Whoever, studied
from tests.tables import make_table

N = 300
RNG = np.random.default_rng(0)
TRUE = RNG.normal(size=N)
NOISE, OTHER = RNG.normal(size=N), RNG.normal(size=N)


def table(**more: Any) -> Table:
    """Rows whose number is a feature, so that a fit's files tell which rows it saw."""
    roles = more.pop("roles", None)
    return make_table(
        {"row": np.arange(N) * 1.0, "x": NOISE, **more, "y": TRUE}, target="y", roles=roles
    )


def anyone(*, own: float = 0.5) -> Whoever:
    """All learn the same; the floor knows nothing."""
    return Whoever(Fit(TRUE + own * OTHER), prior=Fit(np.zeros(N)))


def material_of(folder: Path) -> Material:
    return pick_up(folder / "workspace")


def rows_of(material: Material, positions: Array) -> Array:
    return material.features.frame["row"].to_numpy()[positions].astype(int)


# what is tried


def test_the_floor_and_the_simple_model_come_first_then_a_persons_own(tmp_path: Path) -> None:
    executor = Prepared(anyone(), clock := Clock())
    own = [Hypothesis("mine", "mine", {}, "my own", "user")]

    found = studied(table(), tmp_path, executor=executor, clock=clock, budget_s=600.0, own=own)

    order = [name for name, fold in executor.order() if fold == 0]
    stages = {t.hypothesis.learner: t.hypothesis.stage for t in found.trials[::-1]}
    assert order[:3] == ["prior", "linear", "mine"]
    assert stages["mine"] == "user"
    mine = next(t for t in found.trials if t.hypothesis.name == "mine")
    assert mine.score is not None
    assert mine.hypothesis.why == "my own"


def test_all_stages_are_tried_and_the_search_says_why_it_stopped(tmp_path: Path) -> None:
    executor = Prepared(anyone(), clock := Clock())

    found = studied(table(), tmp_path, executor=executor, clock=clock, budget_s=3_600.0)

    stages = [t.hypothesis.stage for t in found.trials]
    assert {"floor", "simple", "portfolio", "search"} == set(stages)
    assert found.stopped.startswith(f"after {stages.count('search')} trials of the search: ")
    assert found.seconds < 3_600.0


def test_a_persons_own_that_is_best_is_proposed(tmp_path: Path) -> None:
    fits = Whoever(Fit(TRUE + NOISE), prior=Fit(np.zeros(N)), mine=Fit(TRUE + 0.1 * OTHER))
    executor = Prepared(fits, clock := Clock())
    own = [Hypothesis("mine", "mine", {}, "my own", "user")]

    found = studied(table(), tmp_path, executor=executor, clock=clock, budget_s=600.0, own=own)

    assert "mine" in {m.hypothesis.name for m in found.candidate.members}
    assert found.candidate.gain_on_floor.low > 0
    assert found.candidate.gain_on_simple.low > 0


def test_a_long_tail_of_the_target_is_told_to_the_portfolio(tmp_path: Path) -> None:
    skewed = make_table({"x": NOISE, "y": np.exp(2 * TRUE)}, target="y")
    fits = Whoever(Fit(np.exp(2 * TRUE)), prior=Fit(np.zeros(N)))
    executor = Prepared(fits, clock := Clock())

    studied(skewed, tmp_path, executor=executor, clock=clock, budget_s=600.0)

    assert "log" in {job.arguments["settings"].get("target") for job in executor.submitted}


# time


def test_the_study_leaves_time_for_what_comes_after_it(tmp_path: Path) -> None:
    executor = Prepared(anyone(), clock := Clock())

    found = studied(table(), tmp_path, executor=executor, clock=clock, budget_s=40.0)

    assert found.seconds == clock()
    assert 20.0 < clock() < 40.0 - 1.5


@pytest.mark.parametrize("fit_s", [0.5, 1.0, 3.0])
def test_a_budget_that_is_far_too_small_still_gives_a_judged_simple_model(
    fit_s: float, tmp_path: Path
) -> None:
    slow = Fit(TRUE + 0.5 * OTHER, fit_s=fit_s)
    fits = Whoever(slow, prior=Fit(np.zeros(N), fit_s=0.1))
    executor = Prepared(fits, clock := Clock())

    found = studied(table(), tmp_path, executor=executor, clock=clock, budget_s=1.0)

    assert found.candidate.name == "one weight a feature"
    assert found.candidate.score.n >= N // 5
    assert "the budget of 1 s was too small" in found.stopped
    assert found.not_tried


def test_a_study_without_time_does_not_begin_what_it_cannot_end(tmp_path: Path) -> None:
    executor = Prepared(anyone(), clock := Clock())

    studied(table(), tmp_path, executor=executor, clock=clock, budget_s=15.0)

    late = [
        job.timeout_s
        for job, at in zip(executor.submitted, executor.at, strict=True)
        if job.arguments["cut"] >= 0 and at + job.timeout_s > 15.0
    ]
    assert late == []
    assert min(job.timeout_s for job in executor.submitted) >= LEAST_S


# what goes wrong


def test_when_all_learners_fail_the_error_says_what_they_said(tmp_path: Path) -> None:
    broken = Fit(TRUE, ends=dict.fromkeys(range(9), "error"), error="out of ideas")
    executor = Prepared(Whoever(broken), clock := Clock())

    with pytest.raises(BudgetSpent, match="not one model could be fitted") as caught:
        studied(table(), tmp_path, executor=executor, clock=clock, budget_s=600.0)

    assert "out of ideas" in caught.value.got
    assert clock() < 60.0


def test_when_all_but_the_simple_model_fail_the_budget_is_not_blamed(tmp_path: Path) -> None:
    broken = Fit(TRUE, ends={0: "error"}, error="out of ideas")
    fits = Whoever(broken, prior=Fit(np.zeros(N)), linear=Fit(TRUE + OTHER))
    executor = Prepared(fits, clock := Clock())

    found = studied(table(), tmp_path, executor=executor, clock=clock, budget_s=600.0)

    failed = [t for t in found.trials if t.status == "failed"]
    assert len(failed) >= 4
    assert {t.reason for t in failed} == {"fold 1: out of ideas"}
    assert "too small" not in found.stopped


def test_a_simple_model_that_fails_leaves_the_others_to_be_judged(tmp_path: Path) -> None:
    broken = Fit(TRUE, ends={0: "lost"}, error="")
    fits = Whoever(Fit(TRUE + 0.5 * OTHER), prior=Fit(np.zeros(N)), linear=broken)
    executor = Prepared(fits, clock := Clock())

    found = studied(table(), tmp_path, executor=executor, clock=clock, budget_s=600.0)

    assert found.candidate.gain_on_floor.low > 0
    assert found.candidate.gain_on_simple.n == 0


def test_ctrl_c_keeps_the_best_so_far(tmp_path: Path) -> None:
    executor = Prepared(anyone(), clock := Clock(), interrupted=25)

    found = studied(table(), tmp_path, executor=executor, clock=clock, budget_s=600.0)

    assert "stopped by a person" in found.stopped
    assert found.candidate.score.low < found.candidate.score.high
    assert sum(t.folds for t in found.trials) == 24


def test_ctrl_c_before_anything_is_finished_is_not_a_budget_that_was_too_small(
    tmp_path: Path,
) -> None:
    executor = Prepared(anyone(), clock := Clock(), interrupted=1)

    with pytest.raises((KeyboardInterrupt, Interrupted)):
        studied(table(), tmp_path, executor=executor, clock=clock, budget_s=600.0)


# the cuts


@pytest.fixture(params=[8, 21])
def shuffled_times(request: pytest.FixtureRequest) -> Array:
    """Days in no order, several rows on a day."""
    return np.random.default_rng(request.param).integers(0, 90, N)


def test_forward_in_time_no_history_holds_the_future_and_the_newest_fold_is_first(
    shuffled_times: Array, tmp_path: Path
) -> None:
    dated = table(
        when=np.datetime64("2024-01-01", "us") + shuffled_times.astype("timedelta64[D]"),
        roles={"when": "time"},
    )
    executor = Prepared(anyone(), clock := Clock())

    found = studied(
        dated, tmp_path, executor=executor, clock=clock, policy=SplitPolicy("time", "when")
    )

    material = material_of(tmp_path)
    asked = [shuffled_times[rows_of(material, cut.asked)] for cut in material.cuts]
    history = [shuffled_times[rows_of(material, cut.history)] for cut in material.cuts]
    assert len(material.cuts) >= 5
    for before, after in zip(history, asked, strict=True):
        assert before.max() < after.min()
    assert asked[0].max() == shuffled_times.max()
    newest = [times.min() for times in asked]
    assert newest == sorted(newest, reverse=True)
    assert "when" not in material.features.frame.columns
    assert found.split.kind == "time"


def test_in_time_order_each_row_keeps_its_own_target(shuffled_times: Array, tmp_path: Path) -> None:
    dated = table(when=shuffled_times, roles={"when": "time"})
    executor = Prepared(anyone(), clock := Clock())

    studied(dated, tmp_path, executor=executor, clock=clock, policy=SplitPolicy("time", "when"))

    material = material_of(tmp_path)
    rows = rows_of(material, material.truth.ids)
    np.testing.assert_array_equal(material.truth.values, TRUE[rows])
    assert (np.diff(shuffled_times[rows]) >= 0).all()


def test_rows_without_a_time_are_never_asked_about(tmp_path: Path) -> None:
    times = [None if i % 17 == 0 else i % 60 for i in range(N)]
    dated = table(when=times, roles={"when": "time"})
    executor = Prepared(anyone(), clock := Clock())

    studied(dated, tmp_path, executor=executor, clock=clock, policy=SplitPolicy("time", "when"))

    material = material_of(tmp_path)
    for cut in material.cuts:
        assert (rows_of(material, cut.asked) % 17 != 0).all()
        assert set(range(0, N, 17)) <= set(rows_of(material, cut.history).tolist())


def test_no_group_stands_on_both_sides_of_a_cut(tmp_path: Path) -> None:
    people = np.random.default_rng(1).integers(0, 40, N)
    grouped = table(person=[f"p{i}" for i in people], roles={"person": "group"})
    executor = Prepared(anyone(), clock := Clock())

    found = studied(
        grouped, tmp_path, executor=executor, clock=clock, policy=SplitPolicy("group", "person")
    )

    material = material_of(tmp_path)
    for cut in material.cuts:
        sides = [set(people[rows_of(material, side)]) for side in (cut.asked, cut.history)]
        assert sides[0] & sides[1] == set()
    assert "person" not in material.features.frame.columns
    assert found.split.kind == "group"


def test_rows_of_a_group_count_together_in_the_score(tmp_path: Path) -> None:
    people = np.repeat(np.arange(20), N // 20)
    shared = np.random.default_rng(0).normal(size=20)[people]
    fits = Whoever(Fit(TRUE + shared), prior=Fit(np.zeros(N)))
    plain, grouped = (
        studied(
            table(person=[f"p{i}" for i in people], roles={"person": "group"}),
            tmp_path / policy.kind,
            executor=Prepared(fits, clock := Clock()),
            clock=clock,
            policy=policy,
        ).candidate.score
        for policy in (SplitPolicy("random"), SplitPolicy("group", "person"))
    )

    assert grouped.high - grouped.low > 2 * (plain.high - plain.low)


def test_the_oldest_rows_of_one_class_make_no_fold(tmp_path: Path) -> None:
    # one class only until two thirds of the time are over
    said = np.where((np.arange(N) > 200) & (np.arange(N) % 2 == 0), "yes", "no")
    dated = make_table(
        {"row": np.arange(N) * 1.0, "x": NOISE, "when": np.arange(N), "y": said},
        target="y", roles={"when": "time"},
    )  # fmt: skip
    half = np.full((N, 2), 0.5)
    executor = Prepared(Whoever(Fit(half)), clock := Clock())

    studied(dated, tmp_path, executor=executor, clock=clock, policy=SplitPolicy("time", "when"))

    material = material_of(tmp_path)
    assert material.cuts
    for cut in material.cuts:
        assert len(set(said[rows_of(material, cut.history)])) == 2


# weights


def test_weights_reach_the_fits_and_the_score(tmp_path: Path) -> None:
    heavy = np.where(np.arange(N) % 3 == 0, 8.0, 1.0)
    weighted = table(w=heavy, roles={"w": "weight"})
    error = np.where(heavy > 1, 2.0, 0.5) * OTHER
    fits = Whoever(Fit(TRUE + error), prior=Fit(np.zeros(N)))
    executor = Prepared(fits, clock := Clock())

    found = studied(weighted, tmp_path, executor=executor, clock=clock, budget_s=600.0)

    material = material_of(tmp_path)
    expected = np.sqrt(np.average(error**2, weights=heavy))
    assert material.truth.weight is not None
    np.testing.assert_array_equal(material.truth.weight, heavy)
    assert "w" not in material.features.frame.columns
    assert found.candidate.selection_score == pytest.approx(expected)
    assert found.candidate.loss.mid == pytest.approx(expected**2)
    assert found.candidate.score.contains(float(expected))


# what is remembered


class Remembering:
    """Finished work by key, as a store keeps it."""

    def __init__(self) -> None:
        self.kept: dict[str, Path] = {}

    def keep(self, key: str, record: Mapping[str, Any], folder: Path) -> Path:
        self.kept[key] = folder
        return folder

    def study(self, folder: Path, data: Table, **more: Any) -> list[Job]:
        """The jobs of one study of ``data`` that goes on where earlier ones ended."""
        executor = Prepared(anyone(), clock := Clock())
        given: dict[str, Any] = {"budget_s": 20.0, "recall": self.kept.get, "keep": self.keep}
        studied(data, folder, executor=executor, clock=clock, **(given | more))
        return [job for job in executor.submitted if job.arguments["cut"] >= 0]


def test_the_same_study_again_repeats_no_fit_and_gets_further(tmp_path: Path) -> None:
    store = Remembering()

    first = store.study(tmp_path / "1", table())
    second = store.study(tmp_path / "2", table())

    assert first
    assert {job.key for job in first} & {job.key for job in second} == set()
    assert len(second) >= 1  # the time goes to what was not yet tried


@pytest.mark.parametrize(
    ("change", "more"),
    [
        ({"x": OTHER}, {}),
        ({"y": TRUE + 0.001}, {}),
        ({"w": np.arange(N) + 1.0}, {}),
        ({}, {"seed": 1}),
        ({}, {"metric": "mae"}),
        ({}, {"policy": SplitPolicy("time", "row")}),
    ],
    ids=["a feature", "the target", "weights", "the seed", "the metric", "the split"],
)
def test_a_study_of_anything_else_reuses_nothing(
    change: dict[str, Any], more: dict[str, Any], tmp_path: Path
) -> None:
    store = Remembering()
    plain = {"row": np.arange(N) * 1.0, "x": NOISE, "w": np.ones(N), "y": TRUE}
    roles = {"w": "weight"}
    before = make_table(plain, target="y", roles=roles)  # type: ignore[arg-type]
    after = make_table(plain | change, target="y", roles=roles)  # type: ignore[arg-type]

    first = store.study(tmp_path / "1", before)
    second = store.study(tmp_path / "2", after, **more)

    assert len(second) >= len(first) - 2


def test_a_group_of_rows_that_is_served_worse_is_told(tmp_path: Path) -> None:
    plan = np.where(np.arange(N) % 3 == 0, "trial", "paid")
    error = np.where(plan == "trial", 3.0, 0.5) * OTHER
    fits = Whoever(Fit(TRUE + error), prior=Fit(np.zeros(N)))
    executor = Prepared(fits, clock := Clock())

    found = studied(table(plan=plan), tmp_path, executor=executor, clock=clock)

    assert found.candidate.segments[0].name == "plan=trial"


def test_who_is_harmed_is_counted_by_weight(tmp_path: Path) -> None:
    heavy = np.where(np.arange(N) % 2 == 0, 20.0, 1.0)
    error = np.where(heavy > 1, 0.1, 3.0)  # far better than the floor where it counts
    fits = Whoever(Fit(TRUE + error), prior=Fit(np.zeros(N)))
    executor = Prepared(fits, clock := Clock())
    weighted = table(w=heavy, roles={"w": "weight"})

    found = studied(weighted, tmp_path, executor=executor, clock=clock, budget_s=600.0)

    assert found.candidate.gain_on_floor.low > 0
    assert found.candidate.harmed == ()


def test_who_is_harmed_is_counted_by_groups(tmp_path: Path) -> None:
    people = np.arange(N) % 20
    error = np.where(np.isin(people, [0, 2, 4]), 3.0, 0.1)  # three of the ten with plan a
    fits = Whoever(Fit(TRUE + error), prior=Fit(np.zeros(N)))
    executor = Prepared(fits, clock := Clock())
    grouped = table(
        person=[f"p{i}" for i in people],
        plan=np.where(people % 2 == 0, "a", "b"),
        roles={"person": "group"},
    )

    found = studied(
        grouped, tmp_path, executor=executor, clock=clock, policy=SplitPolicy("group", "person")
    )

    # ten people, three of them served badly: that may well be chance
    assert found.candidate.harmed == ()
