"""The genetic search: what it asks, what it enters, and when it stops."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from everfit.data.read import read
from everfit.executors import InlineExecutor, Job
from everfit.records import Hypothesis
from everfit.study import search as search_module
from everfit.study.field.portfolio import Gene, genes
from everfit.study.race import Race
from everfit.study.search import Search
from tests.real import diabetes
from tests.study.build import Fit, Prepared, raced, run_all, studied

N = 300
RNG = np.random.default_rng(0)
TRUE = RNG.normal(size=N)
NOISE = RNG.normal(size=N)
LEARNERS = sorted(name for name in ("boosted", "symmetric", "forest", "neural") if genes(name))


def quality(job: Job) -> Fit:
    """Answers that get better as the learning rate nears 0.05; always with the same errors."""
    off = abs(np.log(job.arguments["settings"].get("lr", 0.1) / 0.05))
    return Fit(TRUE + (0.3 + 0.3 * off) * NOISE, fit_s=1.0)


def searching(
    folder: Path, *, fits: Callable[[Job], Fit] = quality, budget_s: float = 1e6, **more: Any
) -> tuple[Race, Prepared]:
    """A race after its portfolio: one parent of each learner that has genes, and a line."""
    known = dict.fromkeys(LEARNERS, fits)
    race, executor = raced(
        folder, TRUE, {**known, "linear": Fit(TRUE + NOISE)}, budget_s=budget_s, **more
    )
    race.enter([Hypothesis("line", "linear", stage="simple")])
    # a user's own never leave, so that each learner stays a parent
    race.enter([Hypothesis(f"{n} parent", n, {"lr": 0.1}, stage="user") for n in LEARNERS])
    run_all(race)
    return race, executor


def children(race: Race) -> list[Hypothesis]:
    return [e.hypothesis for e in race.entries if e.hypothesis.stage == "search"]


def test_children_lie_inside_the_ranges_of_their_genes(tmp_path: Path) -> None:
    race, _ = searching(tmp_path)

    Search(race).run(race.deadline.left)

    found = children(race)
    assert len(found) >= 5
    for child in found:
        ranges = genes(child.learner)
        assert set(ranges) <= set(child.settings)
        for name, gene in ranges.items():
            value = child.settings[name]
            if gene.choices:
                assert value in gene.choices
            else:
                assert gene.low <= value <= gene.high
                assert isinstance(value, int) or not gene.whole


def test_a_child_says_whose_it_is_and_what_it_changes(tmp_path: Path) -> None:
    race, _ = searching(tmp_path)

    Search(race).run(race.deadline.left)

    names = [child.name for child in children(race)]
    assert len(set(names)) == len(names)
    for child in children(race):
        assert child.why.startswith(f"child {child.name.split('#')[1]} of {child.learner} parent")
        assert "lr " in child.why or child.learner == "forest"


def test_settings_that_are_no_genes_are_inherited(tmp_path: Path) -> None:
    race, _ = raced(tmp_path, TRUE, {"boosted": quality})
    race.enter([Hypothesis("stumps", "boosted", {"n_rounds": 30, "lr": 0.02})])
    run_all(race)

    Search(race).run(race.deadline.left)

    assert {child.settings["n_rounds"] for child in children(race)} == {30}


def test_the_best_learners_take_turns(tmp_path: Path) -> None:
    race, _ = searching(tmp_path)

    Search(race).run(race.deadline.left)

    first = [child.learner for child in children(race)[:3]]
    assert len(set(first)) == min(3, len(LEARNERS))


def test_all_slots_are_used_at_once(tmp_path: Path) -> None:
    race, executor = searching(tmp_path, slots=2)
    before = len(executor.submitted)

    Search(race).run(race.deadline.left)

    first = executor.submitted[before : before + 2]
    assert [job.arguments["cut"] for job in first] == [0, 0]
    assert first[0].key != first[1].key


def test_a_search_that_gains_nothing_stops_with_the_reason(tmp_path: Path) -> None:
    race, _ = searching(tmp_path, fits=lambda job: Fit(TRUE + 0.3 * NOISE))

    why, made = Search(race).run(race.deadline.left)

    assert "is expected to lower the loss by" in why
    assert 3 <= made <= 40
    assert made == sum(e.n_folds > 0 for e in race.entries if e.hypothesis.stage == "search")


def test_a_search_that_gains_ends_with_a_better_model_than_its_parents(tmp_path: Path) -> None:
    race, _ = searching(tmp_path)
    parent = min(e.loss(5) for e in race.entries)

    Search(race).run(race.deadline.left)

    judged, n_folds = race.standing()
    assert judged[0].hypothesis.stage == "search"
    assert judged[0].loss(n_folds) < 0.8 * parent


def test_an_exhausted_clock_ends_it(tmp_path: Path) -> None:
    race, executor = searching(tmp_path)
    end = executor.clock() + 12.0

    why, made = Search(race).run(lambda: end - executor.clock())

    assert made >= 1
    assert executor.clock() <= end + 0.1
    assert "s are left" in why or "time for trials ended" in why


def test_without_time_nothing_is_asked(tmp_path: Path) -> None:
    race, executor = searching(tmp_path)
    before = len(executor.submitted)

    why, made = Search(race).run(lambda: 0.2)

    assert (made, len(executor.submitted)) == (0, before)
    assert "0 s are left, a trial takes about 5 s" in why


def test_learners_without_genes_are_not_searched(tmp_path: Path) -> None:
    race, _ = raced(tmp_path, TRUE, {"linear": Fit(TRUE + NOISE)})
    race.enter([Hypothesis("line", "linear", stage="simple")])
    run_all(race)

    why, made = Search(race).run(race.deadline.left)

    assert made == 0
    assert "no learner of the race has settings to vary" in why


def test_failed_children_end_neither_the_search_nor_the_race(tmp_path: Path) -> None:
    def fragile(job: Job) -> Fit:
        deep = job.arguments["settings"].get("leaves", 0) > 20
        return Fit(TRUE + 0.3 * NOISE, ends={0: "error"} if deep else {}, error="too deep")

    race, _ = raced(tmp_path, TRUE, {"boosted": fragile})
    race.enter([Hypothesis("stumps", "boosted", {"leaves": 2})])
    run_all(race)

    why, made = Search(race).run(race.deadline.left)

    failed = [e for e in race.entries if e.status == "failed"]
    assert failed
    assert made >= 3
    assert "is expected to lower the loss by" in why


def test_a_child_that_was_tried_already_does_not_end_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # one gene of four values: twins come soon
    few = {"leaves": Gene(choices=(2, 4, 8, 16))}
    monkeypatch.setattr(search_module, "genes", lambda name: few if name == "boosted" else {})
    race, executor = raced(tmp_path, TRUE, {"boosted": Fit(TRUE + 0.3 * NOISE)}, budget_s=1e4)
    race.enter([Hypothesis("stumps", "boosted", {"leaves": 2})])
    run_all(race)

    why, _ = Search(race).run(race.deadline.left)

    assert "time" not in why  # there is plenty
    assert {child.settings["leaves"] for child in children(race)} == {2, 4, 8, 16}
    assert sorted(set(executor.order())) == [("boosted", fold) for fold in range(5)]
    assert len({job.key for job in executor.submitted}) == len(executor.submitted) <= 20


def test_ctrl_c_during_the_search_keeps_what_is_finished(tmp_path: Path) -> None:
    race, _ = searching(tmp_path, interrupted=5 * (len(LEARNERS) + 1) + 8)

    with pytest.raises(KeyboardInterrupt):
        Search(race).run(race.deadline.left)
    race.stop()

    assert sum(e.n_folds for e in race.entries if e.hypothesis.stage == "search") == 7
    assert race.standing()[1] == 5


def test_on_real_data_a_child_is_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, target = diabetes(tmp_path)
    table = read(path, roles={target: "target"})
    quick = (
        Hypothesis("line", "linear", stage="simple"),
        Hypothesis("trees", "boosted", {"n_rounds": 30, "leaves": 6}, "a few trees"),
    )
    monkeypatch.setattr("everfit.study.field.entering.portfolio", lambda *_, **__: quick)

    found = studied(table, tmp_path, budget_s=7.0, executor=InlineExecutor(), target=target)

    judged = [t for t in found.trials if t.hypothesis.stage == "search" and t.score is not None]
    assert judged
    assert all(trial.fold_losses for trial in judged)
    assert "trials of the search" in found.stopped
