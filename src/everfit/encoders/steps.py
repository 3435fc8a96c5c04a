"""The steps of a feature plan: small frozen records, each a pure function of its columns.

Every column is first read as one *base value*, a float with NaN for missing:

========  =====================================================================
number    the number; infinities count as missing
boolean   0 or 1
ordered   the rank among the column's levels
category  the position in the plan's vocabulary, most frequent first
date      seconds since 1970-01-01
text      no base value: the text itself
========  =====================================================================

A category that is *rare* (one row, or beyond the levels kept) or *unseen* is NaN. A missing
category has a position of its own in the vocabulary (None) when at least two training rows had
none, otherwise it is NaN too. So NaN means "nothing is known about this category".

A step turns base values into one or more features. ``everfit.encoders.execute`` runs steps over
a table, ``everfit.serve.row`` over one row; both use the same arithmetic in the same order.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np

from everfit.column import Array, Kind

Part = Literal["year", "month", "day", "weekday", "hour", "days"]
Cyclic = Literal["month", "weekday", "hour"]
Operation = Literal["difference", "ratio", "product"]
PERIOD: Mapping[str, float] = {"month": 12.0, "weekday": 7.0, "hour": 24.0}
TEXT_FACTS = ("characters", "words", "digits", "capitals", "marks")
TEXT_LIMIT = 4_000  # characters of a text that are read; longer texts are cut


@dataclass(frozen=True, slots=True)
class Input:
    """A column that a plan reads: name, kind, and the two words of a boolean (false, true)."""

    name: str
    kind: Kind
    levels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Take:
    """The base value as it is."""

    kind: ClassVar[str] = "take"
    column: str

    @property
    def size(self) -> int:
        """Number of features."""
        return 1


@dataclass(frozen=True, slots=True)
class Missing:
    """1 where the base value is missing, else 0."""

    kind: ClassVar[str] = "missing"
    column: str

    @property
    def size(self) -> int:
        """Number of features."""
        return 1


@dataclass(frozen=True, slots=True)
class Scale:
    """``(x - centre) / spread`` after filling, kept within ``-limit .. limit``."""

    kind: ClassVar[str] = "scale"
    column: str
    fill: float
    centre: float
    spread: float
    limit: float = 8.0

    @property
    def size(self) -> int:
        """Number of features."""
        return 1


@dataclass(frozen=True, slots=True)
class Quantile:
    """A piecewise linear map through ``knots`` (ascending) to ``marks``, flat outside.

    With normal quantiles as marks this gives a heavy-tailed number a normal shape.
    """

    kind: ClassVar[str] = "quantile"
    column: str
    fill: float
    knots: tuple[float, ...]
    marks: tuple[float, ...]

    @property
    def size(self) -> int:
        """Number of features."""
        return 1


@dataclass(frozen=True, slots=True)
class OneHot:
    """``levels`` features, one for each of the first codes; ``other`` adds one for the rest."""

    kind: ClassVar[str] = "one_hot"
    column: str
    levels: int
    other: bool

    @property
    def size(self) -> int:
        """Number of features."""
        return self.levels + int(self.other)


@dataclass(frozen=True, slots=True)
class DatePart:
    """One part of a date; ``days`` counts days (with fraction) since ``reference`` seconds."""

    kind: ClassVar[str] = "date_part"
    column: str
    part: Part
    reference: float = 0.0

    @property
    def size(self) -> int:
        """Number of features."""
        return 1


@dataclass(frozen=True, slots=True)
class Cycle:
    """Sine and cosine of a part of a date, so that December is next to January; missing 0, 0.

    ``table`` (period, 2) holds both for each whole value of the part, so that one row and a table
    of rows read the very same numbers.
    """

    kind: ClassVar[str] = "cycle"
    column: str
    part: Cyclic
    table: Array = field(compare=False, repr=False)

    @property
    def size(self) -> int:
        """Number of features."""
        return 2


@dataclass(frozen=True, slots=True)
class Lookup:
    """Values learnt per category, or per pair of categories.

    ``sizes`` are the vocabulary sizes; the key of codes (a, b) is ``a * (sizes[1] + 1) + b`` where
    a category that is not known counts as the last code. ``table`` (m, size) holds the values of
    the keys in ``keys`` (m,), ascending; ``default`` those of any other key.
    """

    kind: ClassVar[str] = "lookup"
    columns: tuple[str, ...]
    sizes: tuple[int, ...]
    default: tuple[float, ...]
    keys: Array = field(compare=False, repr=False)
    table: Array = field(compare=False, repr=False)

    @property
    def size(self) -> int:
        """Number of features."""
        return len(self.default)


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Difference, ratio or product of two base values; a ratio by zero is missing."""

    kind: ClassVar[str] = "arithmetic"
    operation: Operation
    left: str
    right: str

    @property
    def size(self) -> int:
        """Number of features."""
        return 1


@dataclass(frozen=True, slots=True)
class Gap:
    """A number minus its mean in the row's category; ``table`` (levels + 1,), last for unknown."""

    kind: ClassVar[str] = "gap"
    column: str
    category: str
    table: Array = field(compare=False, repr=False)

    @property
    def size(self) -> int:
        """Number of features."""
        return 1


@dataclass(frozen=True, slots=True)
class Words:
    """Five counts of a text, then its tf-idf vector seen through a truncated SVD.

    tf is the square root of the count, vectors have length 1, ``idf`` is (v,), ``components``
    (v, k); ``words`` the vocabulary. Scaled by ``centre`` and ``spread`` (5 + k) when given.
    """

    kind: ClassVar[str] = "words"
    column: str
    words: tuple[str, ...]
    idf: Array = field(compare=False, repr=False)
    components: Array = field(compare=False, repr=False)
    centre: Array = field(compare=False, repr=False)
    spread: Array = field(compare=False, repr=False)

    @property
    def size(self) -> int:
        """Number of features."""
        return len(TEXT_FACTS) + (self.components.shape[1] if self.components.ndim == 2 else 0)


Step = (
    Take | Missing | Scale | Quantile | OneHot | DatePart | Cycle | Lookup | Arithmetic
    | Gap | Words
)  # fmt: skip
STEPS: Mapping[str, type[Any]] = {
    cls.kind: cls
    for cls in (
        Take, Missing, Scale, Quantile, OneHot, DatePart, Cycle, Lookup, Arithmetic, Gap, Words
    )
}  # fmt: skip


def split_step(step: Step) -> tuple[dict[str, Any], dict[str, Array]]:
    """A step as JSON-ready data and its arrays; :func:`join_step` is the inverse.

    Examples
    --------
    >>> split_step(Take("age"))
    ({'step': 'take', 'column': 'age'}, {})
    """
    plain: dict[str, Any] = {"step": step.kind}
    arrays: dict[str, Array] = {}
    for item in dataclasses.fields(step):
        value = getattr(step, item.name)
        if isinstance(value, np.ndarray):
            arrays[item.name] = value
        else:
            plain[item.name] = list(value) if isinstance(value, tuple) else value
    return plain, arrays


def join_step(plain: Mapping[str, Any], arrays: Mapping[str, Array]) -> Step:
    """The inverse of :func:`split_step`; unknown fields are left out.

    Raises
    ------
    KeyError : the kind of step is not known to this release
    """
    cls = STEPS[plain["step"]]
    known = {item.name for item in dataclasses.fields(cls)}
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in plain.items() if k in known}
    step: Step = cls(**values, **{k: v for k, v in arrays.items() if k in known})
    return step
