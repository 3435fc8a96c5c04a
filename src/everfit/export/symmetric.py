"""CatBoost's symmetric trees and target statistics as arrays, read from ``model.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from everfit.records import Array
from everfit.serve.engines.statistic import CannotCompile, Parts, code_of, read_parts

_DEEPEST = 16


@dataclass(frozen=True, slots=True)
class Statistic:
    """One target statistic: ``((good + prior) / (total + weight) + shift) * scale`` in float32.

    ``counts`` is the number of the table of counts; ``good`` are the columns of its counts from
    ``first`` to before ``end``; ``total`` is their sum over all columns, or ``denominator`` for a
    statistic that counts rows alone.
    """

    counts: int
    first: int
    end: int
    denominator: float | None
    prior: float
    weight: float
    shift: float
    scale: float


@dataclass(frozen=True, slots=True)
class Combination:
    """A tuple of categories and bits that statistics are kept for.

    ``categories`` are places among the model's categories, ``bits`` among its bits.
    """

    categories: tuple[int, ...]
    bits: tuple[int, ...]
    statistics: tuple[Statistic, ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """What a statistic knows: ascending 64-bit ``keys`` (m,), and ``counts`` (m, classes)."""

    keys: Array
    counts: Array


@dataclass(frozen=True, slots=True)
class Symmetric:
    """Symmetric trees over float32 inputs: numbers, then 0/1 of one-hot values, then statistics.

    Attributes
    ----------
    numbers : features that are numbers; ``high_nan`` the places of those whose NaN is largest
    categories : features that are category codes; ``hashes`` (codes + 1,) for code -1, 0, 1, ...
    hots : (category, code) of each one-hot input
    bits : (kind, place, value): number above a border, or category equal to a code
    combinations, counts : the target statistics
    split_input, split_border : (splits,) a split is true when its input is above its border
    tree_start : (trees + 1,) where the splits of each tree begin in ``tree_splits``; the first
        split of a tree is the lowest bit of its leaf's number
    value : (leaves, width), tree after tree; ``bias`` and ``scale`` are applied to the sums
    """

    numbers: tuple[int, ...]
    high_nan: tuple[int, ...]
    categories: tuple[int, ...]
    hashes: Array
    hots: tuple[tuple[int, int], ...]
    bits: tuple[tuple[str, int, float], ...]
    combinations: tuple[Combination, ...]
    counts: tuple[Counts, ...]
    split_input: Array
    split_border: Array
    tree_start: Array
    tree_splits: Array
    value: Array
    scale: float
    bias: tuple[float, ...]

    @property
    def n_inputs(self) -> int:
        """Numbers, one-hot values and statistics together."""
        statistics = sum(len(item.statistics) for item in self.combinations)
        return len(self.numbers) + len(self.hots) + statistics

    @property
    def leaf_start(self) -> Array:
        """Where the leaves of each tree begin in ``value``: (trees,)."""
        sizes = 1 << np.diff(self.tree_start)
        return np.cumsum(np.append(0, sizes))[:-1]


def read_symmetric(model: Mapping[str, Any]) -> Symmetric:
    """The arrays of a CatBoost model in its JSON form.

    Raises
    ------
    CannotCompile : trees that are not symmetric or deeper than 16, or an unknown statistic
    """
    if "oblivious_trees" not in model:
        raise CannotCompile("trees are not symmetric")
    info = model["features_info"]
    known = {int(item["value"]): item["hash"] for item in info.get("cat_features_hash") or []}
    parts = read_parts(model, known)
    combinations, counts = _statistics(parts)
    categories = [c["flat_feature_index"] for c in info.get("categorical_features") or []]
    hashes = parts.projections[0].hashes if parts.projections else np.zeros(1, dtype=np.uint64)
    if not parts.projections:
        # codes above the last known one count as unknown, so their number matters here too
        hashes = np.zeros(max(known, default=0) + 2, dtype=np.uint64)
    splits, starts, used, values = _trees(model, parts)
    scale, bias = model["scale_and_bias"]
    return Symmetric(
        numbers=tuple(parts.numbers),
        high_nan=tuple(parts.high_nan),
        categories=tuple(categories),
        hashes=hashes,
        hots=tuple((category, code_of(known, value)) for category, value in parts.hots),
        bits=tuple(
            (kind, at, code_of(known, int(value)) if kind == "hot" else value)
            for kind, at, value in parts.bits
        ),
        combinations=combinations,
        counts=counts,
        split_input=np.array([at for at, _ in splits], dtype=np.int64),
        split_border=np.array([border for _, border in splits], dtype=np.float32),
        tree_start=starts,
        tree_splits=used,
        value=values,
        scale=float(scale),
        bias=tuple(float(b) for b in bias),
    )


def _trees(
    model: Mapping[str, Any], parts: Parts
) -> tuple[list[tuple[int, float]], Array, Array, Array]:
    """Different splits, first split of each tree, splits of all trees, and leaf values."""
    first = {"number": 0, "hot": len(parts.numbers)}
    first["ctr"] = first["hot"] + len(parts.hots)
    width = len(model["scale_and_bias"][1])
    known: dict[tuple[int, float], int] = {}
    starts, used, leaves = [0], [], []
    for tree in model["oblivious_trees"]:
        for item in tree.get("splits") or []:
            group, at, border = parts.splits[item["split_index"]]
            if group != "hot" and border != item["border"]:
                raise CannotCompile("splits are numbered in another way")
            used.append(known.setdefault((first[group] + at, border), len(known)))
        starts.append(len(used))
        if starts[-1] - starts[-2] > _DEEPEST:
            raise CannotCompile(f"trees deeper than {_DEEPEST}")
        leaves.append(np.array(tree["leaf_values"], dtype=np.float64).reshape(-1, width))
    values = np.concatenate(leaves) if leaves else np.zeros((0, width))
    return list(known), np.array(starts), np.array(used, dtype=np.int64), values


def _statistics(parts: Parts) -> tuple[tuple[Combination, ...], tuple[Counts, ...]]:
    tables: list[Counts] = []
    place: dict[bytes, int] = {}
    found = []
    for projection in parts.projections:
        statistics = []
        for ctr, data in zip(projection.ctrs, projection.counts, strict=True):
            content = data["keys"].tobytes() + data["counts"].tobytes()
            if content not in place:
                place[content] = len(tables)
                tables.append(Counts(data["keys"], data["counts"]))
            statistics.append(_statistic(ctr, data, place[content]))
        n = projection.n_categories
        bits = tuple(code - parts.n_categories for code in projection.codes[n:])
        found.append(Combination(tuple(projection.codes[:n]), bits, tuple(statistics)))
    return tuple(found), tuple(tables)


def _statistic(ctr: Mapping[str, Any], data: Mapping[str, Any], table: int) -> Statistic:
    kind, border = ctr["ctr_type"], ctr["target_border_idx"]
    width = data["counts"].shape[1]
    counted = kind in ("Counter", "FeatureFreq")
    first, end = (border, border + 1) if kind == "Buckets" else (border + 1, width)
    if counted:
        first, end = 0, 1
    return Statistic(
        table,
        first,
        end,
        float(data["denominator"]) if counted else None,
        float(ctr["prior_numerator"]),
        float(ctr["prior_denomerator"]),  # spelt like this in CatBoost's files
        float(ctr["shift"]),
        float(ctr["scale"]),
    )
