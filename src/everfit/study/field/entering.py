"""Who enters the race: floors, the very simple model, and the portfolio, by the form of answers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from everfit.data.table import Table
from everfit.records import Array, Hypothesis
from everfit.study.field.listed import ListFacts, lists_floors, lists_portfolio
from everfit.study.field.portfolio import portfolio
from everfit.study.pace import Pace
from everfit.study.race import Course, Race
from everfit.tasks.met import Rows

SKEWED = 1.0  # of a target's values; the exponential distribution has 2


@dataclass(frozen=True, slots=True)
class Ground:
    """What a study stands on: rows as they were and as learners see them, and its pace.

    ``ordered`` says that rows are held out forward in time, ``again`` that hypotheses which were
    chosen before are fitted again.
    """

    table: Table
    features: Table
    items: Table | None
    pace: Pace
    ordered: bool
    again: bool


@dataclass(frozen=True, slots=True)
class Field:
    """Hypotheses in the order of trial: what must be beaten, and what may beat it."""

    first: tuple[Hypothesis, ...]
    rest: tuple[Hypothesis, ...]


def field_of(race: Race, ground: Ground) -> Field:
    """The hypotheses that Everfit itself has for a problem."""
    lists = race.course.problem.form == "lists"
    floors, listed = _of_lists(race, ground) if lists else _of_rows(race.course, ground)
    simple = [h for h in listed if h.stage == "simple"][:1]
    rest = [] if ground.again else [h for h in listed if h not in simple]
    return Field((*floors, *simple), tuple(rest))


def _of_rows(
    course: Course, ground: Ground
) -> tuple[tuple[Hypothesis, ...], tuple[Hypothesis, ...]]:
    form, columns = course.problem.form, ground.features.columns
    listed = portfolio(
        course.n_rows,
        len(columns),
        sum(c.kind not in ("number", "date", "boolean") for c in columns),
        form,
        course.problem.n_outputs,
        skewed=form == "values" and _skewed(course.truth.values),
        ordered=ground.ordered,
    )
    floors = tuple(
        Hypothesis(name, name, {}, "the floor: whatever is released must beat it", "floor")
        for name in course.task.floors()
    )
    return floors, listed


def _of_lists(race: Race, ground: Ground) -> tuple[tuple[Hypothesis, ...], tuple[Hypothesis, ...]]:
    problem = race.course.problem
    met = Rows.of(ground.table, problem)
    facts = ListFacts(
        n_interactions=len(met.known),
        n_users=len(np.unique(met.users[met.known])),
        n_items=len(problem.labels),
        seconds=race.deadline.left(),
        described=ground.items is not None,
        timed=not met.untimed,
    )
    found = (lists_floors(), lists_portfolio(facts))
    if not met.again:
        return found
    floors, listed = (tuple(_again(one) for one in some) for some in found)
    return floors, listed


def _again(hypothesis: Hypothesis) -> Hypothesis:
    """The hypothesis with lists that may hold what a user has met."""
    return replace(hypothesis, settings={**hypothesis.settings, "again": True})


def _skewed(values: Array) -> bool:
    """Numbers above 0 with a long tail: their logarithm may be the better target."""
    if values.min() <= 0:
        return False
    centred = values - values.mean()
    spread = float(np.mean(centred**2))
    return spread > 0 and float(np.mean(centred**3)) / spread**1.5 > SKEWED
