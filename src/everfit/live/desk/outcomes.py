"""Bodies of outcomes: checked, given receipts, and answered with what became of each."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from everfit.errors import Refused, UsageError, near
from everfit.events import key_text
from everfit.live.desk.limits import Limits, check_rows
from everfit.live.desk.rows import Row, decoded, objects
from everfit.serve.past import spellings

FIELDS = ("id", "key", "outcome", "at")
STATES = ("counted", "repeated", "replaced", "unknown", "waiting", "strange")
AHEAD = timedelta(days=1)  # clocks differ, and zones are mistaken: no more than that is in it
EXAMPLE = '{"id": "...", "outcome": "yes"} or {"key": "customer-7", "outcome": "yes"}'
INSTANT = "2026-11-20T09:30:00Z"
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Outcomes that may be recorded: ``rows`` as they were sent, each with a receipt.

    ``strange`` are receipts of those that the model has no label for.
    """

    rows: tuple[Row, ...]
    receipts: tuple[str, ...]
    strange: frozenset[str] = frozenset()

    @property
    def body(self) -> bytes:
        """The JSON that the log gets."""
        pairs = zip(self.rows, self.receipts, strict=True)
        return _encode([
            row | {"receipt": receipt} | ({"strange": True} if receipt in self.strange else {})
            for row, receipt in pairs
        ])  # fmt: skip

    def told(self, states: Mapping[str, str]) -> bytes:
        """The answer: how many of each state, and the state of each; what is not known waits."""
        each = [states.get(receipt, "waiting") for receipt in self.receipts]
        counts = Counter(each)
        which = [
            {name: row[name] for name in ("id", "key") if name in row} | {"state": state}
            for row, state in zip(self.rows, each, strict=True)
        ]
        numbers = {state: counts[state] for state in STATES}
        return _encode({"accepted": len(each)} | numbers | {"outcomes": which})


def outcomes_of(
    body: bytes, limits: Limits, receipt: Callable[[], str], *, now_us: int | None = None
) -> Outcomes:
    """The outcomes of a JSON body, one or many.

    Parameters
    ----------
    receipt : gives a new unique name each time
    now_us : microseconds since 1970 UTC: a time more than a day later is refused; None: any may be

    Raises
    ------
    UsageError : with the position of the first outcome that cannot be used
    TooMuch : more than ``limits`` allow
    """
    found = decoded(body, limits)
    many = [found] if found.__class__ is dict else found
    if many.__class__ is not list:
        raise UsageError(
            "the body is neither an outcome nor a list of outcomes", got=repr(found)[:60],
            expected=f"JSON such as {EXAMPLE}", do="send each outcome as a JSON object",
        )  # fmt: skip
    check_rows(len(many), limits)
    latest = None if now_us is None else datetime.fromtimestamp(now_us / 1e6, UTC) + AHEAD
    rows = tuple(
        _checked(row, f"outcome {at + 1} of {len(many)}", latest)
        for at, row in enumerate(objects(many, "outcome"))
    )
    return Outcomes(rows, tuple(receipt() for _ in rows))


def with_strange(found: Outcomes, labels: Collection[str]) -> Outcomes:
    """The same outcomes, those marked that are none of the labels of a model.

    They are kept and told of, and never stand in for what was known before.

    Examples
    --------
    >>> body = b'[{"key": "a", "outcome": "yes"}, {"key": "a", "outcome": "maybe"}]'
    >>> found = outcomes_of(body, Limits(), iter(("r1", "r2")).__next__)
    >>> sorted(with_strange(found, ("no", "yes")).strange)
    ['r2']
    """
    pairs = zip(found.rows, found.receipts, strict=True)
    return replace(found, strange=frozenset(
        receipt for row, receipt in pairs
        if not any(text in labels for text in spellings(row["outcome"]))
    ))  # fmt: skip


def all_numbers(found: Outcomes, model: str) -> None:
    """Check outcomes of a model that predicts numbers: another thing would stand in for a true one.

    Raises
    ------
    UsageError : with the position of the first that is no number
    """
    for at, row in enumerate(found.rows):
        value = row["outcome"]
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            where = f"outcome {at + 1} of {len(found.rows)}"
            raise _unusable(
                f"{where} is no number, and {model} predicts numbers", value, "a number"
            )


def _checked(row: Row, where: str, latest: datetime | None) -> Row:
    """The outcome with its key as a text."""
    extra = sorted(row.keys() - set(FIELDS))
    if extra:
        like = near(extra[0], FIELDS, n=1)
        raise UsageError(
            f"{where} has a field that means nothing",
            got=repr(extra[0])[:80], expected=", ".join(FIELDS),
            do=f"did you mean {like}?" if like else "leave it out",
        )  # fmt: skip
    if ("id" in row) == ("key" in row):
        got = "both" if "id" in row else "neither"
        raise _unusable(f"{where} must name its prediction by id or by key", got, "one of the two")
    if "id" in row and (row["id"].__class__ is not str or not row["id"]):
        expected = "the id that the answer of the prediction had"
        raise _unusable(f"{where} has an id that cannot be one", row["id"], expected)
    if "key" in row:
        if row["key"].__class__ not in (str, int, float) or row["key"] == "":
            raise _unusable(f"{where} has a key that cannot be one", row["key"], "text or number")
        row["key"] = key_text(row["key"])
    if row.get("outcome").__class__ not in (str, int, float, bool):
        expected = "a text, number or boolean: what really happened"
        raise _unusable(f"{where} has no outcome", row.get("outcome"), expected)
    if row.get("at") is not None:
        row["at"] = instant(where, row["at"], latest)
    return row


def instant(where: str, text: Any, latest: datetime | None) -> str:
    """A time with its zone as ISO text, not later than ``latest``.

    Raises
    ------
    UsageError, Refused : ``where`` has a time that cannot be read, or one in the future
    """
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        at = None
    if at is None or at.tzinfo is None:
        wrong = "that cannot be read" if at is None else "without its zone"
        raise UsageError(
            f"{where} has a time {wrong}", got=_as_json(text),
            expected="an ISO 8601 time with its zone", do=f"send it as {INSTANT}, or none for now",
        )  # fmt: skip
    if latest is not None and at > latest:
        # the body is as it should be: it is the clocks that disagree
        raise Refused(
            f"{where} has a time in the future", got=_as_json(text),
            expected=f"when it was known: at most {latest:%Y-%m-%dT%H:%M:%SZ}, a day from now",
            do="check the year and the zone, or send no time for now",
        )  # fmt: skip
    return at.isoformat()


def _unusable(what: str, got: Any, expected: str) -> UsageError:
    said = got if got in ("both", "neither") else _as_json(got)
    return UsageError(what, got=said, expected=expected, do=f"send {EXAMPLE}")


def _as_json(value: Any) -> str:
    """A value as its sender wrote it."""
    return _encode(value).decode()[:80]
