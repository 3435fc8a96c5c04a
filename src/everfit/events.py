"""What happened before an ask: events of its key, as models that read history get them.

Light, for workers: the standard library alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

EVENTS = 20  # of one key, when a model does not say how many it reads


class Event(NamedTuple):
    """One earlier row of the key that is asked about.

    ``at`` is naive UTC, None when nothing said when it was; ``values`` holds its columns: numbers,
    texts, true and false, dates as ISO text, None where missing; ``outcome`` is what turned out
    true, as ``y`` of ``fit`` has it: a class code or a number, None when it is not known.
    """

    at: datetime | None
    values: Mapping[str, Any]
    outcome: float | int | None = None


Past = Sequence[Sequence[Event]]  # for each row its events, oldest first


@dataclass(frozen=True, slots=True)
class Reads:
    """Which history a model reads: the last ``events`` events of the same ``key`` column.

    ``time`` is the column that says when a row was; without it an ask is asked now.
    """

    key: str
    events: int = EVENTS
    time: str | None = None

    @classmethod
    def of(cls, plain: Mapping[str, Any] | None) -> Reads | None:
        """What stands in a plan; None when nothing is read.

        Examples
        --------
        >>> Reads.of({"key": "customer", "events": 5})
        Reads(key='customer', events=5, time=None)
        """
        if not plain:
            return None
        return cls(str(plain["key"]), int(plain.get("events", EVENTS)), plain.get("time"))

    def as_dict(self) -> dict[str, Any]:
        """As it stands in a plan."""
        when = {} if self.time is None else {"time": self.time}
        return {"key": self.key, "events": self.events} | when


def to_plain(events: Iterable[Event]) -> list[list[Any]]:
    """Events as JSON has them: ``[at, values, outcome]`` each.

    Examples
    --------
    >>> to_plain([Event(datetime(2026, 5, 1), {"paid": 12.0}, 1)])
    [['2026-05-01T00:00:00', {'paid': 12.0}, 1]]
    """
    return [[None if e.at is None else e.at.isoformat(), dict(e.values), e.outcome] for e in events]


def from_plain(plain: Iterable[Sequence[Any]]) -> list[Event]:
    """The inverse of :func:`to_plain`."""
    return [Event(moment(at), values, outcome) for at, values, outcome in plain]


def moment(at: Any) -> datetime | None:
    """A time as naive UTC: of a datetime or of ISO text; None for what is neither.

    Examples
    --------
    >>> moment("2026-05-01T12:00:00+02:00")
    datetime.datetime(2026, 5, 1, 10, 0)
    """
    if isinstance(at, str):
        try:
            at = datetime.fromisoformat(at.strip())
        except ValueError:
            return None
    if not isinstance(at, datetime):
        return None
    return at if at.tzinfo is None else at.astimezone(UTC).replace(tzinfo=None)


def key_text(key: Any) -> str | None:
    """A key as the record knows it: text; None when there is none.

    Examples
    --------
    >>> key_text(7), key_text(7.0), key_text("a"), key_text(None)
    ('7', '7', 'a', None)
    """
    if key is None or key != key:  # noqa: PLR0124 - NaN alone differs from itself
        return None
    if isinstance(key, float) and key.is_integer():
        key = int(key)
    return str(key) or None


def before(events: Iterable[Event], until: datetime | None, n: int) -> list[Event]:
    """The last ``n`` events that are earlier than ``until``, oldest first; None: until now.

    An event without a time counts as older than all that have one.
    """
    past = [e for e in events if until is None or e.at is None or e.at < until]
    past.sort(key=lambda e: e.at or datetime.min)
    return past[-n:]
