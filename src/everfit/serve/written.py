"""Feature steps as expressions of one generated function: see :mod:`everfit.serve.compiled`.

The same arithmetic in the same order as in :mod:`everfit.serve.vector`, which has all steps and is
the way of rows that are odd.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan
from typing import Any

from everfit.encoders import steps as st
from everfit.serve.compiled import Item, Write

NAN = float("nan")
Codes = Mapping[int, Mapping[str | None, float]]  # by place: the code of each level


class Unable(Exception):
    """A step has no expression: its plan is filled step by step."""


def written(
    steps: Sequence[st.Step], positions: Mapping[str, int], codes: Codes,
    known: Mapping[int, Iterable[str]], pack: Callable[..., None], buffer: array[float],
) -> Write | None:  # fmt: skip
    """What writes the features of a row into ``buffer``; None when a step has no expression.

    Parameters
    ----------
    positions : of columns in a row
    codes : of category columns
    known : the levels of each of them that a reader lets through
    """
    made = _Made(positions, codes, known)
    try:
        for step in steps:
            getattr(made, step.kind, _unable)(step)
    except Unable:
        return None
    size = sum(step.size for step in steps)
    return Write(pack, buffer, tuple(made.items), frozenset(made.coded), size)


def _unable(step: st.Step) -> None:
    raise Unable(step.kind)


@dataclass
class _Made:
    """Expressions, a method for each kind of step that has one."""

    positions: Mapping[str, int]
    codes: Codes
    known: Mapping[int, Iterable[str]]
    items: list[Item] = field(default_factory=list)
    coded: set[int] = field(default_factory=set)

    def take(self, step: st.Take) -> None:
        """A number, or the code of a level."""
        at = self.positions[step.column]
        if at in self.codes:
            self._add("c", (at,), self._levels(at, lambda code: code))
        else:
            self._add("x", (at,))

    def missing(self, step: st.Missing) -> None:
        """Whether a number is missing, or a level is missing or unknown."""
        at = self.positions[step.column]
        if at in self.codes:
            self._add("c", (at,), self._levels(at, lambda code: 1.0 if isnan(code) else 0.0))
        else:
            self._add("m", (at,))

    def scale(self, step: st.Scale) -> None:
        """A number or a rank, centred and scaled."""
        at = self.positions[step.column]
        if at not in self.codes:
            constants = (step.fill, step.centre, step.spread, step.limit, -step.limit)
            self._add("z", (at,), *constants)
            return

        def scaled(rank: float) -> float:
            x = ((step.fill if isnan(rank) else rank) - step.centre) / step.spread
            return x if -step.limit <= x <= step.limit else (step.limit if x > 0 else -step.limit)

        self._add("c", (at,), self._levels(at, scaled))

    def one_hot(self, step: st.OneHot) -> None:
        """A place for each level."""
        at = self._category(step.column)

        def places(code: float) -> tuple[float, ...]:
            row = [0.0] * step.size
            if code < step.levels:
                row[int(code)] = 1.0
            elif step.other:
                row[step.levels] = 1.0
            return tuple(row)

        self._add("s", (at,), self._levels(at, places))

    def lookup(self, step: st.Lookup) -> None:
        """What was learnt of a level or truth value, or of a pair of them."""
        at = tuple(self.positions[name] for name in step.columns)
        rows = step.table.reshape(-1, step.size).tolist()
        table = {k: tuple(row) for k, row in zip(step.keys.tolist(), rows, strict=True)}
        default = tuple(step.default)
        kinds = "".join("c" if i in self.codes else "x" for i in at)
        codes = [self._numbered(i, n) for i, n in zip(at, step.sizes, strict=True)]
        if kinds == "c":
            found = {level: table.get(code, default) for level, code in codes[0].items()}
            self._add("s", at, found)
        elif kinds == "x":
            self._add("l", at, table, default, codes[0])
        elif len(at) == 2:
            self._add(kinds, at, table, default, codes[0], float(step.sizes[1] + 1), codes[1])
        else:
            raise Unable(step.kind)

    def _numbered(self, at: int, size: int) -> Any:
        """The code of each level, ``size`` for what is not known; of a number that alone."""
        if at not in self.codes:
            return float(size)
        return self._levels(at, lambda code: float(size) if isnan(code) else code)

    def arithmetic(self, step: st.Arithmetic) -> None:
        """A difference, product or ratio of two numbers."""
        at = (self._number(step.left), self._number(step.right))
        if step.operation == "difference":
            self._add("d", at)
        elif step.operation == "product":
            self._add("t", at)
        else:
            self._add("r", at, NAN)

    def gap(self, step: st.Gap) -> None:
        """A number minus the mean of its level."""
        at, table = self._category(step.category), step.table.tolist()
        means = self._levels(at, lambda code: table[-1 if isnan(code) else int(code)])
        self._add("g", (self._number(step.column), at), means)

    def _add(self, letter: str, places: tuple[int, ...], *constants: Any) -> None:
        self.items.append((letter, places, constants))

    def _number(self, name: str) -> int:
        at = self.positions[name]
        if at in self.codes:
            raise Unable(name)
        return at

    def _category(self, name: str) -> int:
        at = self.positions[name]
        if at not in self.codes:
            raise Unable(name)
        return at

    def _levels(self, at: int, value: Callable[[float], Any]) -> dict[str | None, Any]:
        """A value for each level that a reader lets through, made of its code; NaN without."""
        self.coded.add(at)
        codes = self.codes[at]
        return {level: value(codes.get(level, NAN)) for level in (*self.known[at], None)}
