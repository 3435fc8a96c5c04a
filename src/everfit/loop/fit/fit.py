"""One fit of the loop: gather rows, make a version, put it into the shadow, in one transaction.

Nothing is compared and nothing is promoted here. The same job on the same rows gives the same
version, and what an earlier try has finished is found again, so that a kill changes nothing.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from everfit.deadline import Deadline
from everfit.errors import (
    ArtefactRefused,
    BudgetSpent,
    DataError,
    EverfitError,
    Refused,
    SourceMissing,
    SourceUnreadable,
    Unreachable,
)
from everfit.errors import StoreBusy as Busy
from everfit.loop.backtest import Aged, backtest
from everfit.loop.fit.job import Begun, FitJob, Fitted, Hands
from everfit.loop.fit.made import STEP, Found, commit, refusal
from everfit.loop.fit.recalibrate import recalibrated
from everfit.loop.fit.recipe import retrained, searched
from everfit.loop.gather import Gathered, Wish, gather
from everfit.loop.lineage import Lineage, lineage_of
from everfit.plain import as_plain
from everfit.records import Because, Decision
from everfit.release.challenge import not_made
from everfit.shield import shield
from everfit.store.contract import RunHandle

WORDS = {"recalibrate": "recalibrate", "retrain": "retrain", "search": "search anew"}
BESIDE_S = 600.0  # to read, judge and pack, beside the budget, when nobody else holds the model
BACKTEST_S, BACKTEST_SHARE = 5.0, 0.05  # most seconds to see how it ages, and most of the budget
LOST = (SourceMissing, SourceUnreadable, Unreachable)


def fit(job: FitJob, hands: Hands, hold: RunHandle | None = None) -> Fitted:
    """Make the version that ``job`` asks for and let it answer in the shadow.

    What cannot be made has a decision too: ``source_lost`` when rows cannot be read, ``refused``
    when they cannot be used, or when a gate says no.

    Parameters
    ----------
    hold : the right of the turn under which this happens; None: it takes the model by itself

    Returns
    -------
    Fitted : what the same fit on the same rows gave before is not made again

    Raises
    ------
    StoreBusy : another holds the model by now; nothing was written
    """
    if hold is not None:
        return _under(job, hands, hold)
    own = hands.store.hold(job.model, ttl_s=job.budget_s + BESIDE_S)
    try:
        return _under(job, hands, own)
    finally:
        with suppress(Busy):
            hands.store.let_go(own)


def _under(job: FitJob, hands: Hands, hold: RunHandle) -> Fitted:
    deadline = Deadline(time.monotonic(), job.budget_s)
    champion = hands.store.version(job.model, f"v{job.champion}")
    try:
        line = lineage_of(hands.store, champion)
        rows = gather(_wish(job, line, hands), hands.record)
    except Busy:
        raise
    except (DataError, Unreachable, ArtefactRefused) as error:
        return refusal(job, hands, hold, _why_not(job, error, ""), "")
    hands.tell(f"{rows.table.n_rows:,} rows to learn from")
    key = f"{job.act}@v{job.champion}@{rows.sha256[:16]}"
    if (before := _before(job, hands, hold, key)) is not None:
        return before
    with _run(job, hands, hold, line, rows) as begun:
        try:
            found = _made(job, hands, begun, line, rows, deadline)
        except (DataError, BudgetSpent, Refused) as error:
            hands.store.finish_run(begun.handle, "done")
            return refusal(job, hands, begun.handle, _why_not(job, error, rows.sha256), key)
        with shield():
            return commit(job, hands, begun, found, key)


def _aged(job: FitJob, line: Lineage, rows: Gathered) -> tuple[Aged, ...]:
    """How the loss of such a fit grows with its age; a small part of the budget goes there."""
    if job.act == "recalibrate":
        return ()
    seconds = min(BACKTEST_S, BACKTEST_SHARE * job.budget_s)
    try:
        return backtest(line, rows, seconds=seconds, seed=job.seed)
    except EverfitError:
        return ()  # rows that cannot be used are told of by the fit itself


def _before(job: FitJob, hands: Hands, hold: RunHandle, key: str) -> Fitted | None:
    """What the same fit on the same rows gave, if it was done before."""
    store = hands.store
    steps = store.steps(job.model, STEP)
    step = next((s for s in steps if s.record.get("content") == key), None)
    if step is None:
        return None
    number = step.record["version"]
    version = None if number is None else store.version(job.model, f"v{number}")
    if not job.about or step.key == job.about:
        decision = next(d for d in store.decisions(job.model) if d.id == step.decision)
        return Fitted(decision, version, key, again=True)
    made = "nothing came of it" if version is None else f"it gave {version.name}"
    why = Because("the same was done on the same rows", False, note=made)
    decision = not_made(
        job.model,
        WORDS[job.act],
        why,
        champion=f"v{job.champion}",
        at=job.now,
        would_change="new rows, or another champion",
    )
    return replace(refusal(job, hands, hold, decision, key), version=version, again=True)


def _made(
    job: FitJob, hands: Hands, begun: Begun, line: Lineage, rows: Gathered, deadline: Deadline
) -> Found:
    if job.act == "recalibrate":
        return recalibrated(job, hands, begun, line, rows, deadline)
    if job.act == "retrain":
        return retrained(job, hands, begun, line, rows, deadline)
    return searched(job, hands, begun, line, rows, deadline)


def _wish(job: FitJob, line: Lineage, hands: Hands) -> Wish:
    upkeep, window = job.upkeep, timedelta(seconds=job.upkeep.window_s)
    return Wish(
        model=job.model,
        spec={**line.spec, **job.spec},
        columns=line.columns,
        until=job.until,
        now=job.now,
        learn_from="log" if job.act == "recalibrate" else upkeep.learn_from,
        delay_s=upkeep.label_delay_s,
        missing=upkeep.missing_outcome,
        files=tuple(hands.store.root / name for name in job.files),
        widen=job.act == "search",
        since=_since(job, line),
        aside=tuple((start, start + window) for start in map(datetime.fromisoformat, job.aside)),
        time=line.assessment.split.column if line.assessment.split.kind == "time" else None,
    )


def _since(job: FitJob, line: Lineage) -> datetime | None:
    """From when on rows are learnt from; what the members learnt from calibrates nothing."""
    if job.act != "recalibrate":
        return job.since
    known = [at for at in (line.members_until, job.since) if at is not None]
    return max(known, default=None)


@contextmanager
def _run(
    job: FitJob, hands: Hands, hold: RunHandle, line: Lineage, rows: Gathered
) -> Iterator[Begun]:
    """A run of the model under a hold; ended as failed if the block raises."""
    store = hands.store
    handle = store.begin_run(job.model, _spec(job, line, rows), under=hold)
    scratch = store.root / "staging" / f"run-{handle.id}"
    try:
        yield Begun(handle, scratch, _aged(job, line, rows))
    except BaseException as error:
        _failed(hands, handle, error, job)
        raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _failed(hands: Hands, handle: RunHandle, error: BaseException, job: FitJob) -> None:
    """Write down that a fit broke off, unless the model is another's by now."""
    first = getattr(error, "what", "") or str(error).split("\n", maxsplit=1)[0]
    row = Decision(
        model=job.model,
        kind="did_nothing",
        headline=f"Run {handle.id} failed to {WORDS[job.act]}: {type(error).__name__}: {first}"[
            :200
        ],
        not_done=("no version was made", "the champion was not touched"),
        would_change="the same again: finished fits are not repeated",
        run=handle.id,
        at=job.now,
    )
    if not isinstance(error, Busy):
        hands.store.finish_run(handle, "failed", [row])


def _spec(job: FitJob, line: Lineage, rows: Gathered) -> dict[str, Any]:
    """What the run was asked; the source stays that of the champion's run."""
    return {
        **line.spec,
        **job.spec,
        "act": job.act,
        "until": as_plain(job.until),
        "members_until": as_plain(line.members_until) if job.act == "recalibrate" else None,
        "champion": job.champion,
        "budget_s": job.budget_s,
        "seed": job.seed,
        "data_sha256": rows.sha256,
        "rows": dict(rows.n),
        "policy": as_plain(job.policy),
    }


def _why_not(job: FitJob, error: EverfitError, sha256: str) -> Decision:
    why = Because(error.what, False, note=f"got {error.got}; expected {error.expected}")
    return not_made(
        job.model,
        WORDS[job.act],
        why,
        champion=f"v{job.champion}",
        at=job.now,
        kind="source_lost" if isinstance(error, LOST) else "refused",
        would_change=error.do,
        data_sha256=sha256,
    )
