"""Engines: raw scores of many rows, by trees, symmetric trees and layers."""

from __future__ import annotations

import numpy as np

from everfit.export.alone.features import Arrays, Plain
from everfit.export.alone.rows import Array

# <body>
MAGIC = np.uint64(0x4906BA494954CB65)  # of CatBoost's hashes


def constant(part: Plain, arrays: Arrays, x: Array) -> Array:
    """The same raw scores for every row."""
    return np.tile(arrays["values"], (len(x), 1))


def layers(part: Plain, arrays: Arrays, x: Array) -> Array:
    """Products with matrices, and a rectifier between them."""
    for i in range(part["n_layers"]):
        x = (np.maximum(x, 0.0) if i else x) @ arrays[f"w{i}"] + arrays[f"b{i}"]
    return x


def trees(part: Plain, arrays: Arrays, x: Array) -> Array:
    """Walk all trees of all rows at once; a place below 0 is leaf -place - 1."""
    if part["single"]:
        x = x.astype(np.float32).astype(float)
    roots = arrays["roots"]
    place = np.tile(roots.astype(np.int64), len(x))
    of_row = np.repeat(np.arange(len(x)), len(roots))
    walking = np.flatnonzero(place >= 0)
    while len(walking):
        node = place[walking]
        value = x[of_row[walking], arrays["feature"][node]]
        to_left = np.where(
            np.isnan(value), arrays["missing_left"][node], value <= arrays["threshold"][node]
        )
        if len(arrays["set_words"]):
            sets = arrays["sets"][node]
            at = np.flatnonzero(sets >= 0)
            to_left[at] = in_sets(value[at], sets[at], arrays)
        place[walking] = np.where(to_left, arrays["left"][node], arrays["right"][node])
        walking = walking[place[walking] >= 0]
    values = arrays["value"][-place - 1].reshape(len(x), len(roots), -1)
    if values.shape[2] == 1 and part["width"] > 1:
        slots = [arrays["slot"] == k for k in range(part["width"])]
        out = np.hstack([values[:, slot].sum(axis=1) for slot in slots])
    else:
        out = values.sum(axis=1)
    out = out / part["divisor"]
    return np.hstack([1.0 - out, out]) if part["pair"] else out


def in_sets(value: Array, sets: Array, arrays: Arrays) -> Array:
    """Whether each whole number is in its set of bits; NaN and numbers below 0 are in none."""
    start = arrays["set_start"]
    code = np.where((value >= 0) & (value < 1 << 31), value, -1).astype(np.int64)
    word = start[sets] + (code >> 5)
    there = (code >= 0) & (word < start[sets + 1])
    bits = arrays["set_words"][np.where(there, word, 0)] >> (code & 31).astype(np.uint32)
    return np.asarray(there & (bits & 1).astype(bool))


def symmetric(part: Plain, arrays: Arrays, x: Array) -> Array:
    """Trees that ask one question a level: the answers are the bits of a leaf."""
    inputs = symmetric_inputs(part, arrays, x)
    bits = inputs[arrays["split_input"]] > arrays["split_border"][:, None]
    start = arrays["tree_start"].astype(np.int64)
    depth = np.diff(start)
    leaf = np.cumsum(np.append(0, 1 << depth))[:-1]  # the first of each tree
    leaf = np.repeat(leaf[:, None], len(x), axis=1)
    for level in range(int(depth.max(initial=0))):
        deep = np.flatnonzero(depth > level)
        split = arrays["tree_splits"][start[deep] + level]
        leaf[deep] += bits[split].astype(np.int64) << level
    out = arrays["value"][leaf].sum(axis=0)
    return np.asarray(out * part["scale"] + arrays["bias"])


def symmetric_inputs(part: Plain, arrays: Arrays, x: Array) -> Array:
    """Numbers, one-hot values and target statistics: float32 (inputs, n)."""
    with np.errstate(over="ignore"):
        numbers = np.take(x, arrays["numbers"], axis=1).T.astype(np.float32)
    for at in part["high_nan"]:
        numbers[at][np.isnan(numbers[at])] = np.inf
    raw = np.take(x, arrays["categories"], axis=1).T
    codes = np.where(raw <= len(arrays["hashes"]) - 2, raw, -1.0).astype(np.int64)
    hots = [codes[category] == code for category, code in part["hots"]]
    bits = [
        codes[at] == int(value) if kind == "hot" else numbers[at] > np.float32(value)
        for kind, at, value in part["bits"]
    ]
    rows = [*numbers, *hots]
    for item in part["combinations"]:
        hashed = np.zeros(len(x), dtype=np.uint64)
        found = [arrays["hashes"][codes[at] + 1] for at in item["categories"]]
        for value in [*found, *(bits[at].astype(np.uint64) for at in item["bits"])]:
            hashed = MAGIC * (hashed + MAGIC * value)
        rows += [statistic(one, arrays, hashed) for one in item["statistics"]]
    return np.array(rows, dtype=np.float32).reshape(-1, len(x))


def statistic(one: Plain, arrays: Arrays, hashed: Array) -> Array:
    """((good + prior) / (total + weight) + shift) * scale in float32."""
    keys, counts = arrays[f"keys{one['counts']}"], arrays[f"counts{one['counts']}"]
    at = np.minimum(np.searchsorted(keys, hashed), max(len(keys) - 1, 0))
    there = keys[at] == hashed if len(keys) else np.zeros(len(hashed), dtype=bool)
    found = np.where(there[:, None], counts[at], 0)
    good = found[:, one["first"] : one["end"]].sum(axis=1)
    total = found.sum(axis=1)
    if one["denominator"] is not None:
        total = np.full(len(hashed), one["denominator"])
    single = np.float32
    value = (good.astype(single) + single(one["prior"])) / (
        total.astype(single) + single(one["weight"])
    )
    return np.asarray((value + single(one["shift"])) * single(one["scale"]))


ENGINES = {"constant": constant, "layers": layers, "trees": trees, "symmetric": symmetric}
