"""CatBoost's symmetric trees, compiled so that one row costs microseconds.

``model.json`` holds everything: borders of numbers, values of one-hot splits, and the counts behind
the target statistics (ctr) of categories and of their combinations. A model becomes bits over three
kinds of inputs: numbers rounded to float32, 0/1 for one-hot values, and ctr values.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from everfit.column import Array
from everfit.serve.engines.statistic import CannotCompile, Parts, Statistics, code_of, read_parts
from everfit.serve.vector import Vector

_CHUNK = 8_192  # rows whose split bits are in memory at one time
_FEW, _BLOCK = 768, 64  # fewer rows are answered in blocks; measured with 1,000 trees
INFINITY = float("inf")


class Oblivious:
    """The engine of ``model.json``: raw scores of a CatBoost model of symmetric trees.

    All different splits are compared at once, the bits of each tree are packed into the number of
    its leaf, and leaf values are added tree by tree, as CatBoost does: the sums are the same.

    Raises
    ------
    CannotCompile : trees that are not symmetric or deeper than 8, or an unknown kind of statistic
    """

    def __init__(self, model: Mapping[str, Any], vector: Vector) -> None:
        if "oblivious_trees" not in model:
            raise CannotCompile("trees are not symmetric")
        info = model["features_info"]
        self._categories = [c["flat_feature_index"] for c in info.get("categorical_features") or []]
        known = {int(item["value"]): item["hash"] for item in info.get("cat_features_hash") or []}
        self._parts = p = read_parts(model, known)
        scale, bias = model["scale_and_bias"]
        self._scale, self._bias = float(scale), [float(b) for b in bias]
        self.width = len(self._bias)
        self._columns = np.array(p.numbers, dtype=np.int64)
        self._source = vector.buffer
        self._n_inputs = len(p.numbers) + len(p.hots) + p.n_ctrs
        self._inputs = array("f", bytes(4 * self._n_inputs))
        view = np.frombuffer(self._inputs, np.float32)
        self._numbers, self._ctrs = view[: len(p.numbers)], view[len(p.numbers) + len(p.hots) :]
        self._hots = [(c, code_of(known, h)) for c, h in p.hots]
        self._first_hot = len(p.numbers)
        self._most = max(known, default=0)
        self._statistics = Statistics(p, known) if p.n_ctrs else None
        self._bit_trees = BitTrees(model, p, self.width, view)

    @property
    def trees(self) -> BitTrees:
        """The trees behind the inputs."""
        return self._bit_trees

    @property
    def scale_and_bias(self) -> tuple[float, float]:
        """By what sums are multiplied, and what is added to those of the first output."""
        return self._scale, self._bias[0]

    def code(self, code: float) -> int:
        """The code of a category as the model knows it, -1 for one that no training row had."""
        return int(code) if code <= self._most else -1  # NaN is not <=

    def plain_inputs(self) -> tuple[Sequence[int], Sequence[tuple[int, Sequence[int]]]] | None:
        """The inputs as features; None when some are worked out.

        Gives the numbers, then categories with the codes that their 0/1 inputs stand for, in the
        order of the inputs.
        """
        if self._statistics is not None or self._parts.high_nan:
            return None
        hots: list[tuple[int, list[int]]] = []
        for category, value in self._hots:
            at = self._categories[category]
            if not hots or hots[-1][0] != at:
                hots.append((at, []))
            hots[-1][1].append(value)
        return self._parts.numbers, hots

    def row(self) -> list[float]:
        """Raw scores (k) for the features that are in the vector now."""
        source, p, inputs = self._source, self._parts, self._inputs
        n = self._first_hot
        inputs[:n] = array("f", [source[at] for at in p.numbers])
        for at in p.high_nan:
            if inputs[at] != inputs[at]:
                inputs[at] = INFINITY
        if self._categories:
            most = self._most
            codes = [int(c) if (c := source[at]) <= most else -1 for at in self._categories]
            for at, (category, value) in enumerate(self._hots, n):
                inputs[at] = codes[category] == value
            if self._statistics is not None:
                self._statistics.row(codes, self._numbers, self._ctrs)
        scale = self._scale
        return [x * scale + b for x, b in zip(self._bit_trees.row(), self._bias, strict=True)]

    def table(self, matrix: Array, threads: int) -> Array:
        """Raw scores of many rows: (n, k)."""
        out = np.empty((len(matrix), self.width))
        for start in range(0, len(matrix), _CHUNK):
            inputs = self._table_inputs(matrix[start : start + _CHUNK])
            out[start : start + _CHUNK] = self._bit_trees.table(inputs)
        return np.asarray(out * self._scale + np.array(self._bias))

    def _table_inputs(self, matrix: Array) -> Array:
        """The inputs of many rows: float32 (n_inputs, n)."""
        p, n = self._parts, self._first_hot
        out = np.empty((self._n_inputs, len(matrix)), dtype=np.float32)
        out[:n] = matrix[:, self._columns].T
        for at in p.high_nan:
            out[at][np.isnan(out[at])] = np.inf
        raw = matrix[:, self._categories].T
        # NaN is not <=: it becomes -1 as every code does that no training row had
        codes = np.where(raw <= self._most, raw, -1.0).astype(np.int64)
        for at, (category, value) in enumerate(self._hots, n):
            out[at] = codes[category] == value
        if self._statistics is not None:
            out[n + len(self._hots) :] = self._statistics.table(codes, out[:n])
        return out


class BitTrees:
    """Symmetric trees over float32 inputs: one row from ``inputs``, or a table (n_inputs, n)."""

    def __init__(self, model: Mapping[str, Any], parts: Parts, width: int, inputs: Array) -> None:
        first = {"number": 0, "hot": len(parts.numbers)}
        first["ctr"] = first["hot"] + len(parts.hots)
        known: dict[tuple[int, float], int] = {}
        places: list[list[int]] = []
        leaves: list[Array] = []
        for tree in model["oblivious_trees"]:
            bits = []
            for item in tree.get("splits") or []:
                group, at, border = parts.splits[item["split_index"]]
                if group != "hot" and border != item["border"]:
                    raise CannotCompile("splits are numbered in another way")
                bits.append(known.setdefault((first[group] + at, border), len(known)))
            if len(bits) > 8:
                raise CannotCompile("trees deeper than 8")
            places.append(bits)
            leaves.append(np.array(tree["leaf_values"]).reshape(-1, width))
        self._depths = [len(bits) for bits in places]
        # one more place after all splits is never true: it fills up trees of fewer than 8 splits
        self.places = np.array([b + [len(known)] * (8 - len(b)) for b in places]).reshape(-1)
        self.feature = np.array([f for f, _ in known] + [0])
        self.border = np.array([b for _, b in known] + [np.inf], dtype=np.float32)
        self._inputs = inputs if len(inputs) else np.zeros(1, dtype=np.float32)
        self.values = np.concatenate(leaves) if leaves else np.zeros((0, width))
        self._flat = np.ascontiguousarray(self.values[:, 0])
        self.starts = np.cumsum([0, *(len(item) for item in leaves)])[:-1]
        self._width = width

    def row(self) -> list[float]:
        """The sums (width) for the inputs in the buffer now."""
        bits = self._inputs.take(self.feature) > self.border
        leaf = np.packbits(bits.take(self.places), bitorder="little")
        at = self.starts + leaf
        if self._width == 1:
            # accumulate adds one by one, as CatBoost and the table do; a plain sum adds pairwise
            return [np.add.accumulate(self._flat.take(at)).item(-1)]
        return np.add.accumulate(self.values.take(at, axis=0), axis=0)[-1].tolist()  # type: ignore[no-any-return]

    def table(self, inputs: Array) -> Array:
        """The sums of many rows: (n, width)."""
        n = inputs.shape[1]
        if n < _FEW:
            return self._few(np.ascontiguousarray(inputs.T))
        bits = (inputs[self.feature] > self.border[:, None]).view(np.uint8)
        out = np.zeros((n, self._width))
        places = self.places.reshape(-1, 8)
        for tree, depth in enumerate(self._depths):
            leaf = np.zeros(n, dtype=np.uint8)
            for level in range(depth):
                leaf |= bits[places[tree, level]] << np.uint8(level)
            start = self.starts[tree]
            values = self.values[start : start + (1 << depth)]
            if self._width == 1:
                out[:, 0] += values[:, 0].take(leaf)
            else:
                out += values.take(leaf, axis=0)
        return out

    def _few(self, inputs: Array) -> Array:
        """The same, row by row as :meth:`row` has it: trees by the thousand cost a call each."""
        out = np.empty((len(inputs), self._width))
        for start in range(0, len(inputs), _BLOCK):
            part = inputs[start : start + _BLOCK]
            bits = part.take(self.feature, axis=1) > self.border
            leaf = np.packbits(bits.take(self.places, axis=1), axis=1, bitorder="little")
            values = self.values.take(self.starts + leaf, axis=0)  # (rows, trees, width)
            out[start : start + _BLOCK] = np.add.accumulate(values, axis=1)[:, -1]
        return out
