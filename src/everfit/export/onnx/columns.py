"""Inputs of the graph, and base values made from them as the version's own reader does."""

from __future__ import annotations

import numpy as np

from everfit.errors import Refused
from everfit.export.onnx.graph import Graph
from everfit.export.packed import Packed

NAN = np.float64(np.nan)
YEAR_1, YEAR_10000 = -62135596800.0, 253402300800.0  # seconds since 1970: what a date can be


class Columns:
    """The columns of a version as nodes (n, 1): numbers, or places of categories."""

    def __init__(self, graph: Graph, packed: Packed) -> None:
        self._graph, self._packed = graph, packed
        self._made = {item.column.name: self._column(i) for i, item in enumerate(packed.columns)}

    def number(self, name: str) -> str:
        """A number, boolean or date (in seconds) of the graph's precision, NaN for missing."""
        return self._made[name]

    def level(self, name: str) -> str:
        """The place of a category, int64: n levels, then missing, then unknown."""
        return self._made[name]

    def _column(self, at: int) -> str:
        g, item = self._graph, self._packed.columns[at]
        name, kind = item.column.name, item.column.kind
        if kind == "text":
            raise Refused(
                f"the text column {name!r} cannot be exported to ONNX",
                got="a model that reads words",
                expected="numbers, booleans, dates and categories: ONNX has no way to split text",
                do=f"use --to c or --to python, or run again with --drop {name}",
            )
        if kind in ("category", "ordered"):
            levels = list(item.levels)
            marks = [mark for mark in item.marks if mark not in set(levels)]
            place = g.encoded(g.input(name, str), [*levels, *marks], len(levels) + len(marks))
            # every word for missing has the place after the levels, the unknown the one after it
            table = [*range(len(levels)), *([len(levels)] * len(marks)), len(levels) + 1]
            return g("Gather", np.array(table, dtype=np.int64), place)
        x = g.input(name, g.real)
        if kind == "boolean":
            known = g("Or", g("Equal", x, 0.0), g("Equal", x, 1.0))
            return g("Where", known, x, NAN)
        if kind == "date":
            known = g("And", g("GreaterOrEqual", x, YEAR_1), g("Less", x, YEAR_10000))
            return g("Where", known, x, NAN)
        x = g("Where", g("IsInf", x), NAN, x)
        for mark in item.number_marks:
            x = g("Where", g("Equal", x, np.float64(mark)), NAN, x)
        return x
