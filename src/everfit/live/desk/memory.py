"""What rows of one request have behind them, for versions that read history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from everfit.events import Reads, key_text, moment

Ask = tuple[str, str | None]  # a key, and the time of the ask as ISO text; None: now
NONE = "history: it was not asked for, this answer is without it"


class Told(NamedTuple):
    """What was told of one row: events as ``[at, values, outcome]``, and what was odd."""

    events: Sequence[Sequence[Any]] = ()
    warnings: tuple[str, ...] = ()


UNTOLD = Told((), (NONE,))


@dataclass(frozen=True, slots=True)
class Memory:
    """Events by ask; ``warnings`` say what could not be looked at."""

    events: Mapping[Ask, Sequence[Sequence[Any]]]
    warnings: tuple[str, ...] = ()

    def told(self, row: Mapping[str, Any], key: str | None, reads: Reads) -> Told:
        """What is known of one row."""
        if key is None:
            return Told((), (f'history: the row has no key; send {reads.key} or "_key"',))
        return Told(self.events.get(ask_of(row, key, reads), ()), self.warnings)


def ask_of(row: Mapping[str, Any], key: str, reads: Reads) -> Ask:
    """What is asked of the log for a row.

    Examples
    --------
    >>> ask_of({"day": "2026-05-01"}, "c7", Reads("customer", 5, "day"))
    ('c7', '2026-05-01T00:00:00')
    """
    at = None if reads.time is None else moment(row.get(reads.time))
    return key, None if at is None else at.isoformat()


def own_key(row: Mapping[str, Any], reads: Reads) -> str | None:
    """The key that stands in the row under the column's own name."""
    found = row.get(reads.key)
    return None if isinstance(found, (list, dict)) else key_text(found)
