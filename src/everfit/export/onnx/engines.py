"""The engines as nodes: features (n, d) in, raw scores (n, k) out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from everfit.errors import Refused
from everfit.export.alone import engines as alone
from everfit.export.onnx.graph import ML, Graph, rows_of
from everfit.export.packed import Constant, Layers, Part
from everfit.export.symmetric import Combination, Symmetric
from everfit.export.trees import Trees
from everfit.records import Array

LEQ, MEMBER = 0, 6  # modes of nodes in TreeEnsemble
DENSE = 20_000  # tuples of categories whose statistics stand in one table
MOST_TUPLES = 4_000_000  # tuples that are tried to find those that training saw


def raw_scores(graph: Graph, part: Part, x: str) -> str:
    """The raw scores of a member (n, k), or (1, k) when they depend on no feature."""
    engine = part.engine
    if isinstance(engine, Constant):
        return graph.constant(rows_of(np.array(engine.values)))
    if isinstance(engine, Layers):
        for i, (w, b) in enumerate(engine.weights):
            x = graph("Relu", x) if i else x
            x = graph("Add", graph("MatMul", x, w), rows_of(b))
        return x
    if isinstance(engine, Trees):
        return _trees(graph, engine, x)
    return _symmetric(graph, engine, x, part.name)


def _trees(g: Graph, engine: Trees, x: str) -> str:
    if engine.single:
        x = g.cast(g.cast(x, np.float32), g.real)
    # a tree that is one leaf has no node: its value is added to all
    alone_ = np.flatnonzero(engine.roots < 0)
    grown = np.flatnonzero(engine.roots >= 0)
    fixed = np.zeros(engine.width)
    for tree in alone_:
        values = engine.value[-engine.roots[tree] - 1]
        fixed[engine.slot[tree] : engine.slot[tree] + len(values)] += values
    total = g.constant(rows_of(fixed))
    if len(grown):
        many = engine.value.shape[1] > 1
        sums = _leaves(g, engine, x, grown) if many else _sums(g, engine, x, grown)
        total = g("Add", sums, total) if fixed.any() else sums
    total = g("Div", total, float(engine.divisor)) if engine.divisor != 1.0 else total
    return g.joined([g("Sub", 1.0, total), total]) if engine.pair else total


def _sums(g: Graph, engine: Trees, x: str, grown: Array) -> str:
    """Leaf values added up by the runtime."""
    target = np.zeros(len(engine.value), dtype=np.int64)
    for tree in grown:
        target[_leaves_of(engine, int(engine.roots[tree]))] = engine.slot[tree]
    return _ensemble(g, engine, x, grown, target, engine.value[:, 0], engine.width)


def _leaves(g: Graph, engine: Trees, x: str, grown: Array) -> str:
    """The runtime finds the leaf of each tree; the values of many outputs are gathered."""
    target = np.zeros(len(engine.value), dtype=np.int64)
    for place, tree in enumerate(grown):
        target[_leaves_of(engine, int(engine.roots[tree]))] = place
    number = np.arange(len(engine.value), dtype=np.float64)
    if g.real is np.float32 and len(number) >= 1 << 24:
        raise Refused("a forest has more leaves than float32 can count", do="use double precision")
    found = g.cast(_ensemble(g, engine, x, grown, target, number, len(grown)), np.int64)
    return g("ReduceSum", g("Gather", engine.value, found), np.array([1]), keepdims=0)


def _leaves_of(engine: Trees, root: int) -> Array:
    level, found = np.array([root]), []
    while len(level):
        below = np.concatenate([engine.left[level], engine.right[level]])
        found.append(-below[below < 0] - 1)
        level = below[below >= 0]
    return np.concatenate(found)


def _ensemble(
    g: Graph, engine: Trees, x: str, grown: Array, target: Array, weight: Array, width: int
) -> str:
    left, right, by_set = engine.left, engine.right, engine.sets >= 0
    more: dict[str, Any] = {}
    if by_set.any():
        members = [_members(engine, int(s)) for s in engine.sets[by_set]]
        values = np.concatenate([np.append(codes, np.nan) for codes in members])
        more["membership_values"] = values.astype(g.real)
    return g(
        "TreeEnsemble",
        x,
        domain=ML,
        n_targets=width,
        aggregate_function=1,  # the sum
        post_transform=0,
        tree_roots=engine.roots[grown].tolist(),
        nodes_featureids=engine.feature.tolist(),
        nodes_modes=np.where(by_set, MEMBER, LEQ).astype(np.uint8),
        nodes_splits=np.where(by_set, 0.0, engine.threshold).astype(g.real),
        nodes_truenodeids=np.where(left < 0, -left - 1, left).tolist(),
        nodes_trueleafs=(left < 0).astype(int).tolist(),
        nodes_falsenodeids=np.where(right < 0, -right - 1, right).tolist(),
        nodes_falseleafs=(right < 0).astype(int).tolist(),
        nodes_missing_value_tracks_true=engine.missing_left.astype(int).tolist(),
        leaf_targetids=target.tolist(),
        leaf_weights=weight.astype(g.real),
        **more,
    )


def _members(engine: Trees, which: int) -> Array:
    """The whole numbers in a set."""
    words = engine.set_words[engine.set_start[which] : engine.set_start[which + 1]]
    bits = np.unpackbits(words.astype("<u4").view(np.uint8), bitorder="little")
    return np.flatnonzero(bits).astype(np.float64)


def _symmetric(g: Graph, engine: Symmetric, x: str, name: str) -> str:
    width, trees = len(engine.bias), len(engine.tree_start) - 1
    if not len(engine.split_border):
        return g.constant(rows_of(engine.value.sum(axis=0) * engine.scale + np.array(engine.bias)))
    inputs = _inputs(g, engine, x, name)
    # one split more is never true: it fills up trees of fewer splits than the deepest
    at = np.append(engine.split_input, 0)
    border = np.append(engine.split_border, np.float32(np.inf)).reshape(1, -1)
    bits = g.cast(g("Greater", g("Gather", inputs, at, axis=1), border), np.uint8)
    depth = np.diff(engine.tree_start)
    deepest = int(depth.max())
    places = np.full((trees, deepest), len(engine.split_border))
    for tree, start in enumerate(engine.tree_start[:-1]):
        places[tree, : depth[tree]] = engine.tree_splits[start : start + depth[tree]]
    chosen = g("Gather", bits, places, axis=1)  # (n, trees, deepest)
    leaf = _numbers_of(g, chosen, deepest)
    leaf = g("Add", leaf, engine.leaf_start.astype(np.int32).reshape(1, -1))
    if width == 1:
        values = g("Gather", engine.value[:, 0], leaf)
        sums = g("ReduceSum", values, np.array([1]), keepdims=1)
    else:
        sums = g("ReduceSum", g("Gather", engine.value, leaf), np.array([1]), keepdims=0)
    return g("Add", g("Mul", sums, float(engine.scale)), rows_of(np.array(engine.bias)))


def _numbers_of(g: Graph, bits: str, depth: int) -> str:
    """Bits (n, trees, depth) of 0 and 1 as numbers, the lowest bit first: int32 (n, trees)."""
    if depth <= 8:
        powers = (1 << np.arange(depth)).astype(np.uint8)
        return g("MatMulInteger", bits, powers)
    powers = (1 << np.arange(depth)).astype(np.int32)
    return g("ReduceSum", g("Mul", g.cast(bits, np.int32), powers), np.array([2]), keepdims=0)


def _inputs(g: Graph, engine: Symmetric, x: str, name: str) -> str:
    """Numbers, one-hot values and target statistics: float32 (n, inputs)."""
    blocks = []
    if engine.numbers:
        numbers = g.cast(g("Gather", x, np.array(engine.numbers), axis=1), np.float32)
        if engine.high_nan:
            high = np.isin(np.arange(len(engine.numbers)), engine.high_nan).reshape(1, -1)
            lifted = g("And", g("IsNaN", numbers), high)
            numbers = g("Where", lifted, np.float32(np.inf), numbers)
        blocks.append(numbers)
    if not engine.categories:
        return g.joined(blocks)
    raw = g("Gather", x, np.array(engine.categories), axis=1)
    known = g("LessOrEqual", raw, float(len(engine.hashes) - 2))
    codes = g.cast(g("Where", known, raw, -1.0), np.int64)
    if engine.hots:
        category, value = (np.array(side) for side in zip(*engine.hots, strict=True))
        hot = g("Equal", g("Gather", codes, category, axis=1), value.reshape(1, -1))
        blocks.append(g.cast(hot, np.float32))
    for item in engine.combinations:
        blocks.append(
            _combination(g, engine, item, _elements(g, engine, item, blocks, codes), name)
        )
    return g.joined(blocks)


def _elements(
    g: Graph, engine: Symmetric, item: Combination, blocks: Sequence[str], codes: str
) -> list[str]:
    """What a tuple is made of, each int64 (n, 1): codes + 1, then bits."""
    one = np.array([1])
    found = [
        g("Add", g("Gather", codes, np.array([at]), axis=1), one) for at in item.categories
    ]  # fmt: skip
    for bit in item.bits:
        kind, at, value = engine.bits[bit]
        if kind == "hot":
            true = g("Equal", g("Gather", codes, np.array([at]), axis=1), np.array([int(value)]))
        else:
            numbers = g("Gather", blocks[0], np.array([at]), axis=1)
            true = g("Greater", numbers, np.array([value], dtype=np.float32))
        found.append(g.cast(true, np.int64))
    return found


def _combination(
    g: Graph, engine: Symmetric, item: Combination, elements: Sequence[str], name: str
) -> str:
    """The statistics of a combination: float32 (n, statistics)."""
    sizes = [len(engine.hashes)] * len(item.categories) + [2] * len(item.bits)
    span = int(np.prod(np.array(sizes, dtype=float)))
    if span > MOST_TUPLES:
        raise Refused(
            f"{name} cannot be exported to ONNX",
            got=f"target statistics of {len(item.categories)} categories with {span:,} tuples",
            expected=f"at most {MOST_TUPLES:,} tuples of categories in one statistic",
            do="use --to c or --to python, or another version (--use)",
        )
    key = elements[0]
    for element, size in zip(elements[1:], sizes[1:], strict=True):
        key = g("Add", g("Mul", key, np.int64(size)), element)
    values = _values(engine, item, sizes, span)
    if span > DENSE:
        # a tuple that training never saw has the values of an empty count, and most are such
        none = _of_hash(engine, item, np.zeros(1, dtype=np.uint64))[0]
        seen = np.flatnonzero((values != none).any(axis=1))
        key = g.encoded(key, seen.tolist() or [-1], len(seen))
        values = np.vstack([values[seen], none])
    found = g("Gather", values, key)  # (n, 1, statistics)
    return g("Squeeze", found, np.array([1]))


def _values(engine: Symmetric, item: Combination, sizes: Sequence[int], span: int) -> Array:
    """The statistics of all tuples: float32 (span, statistics)."""
    tuples = np.unravel_index(np.arange(span), sizes)
    hashed = np.zeros(span, dtype=np.uint64)
    for place, element in enumerate(tuples):
        is_category = place < len(item.categories)
        value = engine.hashes[element] if is_category else element.astype(np.uint64)
        hashed = alone.MAGIC * (hashed + alone.MAGIC * value)
    return _of_hash(engine, item, hashed)


def _of_hash(engine: Symmetric, item: Combination, hashed: Array) -> Array:
    arrays = {f"keys{i}": table.keys for i, table in enumerate(engine.counts)}
    arrays |= {f"counts{i}": table.counts for i, table in enumerate(engine.counts)}
    found = [alone.statistic(asdict(one), arrays, hashed) for one in item.statistics]
    return np.column_stack(found).astype(np.float32)
