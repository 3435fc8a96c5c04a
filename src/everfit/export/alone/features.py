"""Features: the steps of a feature plan over many rows at once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from everfit.export.alone.rows import NAN, Array

# <body>
EPOCH, MICROSECOND = datetime(1970, 1, 1), timedelta(microseconds=1)
WORD, DIGIT = re.compile(r"\w\w+"), re.compile(r"[0-9]")
CAPITAL, MARK = re.compile(r"[A-Z]"), re.compile(r"[!?$%&*#@+]")
TEXT_LIMIT = 4000  # characters of a text that are read
Plain = Mapping[str, Any]
Arrays = Mapping[str, Array]


class Base:
    """Base values of the columns of a plan: float64 (n,), NaN for missing."""

    def __init__(self, plan: Plain, values: Mapping[str, Any]) -> None:
        self.values = values
        self.kinds = {item["name"]: item["kind"] for item in plan["inputs"]}
        self.vocabularies = plan["vocabularies"]
        self.kept: dict[str, Array] = {}

    def __getitem__(self, name: str) -> Array:
        if name not in self.kept:
            self.kept[name] = self.read(name)
        return self.kept[name]

    def read(self, name: str) -> Array:
        """The base values of a column, not kept."""
        found, kind = self.values[name], self.kinds[name]
        if kind in ("number", "boolean"):
            return np.asarray(found)
        if kind == "date":
            times = [NAN if d is None else ((d - EPOCH) // MICROSECOND) / 1e6 for d in found]
            return np.array(times, dtype=float)
        place = {level: float(i) for i, level in enumerate(self.vocabularies[name])}
        return np.array([place.get(level, NAN) for level in found], dtype=float)

    def filled(self, step: Plain) -> Array:
        """The base values of a step's column, with its fill for missing ones."""
        x = self[step["column"]]
        return np.where(np.isnan(x), step["fill"], x)

    def codes(self, name: str, unknown: int) -> Array:
        """Codes of a category, whole numbers, ``unknown`` for missing."""
        x = self[name]
        return np.where(np.isnan(x), unknown, x).astype(np.int64)

    def part(self, name: str, part: str) -> Array:
        """A part of the dates of a column, NaN for missing."""
        found = [
            NAN if d is None else d.weekday() if part == "weekday" else getattr(d, part)
            for d in self.values[name]
        ]
        return np.array(found, dtype=float)


def tables_of(plan: Plain, arrays: Arrays) -> list[dict[str, Array]]:
    """The arrays of each step of a plan, and what can be made of them once for all rows."""
    found: list[dict[str, Array]] = [{} for _ in plan["steps"]]
    for name, array in arrays.items():
        at, _, item = name.partition(".")
        found[int(at)][item] = array
    for step, own in zip(plan["steps"], found, strict=True):
        if step["step"] == "lookup":
            default = np.array(step["default"], dtype=float)
            own["table"] = np.vstack([own["table"].reshape(-1, len(default)), default])
            # a key that no row has, so that there is one
            own["keys"] = np.append(own["keys"].astype(np.int64), np.iinfo(np.int64).max)
        elif step["step"] == "quantile":
            own["knots"], own["marks"] = np.array(step["knots"]), np.array(step["marks"])
            own["slopes"] = np.diff(own["marks"]) / np.diff(own["knots"])
    return found


def features(plan: Plain, values: Mapping[str, Any], tables: Sequence[Arrays], n: int) -> Array:
    """The features of n rows: float64 (n, d)."""
    base, blocks = Base(plan, values), []
    for step, own in zip(plan["steps"], tables, strict=True):
        blocks.append(np.reshape(STEPS[step["step"]](step, own, base), (n, -1)))
    return np.hstack(blocks) if blocks else np.empty((n, 0))


def take(step: Plain, arrays: Arrays, base: Base) -> Array:
    """The base value as it is."""
    return base[step["column"]]


def missing(step: Plain, arrays: Arrays, base: Base) -> Array:
    """1 where the base value is missing, else 0."""
    return np.isnan(base[step["column"]]).astype(float)


def scale(step: Plain, arrays: Arrays, base: Base) -> Array:
    """(x - centre) / spread after filling, kept within limits."""
    x = (base.filled(step) - step["centre"]) / step["spread"]
    return np.asarray(np.clip(x, -step["limit"], step["limit"]))


def quantile(step: Plain, arrays: Arrays, base: Base) -> Array:
    """A piecewise linear map through knots to marks, flat outside."""
    knots, marks, slopes = arrays["knots"], arrays["marks"], arrays["slopes"]
    x = np.clip(base.filled(step), knots[0], knots[-1])
    at = np.clip(np.searchsorted(knots, x, side="right") - 1, 0, len(slopes) - 1)
    return np.asarray(marks[at] + slopes[at] * (x - knots[at]))


def one_hot(step: Plain, arrays: Arrays, base: Base) -> Array:
    """One feature for each of the first codes, and one for the others."""
    levels = step["levels"]
    codes = np.minimum(base.codes(step["column"], levels), levels)
    return np.eye(levels + 1)[codes][:, : levels + int(step["other"])]


def date_part(step: Plain, arrays: Arrays, base: Base) -> Array:
    """One part of a date, or days since a reference."""
    if step["part"] == "days":
        return np.asarray((base[step["column"]] - step["reference"]) / 86400.0)
    return base.part(step["column"], step["part"])


def cycle(step: Plain, arrays: Arrays, base: Base) -> Array:
    """Sine and cosine of a part of a date; 0, 0 when missing."""
    x, table = base.part(step["column"], step["part"]), arrays["table"]
    known = ~np.isnan(x)
    out = np.zeros((len(x), 2))
    out[known] = table[x[known].astype(int) % len(table)]
    return out


def lookup(step: Plain, arrays: Arrays, base: Base) -> Array:
    """What was learnt for a category or a pair of them."""
    names, sizes = step["columns"], step["sizes"]
    key = base.codes(names[0], sizes[0])
    for name, size in zip(names[1:], sizes[1:], strict=True):
        key = key * (size + 1) + base.codes(name, size)
    keys = arrays["keys"]
    at = np.searchsorted(keys, key)
    return np.asarray(arrays["table"][np.where(keys[at] == key, at, len(keys) - 1)])


def arithmetic(step: Plain, arrays: Arrays, base: Base) -> Array:
    """Difference, product or ratio of two base values."""
    left, right = base[step["left"]], base[step["right"]]
    if step["operation"] == "difference":
        return left - right
    if step["operation"] == "product":
        return left * right
    return np.asarray(left / np.where(right == 0.0, NAN, right))


def gap(step: Plain, arrays: Arrays, base: Base) -> Array:
    """A number minus its mean in the category of the row."""
    table = arrays["table"]
    return np.asarray(base[step["column"]] - table[base.codes(step["category"], len(table) - 1)])


def words(step: Plain, arrays: Arrays, base: Base) -> Array:
    """Five counts of a text, then its tf-idf vector seen through components."""
    place = {word: i for i, word in enumerate(step["words"])}
    idf, components = arrays["idf"], arrays["components"]
    texts: Sequence[str | None] = base.values[step["column"]]
    out = np.zeros((len(texts), 5 + (components.shape[1] if components.ndim == 2 else 0)))
    for row, text in enumerate((text or "")[:TEXT_LIMIT] for text in texts):
        found = WORD.findall(text.lower())
        marks = [len(pattern.findall(text)) for pattern in (DIGIT, CAPITAL, MARK)]
        out[row, :5] = [len(text), len(found), *marks]
        known = sorted(Counter(place[word] for word in found if word in place).items())
        if known:
            at = [i for i, _ in known]
            weight = [count**0.5 * float(idf[i]) for i, count in known]
            norm = 0.0
            for one in weight:
                norm += one * one
            shares = np.array([one / norm**0.5 for one in weight])
            # added up as in training: a tree's threshold may lie between two roundings
            out[row, 5:] = np.add.reduceat(components[at] * shares[:, None], [0], axis=0)[0]
    if len(arrays["centre"]):
        out = np.clip((out - arrays["centre"]) / arrays["spread"], -8.0, 8.0)
    return out


STEPS = {
    "take": take, "missing": missing, "scale": scale, "quantile": quantile, "one_hot": one_hot,
    "date_part": date_part, "cycle": cycle, "lookup": lookup, "arithmetic": arithmetic,
    "gap": gap, "words": words,
}  # fmt: skip
