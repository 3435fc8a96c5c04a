"""Which outcomes are worth most: rows drawn with known chances, and written down as asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from everfit.errors import Refused
from everfit.house.acting import House
from everfit.loop.gather import Record
from everfit.maintain.labels import draw, worth
from everfit.records import Array, Because, Decision, Problem, Step, Upkeep
from everfit.watch.reference import answers_of, features_of

KIND = "labels"
BACK = 90 * 86_400.0  # seconds that are looked back: who knows what became of older requests?
SHADOW = "shadow"
FIFTHS = 5  # parts of the range of numbers, each with its share of known outcomes
SLIM = ("id", "at", "version", "arm", "key", "value", "probabilities", "low", "high", "of",
        "outcome")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked: at most ``most`` rows of ``model``, by whom, and when it is now."""

    model: str
    most: int
    now: datetime
    upkeep: Upkeep
    by: str = "person"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Rows whose outcomes are wanted, and how they were drawn.

    ``rows`` has ``id``, ``chance``, ``at``, ``key``, the features, ``answer`` and an empty
    ``outcome``; ``of`` counts the rows that they were drawn from; ``again`` says that they were
    drawn before, from the same rows, and nothing was written.
    """

    rows: pl.DataFrame
    of: int
    decision: int
    again: bool = False


def wanted_labels(house: House, record: Record, wish: Wish) -> Wanted:
    """Draw rows whose outcomes tell most, and write their ids and chances into the ledger.

    The same rows without an outcome give the same draw, which is written once. Rows that were
    asked for before are not drawn again.

    Raises
    ------
    ModelUnknown, Refused : no such model, no champion, or no row without an outcome
    """
    problem = house.version(wish.model).problem
    traffic = _traffic(record, wish)
    before = house.steps(wish.model, KIND)
    asked = {name for step in before for name in step.record["ids"]}
    open_ = traffic.own.filter(pl.col("outcome").is_null() & (pl.col("at") < traffic.until))
    fresh = open_.filter(~pl.col("id").is_in(list(asked)))
    key = _key(open_["id"], wish.most)
    done = next((step for step in before if step.record["drawn_from"] == key), None)
    if done is not None:
        ids, chances = done.record["ids"], done.record["chances"]
        rows = _rows(record, wish, ids, chances)
        return Wanted(rows, done.record["of"], done.decision, again=True)
    if not fresh.height:
        raise Refused(
            f"no outcome of {wish.model!r} is wanted",
            got=f"{open_.height:,} requests without an outcome, all asked for before",
            expected="a request whose outcome had its time and did not come",
            do=f"see what came: everfit status {wish.model}",
        )
    value = worth(
        unsure_of(fresh, problem),
        disagreement_of(fresh, traffic.shadows, problem),
        known_of(traffic.own, fresh),
    )
    drawn = draw(value, wish.most, seed=int(key[:8], 16))
    ids = fresh["id"].gather(drawn.rows).to_list()
    chances = [float(f"{chance:.6g}") for chance in drawn.chance]
    facts = {
        "ids": ids, "chances": chances, "of": fresh.height, "least": drawn.least,
        "drawn_from": key,
    }  # fmt: skip
    decision = _written(house, wish, facts)
    return Wanted(_rows(record, wish, ids, chances), fresh.height, decision.id)


def unsure_of(frame: pl.DataFrame, problem: Problem) -> Array:
    """How little the answer says, in [0, 1] (n,): nearness of the two best labels, or wide ranges.

    Examples
    --------
    >>> frame = pl.DataFrame({"probabilities": [{"no": 0.5, "yes": 0.5}, {"no": 0.1, "yes": 0.9}]})
    >>> problem = Problem("t", "y", "log_loss", "probabilities", ("no", "yes"))
    >>> unsure_of(frame, problem).round(2).tolist()
    [1.0, 0.2]
    """
    if problem.labels:
        best = np.sort(np.nan_to_num(answers_of(frame, problem.labels)), axis=1)
        return np.asarray(1.0 - (best[:, -1] - best[:, -2]))
    if not {"low", "high"} <= set(frame.columns):
        return np.zeros(frame.height)
    wide = (frame["high"].cast(pl.Float64) - frame["low"].cast(pl.Float64)).fill_null(np.nan)
    width = wide.to_numpy()
    most = np.nanmax(width) if np.isfinite(width).any() else 0.0
    return np.asarray(np.nan_to_num(width / most) if most > 0 else np.zeros(len(width)))


def disagreement_of(frame: pl.DataFrame, shadows: pl.DataFrame, problem: Problem) -> Array | None:
    """How far the newest shadow is from the champion on the same request, in [0, 1] (n,).

    Labels: half the sum of the absolute differences of the probabilities. Numbers: the difference
    as a share of the middle nine tenths of all answers. None where no shadow answered.
    """
    if not shadows.height:
        return None
    newest = shadows.filter(pl.col("version") == shadows["version"].max())
    newest = newest.unique("of", keep="first")
    place = frame.select("id").with_row_index("row")
    both = newest.join(place, left_on="of", right_on="id", how="inner")
    if not both.height:
        return None
    rows = both["row"].to_numpy()
    theirs = answers_of(both, problem.labels)
    ours = answers_of(frame, problem.labels)
    found = np.zeros(frame.height)
    if problem.labels:
        found[rows] = 0.5 * np.abs(theirs - ours[rows]).sum(axis=1)
    else:
        low, high = np.nanquantile(ours[:, 0], [0.05, 0.95])
        found[rows] = np.abs(theirs[:, 0] - ours[rows, 0]) / max(high - low, 1e-12)
    return np.clip(np.nan_to_num(found), 0.0, 1.0)


def known_of(own: pl.DataFrame, frame: pl.DataFrame) -> Array:
    """Of requests that were answered alike, the share whose outcome is known, in [0, 1] (n,)."""
    groups = _groups(own["value"], own["value"])
    shares = (
        pl.DataFrame({"group": groups, "known": own["outcome"].is_not_null()})
        .group_by("group")
        .agg(pl.col("known").mean())
    )
    mine = pl.DataFrame({"group": _groups(frame["value"], own["value"])})
    found = mine.join(shares, on="group", how="left", maintain_order="left")
    return np.asarray(found["known"].fill_null(0.0).to_numpy(), dtype=np.float64)


def _groups(values: pl.Series, all_: pl.Series) -> pl.Series:
    """The label that was answered, or the fifth that the number lies in, as text."""
    if not all_.dtype.is_float():
        return values.cast(pl.String)
    cuts = np.nanquantile(all_.to_numpy(), np.arange(1, FIFTHS) / FIFTHS)
    return pl.Series(np.searchsorted(cuts, values.to_numpy())).cast(pl.String)


@dataclass(frozen=True, slots=True)
class _Traffic:
    own: pl.DataFrame
    shadows: pl.DataFrame
    until: datetime  # outcomes of what was asked before have had their time


def _traffic(record: Record, wish: Wish) -> _Traffic:
    until = wish.now - timedelta(seconds=wish.upkeep.label_delay_s)
    since = until - timedelta(seconds=BACK)
    parts = list(record.joined(wish.model, since=since, columns=SLIM))
    if not parts:
        raise Refused(
            f"nothing was asked of {wish.model!r} yet",
            expected="a model that was served",
            do="serve it: everfit serve",
        )
    whole = pl.concat(parts, how="diagonal_relaxed")
    empty = [pl.lit(None).alias(name) for name in SLIM if name not in whole.columns]
    whole = whole.with_columns(empty)
    shadow = pl.col("arm") == SHADOW
    return _Traffic(whole.filter(~shadow), whole.filter(shadow), until)


def _rows(record: Record, wish: Wish, ids: list[str], chances: list[float]) -> pl.DataFrame:
    """The drawn requests as a person gets them, in the order of their ids."""
    since = wish.now - timedelta(seconds=BACK + wish.upkeep.label_delay_s)
    found = [
        part.filter(pl.col("id").is_in(ids)) for part in record.joined(wish.model, since=since)
    ]
    rows = pl.concat(found, how="diagonal_relaxed")
    order = pl.DataFrame({"id": ids, "chance": chances})
    rows = order.join(rows, on="id", how="left", maintain_order="left")
    features = features_of(rows.drop("chance"))
    taken = {"id", "chance", "at", "key", "answer", "outcome"}
    features = features.rename({n: f"feature.{n}" for n in features.columns if n in taken})
    return pl.concat(
        [
            rows.select("id", "chance", "at", "key"),
            features,
            rows.select(pl.col("value").alias("answer"), pl.lit(None, pl.String).alias("outcome")),
        ],
        how="horizontal",
    )


def _key(open_: pl.Series, most: int) -> str:
    """The same for the same requests without an outcome, and as many wanted."""
    text = f"{most}\n" + "\n".join(sorted(open_.to_list()))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _written(house: House, wish: Wish, facts: Mapping[str, Any]) -> Decision:
    n, of = len(facts["ids"]), facts["of"]
    decision = Decision(
        model=wish.model,
        kind="labels_wanted",
        headline=f"Asked for the outcomes of {n:,} of {of:,} requests, those that tell most",
        because=(
            Because(
                "requests without an outcome", None, float(of), unit="rows",
                note="drawn at random: unsure answers and disagreement more often",
            ),
        ),
        not_done=("no other request was asked about: each outcome has its price",),
        would_change="outcomes for these requests",
        by=wish.by,
        at=wish.now,
    )  # fmt: skip
    return house.record(
        decision, steps=(Step(wish.model, KIND, facts["drawn_from"], dict(facts), wish.now),)
    )
