"""Counts of runs beside the bar that they are held against, and how they are printed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

NEVER = 10**9  # rows of a change that was not found


@dataclass(frozen=True, slots=True)
class Falses:
    """Of ``runs`` runs on a stream that stayed as it was, ``hit`` had a false alarm."""

    what: str
    stream: str
    hit: int
    runs: int
    looks: int
    alpha: float | None = None

    @property
    def share(self) -> float:
        """The share of runs with any false alarm."""
        return self.hit / self.runs if self.runs else math.nan

    @property
    def limit(self) -> float:
        """What the share may be: alpha and three binomial standard errors."""
        if self.alpha is None:
            return math.nan
        return self.alpha + 3 * math.sqrt(self.alpha * (1 - self.alpha) / self.runs)

    def cells(self) -> list[str]:
        """A row of the table."""
        if self.alpha is None:
            bar, answer = "none", ""
        else:
            bar = f"{self.limit:.3f}"
            answer = "reached" if self.share <= self.limit else "not reached"
        return [self.what, self.stream, f"{self.hit} of {self.runs}", f"{self.share:.3f}",
                f"{self.looks:,}", bar, answer]  # fmt: skip


FALSES = ["detector", "stream", "runs with a false alarm", "share", "looks", "bar", ""]


@dataclass(frozen=True, slots=True)
class Delays:
    """Rows from a change to its alarm, one per run; NEVER for a change that was not found."""

    what: str
    change: str
    rows: tuple[int, ...]
    anchor: float | None = None
    early: int = 0

    def cells(self) -> list[str]:
        """A row of the table."""
        rows = np.sort(np.asarray(self.rows, dtype=np.int64))
        found = float((rows < NEVER).mean()) if len(rows) else math.nan
        middle = shown(float(np.median(rows))) if len(rows) else "-"
        late = shown(float(np.quantile(rows, 0.9, method="higher"))) if len(rows) else "-"
        if self.anchor is None:
            bar, answer = "none", ""
        else:
            bar = f"{1.25 * self.anchor:,.0f}"
            answer = "reached" if np.median(rows) <= 1.25 * self.anchor else "not reached"
        return [self.what, self.change, middle, late, f"{found:.2f}", str(self.early), bar, answer]


DELAYS = ["detector", "change", "median rows", "90%", "found", "alarms before", "bar", ""]


def shown(rows: float) -> str:
    """A number of rows, or that there is none."""
    return f"{rows:,.0f}" if rows < NEVER / 2 else "never"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table that is text and Markdown alike."""
    body = [list(head), *(list(row) for row in rows)]
    wide = [max(len(row[i]) for row in body) for i in range(len(head))]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(row, wide, strict=True)) + " |"
             for row in body]  # fmt: skip
    rule = "|" + "|".join("-" * (w + 2) for w in wide) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])
