"""Steps that were read before: they never change, so a year of them is read once, not each time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, cast
from weakref import WeakKeyDictionary

from everfit.evidence.trial.differences import Differences
from everfit.records import Step, Window
from everfit.store.contract import Store

WINDOWS = ("asked", "matured")  # kinds of steps that are windows
COMPARED = ("pairs", "adapted")  # facts of a window that compare versions


class Known:
    """The steps of one model up to a mark, by kind; windows among them ready to be used.

    Of windows nothing is kept but what tests read: a year of them is read at every turn.

    Only what a read transaction gave is in here, never what was merely about to be written.
    """

    def __init__(self) -> None:
        self.mark = 0
        self._steps: dict[str, list[Step]] = {}
        self._windows: dict[str, list[Window]] = {}

    def add(self, steps: Iterable[Step], mark: int) -> None:
        """Take in steps that were written since the mark before."""
        for step in steps:
            if step.kind in WINDOWS:
                self._windows.setdefault(step.kind, []).append(window_of(step.record))
            else:
                self._steps.setdefault(step.kind, []).append(step)
        self.mark = mark

    def of(self, kind: str) -> list[Step]:
        """Steps of one kind, oldest first."""
        return self._steps.get(kind, [])

    def windows(self, kind: str, after: datetime) -> tuple[Window, ...]:
        """Windows of one kind that began after a moment, oldest first."""
        return tuple(w for w in self._windows.get(kind, ()) if w.start > after)


class Remembering:
    """A store whose steps of one model are answered from what is known; all else is its own.

    It is good for one step of a turn: the model is held, so nobody else writes steps meanwhile.
    """

    def __init__(self, store: Store, model: str) -> None:
        self._store, self._model = store, model
        self._known = known_of(store, model)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def steps(
        self,
        model: str,
        kind: str | None = None,
        *,
        last: int | None = None,
        after: str | None = None,
    ) -> tuple[Step, ...]:
        """See ``contract.Reading.steps``."""
        if model != self._model or kind is None or kind in WINDOWS:
            return self._store.steps(model, kind, last=last, after=after)
        found = self._known.of(kind)
        if after is not None:
            found = [step for step in found if step.key > after]
        return tuple(found if last is None else found[max(0, len(found) - max(0, last)) :])


def remembering(store: Store, model: str) -> Store:
    """The store, with steps that are known already answered from memory."""
    return cast(Store, Remembering(store, model))


_KNOWN: WeakKeyDictionary[Store, dict[str, Known]] = WeakKeyDictionary()


def known_of(store: Store, model: str) -> Known:
    """What was read of a model from this store so far; forgotten with the store."""
    return _KNOWN.setdefault(store, {}).setdefault(model, Known())


def window_of(record: Mapping[str, Any]) -> Window:
    """A window from its step: by hand, because most of it is its facts, which stay as they are.

    But for comparisons of versions: these are the largest part, and read at every turn.
    """
    facts = dict(record["facts"])
    for name in COMPARED:
        if name in facts:
            plain: Mapping[str, Any] = facts[name]
            facts[name] = {who: Differences.from_dict(one) for who, one in plain.items()}
    return Window(
        record["kind"],
        datetime.fromisoformat(record["start"]),
        datetime.fromisoformat(record["end"]),
        record["version"],
        record["n"],
        facts,
    )
