"""CatBoost's target statistics (ctr): what a category, or a combination, was worth in training.

A *projection* is a tuple of categories, possibly with bits (``x > border``, ``category == value``).
CatBoost keys its counts by a hash of that tuple. Here the values of all tuples of a projection are
worked out once and stand in one table, so that a row costs one product of a matrix and one gather
for all projections together. Projections with too many tuples keep a dict of those met so far.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import numpy as np

from everfit.column import Array

_MAGIC, _MASK = 0x4906BA494954CB65, 0xFFFFFFFFFFFFFFFF
_NO_HASH = 0x7FFFFFFF  # of a value that was in no training row
_MOST_KEPT = 200_000  # tuples kept for one projection whose tuples are too many for a table
_LARGEST_TABLE = 20_000  # tuples of one projection
_ALL_TABLES = 2_000_000  # values of all tables together
_COUNTED = ("Borders", "Buckets", "Counter", "FeatureFreq")
Bit = tuple[str, int, float]


class CannotCompile(Exception):
    """The model has a part that this compiler does not know; the native library answers instead."""


@dataclass(eq=False)
class Projection:
    """A tuple of categories and bits with its statistics.

    ``codes`` are places in the list of category codes and bits of a row, categories first; the
    hash of a category's code is ``hashes[code + 1]``.
    """

    codes: tuple[int, ...]
    n_categories: int
    hashes: Array
    ctrs: list[Mapping[str, Any]] = field(default_factory=list)
    counts: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def sizes(self) -> list[int]:
        """How many values each element has."""
        n = self.n_categories
        return [len(self.hashes)] * n + [2] * (len(self.codes) - n)

    def values(self, elements: Sequence[Array]) -> Array:
        """ctr values of many tuples: float32 (m, ctrs). ``elements`` are codes + 1, then bits."""
        total = np.zeros(len(elements[0]), dtype=np.uint64)
        for position, element in enumerate(elements):
            value = element.astype(np.uint64)
            if position < self.n_categories:
                value = self.hashes[element]
            # CatBoost's CalcHash; uint64 arithmetic wraps round as there
            total = np.uint64(_MAGIC) * (total + np.uint64(_MAGIC) * value)
        found = [_ctr(c, d, total) for c, d in zip(self.ctrs, self.counts, strict=True)]
        return np.column_stack(found)


def _ctr(ctr: Mapping[str, Any], data: Mapping[str, Any], hashed: Array) -> Array:
    """One statistic: ``((good + prior) / (total + weight) + shift) * scale`` in float32."""
    kind, border = ctr["ctr_type"], ctr["target_border_idx"]
    keys, counts = data["keys"], data["counts"]
    at = np.minimum(np.searchsorted(keys, hashed), max(len(keys) - 1, 0))
    there = keys[at] == hashed if len(keys) else np.zeros(len(hashed), dtype=bool)
    rows = np.where(there[:, None], counts[at], 0)
    if kind in ("Counter", "FeatureFreq"):
        good, total = rows[:, 0], np.full(len(rows), data["denominator"])
    elif kind == "Buckets":
        good, total = rows[:, border], rows.sum(axis=1)
    else:
        good, total = rows[:, border + 1 :].sum(axis=1), rows.sum(axis=1)
    single = np.float32
    # the key is spelt like this in CatBoost's files
    below = total.astype(single) + single(ctr["prior_denomerator"])
    value = (good.astype(single) + single(ctr["prior_numerator"])) / below
    return np.asarray((value + single(ctr["shift"])) * single(ctr["scale"]))


@dataclass
class Parts:
    """What the JSON of a model says; ``splits`` in the order in which CatBoost numbers them."""

    numbers: list[int] = field(default_factory=list)  # flat feature
    high_nan: list[int] = field(default_factory=list)  # numbers whose NaN counts as largest
    hots: list[tuple[int, int]] = field(default_factory=list)  # category, hash of the value
    projections: list[Projection] = field(default_factory=list)
    bits: list[Bit] = field(default_factory=list)  # see _elements
    splits: list[tuple[str, int, float]] = field(default_factory=list)  # group, place, border
    n_categories: int = 0
    n_ctrs: int = 0


class Statistics:
    """All ctr values of one row or of many, in the order of the projections."""

    def __init__(self, parts: Parts, known: Mapping[int, int]) -> None:
        self._projections = parts.projections
        hots = [(at, code_of(known, int(v))) for kind, at, v in parts.bits if kind == "hot"]
        numbers = [(at, v) for kind, at, v in parts.bits if kind == "number"]
        self._hot_at = np.array([at for at, _ in hots], dtype=np.int64)
        self._hot_code = np.array([code for _, code in hots], dtype=np.int64)
        self._number_at = np.array([at for at, _ in numbers], dtype=np.int64)
        self._number_border = np.array([b for _, b in numbers], dtype=np.float32)
        n = parts.n_categories + len(parts.bits)
        self._elements = np.empty(n)
        self._n_categories, self._end_hot = parts.n_categories, parts.n_categories + len(hots)
        self._tables(n)
        self._kept: dict[int, dict[Any, list[float]]] = {i: {} for i, _ in self._loose}
        self._pick = {
            i: itemgetter(*self._projections[i].codes, self._projections[i].codes[0])
            for i, _ in self._loose
        }

    def _tables(self, n: int) -> None:
        """Fill the tables of all projections that are small enough; the others stay loose."""
        radix: list[Array] = []
        tables: list[Array] = []
        place: list[int] = []
        start: list[int] = []
        self._loose: list[tuple[int, int]] = []  # projection, first ctr
        filled, out = 0, 0
        targets: list[int] = []
        for number, item in enumerate(self._projections):
            sizes, width = item.sizes, len(item.ctrs)
            span = int(np.prod(np.array(sizes, dtype=float)))
            if span > _LARGEST_TABLE or filled + span * width > _ALL_TABLES:
                self._loose.append((number, out))
                out += width
                continue
            row = np.zeros(n)
            row[list(item.codes)] = np.cumprod([1, *sizes[:0:-1]])[::-1]
            values = item.values(np.unravel_index(np.arange(span), sizes))
            for ctr in range(width):
                place.append(len(radix))
                start.append(filled)
                tables.append(values[:, ctr])
                filled += span
            radix.append(row)
            targets += range(out, out + width)
            out += width
        # tuples are at most 20,000 for one projection, so float64 keys are exact
        self._radix = np.array(radix).reshape(-1, n)
        self._place, self._start = np.array(place, dtype=int), np.array(start, dtype=int)
        self._flat = np.concatenate(tables) if tables else np.empty(0, dtype=np.float32)
        self._targets = np.array(targets, dtype=int)

    def row(self, codes: Sequence[int], numbers: Array, out: Array) -> None:
        """Write all ctr values into ``out`` for category codes (-1 unknown) and float32 numbers."""
        elements = self._elements
        n, end = self._n_categories, self._end_hot
        elements[:n] = codes
        elements[n:end] = elements.take(self._hot_at) == self._hot_code
        elements[end:] = numbers.take(self._number_at) > self._number_border
        elements[:n] += 1.0
        keys = (self._radix @ elements).take(self._place).astype(np.int64)
        keys += self._start
        if not self._loose:
            self._flat.take(keys, out=out)
            return
        out[self._targets] = self._flat.take(keys)
        listed = elements.astype(np.int64).tolist()
        for number, at in self._loose:
            found = self._find(number, self._pick[number](listed)[:-1])
            out[at : at + len(found)] = found

    def _find(self, number: int, key: tuple[int, ...]) -> list[float]:
        kept = self._kept[number]
        if key not in kept:
            values = self._projections[number].values([np.array([code]) for code in key])[0]
            if len(kept) >= _MOST_KEPT:
                return values.tolist()  # type: ignore[no-any-return]
            kept[key] = values.tolist()
        return kept[key]

    def table(self, codes: Array, numbers: Array) -> Array:
        """All ctr values of many rows, float32 (ctrs, n); ``codes`` and ``numbers`` by row."""
        hot = codes[self._hot_at] == self._hot_code[:, None]
        bits = numbers[self._number_at] > self._number_border[:, None]
        elements = np.vstack([codes + 1, hot, bits]).astype(np.int64)
        width = len(self._targets) + sum(len(self._projections[i].ctrs) for i, _ in self._loose)
        out = np.empty((width, codes.shape[1]), dtype=np.float32)
        # no product of matrices: BLAS would wake threads that cost more than the work
        keys = np.empty((len(self._radix), codes.shape[1]), dtype=np.int64)
        for at, weights in enumerate(self._radix):
            used = np.flatnonzero(weights)
            keys[at] = elements[used[0]] * int(weights[used[0]])
            for i in used[1:]:
                keys[at] += elements[i] * int(weights[i])
        out[self._targets] = self._flat[keys[self._place] + self._start[:, None]]
        for number, at in self._loose:
            item = self._projections[number]
            values = item.values([elements[i] for i in item.codes])
            out[at : at + len(item.ctrs)] = values.T
        return out


def code_of(known: Mapping[int, int], hashed: int) -> int:
    """The code that has a hash, -2 when no code has it."""
    return next((code for code, h in known.items() if h == hashed & 0xFFFFFFFF), -2)


def _signed(hashed: int) -> int:
    """A 32-bit hash as CatBoost widens it: as a signed number, in 64 bits."""
    hashed &= 0xFFFFFFFF
    return (hashed - (1 << 32) if hashed >= 1 << 31 else hashed) & _MASK


def read_parts(model: Mapping[str, Any], known: Mapping[int, int]) -> Parts:
    info = model["features_info"]
    parts = Parts()
    for at, item in enumerate(info.get("float_features") or []):
        parts.numbers.append(item["flat_feature_index"])
        if item.get("nan_value_treatment") == "AsTrue":
            parts.high_nan.append(at)
        parts.splits += [("number", at, border) for border in item.get("borders") or []]
    for category, item in enumerate(info.get("categorical_features") or []):
        for value in item.get("values") or []:
            parts.splits.append(("hot", len(parts.hots), 0.5))
            parts.hots.append((category, value))
    _add_ctrs(parts, model, known)
    return parts


def _add_ctrs(parts: Parts, model: Mapping[str, Any], known: Mapping[int, int]) -> None:
    """Group the statistics by projection and number their splits in the model's own order."""
    info = model["features_info"]
    numbers = {item["feature_index"]: i for i, item in enumerate(info.get("float_features") or [])}
    elements = [_elements(ctr["elements"], numbers) for ctr in info.get("ctrs") or []]
    parts.bits = sorted({bit for _, bits in elements for bit in bits})  # "hot" before "number"
    place = {bit: i for i, bit in enumerate(parts.bits)}
    n = parts.n_categories = len(info.get("categorical_features") or [])
    hashes = np.full(max(known, default=0) + 2, _NO_HASH, dtype=np.uint64)
    for code, hashed in known.items():
        hashes[code + 1] = _signed(hashed)
    grouped: dict[Any, Projection] = {}
    found: list[tuple[Projection, int, Sequence[float]]] = []
    for ctr, (categories, bits) in zip(info.get("ctrs") or [], elements, strict=True):
        if ctr["ctr_type"] not in _COUNTED:
            raise CannotCompile(f"target statistic {ctr['ctr_type']}")
        codes = (*categories, *(n + place[bit] for bit in bits))
        projection = grouped.setdefault(codes, Projection(codes, len(categories), hashes))
        data = model["ctr_data"][ctr["identifier"]]
        found.append((projection, len(projection.ctrs), ctr["borders"]))
        projection.ctrs.append(ctr)
        projection.counts.append(_counts(data))
    parts.projections = list(grouped.values())
    starts = np.cumsum([0, *(len(item.ctrs) for item in parts.projections)]).tolist()
    first = {id(item): start for item, start in zip(parts.projections, starts, strict=False)}
    parts.n_ctrs = starts[-1]
    for projection, position, borders in found:
        parts.splits += [("ctr", first[id(projection)] + position, b) for b in borders]


def _elements(
    elements: Sequence[Mapping[str, Any]], numbers: Mapping[int, int]
) -> tuple[list[int], list[tuple[str, int, float]]]:
    """Categories of a projection, and its bits as (kind, number or category, border or hash)."""
    categories: list[int] = []
    bits: list[tuple[str, int, float]] = []
    for item in elements:
        kind = item["combination_element"]
        if kind == "cat_feature_value":
            categories.append(item["cat_feature_index"])
        elif kind == "float_feature":
            bits.append(("number", numbers[item["float_feature_index"]], float(item["border"])))
        elif kind == "cat_feature_exact_value":
            bits.append(("hot", item["cat_feature_index"], item["value"]))
        else:
            raise CannotCompile(f"element {kind} of a combination")
    return categories, bits


def _counts(data: Mapping[str, Any]) -> dict[str, Any]:
    """The hash map of a statistic as ascending keys, and the counts (m, classes) behind them."""
    stride = data["hash_stride"]
    flat = data["hash_map"]
    keys = np.array([int(key) for key in flat[::stride]], dtype=np.uint64)
    counts = np.array(
        [[int(count) for count in flat[i + 1 : i + stride]] for i in range(0, len(flat), stride)],
        dtype=np.int64,
    ).reshape(len(keys), stride - 1)
    order = np.argsort(keys)
    return {
        "keys": keys[order], "counts": counts[order], "denominator": data["counter_denominator"]
    }  # fmt: skip
