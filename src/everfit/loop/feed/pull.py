"""Pulling: new rows of one feed into the store, and of all feeds of a model in a turn."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from everfit.errors import DataError, EverfitError, StoreBusy, Unreachable, UsageError
from everfit.loop.feed.contract import Feed, Pulled
from everfit.loop.feed.files import pull_files
from everfit.loop.feed.sql import pull_rows
from everfit.loop.gather.schema import fitted
from everfit.plain import from_plain
from everfit.records import Because, Column, Decision, Step
from everfit.release.manifest import verify
from everfit.store.contract import RunHandle, Store

STEP, LOST, FOUND = "pulled", "source_lost", "source_found"


def pull(
    feed: Feed,
    state: Mapping[str, Any],
    *,
    root: Path,
    model: str,
    like: Sequence[Column],
    now_s: Callable[[], float] = time.time,
) -> Pulled:
    """New rows of ``feed`` since ``state``, kept in the store; the same again brings nothing.

    Parameters
    ----------
    state : of the pull before, {} for the first
    like : the columns that the champion learnt from, which rows must have
    now_s : the clock of the file system, in seconds since 1970

    Raises
    ------
    SourceMissing, SourceUnreadable, Unreachable : the feed cannot be read
    ColumnMissing, DataError : rows lack a column, or one is no longer of its kind; nothing is kept
    StoreFailed : the disk refused
    """
    target = next(column.name for column in like if column.role == "target")

    def check(rows: pl.DataFrame, place: str) -> None:
        fitted(rows, like, place)

    if feed.is_database:
        found = pull_rows(feed, state, root=root, model=model, check=check, target=target)
    else:
        found = pull_files(
            feed, state, root=root, model=model, check=check, target=target, now_s=now_s
        )
    digest = hashlib.sha256(json.dumps(found.state, sort_keys=True).encode()).hexdigest()
    return Pulled(feed.name, found.n, found.files, found.state, digest, found.notes)


def pull_feeds(
    model: str, feeds: Sequence[Feed], store: Store, hold: RunHandle, *, now: datetime
) -> tuple[str, ...]:
    """Pull all feeds of a model; one line for each that brought something or was lost.

    Each pull that brought something is a step ``pulled``; a feed that cannot be used is one row
    ``source_lost`` of the ledger, written once until it is back, which is a row ``source_found``.
    The others go on.

    Raises
    ------
    StoreBusy : the hold was lost
    StoreFailed : rows could not be kept
    """
    if not feeds or (champion := store.champion(model)) is None:
        return ()
    folder = store.root / champion.folder
    columns = verify(folder, key=store.key(), sha256=champion.sha256).columns
    like = tuple(from_plain(Column, column) for column in columns)
    before = store.steps(model, STEP)
    lost = store.steps(model, LOST)
    lines: list[str] = []
    for feed in feeds:
        mine = [step for step in before if step.record["feed"] == feed.name]
        state = mine[-1].record["state"] if mine else {}
        trouble = _open_trouble([s for s in lost if s.record["feed"] == feed.name], mine)
        try:
            found = pull(feed, state, root=store.root, model=model, like=like)
        except StoreBusy:
            raise
        except (DataError, Unreachable, UsageError) as error:
            if trouble is None or trouble != error.what:
                lines.append(_lost(model, feed, error, store, hold, now))
            continue
        if found.sha256 != _digest(state) or trouble is not None:
            _note(model, found, store, hold, now, back=trouble is not None)
        if found.n:
            lines.append(f"{feed.name}: {found.n:,} new rows")
        elif trouble is not None:
            lines.append(f"{feed.name}: it is back")
    return tuple(lines)


def pulled_files(store: Store, model: str, *, until: datetime | None = None) -> tuple[str, ...]:
    """All files that feeds brought, as paths in the store, oldest first; up to a time."""
    steps = [s for s in store.steps(model, STEP) if until is None or s.at < until]
    return tuple(name for step in steps for name in step.record["files"])


def _open_trouble(lost: Sequence[Step], pulled: Sequence[Step]) -> str | None:
    """What was wrong at the last look, when nothing was pulled since."""
    if not lost or (pulled and pulled[-1].at >= lost[-1].at and pulled[-1].record["back"]):
        return None
    if pulled and pulled[-1].at > lost[-1].at:
        return None
    return str(lost[-1].record["what"])


def _note(
    model: str, found: Pulled, store: Store, hold: RunHandle, now: datetime, *, back: bool
) -> None:
    record = {
        "feed": found.feed,
        "n": found.n,
        "files": list(found.files),
        "state": dict(found.state),
        "notes": list(found.notes),
        "back": back,
    }
    when = f"@{now.isoformat()}" if back else ""
    key = f"{found.feed}@{found.sha256[:24]}{when}"
    step = Step(model, STEP, key, record, now)
    if not back:
        store.note(hold, [step])
        return
    row = Decision(
        model=model,
        kind=FOUND,
        headline=f"Rows are pulled from {found.feed} again: {found.n:,} new ones",
        because=(Because("the feed can be read", True, float(found.n), unit="rows"),),
        would_change="a feed that is lost again",
        at=now,
    )
    store.commit(row, run=hold, steps=[step])


def _lost(
    model: str, feed: Feed, error: EverfitError, store: Store, hold: RunHandle, now: datetime
) -> str:
    row = Decision(
        model=model,
        kind=LOST,
        headline=f"Nothing was pulled from {feed.name}: {error.what}",
        because=(Because(error.what, False, note=f"got {error.got}; expected {error.expected}"),),
        not_done=("no rows were taken; what was pulled before is kept",),
        would_change=error.do,
        at=now,
    )
    record = {"feed": feed.name, "what": error.what}
    step = Step(model, LOST, f"{feed.name}@{now.isoformat()}", record, now)
    store.commit(row, run=hold, steps=[step])
    return f"{feed.name}: {error.what}"


def _digest(state: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(dict(state), sort_keys=True).encode()).hexdigest()
