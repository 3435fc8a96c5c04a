"""Which answers win: blend, calibrate, compare with what is simpler, and score honestly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np

from everfit.evidence.interval import Interval, spread
from everfit.evidence.paired import paired_gain
from everfit.evidence.selection import selected_score
from everfit.records import Answers, Array, Losses, Truth
from everfit.study.blend import MENU_UNITS, STEPS, Blend, Menu, blended, greedy, menu
from everfit.study.entry import Entry
from everfit.study.race import Race, matched_values
from everfit.tasks import Task

BLEND_FIELD = 12  # the best so many entries may enter a blend: more only fit noise (automl 2.1)
CHOICE_ROWS, CHOICE_FIELD, CHOICE_STEPS = 3_000, 8, 10  # one repeated choice: about 10 ms
N_BOOT = 200
RIVALS = {"floor": "floor", "simple": "simple model"}
SCORE_CELLS, SCORE_LEAST = 1_000_000, 5_000  # rows times outputs that a bootstrap works on


@dataclass(frozen=True, slots=True)
class Judged:
    """The entries that can be judged together, their values on common rows, and the truth."""

    entries: tuple[Entry, ...]
    values: tuple[Array, ...]
    truth: Truth
    n_folds: int
    widening: float  # of standard errors, for what fits on other rows would have changed
    groups: Array | None = None

    def first(self, stage: str) -> int | None:
        """The position of the best entry of ``stage``."""
        found = (i for i, e in enumerate(self.entries) if e.hypothesis.stage == stage)
        return next(found, None)

    @property
    def test_share(self) -> float:
        """Share of the rows that one fold asks about."""
        return 1 - 1 / self.widening**2


@dataclass(frozen=True, slots=True)
class Choice:
    """A blend, by positions in a list of values, with its calibration; and what it was not."""

    blend: Blend
    calibration: Mapping[str, float]
    instead_of: Blend | None = None
    gain: Interval | None = None  # of ``instead_of`` over its rival
    rival: str = ""  # the stage of what ``instead_of`` is not clearly better than

    def values(self, values: Sequence[Array], task: Task) -> Array:
        """The calibrated values (n, n_outputs)."""
        return task.adjust(blended(values, self.blend, task), self.calibration)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is to be released, and what it answers on the common rows."""

    blend: Blend
    calibration: Mapping[str, float]
    values: Array  # (n, n_outputs), calibrated
    losses: Losses
    note: str = ""


def judge(race: Race) -> Judged:
    """What the race can stand by: common folds, best entries first."""
    entries, n_folds = race.standing()
    truth = race.judged_truth(n_folds)
    values = tuple(matched_values(entry.answers(n_folds), truth) for entry in entries)
    asked = len(truth.ids) / max(1, n_folds)
    # the rows of the history are a sample too; bench/coverage.py shows that this factor holds
    widening = sqrt(1 + asked / max(1.0, race.course.n_rows - asked))
    groups = race.course.groups_of(truth.ids)
    return Judged(tuple(entries), values, truth, n_folds, widening, groups)


def thinned(judged: Judged, most: int, *, seed: int) -> Judged:
    """The same on at most ``most`` of its rows, where a rough answer is enough."""
    n = len(judged.truth.ids)
    if n <= most:
        return judged
    rows = np.sort(np.random.default_rng(seed).choice(n, most, replace=False))
    values = tuple(value[rows] for value in judged.values)
    groups = None if judged.groups is None else judged.groups[rows]
    return replace(judged, values=values, truth=some(judged.truth, rows), groups=groups)


def choose_blend(race: Race, judged: Judged) -> Blend:
    """The greedy blend of the best entries; one entry alone when nothing lowers its loss.

    A floor is what must be beaten, so it is no part of a blend while there is anything else.
    """
    task, metric = race.course.task, race.course.problem.metric
    return _on(_learnt(judged)[:BLEND_FIELD], judged.values, judged.truth, task, metric, STEPS)


def propose(race: Race, judged: Judged) -> Chosen:
    """The blend to release, or what is simpler when no blend is clearly better."""
    task, metric = race.course.task, race.course.problem.metric
    field_ = _learnt(judged)[:BLEND_FIELD]
    blend = _on(field_, judged.values, judged.truth, task, metric, STEPS)
    choice = _rule(race, judged, blend, judged.values, judged.truth, judged.groups)
    values = choice.values(judged.values, task)
    losses = task.losses(Answers(judged.truth.ids, values), judged.truth, metric)
    note = ""
    if choice.instead_of is not None and choice.gain is not None:
        names = ", ".join(judged.entries[m].hypothesis.name for m in choice.instead_of.members)
        what = names if len(choice.instead_of.members) == 1 else f"a blend of {names}"
        note = (
            f"{what} was not chosen: its drop of the mean loss against the {RIVALS[choice.rival]} "
            f"is {choice.gain.mid:.2g} ({choice.gain.low:.2g} to {choice.gain.high:.2g}), "
            "not clearly above 0"
        )
    return Chosen(choice.blend, choice.calibration, values, losses, note)


def score_honestly(
    race: Race, judged: Judged, chosen: Chosen, *, seconds: float, draws: int = N_BOOT
) -> tuple[Interval, float]:
    """The 95% range of the metric for the whole procedure of choosing, and its optimism.

    Each draw of rows repeats the choice (blend, calibration, and whether the simple model is taken
    instead) and is judged on the rows that it did not draw (BBC-CV, Tsamardinos et al. 2018), so
    that the reported score does not profit from having been looked at. A draw chooses on at most
    ``CHOICE_ROWS`` of its rows: on more the choice is steadier, so the correction errs to the
    careful side.
    """
    task, problem = race.course.task, race.course.problem
    n_all = len(judged.truth.ids)
    lists = problem.form == "lists"
    most = MENU_UNITS if lists else max(SCORE_LEAST, SCORE_CELLS // problem.n_outputs)
    judged = thinned(judged, most, seed=0)
    field_ = _learnt(judged)[:CHOICE_FIELD]
    truth = judged.truth
    everything = np.arange(len(truth.ids))
    rng = np.random.default_rng(race.course.seed)
    final = Choice(chosen.blend, chosen.calibration)
    listed = _menu(judged, field_, task, problem.metric) if lists else None

    def choose(rows: Array) -> Choice:
        if np.array_equal(rows, everything):
            return final
        if len(rows) > CHOICE_ROWS:
            rows = rng.choice(rows, CHOICE_ROWS, replace=False)
        values = [value[rows] for value in judged.values]
        groups = None if judged.groups is None else judged.groups[rows]
        # fewer rows must not make the rule more timid than it was on all of them
        fewer = replace(judged, widening=judged.widening * sqrt(len(rows) / len(everything)))
        part = some(truth, rows)
        if listed is not None:
            blend = listed.best(rows)
        else:
            blend = _on(field_, values, part, task, problem.metric, CHOICE_STEPS)
        return _rule(race, fewer, blend, values, part, groups)

    def score(choice: Choice, rows: Array) -> float:
        used = choice.blend.members
        packed = replace(choice.blend, members=tuple(range(len(used))))
        values = [judged.values[m][rows] for m in used]
        part = some(truth, rows)
        mixed = replace(choice, blend=packed).values(values, task)
        return task.shown(problem.metric, mixed, part.values, part.weight)

    found = selected_score(
        len(truth.ids),
        choose,
        score,
        n_boot=draws,
        seed=race.course.seed,
        strata=truth.values.astype(np.int64) if problem.form == "probabilities" else None,
        groups=judged.groups,
        deadline=race.deadline.now() + seconds,
        clock=race.deadline.now,
        test_share=judged.test_share,
        limits=task.limits(problem.metric),
    )
    # a thinned sample knows less than all rows do: its error is scaled to theirs
    scale = sqrt(len(truth.ids) / n_all)
    mid = found.interval.mid
    low, high = (mid + scale * (end - mid) for end in (found.interval.low, found.interval.high))
    return replace(found.interval, low=low, high=high, n=n_all), found.optimism


def gain_over(race: Race, judged: Judged, losses: Losses, stage: str) -> Interval:
    """The drop of the mean loss against the best entry of ``stage``, with its widened range.

    Unbounded when there is no such entry: nothing is known then.
    """
    rival = judged.first(stage)
    if rival is None:
        return Interval(-np.inf, float("nan"), np.inf)
    theirs = losses_of(race, judged, rival)
    return _gain(losses, theirs, judged.groups, judged.widening)


def losses_of(race: Race, judged: Judged, position: int) -> Losses:
    """The losses of one entry on the common rows."""
    answers = Answers(judged.truth.ids, judged.values[position])
    return race.course.task.losses(answers, judged.truth, race.course.problem.metric)


def error_of(losses: Losses, judged: Judged) -> float:
    """The widened standard error of the mean loss; rows of a group count together."""
    found = spread(losses.values, weight=losses.weight, groups=judged.groups)
    return judged.widening * found.error


def some(truth: Truth, rows: Array) -> Truth:
    """The truth of some rows, numbered from 0: a draw may hold a row twice."""
    weight = None if truth.weight is None else truth.weight[rows]
    return Truth(np.arange(len(rows)), truth.values[rows], weight)


def _rule(
    race: Race,
    judged: Judged,
    blend: Blend,
    values: Sequence[Array],
    truth: Truth,
    groups: Array | None,
) -> Choice:
    """What is done with the best blend of some rows: what a draw repeats is what was done.

    It must be clearly better than the simple model, or that is taken; where a floor may serve, what
    is taken must be clearly better than the floor, too.
    """
    task, metric = race.course.task, race.course.problem.metric

    def losses(choice: Choice) -> Losses:
        return task.losses(Answers(truth.ids, choice.values(values, task)), truth, metric)

    def chosen(one: Blend) -> Choice:
        mixed = Answers(truth.ids, blended(values, one, task))
        return Choice(one, task.calibrate(mixed, truth))

    best = chosen(blend)
    ours = losses(best)
    rivals = {
        stage: Choice(Blend((at,), (1.0,), float("nan")), {})
        for stage in (("floor", "simple") if task.floor_serves else ("simple",))
        if (at := judged.first(stage)) is not None and blend.members != (at,)
    }
    known = {stage: losses(rival) for stage, rival in rivals.items()}
    for stage, theirs in known.items():
        gain = _gain(ours, theirs, groups, judged.widening)
        if gain.low > 0:
            continue
        taken = "simple" if "simple" in rivals else "floor"
        if taken == "simple" and "floor" in rivals:
            over = _gain(known["simple"], known["floor"], groups, judged.widening)
            taken = "simple" if over.low > 0 else "floor"
        simpler = chosen(rivals[taken].blend)
        return replace(simpler, instead_of=blend, gain=gain, rival=stage)
    return best


def _on(
    field_: Sequence[int],
    values: Sequence[Array],
    truth: Truth,
    task: Task,
    metric: str,
    steps: int,
) -> Blend:
    if len(field_) == 1:
        return Blend((field_[0],), (1.0,), float("nan"))
    blend = greedy([values[i] for i in field_], truth, task, metric, steps=steps)
    return replace(blend, members=tuple(field_[m] for m in blend.members))


def _menu(judged: Judged, field_: Sequence[int], task: Task, metric: str) -> Menu:
    """The menu of a field, its members by their positions in the race."""
    found = menu([judged.values[i] for i in field_], judged.truth, task, metric)
    blends = [replace(b, members=tuple(field_[m] for m in b.members)) for b in found.blends]
    return replace(found, blends=tuple(blends))


def _learnt(judged: Judged) -> list[int]:
    """Positions of what may be released: not the floor, and nothing that broke on a later fold."""
    learnt = [i for i, e in enumerate(judged.entries) if e.hypothesis.stage != "floor"]
    sound = [i for i in learnt if judged.entries[i].status not in ("failed", "timed_out")]
    return sound or learnt or [0]


def _gain(ours: Losses, theirs: Losses, groups: Array | None, widening: float) -> Interval:
    gain = paired_gain(ours.values, theirs.values, weight=ours.weight, groups=groups)
    half = widening * (gain.high - gain.mid)
    return replace(gain, low=gain.mid - half, high=gain.mid + half)
