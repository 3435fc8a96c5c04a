"""Who answers a window of a simulation: the champion, and whoever stands in the shadow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from everfit.loop.turn.windows import scored
from everfit.records import Array, Problem, Version
from everfit.serve.load import open_plan
from everfit.serve.scorer import Scorer
from everfit.simulate.stream import Drawn
from everfit.store.contract import Store
from everfit.store.log.columns import JOINED, SEEN
from everfit.tasks import TASKS
from everfit.watch.answered import losses, truths

SHADOWS = ("shadow", "fallback", "base")
OPEN = 8  # packed versions that are kept in memory
TAKEN = frozenset((*SEEN, *JOINED))
INSTANT = pl.Datetime("us", "UTC")


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked in a window, when, and what is told of it.

    ``rows`` are features alone; ``at`` when each was asked; ``outcomes`` and ``told_at`` what will
    be known of each, and when; ``drawn`` which rows they are, where they come again.
    """

    index: int
    rows: pl.DataFrame
    at: pl.Series
    outcomes: pl.Series
    told_at: pl.Series
    drawn: Drawn | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """How good answers were on what turned out: mean loss, metric, and share right (of labels)."""

    loss: float
    score: float
    right: float | None = None


@dataclass(slots=True, eq=False)
class _Said:
    """Answers (n, n_outputs) to rows that are drawn again and again, as far as they are known."""

    values: Array
    known: Array


@dataclass(slots=True)
class Answering:
    """Answers windows by versions of one model, each opened when it is first asked."""

    store: Store
    model: str
    _open: dict[int, Scorer] = field(default_factory=dict)
    _said: dict[int, _Said] = field(default_factory=dict)

    def values(self, version: Version, rows: pl.DataFrame, drawn: Drawn | None = None) -> Array:
        """Answers (n, n_outputs) of a packed version; rows that were ``drawn`` before, as then."""
        scorer = self.scorer(version)
        if drawn is None:
            return scored(scorer, rows)
        said = self._said.get(version.number)
        new = np.arange(rows.height) if said is None else np.flatnonzero(~said.known[drawn.at])
        at, first = np.unique(drawn.at[new], return_index=True)
        if len(at) or said is None:
            found = scored(scorer, rows[new[first]])
            if said is None:
                said = _Said(np.empty((drawn.of, found.shape[1])), np.zeros(drawn.of, dtype=bool))
                self._said[version.number] = said
            said.values[at], said.known[at] = found, True
        return np.asarray(said.values[drawn.at])

    def scorer(self, version: Version) -> Scorer:
        """The packed version, opened."""
        if version.number not in self._open:
            for number in sorted(self._open)[1:-OPEN]:  # the first one is asked in each window
                del self._open[number]
                self._said.pop(number, None)
            folder = self.store.root / version.folder
            self._open[version.number] = open_plan(folder, trusted=version.trusted)
        return self._open[version.number]

    def shadows(self, champion: Version) -> list[Version]:
        """Versions that answer beside the champion, each once."""
        aliases = self.store.aliases(self.model)
        numbers = [aliases[name].number for name in SHADOWS if name in aliases]
        once = dict.fromkeys(n for n in numbers if n is not None and n != champion.number)
        return [self.store.version(self.model, f"v{number}") for number in once]

    def answer(self, asking: Asking, champion: Version, values: Array) -> pl.DataFrame:
        """The window as the record keeps it: a row for each answer, of the shadows too."""
        n = asking.rows.height
        ids = pl.Series("id", [f"{asking.index}-{i}" for i in range(n)], dtype=pl.String)
        base = pl.DataFrame(
            {
                "id": ids,
                "at": asking.at,
                "key": pl.Series([None] * n, dtype=pl.String),
                "outcome": asking.outcomes,
                "outcome_at": asking.told_at,
            }
        )
        features = asking.rows.rename({name: seen(name) for name in asking.rows.columns})
        none = pl.Series("of", [None] * n, dtype=pl.String)
        frames = [self._frame(base, champion, "champion", values, none).hstack(features)]
        for shadow in self.shadows(champion):
            own = base.with_columns((pl.col("id") + f"~{shadow.name}").alias("id"))
            theirs = self.values(shadow, asking.rows, asking.drawn)
            said = self._frame(own, shadow, "shadow", theirs, ids.alias("of"))
            frames.append(said.hstack(features))
        return pl.concat(frames, how="diagonal_relaxed")

    def _frame(
        self, base: pl.DataFrame, version: Version, arm: str, values: Array, of: pl.Series
    ) -> pl.DataFrame:
        scorer = self.scorer(version)
        frame = base.with_columns(
            pl.lit(version.number, dtype=pl.Int32).alias("version"),
            pl.lit(arm).alias("arm"),
            pl.Series("value", scorer.decide(values)),
            of,
        )
        if scorer.labels:
            names = [str(label) for label in scorer.labels]
            shares = pl.DataFrame(values, schema=names).to_struct("probabilities")
            frame = frame.with_columns(shares)
        return frame


def judged(values: Array, target: pl.Series, problem: Problem) -> Judged:
    """How good answers (n, n_outputs) were; rows without a target are left out."""
    task = TASKS[problem.task]
    true = truths(target, problem, task)
    known = np.flatnonzero(np.isfinite(true) & np.isfinite(values).all(axis=1))
    if not len(known):
        return Judged(float("nan"), float("nan"))
    said, true = values[known], true[known]
    lost = losses(said, true, problem, task)
    right = float((said.argmax(axis=1) == true).mean()) if problem.labels else None
    several = not problem.labels or len(np.unique(true)) > 1  # an area needs both
    score = task.shown(problem.metric, said, true, None) if several else float("nan")
    return Judged(float(lost.mean()), float(score), right)


def spread_over(n: int, start: datetime, length: timedelta) -> pl.Series:
    """Moments of ``n`` requests, evenly spread over a window.

    Examples
    --------
    >>> spread_over(4, datetime(2026, 3, 1), timedelta(hours=8)).dt.hour().to_list()
    [0, 2, 4, 6]
    """
    step = length / timedelta(microseconds=max(1, n))
    first = pl.Series("at", [start]).cast(pl.Datetime("us"))
    past = (np.arange(n) * step).astype(np.int64)
    whole = pl.Series("at", past + int(first.cast(pl.Int64)[0]))
    return whole.cast(pl.Datetime("us"))


def seen(name: str) -> str:
    """What the log calls a feature: its own columns keep their names.

    Examples
    --------
    >>> seen("age"), seen("id")
    ('age', 'feature.id')
    """
    return f"feature.{name}" if name in TAKEN else name


def instants(at: Sequence[datetime] | pl.Series) -> pl.Series:
    """Times as the log has them."""
    return pl.Series("at", at).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
