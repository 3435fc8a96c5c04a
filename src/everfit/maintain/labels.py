"""Which outcomes to ask a person for: where they tell most, with chances that are written down.

Rows are drawn at random with unequal chances: higher where the champion is unsure, where the
challenger disagrees with it, and where few outcomes are known. A list of only the strangest rows
would teach the model about strange rows alone.

Because each row's chance is kept, the outcomes that come back can speak for all rows. All of them
teach. To judge, each would count 1 / chance (Horvitz & Thompson 1952); but a test over time needs
losses that are bounded, and a row that counts for fifty is not. So the weights are drawn: a row
judges with probability (least chance) / (its chance), and those that do are an even draw from all
rows that could be asked for. They count once each, in every mean and in every test.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

CLOSE = 1e-4  # chances are kept with six digits
EVEN = 0.3  # of the sum of chances is spread evenly, so that no chance is near nought


@dataclass(frozen=True, slots=True)
class Wanted:
    """Rows whose outcomes are worth most: positions (k,), and the chance of each to be drawn.

    ``least`` is the smallest chance of all rows, drawn or not.
    """

    rows: NDArray[np.intp]
    chance: Floats
    least: float = 1.0


def worth(
    unsure: ArrayLike, disagreement: ArrayLike | None = None, known: ArrayLike | None = None
) -> Floats:
    """How much each row's outcome is worth, in [0, 1] (n,).

    Parameters
    ----------
    unsure : in [0, 1]; 1 where the champion knows nothing (n,)
    disagreement : distance of champion and challenger in [0, 1] (n,)
    known : share of the rows like this one whose outcomes are known, in [0, 1] (n,)

    Examples
    --------
    >>> worth([0.0, 1.0], disagreement=[0.0, 0.5]).tolist()
    [0.0, 0.75]
    """
    parts = [np.asarray(unsure, dtype=np.float64)]
    if disagreement is not None:
        parts.append(np.asarray(disagreement, dtype=np.float64))
    value: Floats = np.clip(np.nan_to_num(np.mean(parts, axis=0)), 0.0, 1.0)
    if known is not None:
        value = value * (1.0 - np.clip(np.asarray(known, dtype=np.float64), 0.0, 1.0))
    return value


def chances_of(value: ArrayLike, wanted: int) -> Floats:
    """The chance of each row to be drawn, adding up to ``wanted`` (at most n), each at most 1.

    Examples
    --------
    >>> chances_of([0.0, 0.0, 1.0, 1.0], 2).round(2).tolist()
    [0.15, 0.15, 0.85, 0.85]
    """
    value = np.asarray(value, dtype=np.float64)
    n = len(value)
    if wanted >= n:
        return np.ones(n)
    total = value.sum()
    share = np.full(n, 1.0 / n) if total <= 0 else EVEN / n + (1.0 - EVEN) * value / total
    chance = wanted * share
    # what is above 1 is given to the others, until nothing is
    while (chance > 1.0).any():
        certain = chance >= 1.0
        rest = wanted - int(certain.sum())
        chance = np.where(certain, 1.0, share * rest / share[~certain].sum())
    return chance


def draw(value: ArrayLike, wanted: int, *, seed: int) -> Wanted:
    """Draw ``wanted`` rows (systematic sampling after a shuffle); the same seed draws the same.

    Examples
    --------
    >>> drawn = draw([0.1] * 50 + [1.0] * 50, 10, seed=1)
    >>> len(drawn.rows), bool((drawn.rows >= 50).sum() > 5)
    (10, True)
    """
    chance = chances_of(value, wanted)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(chance))
    ends = np.cumsum(chance[order])
    marks = rng.random() + np.arange(min(wanted, len(chance)))
    hit = np.searchsorted(ends, marks, side="right")
    rows = np.sort(order[np.unique(hit[hit < len(order)])])
    return Wanted(rows, chance[rows], float(chance.min(initial=1.0)))


def teaching(draws: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Ids of requests that were asked for and teach only: their outcomes judge no version.

    Parameters
    ----------
    draws : records of draws, with ``ids`` and ``chances`` of what was drawn ``of`` how many, and
        the ``least`` chance of all

    Examples
    --------
    >>> draw = {"ids": [f"p{i}" for i in range(1_000)], "chances": [0.8] * 1_000, "of": 9_000}
    >>> 700 < len(teaching([draw | {"least": 0.2}])) < 800
    True
    >>> len(teaching([draw | {"least": 0.8}]))
    0
    """
    found = []
    for drawn in draws:
        # what was drawn before the least chance was kept: the chance that all rows have
        least = float(drawn.get("least", EVEN * len(drawn["ids"]) / max(1, drawn["of"])))
        found += [
            name
            for name, chance in zip(drawn["ids"], drawn["chances"], strict=True)
            if _place(name) * chance >= least * (1 + CLOSE)
        ]
    return frozenset(found)


def judging(frame: pl.DataFrame, teach: Collection[str], *, by: str = "id") -> pl.DataFrame:
    """The rows of the log that judge: without those whose outcome came because it was asked for.

    ``by`` names the column of the request's id: ``of`` for answers of a shadow.
    """
    if not teach or not frame.height:
        return frame
    asked = pl.col(by).is_in(list(teach)) & pl.col("outcome").is_not_null()
    return frame.filter(~asked.fill_null(False))


def _place(name: str) -> float:
    """Where a request falls in [0, 1), whatever its answer and its outcome: the same each time."""
    digest = hashlib.sha256(f"does {name} judge".encode()).hexdigest()
    return int(digest[:13], 16) / 16.0**13
