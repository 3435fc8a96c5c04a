"""One version of lists in one arm: the answers it gives, and the frames that record them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec

from everfit.events import key_text
from everfit.lists.explore.draw import Explore
from everfit.live.arms import CHAMPION, Arms
from everfit.live.desk.lane import encode
from everfit.live.desk.slots import Slots, as_labels
from everfit.live.desk.version import OpenedLists
from everfit.live.desk.wanting import Asking
from everfit.serve.lists.listed import Listed
from everfit.store.log.frames import Logged, predictions_frame


class Reason(msgspec.Struct, omit_defaults=True):
    """An item met before that speaks for one that is listed."""

    item: Any
    share: float
    title: str | None = None


class Entry(msgspec.Struct, omit_defaults=True):
    """One item of a list; ``propensity`` is the chance with which its place got it."""

    item: Any
    score: float
    title: str | None = None
    because: list[Reason] | None = None
    propensity: float | None = None


class Answered(msgspec.Struct):
    """A list as clients get it."""

    id: str
    items: list[Entry]
    fallback: str | None
    model: str
    version: str
    arm: str
    warnings: Sequence[str]


class _Recorded(msgspec.Struct):
    """A list as the log's readers know answers: its first item is the prediction."""

    id: str
    prediction: Any
    range: None
    version: str
    arm: str
    warnings: Sequence[str]


class Shelf:
    """A version that answers with lists in one arm.

    Parameters
    ----------
    arm : champion, canary, holdout, or direct
    slots : where lists and warnings are counted
    """

    def __init__(self, model: str, opened: OpenedLists, arm: str, slots: Slots) -> None:
        self.model, self.opened, self.arm = model, opened, arm
        self.version, self.lists = opened.name, opened.lists
        labels = as_labels({"model": model, "version": self.version, "arm": arm})
        self.predictions = slots.slot("everfit_predictions_total", labels)
        self.warned = slots.slot("everfit_predictions_warned_total", labels)

    def answer(self, asking: Asking, identifier: str, explore: Explore | None = None) -> Listed:
        """The list for an ask, which ``explore`` lets try something."""
        if asking.item is not None:
            return self.lists.similar(asking.item, wanted=asking.wanted)
        tried = None if explore is None else (explore, identifier)
        listed = self.lists.top(
            asking.user, history=asking.history, wanted=asking.wanted, explore=tried
        )
        if not asking.why:
            return listed
        return self.lists.with_reasons(listed, asking.user, history=asking.history)

    def answered(self, listed: Listed, identifier: str) -> Answered:
        """The list as clients get it."""
        said = [
            Entry(
                item, score,
                listed.titles[at] if listed.titles else None,
                [Reason(i, share, self.lists.title(i)) for i, share in listed.because[at]]
                if listed.because else None,
                listed.propensities[at] if listed.propensities else None,
            )
            for at, (item, score) in enumerate(zip(listed.items, listed.scores, strict=True))
        ]  # fmt: skip
        return Answered(
            identifier, said, listed.fallback or None, self.model, self.version, self.arm,
            listed.warnings,
        )  # fmt: skip

    def frame(
        self, at_us: int, asking: Asking, listed: Listed, identifier: str, key: str | None
    ) -> bytes:
        """The frame that records a list.

        The row that is asked says who asked, for how many, and what was shown; ``items`` and what
        else is many stands in it as JSON text.
        """
        row: dict[str, Any] = {"k": asking.wanted.k, "items": _text(list(listed.items))}
        row["fallback"] = listed.fallback or None
        if asking.item is not None:
            row["near"] = asking.item
        elif asking.history is not None:
            row["history"] = _text(asking.history)
        else:
            row["user"] = asking.user
        if listed.propensities:
            row["propensities"] = _text(listed.propensities)
            row["scores"] = _text(listed.scores)
        first = listed.items[0] if listed.items else None
        warnings = (*((listed.fallback,) if listed.fallback else ()), *listed.warnings)
        said = _Recorded(identifier, first, None, self.version, self.arm, warnings)
        logged = Logged(
            model=self.model, version=self.opened.placed.number, arm=self.arm, at_us=at_us,
            keys=None if key is None else [key],
        )  # fmt: skip
        return predictions_frame(encode(logged), encode(row), encode(said))


@dataclass(frozen=True, slots=True)
class Shelved:
    """A model that answers with lists: its arms, and a shelf for each of them.

    ``direct`` has one for each version under the name ``v3``.
    """

    model: str
    rev: int
    arms: Arms
    lanes: Mapping[str, Shelf]
    direct: Mapping[str, Shelf]
    rows: ClassVar[bool] = False

    @property
    def champion(self) -> Shelf:
        """The shelf of the champion."""
        return self.lanes[CHAMPION]

    @property
    def versions(self) -> tuple[OpenedLists, ...]:
        """The versions that are open, the champion first."""
        return tuple(shelf.opened for shelf in self.direct.values())


def key_for(asking: Asking) -> str | None:
    """Whom a list is about; None for a history or an item."""
    return key_text(asking.user)


def _text(value: Any) -> str:
    return encode(value).decode()
