"""From a race to a candidate: blend, calibrate, score honestly, refit on all rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from pathlib import Path

import numpy as np

from everfit.evidence.interval import Interval
from everfit.evidence.paired import paired_gain
from everfit.evidence.selection import selected_score
from everfit.executors import Job
from everfit.records import Answers, Array, Hypothesis, Losses, Member, Trial, Truth
from everfit.study.blend import Blend, blended, greedy
from everfit.study.entry import Entry
from everfit.study.fold import ALL_ROWS
from everfit.study.race import FIT_FOLD, Race, matched_values, with_settings

BLEND_FIELD = 12  # the best so many entries may enter a blend: more only fit noise (automl 2.1)
SCORE_ROWS = 4_000  # rows of one draw for a trial's range: its error is scaled to all rows
CHOICE_ROWS, CHOICE_FIELD, CHOICE_STEPS = 3_000, 8, 10  # one repeated choice: about 10 ms
N_BOOT = 200
TRIAL_DRAWS = 60  # the range of one trial on the leaderboard; its own error is about 10%
REFIT_FACTOR = 1.25  # rows and luck: a refit on all rows against the slowest later fold


@dataclass(frozen=True, slots=True)
class Judged:
    """The entries that can be judged together, their values on common rows, and the truth."""

    entries: tuple[Entry, ...]
    values: tuple[Array, ...]
    truth: Truth
    n_folds: int
    widening: float  # of standard errors, for what fits on other rows would have changed


def judge(race: Race) -> Judged:
    """What the race can stand by: common folds, best entries first."""
    entries, n_folds = race.standing()
    truth = race.judged_truth(n_folds)
    values = tuple(matched_values(entry.answers(n_folds), truth) for entry in entries)
    asked = len(truth.ids) / max(1, n_folds)
    # the rows of the history are a sample too; bench/coverage.py shows that this factor holds
    widening = sqrt(1 + asked / max(1.0, race.course.n_rows - asked))
    return Judged(tuple(entries), values, truth, n_folds, widening)


def thinned(judged: Judged, most: int, *, seed: int) -> Judged:
    """The same on at most ``most`` of its rows, where a rough answer is enough."""
    n = len(judged.truth.ids)
    if n <= most:
        return judged
    rows = np.sort(np.random.default_rng(seed).choice(n, most, replace=False))
    values = tuple(value[rows] for value in judged.values)
    return replace(judged, values=values, truth=_rows(judged.truth, rows))


def choose_blend(race: Race, judged: Judged) -> Blend:
    """The greedy blend of the best entries; one entry alone when nothing lowers its loss.

    A floor is what must be beaten, so it is no part of a blend while there is anything else.
    """
    task, metric = race.course.task, race.course.problem.metric
    learnt = [i for i, e in enumerate(judged.entries) if e.hypothesis.stage != "floor"]
    field_ = (learnt or [0])[:BLEND_FIELD]
    blend = greedy([judged.values[i] for i in field_], judged.truth, task, metric)
    return replace(blend, members=tuple(field_[m] for m in blend.members))


@dataclass(frozen=True, slots=True)
class Chosen:
    """The blend to release, its calibration, and what it answers on the common rows."""

    blend: Blend
    calibration: Mapping[str, float]
    values: Array  # (n, n_outputs), calibrated
    losses: Losses
    note: str = ""


def propose(race: Race, judged: Judged) -> Chosen:
    """The blend to release, or the simple model when no blend is clearly better."""
    chosen = _calibrated(race, judged, choose_blend(race, judged))
    simple = [i for i, e in enumerate(judged.entries) if e.hypothesis.stage == "simple"]
    if not simple or chosen.blend.members == (simple[0],):
        return chosen
    gain = gain_over(race, judged, chosen.losses.values, "simple")
    if gain.low > 0:
        return chosen
    names = candidate_name([judged.entries[m].hypothesis for m in chosen.blend.members])
    note = (
        f"{names} was not chosen: its drop of the mean loss against the simple model is "
        f"{gain.mid:.2g} ({gain.low:.2g} to {gain.high:.2g}), not clearly above 0"
    )
    alone = Blend((simple[0],), (1.0,), float("nan"))
    return replace(_calibrated(race, judged, alone), note=note)


def _calibrated(race: Race, judged: Judged, blend: Blend) -> Chosen:
    task, metric = race.course.task, race.course.problem.metric
    answers = Answers(judged.truth.ids, blended(judged.values, blend))
    calibration = task.calibrate(answers, judged.truth)
    values = task.adjust(answers.values, calibration)
    losses = task.losses(Answers(answers.ids, values), judged.truth, metric)
    return Chosen(blend, calibration, values, losses)


def score_honestly(
    race: Race, judged: Judged, chosen: Chosen, *, seconds: float
) -> tuple[Interval, float]:
    """The 95% range of the metric for the whole procedure of choosing, and its optimism.

    Each draw of rows repeats the choice (blend and calibration) and is judged on the rows that it
    did not draw (BBC-CV, Tsamardinos et al. 2018), so that the reported score does not profit from
    having been looked at. A draw chooses on at most ``CHOICE_ROWS`` of its rows: on more the choice
    is steadier, so the correction errs to the careful side.
    """
    task, problem = race.course.task, race.course.problem
    field_ = judged.values[:CHOICE_FIELD]
    truth = judged.truth
    n = len(truth.ids)
    everything = np.arange(n)
    rng = np.random.default_rng(race.course.seed)

    def choose(rows: Array) -> tuple[Sequence[Array], Blend, Mapping[str, float]]:
        if np.array_equal(rows, everything):
            return judged.values, chosen.blend, chosen.calibration
        if len(rows) > CHOICE_ROWS:
            rows = rng.choice(rows, CHOICE_ROWS, replace=False)
        some = _rows(truth, rows)
        part = [value[rows] for value in field_]
        again = (
            Blend((0,), (1.0,), 0.0)
            if len(part) == 1
            else greedy(part, some, task, problem.metric, steps=CHOICE_STEPS)
        )
        return field_, again, task.calibrate(Answers(some.ids, blended(part, again)), some)

    def score(choice: tuple[Sequence[Array], Blend, Mapping[str, float]], rows: Array) -> float:
        values, blend, settings = choice
        used = Blend(tuple(range(len(blend.members))), blend.shares, blend.loss)
        mixed = blended([values[m][rows] for m in blend.members], used)
        some = _rows(truth, rows)
        adjusted = task.adjust(mixed, settings)
        return task.shown(problem.metric, adjusted, some.values, some.weight)

    found = selected_score(
        n,
        choose,
        score,
        n_boot=N_BOOT,
        seed=race.course.seed,
        strata=truth.values.astype(np.int64) if problem.form == "probabilities" else None,
        deadline=race.deadline.now() + seconds,
        clock=race.deadline.now,
        test_share=len(truth.ids) / judged.n_folds / race.course.n_rows,
    )
    return found.interval, found.optimism


def gain_over(race: Race, judged: Judged, losses: Array, stage: str) -> Interval:
    """The drop of the mean loss against the best entry of ``stage``, with its widened range."""
    task, problem = race.course.task, race.course.problem
    rivals = [i for i, e in enumerate(judged.entries) if e.hypothesis.stage == stage]
    if not rivals:
        return Interval(float("nan"), float("nan"), float("nan"))
    answers = Answers(judged.truth.ids, judged.values[rivals[0]])
    theirs = task.losses(answers, judged.truth, problem.metric)
    gain = paired_gain(losses, theirs.values)
    half = judged.widening * (gain.high - gain.mid)
    return replace(gain, low=gain.mid - half, high=gain.mid + half)


def refit(
    race: Race, judged: Judged, blend: Blend, *, seconds: float
) -> tuple[tuple[Member, ...], tuple[str, ...]]:
    """Members fitted on all rows where ``seconds`` allow, else their fold models; and notes."""
    chosen = [judged.entries[m] for m in blend.members]
    needed = refit_seconds(race, chosen)
    notes: list[str] = []
    folders: dict[int, Path] = {}
    if needed <= seconds:
        folders = _fit_all(race, chosen, seconds)
    else:
        notes.append(
            f"no refit on all rows: it would need about {needed:.1f} s, {max(seconds, 0):.1f} s "
            "are left; the models of the folds are averaged instead"
        )
    members = []
    for entry, share in zip(chosen, blend.shares, strict=True):
        folder = folders.get(entry.number)
        own = [str(entry.folds[f].folder) for f in range(entry.n_folds)]
        if folder is None and needed <= seconds:
            notes.append(f"{entry.hypothesis.name}: its refit did not end in time; folds averaged")
        members.append(
            Member(
                trial=entry.number,
                hypothesis=with_settings(entry.hypothesis, entry),
                weight=share,
                folders=(str(folder),) if folder else tuple(own),
                refitted=folder is not None,
            )
        )
    return tuple(members), tuple(notes)


def refit_seconds(race: Race, entries: Sequence[Entry]) -> float:
    """Expected seconds to fit ``entries`` on all rows, side by side."""
    if not entries:
        return 0.0
    times = sorted((REFIT_FACTOR * entry.fit_s for entry in entries), reverse=True)
    loads = [0.0] * race.course.executor.slots
    for time in times:  # longest first onto the least loaded slot
        loads[loads.index(min(loads))] += time
    return max(loads) + 0.2


def _fit_all(race: Race, entries: Sequence[Entry], seconds: float) -> dict[int, Path]:
    course = race.course
    pending: dict[str, Entry] = {}
    done: dict[int, Path] = {}
    for entry in sorted(entries, key=lambda e: -e.fit_s):
        settings = dict(entry.hypothesis.settings) | dict(entry.settings)
        rounds = round(float(np.mean(entry.rounds))) if entry.rounds else None
        what = [course.data_key, entry.hypothesis.learner, settings, rounds, course.seed]
        key = "all-" + hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:28]
        if (folder := course.recall(key)) is not None:
            done[entry.number] = folder
            continue
        arguments = {
            "workspace": str(course.workspace),
            "folder": str(course.fits / key),
            "learner": entry.hypothesis.learner,
            "settings": settings,
            "cut": ALL_ROWS,
            "form": course.problem.form,
            "n_outputs": course.problem.n_outputs,
            "seed": course.seed,
            "seconds": seconds,
            "threads": course.threads,
            "rounds": rounds,
        }
        pending[key] = entry
        course.executor.submit(Job(key, FIT_FOLD, arguments, seconds))
    until = race.deadline.left() - seconds
    while pending and race.deadline.left() > until:
        for outcome in course.executor.wait(max(0.05, race.deadline.left() - until)):
            entry_ = pending.pop(outcome.key, None)
            if entry_ is not None and outcome.status == "ok":
                folder = course.fits / outcome.key
                done[entry_.number] = course.keep(outcome.key, {"fold": ALL_ROWS}, folder)
    for key in pending:
        course.executor.cancel(key)
    return done


def trials(race: Race, judged: Judged) -> tuple[Trial, ...]:
    """All entries as records, best first, those that cannot be judged last."""
    rank = {entry.number: i for i, entry in enumerate(judged.entries)}
    ordered = sorted(race.entries, key=lambda e: (rank.get(e.number, 10**6), e.number))
    return tuple(_trial(race, judged, entry, rank.get(entry.number)) for entry in ordered)


def _trial(race: Race, judged: Judged, entry: Entry, rank: int | None) -> Trial:
    status = entry.status
    reason = entry.reason
    if status == "running":
        status = "done" if entry.n_folds else "skipped"
        reason = reason or (
            f"{entry.n_folds} of {len(race.course.cuts)} folds when the time for trials ended"
            if entry.n_folds
            else "the time for trials ended before it began"
        )
    loss = score = None
    if rank is not None:
        task, metric = race.course.task, race.course.problem.metric
        answers = Answers(judged.truth.ids, judged.values[rank])
        losses = task.losses(answers, judged.truth, metric).values
        half = 1.96 * judged.widening * float(losses.std(ddof=1)) / sqrt(len(losses))
        mid = float(losses.mean())
        loss = Interval(mid - half, mid, mid + half, n=len(losses))
        score = _shown_range(race, judged, judged.values[rank])
    finished = [entry.folds[f] for f in range(entry.n_folds)]
    return Trial(
        number=entry.number,
        hypothesis=entry.hypothesis,
        status=status,
        reason=reason,
        folds=entry.n_folds,
        fold_losses=tuple(float(f.losses.mean()) for f in finished),
        loss=loss,
        score=score,
        fit_s=float(np.mean([f.fit_s for f in finished])) if finished else 0.0,
        predict_us=float(np.mean([f.predict_us for f in finished])) if finished else 0.0,
        reused=bool(finished) and all(f.reused for f in finished),
        facts=entry.facts,
    )


def _shown_range(race: Race, judged: Judged, values: Array) -> Interval:
    """The metric's range for one fixed set of answers, by a bootstrap of rows."""
    task, metric = race.course.task, race.course.problem.metric
    truth = judged.truth
    n = len(truth.ids)
    size = min(n, SCORE_ROWS)
    rng = np.random.default_rng(race.course.seed)
    mid = task.shown(metric, values, truth.values, truth.weight)
    draws = []
    for _ in range(TRIAL_DRAWS):
        rows = rng.integers(0, n, size)
        some = _rows(truth, rows)
        draws.append(task.shown(metric, values[rows], some.values, some.weight))
    half = 1.96 * judged.widening * float(np.nanstd(draws, ddof=1)) * sqrt(size / n)
    return Interval(mid - half, mid, mid + half, n=n)


def candidate_name(hypotheses: Sequence[Hypothesis]) -> str:
    """What people call the candidate: one hypothesis by name, several as a blend."""
    names = [h.name for h in hypotheses]
    return names[0] if len(names) == 1 else f"blend of {', '.join(names)}"


def speaks_of(race: Race, judged: Judged, members: Sequence[Member]) -> str:
    """Which artefact the score is a statement about, in words."""
    share = 100 * (1 - len(judged.truth.ids) / judged.n_folds / race.course.n_rows)
    basis = (
        f"judged on {len(judged.truth.ids)} rows that the fits had not seen "
        f"({judged.n_folds} fold{'s' if judged.n_folds > 1 else ''}, each fit on {share:.0f}% "
        "of the rows)"
    )
    if all(member.refitted for member in members):
        return f"the recipe, {basis}; the packed version is that recipe fitted on all rows"
    return f"the recipe, {basis}; the packed version averages the models of the folds"


def _rows(truth: Truth, rows: Array) -> Truth:
    """The truth of some rows, numbered from 0: a draw may hold a row twice."""
    weight = None if truth.weight is None else truth.weight[rows]
    return Truth(np.arange(len(rows)), truth.values[rows], weight)
