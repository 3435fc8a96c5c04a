"""The streams: real rows in time order, each with its target, its windows and its label delay."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

SHARED = Path(os.environ.get("EVERFIT_SHARED", Path(__file__).resolve().parents[3] / "shared"))
WEEK_S, DAY_S = 7 * 86_400.0, 86_400.0


@dataclass(frozen=True, slots=True)
class Replay:
    """One stream, and how it is replayed.

    ``rows`` of a window, ``first`` rows that the first version learns from, ``block`` windows
    between two fits of refitting by the clock; outcomes come ``delay_s`` after they were asked.
    """

    name: str
    table: Callable[[], pl.DataFrame]
    target: str
    rows: int
    first: int
    block: int
    window_s: float = DAY_S
    delay_s: float = WEEK_S
    windows: int | None = None
    kinds: dict[str, str] = field(default_factory=dict)


def elec2() -> pl.DataFrame:
    """Electricity prices in New South Wales, half-hourly 1996 to 1998: up or down."""
    return pl.read_parquet(SHARED / "data/elec2/data.parquet")


def bike() -> pl.DataFrame:
    """Bicycles rented in an hour, 2011 and 2012, without what adds up to the target."""
    frame = pl.read_csv(SHARED / "data/bike_hour/data.csv")
    return frame.drop("casual", "registered", "instant")


def energy() -> pl.DataFrame:
    """Electricity demand in the AEP zone by hour: the calendar, and what was known a week before.

    Three years up to August 2018; hours that stand twice count once.
    """
    frame = (
        pl.read_parquet(SHARED / "data/energy_aep_hourly/data.parquet")
        .with_columns(pl.col("Datetime").cast(pl.String).str.to_datetime(strict=False))
        .unique("Datetime", keep="first")
        .sort("Datetime")
    )
    at, load = pl.col("Datetime"), pl.col("AEP_MW").cast(pl.Float64)
    frame = frame.with_columns(
        at.dt.hour().alias("hour"),
        at.dt.weekday().alias("weekday"),
        at.dt.ordinal_day().alias("day_of_year"),
        load.shift(168).alias("a_week_before"),
        load.shift(336).alias("two_weeks_before"),
        load.shift(168).rolling_mean(168).alias("mean_of_the_week_before"),
    ).drop_nulls()
    return frame.tail(3 * 365 * 24).drop("Datetime")


def films() -> pl.DataFrame:
    """Ratings of films by 943 people, by time: whether one gave four stars or five."""
    folder = SHARED / "data/movielens_100k"
    ratings = pl.read_parquet(folder / "ratings.parquet").sort("timestamp", maintain_order=True)
    users = pl.read_parquet(folder / "users.parquet")
    items = pl.read_parquet(folder / "items.parquet")
    key = next(name for name in ("item_id", "movie_id") if name in items.columns)
    frame = ratings.join(users, on="user_id", how="left", maintain_order="left").join(
        items, left_on="item_id", right_on=key, how="left", maintain_order="left"
    )
    liked = pl.when(pl.col("rating") >= 4).then(pl.lit("yes")).otherwise(pl.lit("no"))
    frame = frame.with_columns(liked.alias("liked")).drop("rating", "timestamp")
    return frame.head(50_000)


def adult() -> pl.DataFrame:
    """Incomes in a random order: nothing drifts, so what more rows bring can be seen."""
    names = [
        "age",
        "work",
        "weight",
        "education",
        "years",
        "marital",
        "job",
        "relation",
        "race",
        "sex",
        "gain",
        "loss",
        "hours",
        "country",
        "income",
    ]
    frame = pl.read_csv(
        SHARED / "data/adult/data.csv", has_header=False, new_columns=names, null_values=[" ?"]
    )
    words = [name for name, kind in frame.schema.items() if kind == pl.String]
    frame = frame.with_columns(pl.col(words).str.strip_chars()).drop_nulls("income")
    return frame.sample(fraction=1.0, shuffle=True, seed=1)


REPLAYS = {
    replay.name: replay
    for replay in (
        # a window is a day of the stream, as it is unless a policy says otherwise
        Replay("elec2", elec2, "class", rows=48, first=5_000, block=21),
        Replay("bike-hour", bike, "cnt", rows=24, first=5_000, block=14),
        Replay("energy", energy, "AEP_MW", rows=24, first=8_760, block=28),
        Replay("films", films, "liked", rows=250, first=10_000, block=4),
        Replay("adult", adult, "income", rows=100, first=500, block=10, windows=200),
    )
}
