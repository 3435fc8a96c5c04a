"""Matured outcomes of the log as rows to learn from: as asked, with what turned out true."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

import polars as pl

from everfit.loop.gather.schema import Fitting
from everfit.loop.gather.source import Part
from everfit.records import Column
from everfit.store.log.columns import JOINED, SEEN

Stretch = tuple[datetime, datetime]  # the end is not included
ARMS = ("champion", "canary", "holdout")  # a shadow repeats what one of these was asked
AT = "at, as the log has it"  # no column of a table is likely to be called so
STRETCHES = 12  # into which the time of a log is cut: the last may be read for nothing
TAKEN = frozenset((*SEEN, *JOINED))


class Record(Protocol):
    """Predictions with their outcomes, in batches; the log, or a simulated one."""

    def joined(
        self,
        model: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        columns: Sequence[str] | None = None,
        arm: str | None = None,
        version: int | None = None,
    ) -> Iterator[pl.DataFrame]:
        """See :meth:`everfit.store.log.log.Log.joined`."""
        ...


@dataclass(frozen=True, slots=True)
class Matured:
    """Which predictions count as matured: asked before ``until``, with time for their outcome.

    ``missing`` is what a prediction counts as whose outcome did not come in that time; None leaves
    it out. What was asked in a stretch of ``aside`` is left out too.
    """

    model: str
    until: datetime
    since: datetime | None = None
    missing: str | None = None
    aside: tuple[Stretch, ...] = ()


def matured(
    model: str, *, until: datetime, now: datetime, delay_s: float, missing: str | None = None
) -> Matured:
    """The predictions before ``until`` whose outcomes had ``delay_s`` seconds to come by ``now``.

    Outcomes that come early are not a fair sample of all that will come: a younger prediction does
    not count, with or without an outcome.
    """
    return Matured(model, min(until, now - timedelta(seconds=delay_s)), missing=missing)


def outcomes(record: Record, wanted: Matured, like: Sequence[Column], *, most: int) -> Part:
    """The newest ``most`` labelled rows of the log, typed as ``like``, oldest first.

    Raises
    ------
    DataError : more than a tenth of the values of a column are not of its kind
    """
    target = next(column.name for column in like if column.role == "target")
    asked = {_seen(c.name): c.name for c in like if c.name != target}
    named = [pl.col(seen).alias(name) for seen, name in asked.items()]
    fitting = Fitting(like, "the log", absent=True)
    kept: list[pl.DataFrame] = []
    n, older = 0, False
    for stretch in _backwards(record, wanted):
        if n >= most:
            older = True
            break
        parts = []
        for frame in labelled(record, stretch, list(asked)):
            rows = fitting.take(frame.select(*named, pl.col("outcome").alias(target)))
            parts.append(rows.with_columns(frame["at"].dt.replace_time_zone(None).alias(AT)))
            n += rows.height
        kept = [*parts, *kept]
    if not n:
        nothing = pl.DataFrame(schema={c.name: pl.String for c in like})
        return Part("log", fitting.take(nothing), pl.Series("at", [], dtype=pl.Datetime("us")))
    whole = pl.concat(kept, rechunk=True)
    whole = whole[oldest_first(whole[AT])].tail(most)
    notes = fitting.notes()
    if older or n > whole.height:
        notes.append(f"the log: older rows were left out, there is room for {most:,}")
    return Part("log", whole.drop(AT), whole[AT].alias("at"), tuple(notes))


def _backwards(record: Record, wanted: Matured) -> Iterator[Matured]:
    """The time of ``wanted`` in stretches, the newest first: who has enough reads no further."""
    span = getattr(record, "span", None)
    found = None if span is None else span(wanted.model)
    if found is None:
        yield wanted
        return
    first = found[0] if wanted.since is None else max(found[0], wanted.since)
    end = min(wanted.until, found[1] + timedelta(microseconds=1))
    length = max((end - first) / STRETCHES, timedelta(seconds=1))
    while end > first:
        start = max(first, end - length)
        yield replace(wanted, since=start, until=end)
        end = start


def labelled(record: Record, wanted: Matured, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Batches of predictions with an outcome: ``columns``, ``at`` and ``outcome``."""
    needed = list(dict.fromkeys((*columns, "at", "arm", "outcome")))
    batches = record.joined(
        wanted.model,
        since=wanted.since,
        until=wanted.until,
        columns=needed,
    )
    for frame in batches:
        rows = frame.filter(pl.col("arm").is_in(ARMS))
        if wanted.missing is not None:
            word = pl.lit(wanted.missing)
            rows = rows.with_columns(pl.col("outcome").cast(pl.String).fill_null(word))
        for start, end in wanted.aside:
            rows = rows.filter(~pl.col("at").is_between(start, end, closed="left"))
        rows = rows.filter(pl.col("outcome").is_not_null()).drop("arm")
        if rows.height:
            yield rows


def waiting(record: Record, wanted: Matured) -> int:
    """How many matured outcomes there are: three columns are read, and no feature.

    With ``since`` at the data cut of the champion: those that it has not learnt from.
    """
    return sum(frame.height for frame in labelled(record, wanted, []))


def oldest_first(at: pl.Series) -> pl.Series:
    """The rows by their time, without a time first; equal times stay in their order."""
    rows = pl.DataFrame({"at": at, "row": pl.int_range(len(at), eager=True)})
    return rows.sort("at", "row", nulls_last=False)["row"]


def _seen(name: str) -> str:
    """What the log calls a feature."""
    return f"feature.{name}" if name in TAKEN else name
