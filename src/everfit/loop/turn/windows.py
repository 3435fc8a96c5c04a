"""Closing windows of traffic: each is reduced once, when it is over and when its outcomes came."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

import polars as pl

from everfit.data.conform import conform
from everfit.data.table import Table
from everfit.loop.turn.hands import Hands
from everfit.loop.turn.state import State, certified_of, outcomes_in
from everfit.maintain.labels import judging, teaching
from everfit.plain import as_plain
from everfit.records import Array, Source, Step, Version, Window
from everfit.serve.load import open_plan
from everfit.serve.scorer import Scorer
from everfit.tasks import TASKS
from everfit.watch.adapted import RECENT_ROWS, Recent, adapted
from everfit.watch.asked import Beside, asked
from everfit.watch.matured import matured
from everfit.watch.reference import columns_of, read_reference
from everfit.watch.stage import made_reference

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ASKED_FOR = "labels"  # steps of draws of outcomes that a person was asked for
MOST_EMPTY = 31  # windows without traffic that are written down one by one
SHADOW, SHADOWS = "shadow", ("shadow", "fallback", "base")
CALIBRATES = ("id", "at", "version", "arm", "value", "probabilities", "outcome", "outcome_at")


def next_window(
    state: State, kind: str, hands: Hands, *, wait_s: float
) -> tuple[datetime, datetime] | None:
    """The oldest window of a kind that is over since ``wait_s`` and was not reduced yet, if any.

    Windows lie on a grid from 1970 on, so that the same traffic gives the same windows wherever and
    whenever the loop runs; those of another length go on where the last one ended. A clock that was
    set back closes nothing twice; one that jumped far ahead does not leave hundreds of empty
    windows behind, and goes on where it was when it is set right again.
    """
    span = hands.record.span(state.model)
    if span is None:
        return None
    length = timedelta(seconds=state.upkeep.window_s)
    over = state.now - timedelta(seconds=wait_s) - length
    start = _after_done(state, kind, floor_to(span[0], length))
    if start > over:
        return None
    newest = floor_to(span[1], length)
    if start > newest and over - start > MOST_EMPTY * length:
        start = floor_to(over, length)
    return start, start + length


def _after_done(state: State, kind: str, first: datetime) -> datetime:
    """Where the next window begins: after all that were reduced and are over by now.

    All that there ever were, not only those that tests look back on.
    """
    ends = {window.start: window.end for window in state.reduced[kind]}
    start = max((end for end in ends.values() if end <= state.now), default=first)
    start = max(start, first)
    while start in ends:  # reduced while the clock was ahead
        start = ends[start]
    return start


def floor_to(at: datetime, length: timedelta) -> datetime:
    """The start of the window that ``at`` lies in.

    Examples
    --------
    >>> floor_to(datetime(2026, 3, 1, 15, 30, tzinfo=UTC), timedelta(hours=6)).hour
    12
    """
    return at - (at - EPOCH) % length


def close_asked(state: State, hands: Hands, start: datetime, end: datetime) -> Step:
    """What was asked and answered in a window, reduced."""
    whole = _frame(hands, state.model, start, end)
    own = whole.filter(pl.col("arm") != SHADOW) if whole.height else whole
    version = _most(own, state)
    if hands.holds(version).passed is False:
        # nothing reads files that are not what was packed; the look at the health says so
        return _step(state, asked(own, None, start=start, end=end, version=version.number))
    folder = hands.store.root / version.folder
    reference = read_reference(folder, version=version.number)
    if reference is None:  # packed by an older release: its first window stands in
        reference = made_reference([w for w in state.asked if w.version == version.number])
    window = asked(
        own,
        reference,
        start=start,
        end=end,
        version=version.number,
        seed=int(start.timestamp()),
        verify=None if reference is None else verifier(hands, version),
        beside=_beside(state, hands, version, folder),
    )
    return _step(state, window)


def _beside(state: State, hands: Hands, version: Version, folder: Path) -> Beside:
    columns, limits = columns_of(folder)
    beside = Beside(columns=columns, limits=limits, lookup=hands.lookup_of(version))
    if state.upkeep.label_delay_s <= 0:
        return beside  # the loss is measured at once: there is nothing to estimate
    return replace(beside, problem=version.problem, task=TASKS[version.problem.task])


def close_matured(state: State, hands: Hands, start: datetime, end: datetime) -> Step:
    """How wrong the answers of a window were, reduced when outcomes had their time."""
    whole = judging(_frame(hands, state.model, start, end), _teaching(state, hands))
    shadows = _shadows(state, hands, whole, start)
    own = whole.filter(pl.col("arm") != SHADOW) if whole.height else whole
    version = _most(own, state)
    task, upkeep = TASKS[version.problem.task], state.upkeep
    certified = certified_of(hands.store, state.versions[state.root(version.number).number])
    window = matured(
        own,
        shadows,
        start=start,
        end=end,
        champion=version.number,
        problem=version.problem,
        task=task,
        upkeep=upkeep,
        certified=certified,
    )
    recent = Recent(
        _before(state, hands, start), start, version.problem, task, certified.worst,
        upkeep.missing_outcome,
    )  # fmt: skip
    until = end + timedelta(seconds=upkeep.label_delay_s)
    tried = adapted(own, shadows, recent, version.number, until)
    return _step(state, replace(window, facts={**window.facts, "adapted": tried}))


def _shadows(state: State, hands: Hands, whole: pl.DataFrame, start: datetime) -> pl.DataFrame:
    """Answers of shadows to the requests of a window; they may have come after its end."""
    challengers = [state.at(name) for name in SHADOWS]
    if not whole.height or (not any(challengers) and not (whole["arm"] == SHADOW).any()):
        return whole.clear()
    # a shadow is behind by seconds; a window behind is as much as is waited for
    until = min(state.now, start + timedelta(seconds=2 * state.upkeep.window_s))
    parts = list(hands.record.joined(state.model, since=start, until=until, arm=SHADOW))
    if not parts:
        return whole.clear()
    late = pl.concat(parts, how="diagonal_relaxed")
    return late.filter(pl.col("of").is_in(whole["id"].implode()))


def _before(state: State, hands: Hands, start: datetime) -> pl.DataFrame:
    """Answers of the newest windows whose outcomes had their time by ``start``, as far as needed.

    Later ones are left out: outcomes that come early are not like the others.
    """
    delay = timedelta(seconds=state.upkeep.label_delay_s)
    known, since = 0, start
    for window in reversed(state.judged):
        if window.end + delay > start:
            continue
        known += outcomes_in(window)
        since = window.start
        if known >= RECENT_ROWS:
            break
    if not known:
        return pl.DataFrame()
    found = _frame(hands, state.model, since, start - delay, columns=CALIBRATES)
    found = _without(found, [w for w in state.matured if w.start in state.aside])
    return judging(found, _teaching(state, hands))


def _teaching(state: State, hands: Hands) -> frozenset[str]:
    """Requests whose outcomes were asked for with unequal chances, and judge nobody."""
    return teaching(step.record for step in hands.store.steps(state.model, ASKED_FOR))


def _without(frame: pl.DataFrame, aside: Sequence[Window]) -> pl.DataFrame:
    """The rows that were asked in none of the windows."""
    for window in aside if frame.height else ():
        start, end = (int(t.timestamp() * 1e6) for t in (window.start, window.end))
        at = pl.col("at").dt.epoch("us")
        frame = frame.filter((at < start) | (at >= end))
    return frame


def verifier(hands: Hands, version: Version) -> Callable[[pl.DataFrame], Array]:
    """Answers of the packed version to logged rows, opened when it is first asked.

    Its files were just held against what was packed.
    """

    def verify(frame: pl.DataFrame) -> Array:
        folder = hands.store.root / version.folder
        return scored(_opened(folder, version.sha256, version.trusted), frame)

    return verify


@lru_cache(maxsize=2)  # the same for each window of a version
def _opened(folder: Path, _: str, trusted: tuple[str, ...]) -> Scorer:
    return open_plan(folder, trusted=trusted)


def scored(scorer: Scorer, frame: pl.DataFrame) -> Array:
    """Answers (n, n_outputs) of a packed version to rows as they were logged."""
    conformed, _ = conform(frame, scorer.columns)
    source = Source("the log", "", conformed.height, conformed.width)
    # a thread more is seldom free here, and to wait for one costs as much as it saves
    return scorer.table(Table(conformed, tuple(scorer.columns), source), threads=1)


def _step(state: State, window: Window) -> Step:
    key = window.start.isoformat()
    return Step(state.model, window.kind, key, as_plain(window), state.now)


def _most(own: pl.DataFrame, state: State) -> Version:
    """The version that answered most of a window; the champion when nothing was asked."""
    if not own.height:
        return state.champion
    counts = own["version"].drop_nulls().value_counts(sort=True)
    number = int(counts["version"][0]) if counts.height else state.champion.number
    return state.versions.get(number, state.champion)


def _frame(
    hands: Hands,
    model: str,
    start: datetime,
    end: datetime,
    columns: Sequence[str] | None = None,
) -> pl.DataFrame:
    parts = list(hands.record.joined(model, since=start, until=end, columns=columns))
    return pl.concat(parts, how="diagonal_relaxed") if parts else pl.DataFrame()
