"""The quick way of one row: read, written and answered with as few calls as there are.

It takes rows in which nothing is odd, and gives what the slow way gives, to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from everfit.serve.engines.grove import Grove, grove_of
from everfit.serve.engines.oblivious import Oblivious
from everfit.serve.links import RowLink
from everfit.serve.row import RowReader
from everfit.serve.vector import Vector

if TYPE_CHECKING:
    from everfit.serve.scorer import Part, Plan

Member = tuple[float, Callable[[], Sequence[float]], RowLink]  # weight, engine's row, link


def blend(members: Sequence[Member]) -> Sequence[float]:
    """The weighted sum of the members' answers to the row that is in their buffers."""
    weight, run, link = members[0]
    answers = link(run())
    if weight != 1.0:
        answers = [weight * p for p in answers]
    for weight, run, link in members[1:]:
        answers = [t + weight * p for t, p in zip(answers, link(run()), strict=True)]
    return answers


class Quick:
    """Answers rows of one version one after the other; whoever calls sees to that."""

    def __init__(self, parts: Sequence[Part], plans: Sequence[Plan], reader: RowReader) -> None:
        nothing = frozenset[str]()
        known = {at: reader.known.get(name, nothing) for name, at in reader.positions.items()}
        self._grove, together = _together(parts, plans, known)
        runs = {i: p.engine.row for i, p in enumerate(parts)}
        if self._grove is not None:
            runs |= {i: _score(self._grove, model) for i, model in together.items()}
        self._members = [(p.weight, runs[i], p.row_link) for i, p in enumerate(parts)]
        # a plan that the grove alone reads needs no features
        used = {p.plan for i, p in enumerate(parts) if p.plan is not None and i not in together}
        written = {i: plans[i].vector.plain(known) for i in sorted(used)}
        writes = [write for write in written.values() if write is not None]
        self._fills = [plans[i].vector.fill for i, write in written.items() if write is None]
        if self._grove is not None:
            writes.append(self._grove.write)
        self._read = reader.filling(writes)

    def row(self, values: Mapping[str, Any]) -> Sequence[float] | None:
        """The answers to a row, None when something is odd about it."""
        if self._read is None:
            return None
        try:
            row = self._read(values)
        except (KeyError, TypeError, OverflowError):
            return None  # a column that is not there, a level or a type that is not known
        if row is None:
            return None
        for fill in self._fills:
            fill(row)
        if self._grove is not None:
            self._grove.run()
        return blend(self._members)


def _together(
    parts: Sequence[Part], plans: Sequence[Plan], known: Mapping[int, frozenset[str]]
) -> tuple[Grove | None, dict[int, int]]:
    """A grove of the symmetric members, and which of its models each of them is."""
    found: list[tuple[int, Oblivious, Vector]] = []
    for i, part in enumerate(parts):
        model = getattr(part.engine, "compiled", None)
        if part.plan is not None and isinstance(model, Oblivious):
            found.append((i, model, plans[part.plan].vector))
    grove, able = grove_of([(model, vector) for _, model, vector in found], known)
    return grove, {found[at][0]: model for model, at in enumerate(able)}


def _score(grove: Grove, model: int) -> Callable[[], Sequence[float]]:
    raw = grove.raw[model]
    return lambda: raw
