"""Interactions that are told to a worker: checked, recorded, and counted in lists from then on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from everfit.errors import UsageError
from everfit.events import key_text
from everfit.live.desk.limits import Limits, check_rows
from everfit.live.desk.outcomes import AHEAD, instant
from everfit.live.desk.rows import Row, decoded, objects
from everfit.live.desk.wanting import fields_of
from everfit.store.log.frames import Logged, predictions_frame
from everfit.store.log.met import log_name

FIELDS = ("user", "item", "at", "weight")
EXAMPLE = '{"user": 42, "item": 50}'
ARM = "champion"  # an arm that no reader leaves out
MOST = 200_000  # interactions of one model that are known for versions to come; the newest
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Met:
    """One interaction: who met which item, in seconds since 1970 UTC, and what it weighs."""

    id: str
    user: str
    item: str
    at: float
    weight: float = 1.0

    @classmethod
    def of(cls, plain: Sequence[Any]) -> Met:
        """An interaction as it stands in a message."""
        name, user, item, at, weight = plain
        return cls(str(name), str(user), str(item), float(at), float(weight))


def met_of(
    body: bytes, limits: Limits, new_id: Callable[[], str], *, now_us: int
) -> tuple[Met, ...]:
    """The interactions of a JSON body, one or many.

    Parameters
    ----------
    new_id : gives a new unique name each time
    now_us : microseconds since 1970 UTC, for those that name no time

    Raises
    ------
    UsageError, Refused : with the position of the first that cannot be used; then none is taken
    TooMuch : more than ``limits`` allow
    """
    found = decoded(body, limits)
    many = [found] if found.__class__ is dict else found
    if many.__class__ is not list:
        raise UsageError(
            "the body is neither an interaction nor a list of them", got=f"{found!r}"[:60],
            expected=f"JSON such as {EXAMPLE}", do="send each interaction as a JSON object",
        )  # fmt: skip
    check_rows(len(many), limits)
    latest = datetime.fromtimestamp(now_us / 1e6, UTC) + AHEAD
    return tuple(
        _checked(row, f"interaction {at + 1} of {len(many)}", new_id(), now_us / 1e6, latest)
        for at, row in enumerate(objects(many, "interaction"))
    )


def met_frame(model: str, at_us: int, met: Sequence[Met]) -> bytes:
    """The frame that records interactions, each under the key of its user."""
    name = log_name(model)
    logged = Logged(
        model=name, version=0, arm=ARM, at_us=at_us, keys=[one.user for one in met]
    )  # fmt: skip
    rows = [
        {"user": one.user, "item": one.item, "when": one.at, "weight": one.weight} for one in met
    ]
    said: list[dict[str, Any]] = [
        {"id": one.id, "prediction": one.item, "range": None, "warnings": []} for one in met
    ]
    return predictions_frame(_encode(logged), _encode(rows), _encode({"predictions": said}))


@dataclass(slots=True)
class Memory:
    """The interactions of one model that a worker knows, in the order in which they came.

    ``upto`` is how far the keeper's list was read; ``dropped`` how many went to keep the bound.
    """

    met: list[Met] = field(default_factory=list)
    upto: int = 0
    dropped: int = 0
    _ids: set[str] = field(default_factory=set)

    def take(self, some: Iterable[Met]) -> list[Met]:
        """Those that were not known; they are from now on."""
        new = [one for one in some if one.id not in self._ids]
        self.met += new
        self._ids.update(one.id for one in new)
        if len(self.met) > MOST:
            gone = len(self.met) - MOST // 2
            self._ids.difference_update(one.id for one in self.met[:gone])
            del self.met[:gone]
            self.dropped += gone
        return new

    def since(self, place: int) -> list[Met]:
        """Those behind a place, counted from the first that ever came."""
        return self.met[max(0, place - self.dropped) :]

    @property
    def place(self) -> int:
        """How many ever came."""
        return self.dropped + len(self.met)

    def forget(self, user: str) -> None:
        """Forget what one user met."""
        kept = [one for one in self.met if one.user != user]
        self.dropped += len(self.met) - len(kept)
        self.met = kept


def _checked(row: Row, where: str, name: str, now: float, latest: datetime) -> Met:
    fields_of(row, FIELDS, where)
    texts = []
    for field_ in ("user", "item"):
        value = row.get(field_)
        text = key_text(value) if value.__class__ in (str, int, float) else None
        if not text:
            raise _unusable(f"{where} has no {field_}", value, "a text or a number")
        texts.append(text)
    at, weight = now, row.get("weight", 1.0)
    if row.get("at") is not None:
        at = datetime.fromisoformat(instant(where, row["at"], latest)).timestamp()
    sound = weight.__class__ in (int, float) and math.isfinite(weight) and weight > 0
    if not sound or weight > 1e9:
        raise _unusable(f"{where} has a weight that is none", weight, "a number above 0, or none")
    return Met(name, texts[0], texts[1], at, float(weight))


def _unusable(what: str, value: Any, expected: str) -> UsageError:
    got = "null" if value is None else repr(value)[:80]
    return UsageError(what, got=got, expected=expected, do=f"send {EXAMPLE}")
