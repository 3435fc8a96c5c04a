"""How far back to learn from: all rows, or the newest of them where old ones no longer speak.

A cheap member of the champion is fitted to all rows and to the newest half, quarter and eighth of
them, and asked about rows that are newer still. Less than all is taken only when it is clearly
better there: old rows lower the noise, and only a change of the world makes them harmful.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from everfit.evidence.paired import paired_gain
from everfit.loop.backtest import cheap, losses_after, tidy
from everfit.loop.gather import Gathered
from everfit.loop.lineage import Lineage
from everfit.records import Array

SHARES = (0.5, 0.25, 0.125)
ASKED_SHARE, ASKED_LEAST, ASKED_MOST = 0.2, 100, 3_000  # of the rows whose time is known
LEAST_HISTORY = 200
ALPHA = 0.05 / len(SHARES)  # each is tried, and only a clear gain counts


def newest(
    line: Lineage, rows: Gathered, *, seconds: float, seed: int
) -> tuple[Gathered, tuple[str, ...]]:
    """The rows to learn from, and a note when they are not all of them.

    All rows, when too few have a known time, no member is cheap enough, or ``seconds`` are over.
    """
    until = time.monotonic() + seconds
    hypothesis = cheap(line.hypotheses)
    timed = int(rows.at.is_not_null().sum())
    n = rows.table.n_rows
    n_asked = int(np.clip(ASKED_SHARE * timed, ASKED_LEAST, ASKED_MOST))
    if hypothesis is None or timed < 2 * ASKED_LEAST or n - n_asked < 2 * LEAST_HISTORY:
        return rows, ()
    table, end = tidy(line, rows.table), n - n_asked
    asked = np.arange(end, n)

    def losses(share: float) -> Array | None:
        history = np.arange(end - int(share * end), end)
        if len(history) < LEAST_HISTORY or time.monotonic() >= until:
            return None
        left = until - time.monotonic()
        return losses_after(line, table, hypothesis, history, asked, seconds=left, seed=seed)

    whole = losses(1.0)
    if whole is None:
        return rows, ()
    best, gain = 1.0, 0.0
    for share in SHARES:
        found = losses(share)
        if found is None:
            break
        both = np.isfinite(found) & np.isfinite(whole)
        saved = paired_gain(found[both], whole[both], alpha=ALPHA)
        if saved.low > 0 and saved.mid > gain:
            best, gain = share, saved.mid
    if best == 1.0:
        return rows, ()
    kept = np.arange(n - int(best * n), n)
    note = (
        f"the oldest {n - len(kept):,} of {n:,} rows were left out: on the newest {n_asked:,} a "
        f"model without them loses {gain:.2g} less"
    )
    return replace(rows, table=rows.table.take(kept), at=rows.at[kept]), (note,)
