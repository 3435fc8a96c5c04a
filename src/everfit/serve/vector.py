"""A feature plan compiled for one row: base values in, features written into one buffer.

Mirrors ``everfit.encoders.execute`` step by step, with the same arithmetic in the same order, so
that both give the same floats. Lookups become dicts; runs of equal steps become one loop.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isnan
from struct import Struct
from typing import Any

import numpy as np

from everfit.encoders import steps as st
from everfit.encoders.words import Describer
from everfit.serve.compiled import Write
from everfit.serve.row import NAN, getter, seconds_of
from everfit.serve.written import written

# what an operation gets: base values, the row as read (dates, texts), the buffer to write into
Operation = Callable[[list[Any], list[Any], "array[float]"], None]


class Vector:
    """The features of one row, in ``buffer`` (float64) and ``view`` (the same memory in numpy).

    Parameters
    ----------
    steps, inputs, vocabularies : of the feature plan
    positions : where each column stands in the rows that :meth:`fill` gets
    """

    def __init__(
        self, steps: Sequence[st.Step], inputs: Sequence[st.Input],
        vocabularies: Mapping[str, Sequence[str | None]], positions: Mapping[str, int],
    ) -> None:  # fmt: skip
        self._at = positions
        self._sizes = {name: len(levels) for name, levels in vocabularies.items()}
        self._codes: list[tuple[int, Mapping[str | None, float]]] = []
        self._dates: list[int] = []
        for item in inputs:
            at = positions[item.name]
            if item.kind in ("category", "ordered"):
                places = {level: float(i) for i, level in enumerate(vocabularies[item.name])}
                self._codes.append((at, places))
            elif item.kind == "date":
                self._dates.append(at)
        self.n_features = sum(step.size for step in steps)
        self.buffer = array("d", bytes(8 * self.n_features))
        self.view = np.frombuffer(self.buffer)
        sources = [len(positions)] * self.n_features  # one place after the row holds zero
        self._operations: list[Operation] = []
        self._compile(steps, sources)
        self._steps = tuple(steps)
        self._pick = getter(sources)
        self._write = Struct(f"{self.n_features}d").pack_into

    def plain(self, known: Mapping[int, Iterable[str]]) -> Write | None:
        """How a reader may fill the buffer itself; None when it cannot.

        ``known`` are the levels of columns, by their places, that a reader lets through.
        """
        if self._dates or not self.n_features:
            return None
        return written(self._steps, self._at, dict(self._codes), known, self._write, self.buffer)

    def _compile(self, steps: Sequence[st.Step], sources: list[int]) -> None:
        grouped: dict[type, list[tuple[Any, int]]] = {}
        start = 0
        for step in steps:
            if isinstance(step, st.Take):
                sources[start] = self._at[step.column]
            else:
                grouped.setdefault(type(step), []).append((step, start))
            start += step.size
        for kind, group in grouped.items():
            self._operations.append(getattr(self, f"_{kind.kind}")(group))  # type: ignore[attr-defined]

    def fill(self, row: list[Any]) -> None:
        """Write the features of ``row``, as a RowReader gives it, into the buffer."""
        base = [*row, 0.0]
        for at, places in self._codes:
            base[at] = places.get(base[at], NAN)
        for at in self._dates:
            base[at] = NAN if row[at] is None else seconds_of(row[at])
        buffer = self.buffer
        self._write(buffer, 0, *self._pick(base))
        for operation in self._operations:
            operation(base, row, buffer)

    def _missing(self, group: list[tuple[st.Missing, int]]) -> Operation:
        items = [(out, self._at[step.column]) for step, out in group]

        def run(base: list[Any], row: list[Any], buffer: array[float]) -> None:
            for out, at in items:
                if isnan(base[at]):
                    buffer[out] = 1.0

        return run

    def _scale(self, group: list[tuple[st.Scale, int]]) -> Operation:
        items = [(out, self._at[s.column], s.fill, s.centre, s.spread, s.limit) for s, out in group]

        def run(base: list[Any], row: list[Any], buffer: array[float]) -> None:
            for out, at, fill, centre, spread, limit in items:
                x = base[at]
                x = ((fill if isnan(x) else x) - centre) / spread
                buffer[out] = x if -limit <= x <= limit else (limit if x > 0.0 else -limit)

        return run

    def _quantile(self, group: list[tuple[st.Quantile, int]]) -> Operation:
        items = []
        for step, out in group:
            slopes = (np.diff(step.marks) / np.diff(step.knots)).tolist()
            items.append((out, self._at[step.column], step.fill, step.knots, step.marks, slopes))

        def run(base: list[Any], row: list[Any], buffer: array[float]) -> None:
            for out, at, fill, knots, marks, slopes in items:
                x = base[at]
                x = min(max(fill if isnan(x) else x, knots[0]), knots[-1])
                i = min(max(bisect_right(knots, x) - 1, 0), len(slopes) - 1)
                buffer[out] = marks[i] + slopes[i] * (x - knots[i])

        return run

    def _one_hot(self, group: list[tuple[st.OneHot, int]]) -> Operation:
        items = [(out, self._at[step.column], step.levels, step.other) for step, out in group]

        def run(base: list[Any], row: list[Any], buffer: array[float]) -> None:
            for out, at, levels, other in items:
                code = base[at]
                if code < levels:  # false for NaN
                    buffer[out + int(code)] = 1.0
                elif other:
                    buffer[out + levels] = 1.0

        return run

    def _date_part(self, group: list[tuple[st.DatePart, int]]) -> Operation:
        items = [(out, self._at[step.column], step.part, step.reference) for step, out in group]

        def run(base: list[Any], row: list[Any], buffer: array[float]) -> None:
            for out, at, part, reference in items:
                moment = row[at]
                if moment is None:
                    buffer[out] = NAN
                elif part == "days":
                    buffer[out] = (base[at] - reference) / 86_400.0
                elif part == "weekday":
                    buffer[out] = moment.weekday()
                else:
                    buffer[out] = getattr(moment, part)

        return run

    def _cycle(self, group: list[tuple[st.Cycle, int]]) -> Operation:
        items = [(out, self._at[s.column], s.part, s.table.tolist()) for s, out in group]

        def run(base: list[Any], row: list[Any], buffer: array[float]) -> None:
            for out, at, part, table in items:
                moment = row[at]
                if moment is not None:
                    value = moment.weekday() if part == "weekday" else getattr(moment, part)
                    buffer[out], buffer[out + 1] = table[value % len(table)]

        return run

    def _lookup(self, group: list[tuple[st.Lookup, int]]) -> Operation:
        items = []
        for step, out in group:
            rows = step.table.reshape(-1, step.size).tolist()
            table = {k: array("d", r) for k, r in zip(step.keys.tolist(), rows, strict=True)}
            places = [(self._at[name], n) for name, n in zip(step.columns, step.sizes, strict=True)]
            items.append((out, out + step.size, places, table, array("d", step.default)))

        def run(base: list[Any], row: list[Any], buffer: array[float]) -> None:
            for out, end, places, table, default in items:
                key = 0.0
                for at, size in places:
                    code = base[at]
                    key = key * (size + 1) + (size if isnan(code) else code)
                buffer[out:end] = table.get(key, default)

        return run

    def _arithmetic(self, group: list[tuple[st.Arithmetic, int]]) -> Operation:
        items = [(out, self._at[s.left], self._at[s.right], s.operation) for s, out in group]

        def run(base: list[Any], row: list[Any], buffer: array[float]) -> None:
            for out, left, right, operation in items:
                if operation == "difference":
                    buffer[out] = base[left] - base[right]
                elif operation == "product":
                    buffer[out] = base[left] * base[right]
                else:
                    buffer[out] = base[left] / base[right] if base[right] else NAN

        return run

    def _gap(self, group: list[tuple[st.Gap, int]]) -> Operation:
        items = [
            (out, self._at[s.column], self._at[s.category], s.table.tolist()) for s, out in group
        ]

        def run(base: list[Any], row: list[Any], buffer: array[float]) -> None:
            for out, at, category, table in items:
                code = base[category]
                buffer[out] = base[at] - table[-1 if isnan(code) else int(code)]

        return run

    def _words(self, group: list[tuple[st.Words, int]]) -> Operation:
        items = [(out, out + s.size, self._at[s.column], Describer(s)) for s, out in group]

        def run(base: list[Any], row: list[Any], buffer: array[float]) -> None:
            for out, end, at, describe in items:
                buffer[out:end] = array("d", describe([row[at]])[0].tolist())

        return run
