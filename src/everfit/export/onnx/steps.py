"""The steps of a feature plan as nodes: base values in, a matrix of features out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatchmethod
from typing import Any

import numpy as np

from everfit.encoders import steps as st
from everfit.encoders.plan import FeaturePlan
from everfit.export.onnx.columns import NAN, Columns
from everfit.export.onnx.graph import Graph, rows_of
from everfit.export.packed import Packed

DAY_S = 86_400
FROM_MARCH_0000 = 719_468  # days from 0000-03-01 to 1970-01-01


def whole(*values: int) -> Any:
    """Whole numbers as a constant."""
    return np.array(values if len(values) > 1 else values[0], dtype=np.int64)


class Features:
    """The features of one plan: :meth:`matrix` is the node (n, d)."""

    def __init__(self, graph: Graph, columns: Columns, plan: FeaturePlan, packed: Packed) -> None:
        self._g, self._columns, self._plan, self._packed = graph, columns, plan, packed
        self._kinds = {item.name: item.kind for item in plan.inputs}

    def matrix(self) -> str:
        """All features side by side; steps of one kind over many columns become one node."""
        blocks, order, start = [], [], 0
        groups: dict[type, list[tuple[Any, int]]] = {}
        for step in self._plan.steps:
            groups.setdefault(type(step), []).append((step, start))
            start += step.size
        for kind, group in groups.items():
            steps = [step for step, _ in group]
            if kind in (st.Take, st.Missing, st.Scale):
                blocks.append(self._many(kind, steps))
            else:
                blocks += [self.step(step) for step in steps]
            order += [at + i for step, at in group for i in range(step.size)]
        joined = self._g.joined(blocks)
        if order == list(range(start)):
            return joined
        return self._g("Gather", joined, np.argsort(order), axis=1)

    def base(self, name: str) -> str:
        """Base values (n, 1)."""
        if self._kinds[name] not in ("category", "ordered"):
            return self._columns.number(name)
        levels = self._packed.columns[self._packed.position(name)].levels
        place = {level: float(i) for i, level in enumerate(self._plan.vocabularies[name])}
        asked: list[str | None] = [*levels, None]
        table = np.array([*(place.get(level, np.nan) for level in asked), np.nan])
        return self._g("Gather", table, self._columns.level(name))

    def codes(self, name: str, unknown: int) -> str:
        """Codes of a category (n, 1), int64; ``unknown`` for NaN."""
        g, x = self._g, self.base(name)
        return g.cast(g("Where", g("IsNaN", x), float(unknown), x), np.int64)

    def _many(self, kind: type, steps: Sequence[Any]) -> str:
        g = self._g
        x = g.joined([self.base(step.column) for step in steps])
        if kind is st.Take:
            return x
        if kind is st.Missing:
            return g.cast(g("IsNaN", x), g.real)
        rows = {
            name: rows_of(np.array([getattr(step, name) for step in steps]))
            for name in ("fill", "centre", "spread", "limit")
        }
        filled = g("Where", g("IsNaN", x), rows["fill"], x)
        scaled = g("Div", g("Sub", filled, rows["centre"]), rows["spread"])
        return g("Min", g("Max", scaled, -rows["limit"]), rows["limit"])

    @singledispatchmethod
    def step(self, step: Any) -> str:
        """The features of one step (n, size)."""
        raise TypeError(f"no way to write a {type(step).__name__}")

    @step.register
    def _quantile(self, step: st.Quantile) -> str:
        g, x = self._g, self.base(step.column)
        knots, marks = np.array(step.knots), np.array(step.marks)
        slopes = np.diff(marks) / np.diff(knots)
        x = g("Where", g("IsNaN", x), step.fill, x)
        x = g("Min", g("Max", x, knots[0]), knots[-1])
        below = g.cast(g("LessOrEqual", rows_of(knots), x), np.int64)
        at = g("Sub", g("ReduceSum", below, whole(1).reshape(1), keepdims=1), whole(1))
        at = g("Min", g("Max", at, whole(0)), whole(len(slopes) - 1))
        from_knot = g("Sub", x, g("Gather", knots, at))
        return g("Add", g("Gather", marks, at), g("Mul", g("Gather", slopes, at), from_knot))

    @step.register
    def _one_hot(self, step: st.OneHot) -> str:
        g, x = self._g, self.base(step.column)
        blocks = []
        if step.levels:
            blocks.append(g("Equal", x, rows_of(np.arange(step.levels))))
        if step.other:
            blocks.append(g("Not", g("Less", x, float(step.levels))))
        return g.cast(g.joined(blocks), g.real)

    @step.register
    def _date_part(self, step: st.DatePart) -> str:
        g = self._g
        if step.part == "days":
            return g("Div", g("Sub", self.base(step.column), step.reference), float(DAY_S))
        part = g.cast(self._part(step.column, step.part), g.real)
        return g("Where", g("IsNaN", self.base(step.column)), NAN, part)

    @step.register
    def _cycle(self, step: st.Cycle) -> str:
        g, period = self._g, len(step.table)
        at = g("Mod", self._part(step.column, step.part), whole(period))
        at = g("Where", g("IsNaN", self.base(step.column)), whole(period), at)
        found = g("Gather", np.vstack([step.table, np.zeros((1, 2))]), at)
        return g("Squeeze", found, whole(1).reshape(1))

    @step.register
    def _lookup(self, step: st.Lookup) -> str:
        g = self._g
        key = self.codes(step.columns[0], step.sizes[0])
        for name, size in zip(step.columns[1:], step.sizes[1:], strict=True):
            key = g("Add", g("Mul", key, whole(size + 1)), self.codes(name, size))
        keys = [int(k) for k in step.keys]
        at = g.encoded(key, keys or [-1], len(keys))
        table = np.vstack([np.reshape(step.table, (-1, step.size)), step.default])
        return g("Squeeze", g("Gather", table, at), whole(1).reshape(1))

    @step.register
    def _arithmetic(self, step: st.Arithmetic) -> str:
        g, left, right = self._g, self.base(step.left), self.base(step.right)
        if step.operation != "ratio":
            return g({"difference": "Sub", "product": "Mul"}[step.operation], left, right)
        return g("Div", left, g("Where", g("Equal", right, 0.0), NAN, right))

    @step.register
    def _gap(self, step: st.Gap) -> str:
        g = self._g
        at = self.codes(step.category, len(step.table) - 1)
        return g("Sub", self.base(step.column), g("Gather", np.asarray(step.table), at))

    def _part(self, name: str, part: str) -> str:
        """A part of a date, int64 (n, 1); of a missing one that of 1970.

        The calendar's arithmetic on days since 0000-03-01 is Howard Hinnant's (chrono-compatible
        low-level date algorithms, 2013).
        """
        g, seconds = self._g, self.base(name)
        seconds = g("Floor", g("Where", g("IsNaN", seconds), 0.0, seconds))
        # int64 division rounds towards zero: counted from the year 0, nothing is negative
        since = g("Add", g.cast(seconds, np.int64), whole(FROM_MARCH_0000 * DAY_S))
        days = g("Div", since, whole(DAY_S))
        if part == "hour":
            return g("Div", g("Mod", since, whole(DAY_S)), whole(3_600))
        if part == "weekday":
            return g("Mod", g("Add", days, whole((3 - FROM_MARCH_0000) % 7)), whole(7))
        of_era = g("Mod", days, whole(146_097))
        leap = g("Sub", of_era, g("Div", of_era, whole(1_460)))
        leap = g("Add", leap, g("Div", of_era, whole(36_524)))
        leap = g("Sub", leap, g("Div", of_era, whole(146_096)))
        year = g("Div", leap, whole(365))
        gone = g("Add", g("Mul", year, whole(365)), g("Div", year, whole(4)))
        gone = g("Sub", gone, g("Div", year, whole(100)))
        of_year = g("Sub", of_era, gone)
        month = g("Div", g("Add", g("Mul", of_year, whole(5)), whole(2)), whole(153))
        before = g("Div", g("Add", g("Mul", month, whole(153)), whole(2)), whole(5))
        if part == "day":
            return g("Add", g("Sub", of_year, before), whole(1))
        late = g("Less", month, whole(10))
        month = g("Where", late, g("Add", month, whole(3)), g("Sub", month, whole(9)))
        if part == "month":
            return month
        era = g("Mul", g("Div", days, whole(146_097)), whole(400))
        turned = g.cast(g("LessOrEqual", month, whole(2)), np.int64)
        return g("Add", g("Add", year, era), turned)
