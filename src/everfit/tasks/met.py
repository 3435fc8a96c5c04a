"""Who met what and when: interactions as arrays, and what came after a cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import polars as pl

from everfit.data.split import cuts as cut_up
from everfit.data.table import Table
from everfit.lists.exposure import list_facts
from everfit.records import Array, Cut, Problem, SplitPolicy
from everfit.tasks.classify import label_words

MOST_ASKED = 2_000  # users of one cut: enough for a standard error of a hundredth
MOST_TRUE = 500  # new items of one user after a cut; who has more is no person
REPEATS = 0.05  # of all interactions: from here on meeting an item again is what users do
KNOWN = ((1, 9), (10, 49))  # interactions of a user at a cut, by which segments are named


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a table as interactions.

    Parameters
    ----------
    users, items : int64 (n,), codes; -1 where missing
    at : float64 (n,), the time, or the position of the row where none is shared; NaN where missing
    again : whether meeting an item again counts, for it is usual in these data
    untimed : why no time is shared by all users; empty when there is one
    """

    users: Array
    items: Array
    at: Array
    again: bool
    untimed: str

    @property
    def known(self) -> Array:
        """Rows, int64 ascending, that have a user and an item."""
        return np.flatnonzero((self.users >= 0) & (self.items >= 0))

    @classmethod
    def of(cls, data: Table, problem: Problem) -> Rows:
        """The interactions of ``data``, in the order of its rows."""
        return _read(_Frame(data.frame), problem)


class _Frame:
    """A frame as a key of a cache: by what it is, not by what it holds."""

    __slots__ = ("frame",)

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame

    def __hash__(self) -> int:
        return id(self.frame)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Frame) and other.frame is self.frame


@lru_cache(maxsize=3)  # a stage asks for the same rows several times, and a million take a second
def _read(held: _Frame, problem: Problem) -> Rows:
    frame = held.frame
    users = frame[str(problem.group)].rank("dense").cast(pl.Int64) - 1
    codes = users.fill_null(-1).to_numpy()
    items = codes_of(frame[problem.target], problem)
    at, untimed = _times(frame, problem, codes)
    both = np.flatnonzero((codes >= 0) & (items >= 0))
    pairs = codes[both] * max(len(problem.labels), 1) + items[both]
    n_again = len(pairs) - len(np.unique(pairs))
    return Rows(codes, items, at, n_again > REPEATS * max(len(pairs), 1), untimed)


def codes_of(values: pl.Series, problem: Problem) -> Array:
    """int64 (n,): the position of each item among the labels; -1 for one that is none of them."""
    words = label_words(values, problem.label_type)
    order = pl.DataFrame({"word": problem.labels, "code": np.arange(len(problem.labels))})
    joined = pl.DataFrame({"word": words}).join(order, on="word", how="left", maintain_order="left")
    return np.asarray(joined["code"].cast(pl.Int64).fill_null(-1).to_numpy())


def _times(frame: pl.DataFrame, problem: Problem, users: Array) -> tuple[Array, str]:
    positions = np.arange(frame.height, dtype=np.float64)
    if problem.time is None:
        return positions, (
            "no column holds the time, so the last rows of each user are held out in the order of "
            "the rows; a time is strongly advised: --time COLUMN"
        )
    values = frame[problem.time]
    if values.dtype.is_temporal():
        values = values.cast(pl.Datetime("us")).to_physical()
    at = values.cast(pl.Float64, strict=False).to_numpy().astype(np.float64)
    known = np.isfinite(at)
    if len(np.unique(at[known])) < 2:
        return positions, f"`{problem.time}` is the same in all rows, so their order is the time"
    if _own_positions(at[known], users[known]):
        return at, (
            f"`{problem.time}` counts the rows of each user and is no time that users share, so "
            "the last rows of each user are held out"
        )
    return at, ""


def _own_positions(at: Array, users: Array) -> bool:
    """Whether times number the rows of each user: nearly all users then begin at one value."""
    if len(np.unique(users * 2.0**32 + np.unique(at, return_inverse=True)[1])) < len(at):
        return False  # a position is that of one row
    most = int(np.bincount(users[users >= 0]).max(initial=0))
    first = int((at == at.min()).sum())
    n_users = len(np.unique(users))
    return len(np.unique(at)) <= most and first >= 0.9 * n_users > 1


def first_rows(found: Rows, window: Array) -> Array:
    """The first row of each user among the rows ``window``, ascending; at most 2,000 of them."""
    inside = window[(found.users[window] >= 0) & (found.items[window] >= 0)]
    at = np.where(np.isfinite(found.at[inside]), found.at[inside], -np.inf)
    ordered = inside[np.lexsort((inside, at))]
    _, first = np.unique(found.users[ordered], return_index=True)
    chosen = np.sort(ordered[first])
    if len(chosen) <= MOST_ASKED:
        return chosen
    drawn = np.random.default_rng(len(chosen)).choice(len(chosen), MOST_ASKED, replace=False)
    return chosen[np.sort(drawn)]


def later(found: Rows, cut: Cut, n_items: int) -> tuple[Array, Array]:
    """Asks of a whole cut, and the codes of what their users met after it, (n, m) by time.

    What a user had met before does not count, unless meeting again is usual in these data; an ask
    of which nothing is left is not among them.
    """
    asks = first_rows(found, cut.asked)
    place = np.full(int(found.users.max(initial=-1)) + 1, -1)
    place[found.users[asks]] = np.arange(len(asks))
    window = cut.asked[(found.users[cut.asked] >= 0) & (found.items[cut.asked] >= 0)]
    window = window[place[found.users[window]] >= 0]
    at = np.where(np.isfinite(found.at[window]), found.at[window], -np.inf)
    window = window[np.lexsort((window, at))]
    pairs = found.users[window] * n_items + found.items[window]
    if not found.again:
        seen = cut.history[found.users[cut.history] >= 0]
        seen = seen[place[found.users[seen]] >= 0]
        new = ~np.isin(pairs, found.users[seen] * n_items + found.items[seen])
        window, pairs = window[new], pairs[new]
    _, first = np.unique(pairs, return_index=True)
    window = window[np.sort(first)]
    unit = place[found.users[window]]
    order = np.argsort(unit, kind="stable")
    window, unit = window[order], unit[order]
    counts = np.bincount(unit, minlength=len(asks))
    rank = np.arange(len(unit)) - np.repeat(np.cumsum(counts) - counts, counts)
    kept = rank < MOST_TRUE
    true = np.full((len(asks), min(int(counts.max(initial=0)), MOST_TRUE)), np.nan)
    true[unit[kept], rank[kept]] = found.items[window[kept]]
    return asks[counts > 0], true[counts > 0]


def asked_at_least(data: Table, policy: SplitPolicy, found: Rows) -> int:
    """How many users the smallest window of a policy asks for."""
    return min(len(first_rows(found, cut.asked)) for cut in cut_up(data, policy, None, seed=0))


def segments(found: Rows, cuts: Sequence[Cut], n_items: int) -> dict[str, Array]:
    """bool (n,) by name: asks by how many interactions of their user came before the cut."""
    n = len(found.users)
    names = ["new users", *(f"users with {a} to {b} interactions" for a, b in KNOWN)]
    names.append(f"users with {KNOWN[-1][1] + 1} interactions or more")
    masks = {name: np.zeros(n, dtype=bool) for name in names}
    for cut in cuts:
        asks, _ = later(found, cut, n_items)
        before = _counts(found.users, cut.history)[found.users[asks]]
        level = np.searchsorted([1, *(b + 1 for _, b in KNOWN)], before, side="right")
        for number, name in enumerate(names):
            masks[name][asks[level == number]] = True
    strangers = Strangers.of(found, cuts, n_items)
    fresh = np.zeros(n, dtype=bool)
    fresh[strangers.ids[strangers.items.any(axis=1)]] = True
    return {**masks, "users who then met an item that was new to all": fresh}


@dataclass(frozen=True, slots=True)
class Strangers:
    """Who and what was new at the cuts: ``users`` bool (n,), ``items`` bool (n, m) of the truth.

    Both over the asks ``ids``, ascending, of which something is true.
    """

    ids: Array
    users: Array
    items: Array
    true: Array

    @classmethod
    def of(cls, found: Rows, cuts: Sequence[Cut], n_items: int) -> Strangers:
        """Users and items of whom the histories of whole ``cuts`` know nothing."""
        parts = [(cut, *later(found, cut, n_items)) for cut in cuts]
        width = max((true.shape[1] for _, _, true in parts), default=0)
        ids = np.concatenate([asks for _, asks, _ in parts])
        users = np.concatenate(
            [_counts(found.users, cut.history)[found.users[asks]] == 0 for cut, asks, _ in parts]
        )
        true = np.full((len(ids), width), np.nan)
        items = np.zeros((len(ids), width), dtype=bool)
        start = 0
        for cut, asks, some in parts:
            place = slice(start, start + len(asks)), slice(0, some.shape[1])
            new = _counts(found.items, cut.history, n_items) == 0
            true[place] = some
            items[place] = np.isfinite(some) & new[np.nan_to_num(some).astype(np.int64)]
            start += len(asks)
        order = np.argsort(ids, kind="stable")
        return cls(ids[order], users[order], items[order], true[order])

    @property
    def shares(self) -> dict[str, float]:
        """The share of asks whose user was new, and of what they met that was new to all."""
        met = int(np.isfinite(self.true).sum())
        return {
            "share of new users": int(self.users.sum()) / max(len(self.ids), 1),
            "share of new items": int(self.items.sum()) / max(met, 1),
        }


def _counts(codes: Array, rows: Array, n: int = 0) -> Array:
    inside = codes[rows]
    most = max(n, int(codes.max(initial=-1)) + 1)
    return np.bincount(inside[inside >= 0], minlength=most)


def spread_of(found: Rows, codes: Array, n_items: int, k: int) -> dict[str, float]:
    """What the first ``k`` items of lists cover of the catalogue, and how well known they are."""
    pairs = np.unique(found.users[found.known] * n_items + found.items[found.known])
    popularity = np.bincount(pairs % n_items, minlength=n_items)
    n_users = int(found.users.max(initial=-1)) + 1
    facts = list_facts(codes, popularity, n_users=n_users, k=k)
    return {
        f"coverage@{k}": facts.coverage,
        f"mean popularity@{k}": facts.popularity,
        f"novelty@{k}": facts.novelty,
    }


def constant_within(data: Table, users: str) -> set[str]:
    """Names of the feature columns that are the same in all rows of a user: facts of the user."""
    names = [column.name for column in data.features]
    if not names or data.n_rows == 0:
        return set()
    several = (
        data.frame.group_by(users)
        .agg(pl.len().alias(COUNT), *(pl.col(name).n_unique() for name in names))
        .filter(pl.col(COUNT) > 1)
    )
    if several.height == 0:
        return set()
    return {name for name in names if several[name].max() == 1}


COUNT = "rows of a user, as everfit counts them"


def with_more(labels: tuple[str, ...], label_type: str, keys: pl.Series) -> tuple[str, ...]:
    """``labels`` with the items that only the table of items knows, in the same order."""
    words = set(_as_labels(keys, label_type).drop_nulls().to_list())
    more = words.difference(labels)
    if not more:
        return labels
    if label_type in ("int", "float"):
        return tuple(sorted({*labels, *more}, key=float))
    return tuple(sorted({*labels, *more}))


def catalogue(items: Table, problem: Problem) -> Table:
    """The columns of a table of items beside its key, row i for label i; the first row counts."""
    keyed = items.frame.with_columns(
        _as_labels(items.frame[problem.target], problem.label_type).alias(problem.target)
    )
    keyed = keyed.drop_nulls(problem.target).unique(
        problem.target, keep="first", maintain_order=True
    )
    order = pl.DataFrame({problem.target: list(problem.labels)}, schema={problem.target: pl.String})
    frame = order.join(keyed, on=problem.target, how="left", maintain_order="left")
    kept = tuple(column for column in items.columns if column.name != problem.target)
    return Table(frame.select([column.name for column in kept]), kept, items.source)


def _as_labels(keys: pl.Series, label_type: str) -> pl.Series:
    """Keys of items as labels have them: 7, 7.0 and "7" are one item where items are numbers."""
    if label_type == "int":
        numbers = keys.cast(pl.Float64, strict=False)
        whole = numbers.filter(numbers.is_not_null() & (numbers != numbers.floor())).is_empty()
        if whole and numbers.null_count() == keys.null_count():
            return numbers.cast(pl.Int64).cast(pl.String)
    return label_words(keys, label_type)
