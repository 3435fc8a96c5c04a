"""Several symmetric models of one blend, answered together for one row.

A call of numpy costs more than its work on a hundred trees: all splits of all models are compared
in one call, all leaves are found in one. Leaf values are added tree by tree, model by model, as
each does alone, so that the sums are the same.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from struct import Struct

import numpy as np

from everfit.serve.compiled import Item, Write
from everfit.serve.engines.oblivious import Oblivious
from everfit.serve.vector import Vector


@dataclass(frozen=True, slots=True)
class _Grown:
    """One model: the expressions of its inputs, and how many numbers they are."""

    model: Oblivious
    items: tuple[Item, ...]
    coded: frozenset[int]
    size: int


class Grove:
    """Raw scores of models of one output each, once their inputs were written by :attr:`write`.

    Made by :func:`grove_of`.
    """

    def __init__(self, grown: Sequence[_Grown]) -> None:
        size = sum(one.size for one in grown)
        self._inputs = array("f", bytes(4 * max(1, size)))
        self._view = np.frombuffer(self._inputs, np.float32)
        coded = frozenset(at for one in grown for at in one.coded)
        items = tuple(item for one in grown for item in one.items)
        self.write = Write(Struct(f"{size}f").pack_into, self._inputs, items, coded, size)
        trees = [one.model.trees for one in grown]
        inputs = np.cumsum([0, *(one.size for one in grown)])
        splits = np.cumsum([0, *(len(tree.feature) for tree in trees)])
        leaves = np.cumsum([0, *(len(tree.values) for tree in trees)])
        self._feature = np.concatenate(
            [tree.feature + at for tree, at in zip(trees, inputs, strict=False)]
        )
        self._border = np.concatenate([tree.border for tree in trees])
        self._places = np.concatenate(
            [tree.places + at for tree, at in zip(trees, splits, strict=False)]
        )
        self._starts = np.concatenate(
            [tree.starts + at for tree, at in zip(trees, leaves, strict=False)]
        )
        self._flat = np.concatenate([tree.values[:, 0] for tree in trees])
        ends = np.cumsum([len(tree.starts) for tree in trees]).tolist()
        self._values = np.empty(ends[-1])
        self._parts = [
            (self._values[start:end], *one.model.scale_and_bias)
            for one, start, end in zip(grown, [0, *ends], ends, strict=False)
        ]
        self.raw = [[0.0] for _ in grown]

    def run(self) -> None:
        """Work out ``raw``, the score of each model, from the inputs in the buffer now."""
        bits = self._view.take(self._feature) > self._border
        leaf = np.packbits(bits.take(self._places), bitorder="little")
        self._flat.take(self._starts + leaf, out=self._values)
        add = np.add.accumulate  # one by one, as each model does; a plain sum adds pairwise
        for raw, (values, scale, bias) in zip(self.raw, self._parts, strict=True):
            raw[0] = add(values).item(-1) * scale + bias


def grove_of(
    models: Sequence[tuple[Oblivious, Vector]], known: Mapping[int, Iterable[str]]
) -> tuple[Grove | None, list[int]]:
    """A grove of those models that can be in one, and which they are; None without any.

    Parameters
    ----------
    models : with the features that each reads
    known : the levels of columns, by their places, that a reader lets through
    """
    grown = [(at, _grown(model, vector, known)) for at, (model, vector) in enumerate(models)]
    able = [(at, one) for at, one in grown if one is not None]
    if not able:
        return None, []
    return Grove([one for _, one in able]), [at for at, _ in able]


def _grown(model: Oblivious, vector: Vector, known: Mapping[int, Iterable[str]]) -> _Grown | None:
    features = vector.plain(known)
    inputs = model.plain_inputs()
    if features is None or inputs is None or model.width != 1 or not len(model.trees.starts):
        return None
    # a model reads columns as they are: other features are worked out in the vector
    if any(letter not in "xc" for letter, _, _ in features.items):
        return None
    items: list[Item] = []
    coded: set[int] = set()
    numbers, hots = inputs
    for at in numbers:
        letter, places, given = features.items[at]
        items.append((letter, places, given))
        coded |= set(places) if letter == "c" else set()
    for at, values in hots:
        letter, places, given = features.items[at]
        if letter != "c":
            return None
        coded |= set(places)
        bits = {
            level: tuple(float(model.code(code) == value) for value in values)
            for level, code in given[0].items()
        }
        items.append(("s", places, (bits,)))
    size = len(numbers) + sum(len(values) for _, values in hots)
    return _Grown(model, tuple(items), frozenset(coded), size)
