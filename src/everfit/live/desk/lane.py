"""One version in one arm: the answers it gives to rows, and the frames that record them.

Everything that is the same for all requests of a lane is made once. The shadow child builds its
answers here too, so that they are the worker's to the byte.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from everfit.errors import UsageError, near
from everfit.events import key_text
from everfit.live.desk.memory import UNTOLD, Told
from everfit.live.desk.slots import Slots, as_labels
from everfit.live.desk.version import Opened
from everfit.serve.answer import Answer
from everfit.serve.verify import golden_rows
from everfit.store.log.frames import Logged, predictions_frame

KEY = "_key"
FEW = 16  # for fewer rows, one after the other is faster than all at once
DIRECT = "direct"  # the arm of a request that named its version: it is part of no comparison
encode = msgspec.json.Encoder().encode
_Number = str | int | float | bool


class Contributed(msgspec.Struct):
    """What one column added to an answer, with the standard error of the sampling."""

    column: str
    value: Any
    contribution: float
    se: float


class Explained(msgspec.Struct):
    """Why an answer is not the average one: ``base`` plus all contributions is the answer."""

    of: _Number | None
    base: float
    columns: list[Contributed]


class Predicted(msgspec.Struct):
    """One answer as clients get it; what is unset is left out."""

    id: str
    prediction: _Number
    probabilities: Any  # by label: a struct that is made for the labels of a version
    range: tuple[float, float] | None
    model: str | msgspec.UnsetType
    version: str
    arm: str
    warnings: Sequence[str]
    contributions: Explained | msgspec.UnsetType = msgspec.UNSET


class Lane:
    """A version that answers in one arm.

    Parameters
    ----------
    arm : champion, canary, holdout, shadow, or direct
    slots : where predictions and warnings are counted
    """

    def __init__(self, model: str, opened: Opened, arm: str, slots: Slots) -> None:
        self.model, self.opened, self.arm = model, opened, arm
        self.version = opened.name
        self.row = opened.scorer.row
        self._labels = _texts(opened.scorer.labels)
        self.width = len(opened.scorer.read_columns)
        self.reads = opened.scorer.reads
        also = () if self.reads is None else (self.reads.key, self.reads.time or self.reads.key)
        self._names = frozenset((*(column.name for column in opened.scorer.columns), *also))
        labels = as_labels({"model": model, "version": self.version, "arm": arm})
        self.predictions = slots.slot("everfit_predictions_total", labels)
        self.warned = slots.slot("everfit_predictions_warned_total", labels)
        whole = encode(Logged(model=model, version=opened.placed.number, arm=arm, at_us=0))
        self._header = whole.partition(b'"at_us":')[0] + b'"at_us":'
        self.plain = whole  # the header of plain rows' frames
        self.named = _naming(self._labels)

    def answer(
        self, row: Mapping[str, Any], identifier: str, model: str | msgspec.UnsetType,
        told: Told = UNTOLD,
    ) -> Predicted:  # fmt: skip
        """The answer to one row; ``model`` stands in it unless it is unset.

        ``told`` is the row's history, for a version that reads it.
        """
        if self.reads is None:
            return self._told(self.row(row), row, identifier, model)
        found = self.row(row, self.opened.scorer.events(told.events))
        return self._told(_warned(found, told), row, identifier, model)

    def answers(
        self, rows: Sequence[Mapping[str, Any]], identifiers: Sequence[str],
        told: Sequence[Told] = (),
    ) -> list[Predicted]:  # fmt: skip
        """The answers to many rows, the same as one by one; no model stands in them."""
        scorer, unset = self.opened.scorer, msgspec.UNSET
        if self.reads is not None:
            told = told or [UNTOLD] * len(rows)
            read = scorer.rows(rows, [scorer.events(one.events) for one in told])
            return [
                self._told(_warned(answer, one), row, identifier, unset)
                for answer, one, row, identifier in zip(read, told, rows, identifiers, strict=True)
            ]
        few = len(rows) < FEW
        found = [scorer.row(row) for row in rows] if few else scorer.rows(rows)
        return [
            self._told(answer, row, identifier, unset)
            for answer, row, identifier in zip(found, rows, identifiers, strict=True)
        ]

    def _told(
        self, answer: Answer, row: Mapping[str, Any], identifier: str,
        model: str | msgspec.UnsetType,
    ) -> Predicted:  # fmt: skip
        value, shares, warnings, around = answer
        # a row of the right size without a warning has every column and no other
        if warnings or len(row) != self.width:
            warnings = self.all_warnings(warnings, row)
        named: Any = msgspec.UNSET
        if shares is not None:
            named = dict(zip(self._labels, shares, strict=True))
        return Predicted(
            identifier, value, named, around, model, self.version, self.arm, warnings
        )  # fmt: skip

    def all_warnings(self, warnings: tuple[str, ...], row: Mapping[str, Any]) -> tuple[str, ...]:
        """Warnings about a row with those about columns that the model does not know.

        Raises
        ------
        UsageError : a list or an object under such a name: rows that were wrapped in something
        """
        return (*warnings, *self._unknown(row))

    def explain(self, row: Mapping[str, Any], told: Told = UNTOLD) -> Explained:
        """Contributions of the columns to the answer to ``row``."""
        from everfit.serve.explain import contributions  # few requests ask for it

        past = self.opened.scorer.events(told.events)
        why = contributions(self.opened.scorer, self._background, row, past=past)
        columns = [Contributed(c.column, c.value, c.contribution, c.se) for c in why.columns]
        return Explained(why.of, why.base, columns)

    def frame(
        self, at_us: int, request: bytes, answer: bytes, keys: list[str | None] | None = None,
        of: list[str] | None = None,
    ) -> bytes:  # fmt: skip
        """The frame that records answers.

        Parameters
        ----------
        at_us : the server's clock, microseconds since 1970 UTC
        request, answer : JSON of a row and its answer, or of lists of them
        keys : of the rows, None when no row has one
        of : for the shadow the ids of the predictions that it repeats
        """
        if keys is None and of is None:
            return predictions_frame(self._header + b"%d}" % at_us, request, answer)
        number = self.opened.placed.number
        logged = Logged(
            model=self.model, version=number, arm=self.arm, at_us=at_us, keys=keys, of=of
        )
        return predictions_frame(encode(logged), request, answer)

    def _unknown(self, row: Mapping[str, Any]) -> list[str]:
        """Warnings about columns that the model does not know.

        Raises
        ------
        UsageError : a list or an object under such a name: rows that were wrapped in something
        """
        extra = row.keys() - self._names
        made = []
        nested = [name for name in sorted(extra) if isinstance(row[name], (list, dict))]
        if nested:
            what = "a list" if isinstance(row[nested[0]], list) else "an object"
            raise UsageError(
                f"the row has {what} under {nested[0][:80]!r}, which is no column of the model",
                got=what, expected="one value for each column, such as "
                + ", ".join(sorted(self._names)[:3]),
                do="send the row itself, or a JSON array of rows, with nothing around it",
            )  # fmt: skip
        if extra and extra >= row.keys():
            made.append("none of the model's columns is given, so all of them count as missing")
        for name in sorted(extra)[:10]:
            found = near(name, self._names, n=1)
            meant = f"; did you mean {found}?" if found else ""
            made.append(f"{name[:80]}: the model has no such column, it is ignored{meant}")
        if len(extra) > 10:
            made.append(f"{len(extra) - 10} more columns that the model does not have are ignored")
        return made

    @cached_property
    def _background(self) -> list[dict[str, Any]]:
        return [row["input"] for row in golden_rows(Path(self.opened.placed.folder))]


def _warned(answer: Answer, told: Told) -> Answer:
    return answer._replace(warnings=(*answer.warnings, *told.warnings))


def key_of(row: dict[str, Any]) -> str | None:
    """Take the key out of a row: who or what it is about.

    Raises
    ------
    UsageError : the key is neither a text nor a number

    Examples
    --------
    >>> key_of({"_key": 7, "age": 41}), key_of({"_key": 7.0}), key_of({"age": 41})
    ('7', '7', None)
    """
    key = row.pop(KEY, None)
    if key is None or key.__class__ is str:
        return key
    if isinstance(key, bool) or not isinstance(key, (int, float)):
        raise UsageError(
            "the key of a row cannot be used",
            got=f"{key!r}"[:80], expected="a text or a number",
            do='send it as "_key": "customer-7"',
        )  # fmt: skip
    return key_text(key)


def _naming(labels: Sequence[str]) -> Callable[[Sequence[float] | None], Any]:
    """What names the probabilities of one row: a struct is made and written faster than a dict."""
    fields = [(f"share_{i}", float) for i in range(len(labels))]
    names = {name: label for (name, _), label in zip(fields, labels, strict=True)}
    if not fields:
        return lambda shares: msgspec.UNSET
    try:
        made = msgspec.defstruct("Shares", fields, rename=names, gc=False)
    except ValueError:  # quotation marks, or a label that stands twice
        return lambda shares: dict(zip(labels, shares or (), strict=True))
    return lambda shares: made(*(shares or ()))


def _texts(labels: Sequence[str]) -> tuple[str, ...]:
    return tuple(str(label) for label in labels)
