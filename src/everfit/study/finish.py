"""From a choice to a candidate: refit on all rows, and tell what was tried."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from math import sqrt
from pathlib import Path

import numpy as np

from everfit.evidence.interval import Interval, mean_of
from everfit.evidence.ranges import outcome_offsets, share_offsets
from everfit.executors import Job
from everfit.records import Array, Form, Hypothesis, Member, Ranges, Trial
from everfit.study.blend import Blend
from everfit.study.choose import Judged, error_of, losses_of, some
from everfit.study.entry import Entry
from everfit.study.fold import ALL_ROWS
from everfit.study.own import identity
from everfit.study.race import FIT_FOLD, Race, with_settings

SCORE_ROWS = 4_000  # rows of one draw for a trial's range: its error is scaled to all rows
MANY_CELLS = 40_000  # above it a quarter of the draws must do
TRIAL_DRAWS = 60  # the range of one trial on the leaderboard; its own error is about 10%
RANGE_ROWS = 200_000  # more would tell no more about a range, and take longer to sort
REFIT_FACTOR = 1.25  # rows and luck: a refit on all rows against the slowest later fold


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
            f"are left; {_instead(race)}"
        )
    members = []
    for entry, share in zip(chosen, blend.shares, strict=True):
        folder = folders.get(entry.number)
        own = [str(entry.folds[f].folder) for f in range(_averaged(race, entry))]
        if folder is None and needed <= seconds:
            notes.append(
                f"{entry.hypothesis.name}: its refit did not end in time; {_instead(race)}"
            )
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


def _averaged(race: Race, entry: Entry) -> int:
    """How many fold models stand for one on all rows; of lists the newest: age costs them most."""
    return 1 if race.course.problem.form == "lists" else entry.n_folds


def _instead(race: Race) -> str:
    if race.course.problem.form == "lists":
        return "the model of the newest cut stands in"
    return "the models of the folds are averaged instead"


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
        known = identity(entry.hypothesis) | dict(entry.settings)
        what = [course.data_key, entry.hypothesis.learner, known, rounds, course.seed]
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


def ranges(judged: Judged, values: Array, form: Form) -> Ranges | None:
    """95% ranges around the final answers ``values`` (n, n_outputs) to rows the fits had not seen.

    Their width follows the level of the answer. Time-ordered splits judge later rows only, so
    theirs are what the blend was off by in the future of each fit.
    """
    truth, n = judged.truth, len(judged.truth.ids)
    if form == "lists":
        return None
    rows = np.arange(n)
    if n > RANGE_ROWS:
        rows = np.random.default_rng(0).choice(n, RANGE_ROWS, replace=False)
    outcomes, weight = truth.values[rows], None if truth.weight is None else truth.weight[rows]
    if form == "values":
        found = outcome_offsets(values[rows, 0], outcomes, weight=weight)
        least = 0.0 if truth.values.min() >= 0 else None  # prices, counts: never below nothing
        return None if found is None else Ranges(*found, least=least, n=len(rows))
    groups = None if judged.groups is None else judged.groups[rows]
    predicted = values[rows].argmax(axis=1)
    stated = values[rows, predicted]
    found = share_offsets(stated, predicted == outcomes, weight=weight, groups=groups)
    return None if found is None else Ranges(*found, least=0.0, most=1.0, n=len(rows))


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
        losses = losses_of(race, judged, rank)
        half = 1.96 * error_of(losses, judged)
        mid = mean_of(losses.values, losses.weight)
        loss = Interval(mid - half, mid, mid + half, n=len(losses.values))
        score = _shown_range(race, judged, judged.values[rank], loss)
    finished = [entry.folds[f] for f in range(entry.n_folds)]
    return Trial(
        number=entry.number,
        hypothesis=entry.hypothesis,
        status=status,
        reason=reason,
        folds=entry.n_folds,
        fold_losses=tuple(mean_of(f.losses, f.weight) for f in finished),
        loss=loss,
        score=score,
        fit_s=float(np.mean([f.fit_s for f in finished])) if finished else 0.0,
        predict_us=float(np.mean([f.predict_us for f in finished])) if finished else 0.0,
        reused=bool(finished) and all(f.reused for f in finished),
        facts=entry.facts,
    )


def _shown_range(race: Race, judged: Judged, values: Array, loss: Interval) -> Interval:
    """The metric's range for one fixed set of answers, by a bootstrap of rows.

    Of lists it is the range of their mean ``loss`` turned over.
    """
    task, metric = race.course.task, race.course.problem.metric
    truth = judged.truth
    if race.course.problem.form == "lists":
        return Interval(1 - loss.high, 1 - loss.mid, 1 - loss.low, n=loss.n)
    n = len(truth.ids)
    size = min(n, SCORE_ROWS)
    rng = np.random.default_rng(race.course.seed)
    mid = task.shown(metric, values, truth.values, truth.weight)
    draws = []
    cells = size * race.course.problem.n_outputs
    for _ in range(TRIAL_DRAWS if cells <= MANY_CELLS else TRIAL_DRAWS // 4):
        rows = _drawn(rng, n, size, judged.groups)
        part = some(truth, rows)
        draws.append(task.shown(metric, values[rows], part.values, part.weight))
    drawn = sqrt(size / n) if judged.groups is None else 1.0
    half = 1.96 * judged.widening * float(np.nanstd(draws, ddof=1)) * drawn
    return Interval(mid - half, mid, mid + half, n=n)


def _drawn(rng: np.random.Generator, n: int, size: int, groups: Array | None) -> Array:
    """Rows with replacement; whole groups where rows of a group hang together."""
    if groups is None:
        return rng.integers(0, n, size)
    names, codes = np.unique(groups, return_inverse=True)
    order = np.argsort(codes, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
    return np.concatenate([members[i] for i in rng.integers(0, len(names), len(names))])


def candidate_name(hypotheses: Sequence[Hypothesis]) -> str:
    """What people call the candidate: one hypothesis by name, several as a blend."""
    return hypotheses[0].name if len(hypotheses) == 1 else f"blend of {len(hypotheses)} models"


def speaks_of(race: Race, judged: Judged, members: Sequence[Member]) -> str:
    """Which artefact the score is a statement about, in words."""
    n, folds = len(judged.truth.ids), judged.n_folds
    lists = race.course.problem.form == "lists"
    if lists:
        cuts = "one cut" if folds == 1 else f"{folds} cuts"
        basis = f"judged on {n} lists at {cuts}, by what their users met after it"
    else:
        share = 100 * (1 - n / folds / race.course.n_rows)
        basis = (
            f"judged on {n} rows that the fits had not seen "
            f"({folds} fold{'s' if folds > 1 else ''}, each fit on {share:.0f}% of the rows)"
        )
    if all(member.refitted for member in members):
        known = "interactions" if lists else "rows"
        return f"the recipe, {basis}; the packed version is that recipe fitted on all {known}"
    instead = "is that of the newest cut" if lists else "averages the models of the folds"
    return f"the recipe, {basis}; the packed version {instead}"
