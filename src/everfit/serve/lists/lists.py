"""A packed version that answers with ranked lists: the best items for a user or for a history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from everfit.column import DEPTH, Array, Column, Form
from everfit.errors import UsageError
from everfit.events import key_text
from everfit.lists.after import extended
from everfit.lists.asked import Asked, Histories
from everfit.lists.explore.draw import Explore, explored
from everfit.lists.scorer import Scorer
from everfit.lists.top import mixed, pack, top, unpack
from everfit.serve.lists.listed import Listed, Wanted
from everfit.serve.scorer import typed_labels

if TYPE_CHECKING:
    from everfit.data.table import Table

MOST_ADDED = 500  # interactions of one user that came after the fit: as many as a fit counts
SAME_S = 1e-3  # between the times of one interaction in the log and in a table
MOST_SAID = 5  # past items that are named as the reason for one
STRANGER = "this user is not known: the list is what is popular with everybody"
NO_HISTORY = "nothing that the model knows is in this history: the list is what is popular"
NOBODY = "nobody was named: the list is what is popular with everybody"


@dataclass(frozen=True, slots=True)
class Part:
    """One member of a version: its share, its scorer, what its users had met when it was fitted.

    With ``again`` it lists what a user has met too.
    """

    weight: float
    scorer: Scorer
    histories: Histories
    again: bool = False


class Lists:
    """A packed version of form lists. Made by :func:`everfit.serve.load.open_plan`."""

    form: Form = "lists"
    reads = None
    slow: tuple[str, ...] = ()

    def __init__(
        self,
        *,
        labels: Sequence[str],
        label_type: str,
        columns: Sequence[Column],
        user: str,
        parts: Sequence[Part],
        titles: Sequence[str | None] = (),
    ) -> None:
        self.labels = tuple(labels)
        self.columns = tuple(columns)
        self.user = user
        self._items = np.empty(len(self.labels), dtype=object)
        self._items[:] = typed_labels(self.labels, label_type)
        self._codes = {label: code for code, label in enumerate(self.labels)}
        self._titles = np.array(titles, dtype=object) if len(titles) else None
        self._parts = tuple(parts)
        # members that were fitted in folds know less than what all of them know together
        self._histories = max((part.histories for part in parts), key=lambda h: h.asked.items.size)
        self._base = np.mean([part.scorer.arrays()["base"] for part in parts], axis=0)
        self._added: dict[str, list[tuple[int, float, float]]] = {}
        self._adding = Lock()

    @property
    def n_users(self) -> int:
        """How many users the version was fitted to."""
        return int(self._histories.names.size)

    def top(
        self,
        user: Any = None,
        *,
        history: Sequence[Any] | None = None,
        wanted: Wanted | None = None,
        explore: tuple[Explore, str] | None = None,
    ) -> Listed:
        """The best items for ``user``, or for somebody who met ``history``, oldest first.

        A history that is given is all that counts; a user that is not known gets what is popular,
        and the answer says so. ``explore`` is how a list tries something, and the id of the
        request, which fixes what is drawn.

        Raises
        ------
        UsageError : ``k`` is no whole number from 1
        """
        wanted = wanted or Wanted()
        k = _whole(wanted.k)
        asked, fallback, warnings = self._asked(user, history)
        mask, odd = self._mask(wanted)
        if mask is not None and not mask.any():
            return Listed((), (), "no item is left that may be shown", (*warnings, *odd))
        depth = k if explore is None else max(k, DEPTH)
        codes, scores = self._best(asked, depth, mask, again=wanted.again)
        if not codes.size:
            fallback = "this user has met every item that may be shown"
        chances: tuple[float, ...] = ()
        if explore is not None and codes.size:
            codes, scores, chances = _explored(codes, scores, k, *explore)
        listed = self._listed(codes, scores, fallback, (*warnings, *odd))
        return replace(listed, propensities=chances) if chances else listed

    def with_reasons(
        self, listed: Listed, user: Any = None, *, history: Sequence[Any] | None = None
    ) -> Listed:
        """The list of :meth:`top` with what speaks for each of its items."""
        reasons = tuple(tuple(self.because(i, user, history=history)) for i in listed.items)
        return replace(listed, because=reasons)

    def title(self, item: Any) -> str | None:
        """The title of an item; None where none is known."""
        code = self._codes.get(key_text(item) or "")
        return None if code is None or self._titles is None else self._titles[code]

    def similar(self, item: Any, *, wanted: Wanted | None = None) -> Listed:
        """The items nearest to ``item``; popular ones, marked, where nothing is known of it.

        Raises
        ------
        UsageError : ``k`` is no whole number from 1
        """
        wanted = wanted or Wanted()
        k = _whole(wanted.k)
        mask, odd = self._mask(wanted)
        code = self._codes.get(key_text(item) or "")
        near = np.zeros(len(self.labels), dtype=np.float32)
        if code is not None:
            for part in self._parts:
                found = np.asarray(part.scorer.similar(code), dtype=np.float32)
                high = float(found.max(initial=0.0))
                near += part.weight * found / (high if high > 0 else 1.0)
        fallback = ""
        if not (near > 0).any():
            what = f"{item!r} is not known" if code is None else f"nothing is known of {item!r}"
            near, fallback = self._base, f"{what}: the list is what is popular with everybody"
        may = near > 0 if mask is None else mask & (near > 0)
        if code is not None:
            may[code] = False
        codes, scores = top(near[None, :], depth=min(k, near.size), allowed=may)
        kept = codes[0] >= 0
        return self._listed(codes[0][kept], scores[0][kept], fallback, tuple(odd))

    def because(
        self, item: Any, user: Any = None, *, history: Sequence[Any] | None = None
    ) -> list[tuple[Any, float]]:
        """The items met before that speak for ``item``, with shares of what they say; at most 5.

        Empty when popularity alone speaks for it, or nothing is known of it.
        """
        code = self._codes.get(key_text(item) or "")
        if code is None:
            return []
        asked, _, _ = self._asked(user, history)
        found: dict[int, float] = {}
        for part in self._parts:
            for past, share in part.scorer.because(asked, code):
                found[past] = found.get(past, 0.0) + part.weight * share
        total = sum(found.values()) or 1.0
        best = sorted(found.items(), key=lambda one: (-one[1], one[0]))[:MOST_SAID]
        return [(self._items[past], share / total) for past, share in best]

    def add(self, user: Any, item: Any, *, at: float, weight: float = 1.0) -> bool:
        """An interaction that came after the fit: it counts from the next list on, and once.

        ``at`` is in seconds since 1970. Gives whether the item is known; one that is not can count
        only after a refit.
        """
        code, name = self._codes.get(key_text(item) or ""), key_text(user)
        if code is None or name is None:
            return False
        if self._knows(name, code, at):
            return True  # a version that was fitted since has learnt from it
        with self._adding:
            before = self._added.get(name, [])
            if any(c == code and abs(when - at) < SAME_S for c, when, _ in before):
                return True  # it was told twice
            events = [*before, (code, at, weight)]
            # replaced, never changed: a list that is being made reads the old one to its end
            self._added[name] = sorted(events, key=lambda event: event[1])[-MOST_ADDED:]
        return True

    def without(self, user: Any) -> None:
        """Forget what came of a user after the fit."""
        with self._adding:
            self._added.pop(key_text(user) or "", None)

    def _knows(self, name: str, code: int, at: float) -> bool:
        """Whether an interaction is among those that the version was fitted to."""
        past = self._histories.of([name])
        return bool(((past.items == code) & (np.abs(past.at - at) < SAME_S)).any())

    def knowing(
        self, users: Array, items: Sequence[str], at: Array, weight: Array | None = None
    ) -> Lists:
        """The same version with what happened after its fit, for many users at once.

        Parameters
        ----------
        users : text (m,), names of users, known or not
        items : m labels; one that is not in the catalogue is left out
        at : float64 (m,), seconds since 1970
        """
        codes = np.array([self._codes.get(item, -1) for item in items], dtype=np.int64)
        found = copy(self)
        found._parts = tuple(
            replace(part, histories=extended(part.histories, users, codes, at, weight))
            for part in self._parts
        )
        found._histories = max(
            (p.histories for p in found._parts), key=lambda h: h.asked.items.size
        )
        return found

    def row(self, values: Mapping[str, Any], past: object = ()) -> Listed:
        """The list for the user of a row, with at most 10 items."""
        return self.top(values.get(self.user))

    def numbers(self, values: Mapping[str, Any], past: object = ()) -> list[float]:
        """The answer to a row as golden rows hold it: codes and scores."""
        found: list[float] = self._packed([key_text(values.get(self.user)) or ""])[0].tolist()
        return found

    def table(self, table: Table, *, past: object = None) -> Array:
        """The lists for the users of a table's rows, float64 (n, 2 * DEPTH): codes, scores."""
        values = table.frame[self.user].to_list()
        return self._packed([key_text(value) or "" for value in values])

    def as_table(self, rows: Sequence[Mapping[str, Any]]) -> Table:
        """Rows as a table of their users."""
        import polars as pl  # a process that lists for one user at a time never needs it

        from everfit.data.table import Table
        from everfit.records import Source

        names = [key_text(row.get(self.user)) for row in rows]
        frame = pl.DataFrame({self.user: pl.Series(names, dtype=pl.String)})
        column = Column(self.user, "category")
        return Table(frame, (column,), Source("rows", "", len(rows), 1))

    def _asked(
        self, user: Any, history: Sequence[Any] | None
    ) -> tuple[Asked, str, tuple[str, ...]]:
        """The ask, why its list cannot be its own, and what was odd about it."""
        if history is not None:
            codes = [self._codes.get(key_text(item) or "") for item in history]
            known = [code for code in codes if code is not None]
            lost = len(codes) - len(known)
            odd = (f"{lost} of {len(codes)} items of the history are not known",) if lost else ()
            return Asked.one(np.array(known, dtype=np.int32)), "" if known else NO_HISTORY, odd
        name = key_text(user)
        if name is None:
            return Asked.one(np.array([], dtype=np.int32)), NOBODY, ()
        asked = self._histories.of([name])
        if added := self._added.get(name):
            items, at, weight = (np.array(part) for part in zip(*added, strict=True))
            asked = Asked.one(
                np.concatenate([asked.items, items.astype(np.int32)]),
                at=np.concatenate([asked.at, at]),
                weight=np.concatenate([asked.weight, weight.astype(np.float32)]),
                now=max(float(asked.now[0]), float(at[-1])),
                user=int(asked.users[0]),
            )
        return asked, "" if asked.items.size else STRANGER, ()

    def _mask(self, wanted: Wanted) -> tuple[Array | None, list[str]]:
        """Which items may be shown, bool (n_items,), None for all; and what was odd."""
        blocked = [self._codes.get(key_text(item) or "") for item in wanted.blocked]
        if wanted.allowed is None and not blocked:
            return None, []
        mask = np.full(len(self.labels), wanted.allowed is None)
        odd = []
        if wanted.allowed is not None:
            codes = [self._codes.get(key_text(item) or "") for item in wanted.allowed]
            known = [code for code in codes if code is not None]
            mask[known] = True
            if len(known) < len(codes):
                odd.append(f"{len(codes) - len(known)} of {len(codes)} allowed items are not known")
        mask[[code for code in blocked if code is not None]] = False
        return mask, odd

    def _best(
        self, asked: Asked, k: int, mask: Array | None, *, again: bool
    ) -> tuple[Array, Array]:
        """Codes and scores of the at most ``k`` best items of one ask."""
        depth = min(k, len(self.labels))
        if len(self._parts) == 1:
            found = [self._of(self._parts[0], asked, depth, mask, again=again)]
            codes, scores = found[0][0][0], found[0][1][0]
        else:
            packed = [
                pack(*self._of(part, asked, DEPTH, mask, again=again)) for part in self._parts
            ]
            blended = unpack(mixed(packed, [part.weight for part in self._parts]))
            codes, scores = blended[0][0], blended[1][0]
        kept = codes >= 0
        codes, scores = codes[kept][:depth], scores[kept][:depth].astype(np.float64)
        if codes.size < depth and len(self._parts) > 1:
            codes, scores = self._longer(codes, scores, depth, asked, mask, again=again)
        return codes, scores

    def _of(
        self, part: Part, asked: Asked, depth: int, mask: Array | None, *, again: bool
    ) -> tuple[Array, Array]:
        seen = None if again or part.again else asked
        return top(part.scorer.scores(asked), depth=depth, seen=seen, allowed=mask)

    def _longer(
        self, codes: Array, scores: Array, depth: int, asked: Asked, mask: Array | None,
        *, again: bool,
    ) -> tuple[Array, Array]:  # fmt: skip
        """A blended list, which ends after ``DEPTH`` items, with popular ones behind them."""
        may = np.ones(len(self.labels), dtype=bool) if mask is None else mask.copy()
        may[codes] = False
        if not (again or all(part.again for part in self._parts)):
            may[asked.items] = False
        more, _ = top(self._base[None, :], depth=depth - codes.size, allowed=may)
        more = more[0][more[0] >= 0]
        return np.concatenate([codes, more]), np.concatenate([scores, np.zeros(more.size)])

    def _packed(self, names: Sequence[str]) -> Array:
        """Lists of many users as answers, as the learners give them: float64 (n, 2 * DEPTH)."""
        found = []
        for part in self._parts:
            out = np.empty((len(names), 2 * DEPTH))
            for place, block in part.histories.of(names).blocks(len(self.labels)):
                out[place] = pack(*self._of(part, block, DEPTH, None, again=False))
            found.append(out)
        return mixed(found, [part.weight for part in self._parts])

    def _listed(
        self, codes: Array, scores: Array, fallback: str, warnings: tuple[str, ...]
    ) -> Listed:
        titles = () if self._titles is None else tuple(self._titles[codes])
        return Listed(tuple(self._items[codes]), tuple(scores.tolist()), fallback, warnings, titles)


def _explored(
    codes: Array, scores: Array, k: int, policy: Explore, request: str
) -> tuple[Array, Array, tuple[float, ...]]:
    """Codes and scores of a list that tries something, and the chance of each choice."""
    shown = explored(codes, scores, policy, request=request, k=k)
    kept = shown.codes[shown.codes >= 0]
    worth = dict(zip(codes.tolist(), scores.tolist(), strict=True))
    marks = np.array([worth[code] for code in kept.tolist()])
    return kept, marks, tuple(np.exp(shown.log_propensity[: kept.size]).tolist())


def _whole(k: Any) -> int:
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise UsageError(
            "the number of items cannot be used",
            got=repr(k)[:40],
            expected="a whole number from 1",
            do="leave k out for 10 items",
        )
    return k
