"""Interactions of users with items, and the histories of those who are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from everfit.column import Array

CELLS = 4_000_000  # scores in memory at one time: 16 MB, and twice that for their order
FAINT = 1e-3  # a past item that counts less than this beside the newest one is left out


@dataclass(frozen=True, slots=True)
class Asked:
    """Who is asked for, as arrays: history is an argument.

    The history of ask ``i`` stands at ``starts[i]:starts[i + 1]`` of ``items``, ``at`` and
    ``weight``, oldest first.

    Parameters
    ----------
    starts : int64 (n + 1,)
    items : int32, codes of items
    at : float64, seconds since 1970
    weight : float32, 1 on average
    now : float64 (n,), the moment of each ask
    users : int32 (n,), code of the user as the model was fitted, -1 for one it does not know
    """

    starts: Array
    items: Array
    at: Array
    weight: Array
    now: Array
    users: Array

    @property
    def n(self) -> int:
        """Number of asks."""
        return int(self.starts.size - 1)

    @property
    def lengths(self) -> Array:
        """Number of past interactions of each ask, int64 (n,)."""
        return np.diff(self.starts)

    @classmethod
    def one(
        cls, items: Array, *, at: Array | None = None, weight: Array | None = None,
        now: float = 0.0, user: int = -1,
    ) -> Asked:  # fmt: skip
        """A single ask with this history, oldest first.

        Examples
        --------
        >>> Asked.one(np.array([4, 2])).lengths.tolist()
        [2]
        """
        codes = np.asarray(items, dtype=np.int32)
        n = codes.size
        return cls(
            np.array([0, n], dtype=np.int64),
            codes,
            np.full(n, now) if at is None else np.asarray(at, dtype=np.float64),
            np.ones(n, np.float32) if weight is None else np.asarray(weight, dtype=np.float32),
            np.array([now], dtype=np.float64),
            np.array([user], dtype=np.int32),
        )

    def take(self, chosen: Array) -> Asked:
        """The asks at positions ``chosen`` (int64), in that order."""
        counts = self.lengths[chosen]
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        flat = np.repeat(self.starts[:-1][chosen] - starts[:-1], counts) + np.arange(starts[-1])
        return Asked(
            starts, self.items[flat], self.at[flat], self.weight[flat],
            self.now[chosen], self.users[chosen],
        )  # fmt: skip

    def blocks(self, n_items: int) -> Iterator[tuple[slice, Asked]]:
        """The asks in blocks whose scores over ``n_items`` fit in memory, with their places."""
        size = max(1, CELLS // max(1, n_items))
        for low in range(0, self.n, size):
            place = slice(low, min(low + size, self.n))
            if place == slice(0, self.n):
                yield place, self
            else:
                yield place, self.take(np.arange(place.start, place.stop))

    def steps_back(self) -> Array:
        """How many interactions of its ask came after each one: 0 for the newest, int64."""
        return np.repeat(self.starts[1:], self.lengths) - np.arange(self.items.size) - 1

    def vectors(self, n_items: int, *, decay: float = 1.0) -> sparse.csr_array:
        """The histories as rows (n, n_items): weight times ``decay`` for each newer interaction.

        An item that was met more than once counts by its newest time.
        """
        back = self.steps_back()
        kept = slice(None) if decay >= 1.0 else np.flatnonzero(back * np.log(decay) > np.log(FAINT))
        rows = np.repeat(np.arange(self.n), self.lengths)[kept]
        items, value = self.items[kept], self.weight[kept] * decay ** back[kept]
        if self.n == 1 and np.unique(items).size == items.size:
            # by code, as below: sums of 32 bits hang on their order
            order, starts = np.argsort(items), np.array([0, items.size])
            return sparse.csr_array(
                (value[order].astype(np.float32), items[order], starts), shape=(1, n_items)
            )
        # the last of equal pairs is the newest: histories stand oldest first
        pair = rows.astype(np.int64) * n_items + items
        _, last = np.unique(pair[::-1], return_index=True)
        last = pair.size - 1 - last
        counts = np.bincount(rows[last], minlength=self.n)
        starts = np.concatenate([[0], np.cumsum(counts)])
        return sparse.csr_array(
            (value[last].astype(np.float32), items[last], starts), shape=(self.n, n_items)
        )


@dataclass(frozen=True, slots=True)
class Interactions:
    """Who met which item and when, sorted by time.

    Parameters
    ----------
    users, items : int32 (n,), codes
    at : float64 (n,), seconds since 1970; the order of rows where no time is known
    weight : float32 (n,), 1 on average
    n_users, n_items : how many codes there are
    timed : whether ``at`` is a time that all users share
    """

    users: Array
    items: Array
    at: Array
    weight: Array
    n_users: int
    n_items: int
    timed: bool = True

    @property
    def n(self) -> int:
        """Number of interactions."""
        return int(self.items.size)

    @property
    def newest(self) -> float:
        """The time of the last one in seconds; 0 where there is none."""
        return float(self.at[-1]) if self.n else 0.0

    @classmethod
    def of(
        cls, users: Array, items: Array, *, at: Array | None = None, weight: Array | None = None,
        n_users: int | None = None, n_items: int | None = None,
    ) -> Interactions:  # fmt: skip
        """Interactions from columns in any order; ties in time keep the order of rows.

        Examples
        --------
        >>> Interactions.of([0, 0, 1], [5, 3, 5], at=[20.0, 10.0, 15.0]).items.tolist()
        [3, 5, 5]
        """
        users, items = np.asarray(users, np.int32), np.asarray(items, np.int32)
        n = items.size
        shared = at is not None and not _positions(np.asarray(at), users)
        when = np.arange(n, dtype=np.float64) if at is None else np.asarray(at, np.float64)
        if np.isnan(when).any():
            # of an unknown time: older than all that are known
            when = np.where(np.isnan(when), np.nanmin(when) if n else 0.0, when)
        order = np.argsort(when, kind="stable")
        heavy = np.ones(n) if weight is None else np.nan_to_num(np.asarray(weight, np.float64))
        heavy = np.maximum(heavy, 0.0)
        mean = float(heavy.mean()) if n else 1.0
        heavy = heavy / mean if mean > 0 else np.ones(n)
        return cls(
            users[order], items[order], when[order], heavy[order].astype(np.float32),
            int(users.max(initial=-1)) + 1 if n_users is None else n_users,
            int(items.max(initial=-1)) + 1 if n_items is None else n_items,
            shared,
        )  # fmt: skip

    def take(self, chosen: Array) -> Interactions:
        """The interactions at positions ``chosen``, ascending."""
        return Interactions(
            self.users[chosen], self.items[chosen], self.at[chosen], self.weight[chosen],
            self.n_users, self.n_items, self.timed,
        )  # fmt: skip

    def histories(self) -> Asked:
        """The history of each user, as an ask at the newest time; ask ``u`` is user ``u``."""
        order = np.argsort(self.users, kind="stable")
        counts = np.bincount(self.users, minlength=self.n_users)
        return Asked(
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            self.items[order], self.at[order], self.weight[order],
            np.full(self.n_users, self.newest),
            np.arange(self.n_users, dtype=np.int32),
        )  # fmt: skip


def _positions(at: Array, users: Array) -> bool:
    """Whether times are positions inside each user's own history, not a time all users share."""
    if at.size < 2 or np.isnan(at).all():
        return False
    most = int(np.bincount(users).max())
    first = np.flatnonzero(at == np.nanmin(at))
    return np.unique(at).size <= most and first.size >= 0.9 * np.unique(users).size > 1


@dataclass(frozen=True, slots=True)
class Histories:
    """What the users of a model have met so far, by name.

    ``names`` are the users' names as text, ascending; ``asked`` has one ask for each.
    """

    names: Array
    asked: Asked

    def codes(self, names: Sequence[str]) -> Array:
        """The codes of users, int64 (n,); -1 for one that is not known."""
        wanted = np.asarray(names, dtype=np.str_)
        if not self.names.size or not wanted.size:
            return np.full(wanted.size, -1)
        place = np.minimum(np.searchsorted(self.names, wanted), self.names.size - 1)
        return np.where(self.names[place] == wanted, place, -1)

    def of(self, names: Sequence[str]) -> Asked:
        """Asks for users by name; a user that is not known has no history."""
        codes = self.codes(names)
        known = np.flatnonzero(codes >= 0)
        found = self.asked.take(codes[known])
        counts = np.zeros(codes.size, dtype=np.int64)
        counts[known] = found.lengths
        users = np.full(codes.size, -1, dtype=np.int32)
        users[known] = codes[known]
        now = float(self.asked.now[0]) if self.asked.n else 0.0
        return Asked(
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            found.items, found.at, found.weight, np.full(codes.size, now), users,
        )  # fmt: skip

    def arrays(self) -> dict[str, Array]:
        """All of it as plain arrays; the inverse of :meth:`from_arrays`."""
        a = self.asked
        return {
            "names": self.names, "starts": a.starts, "items": a.items, "at": a.at,
            "weight": a.weight, "now": a.now[:1],
        }  # fmt: skip

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Histories:
        """The inverse of :meth:`arrays`."""
        n = arrays["starts"].size - 1
        now = float(arrays["now"][0]) if arrays["now"].size else 0.0
        asked = Asked(
            arrays["starts"], arrays["items"], arrays["at"], arrays["weight"],
            np.full(n, now), np.arange(n, dtype=np.int32),
        )  # fmt: skip
        return cls(arrays["names"], asked)
