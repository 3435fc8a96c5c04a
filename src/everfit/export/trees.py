"""Trees of LightGBM and forests of scikit-learn in one form, read without their libraries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from everfit.errors import ArtefactRefused
from everfit.records import Array

_CATEGORICAL, _DEFAULT_LEFT = 1, 2  # bits of LightGBM's decision_type; bits 2 and 3: missing type


@dataclass(frozen=True, slots=True)
class Trees:
    """Binary trees whose leaf values are added up, one tree after the other.

    A *place* is an inner node when it is 0 or above, and leaf ``-place - 1`` when below. A row goes
    left at node i when x[feature] <= threshold; when x is NaN, as ``missing_left`` says; at a node
    with a set (``sets[i] >= 0``), when the whole number x is in it.

    Attributes
    ----------
    roots : (trees,) places
    feature, threshold, left, right, missing_left, sets : (nodes,)
    set_start : (sets + 1,) where the 32-bit words of each set begin in ``set_words``
    value : (leaves, w); ``slot`` (trees,) is the first output that a tree adds to
    width : raw scores of a row
    single : features are rounded to float32 first
    divisor : what the sums are divided by
    pair : the one sum p becomes (1 - p, p)
    """

    roots: Array
    feature: Array
    threshold: Array
    left: Array
    right: Array
    missing_left: Array
    sets: Array
    set_start: Array
    set_words: Array
    value: Array
    slot: Array
    width: int
    single: bool = False
    divisor: float = 1.0
    pair: bool = False

    @property
    def depth(self) -> int:
        """Decisions on the longest way from a root to a leaf."""
        level, depth = self.roots[self.roots >= 0], 0
        while len(level):
            below = np.concatenate([self.left[level], self.right[level]])
            level, depth = below[below >= 0], depth + 1
        return depth


def read_lightgbm(text: str) -> Trees:
    """The trees of a model in LightGBM's text form.

    Raises
    ------
    ArtefactRefused : linear trees, averaged trees, or zeros that count as missing
    """
    head, *blocks = text.partition("\nend of trees")[0].split("\nTree=")
    facts = _lines(head)
    if "average_output" in head:
        raise _unknown("averaged trees")
    width = int(facts["num_tree_per_iteration"])
    trees = [_Tree(_lines(block)) for block in blocks]
    first = np.cumsum([0, *(t.n_nodes for t in trees)])
    leaf = np.cumsum([0, *(len(t.value) for t in trees)])
    sets = np.cumsum([0, *(t.n_sets for t in trees)])
    words = np.cumsum([0, *(len(t.words) for t in trees)])
    at = list(zip(trees, first, leaf, strict=False))  # the sums have an end more
    empty = np.empty(0, dtype=np.int64)
    return Trees(
        roots=np.array([t.root + (f if t.n_nodes else -n) for t, f, n in at]),
        feature=_joined([t.feature for t in trees], empty),
        threshold=_joined([t.threshold for t in trees], np.empty(0)),
        left=_joined([_moved(t.left, f, n) for t, f, n in at], empty),
        right=_joined([_moved(t.right, f, n) for t, f, n in at], empty),
        missing_left=_joined([t.missing_left for t in trees], np.empty(0, dtype=bool)),
        sets=_joined(
            [np.where(t.sets < 0, -1, t.sets + s) for t, s in zip(trees, sets, strict=False)], empty
        ),
        set_start=np.concatenate(
            [t.starts[:-1] + w for t, w in zip(trees, words, strict=False)] + [words[-1:]]
        ),
        set_words=_joined([t.words for t in trees], empty).astype(np.uint32),
        value=_joined([t.value for t in trees], np.empty(0))[:, None],
        slot=np.arange(len(trees)) % width,
        width=width,
    )


def read_forest(arrays: Mapping[str, Array]) -> Trees:
    """The trees of ``forest.npz``; docs/plan.md names its arrays."""
    is_inner = arrays["feature"] >= 0
    inner, leaves = np.flatnonzero(is_inner), np.flatnonzero(~is_inner)
    place = np.empty(len(is_inner), dtype=np.int64)
    place[inner], place[leaves] = np.arange(len(inner)), -np.arange(len(leaves)) - 1
    offsets = arrays["offsets"]
    value = arrays["value"][leaves]
    k = value.shape[1]
    threshold = arrays["threshold"][inner].astype(np.float64)
    return Trees(
        roots=place[offsets[:-1]],
        feature=arrays["feature"][inner].astype(np.int64),
        threshold=threshold,
        left=place[arrays["left"][inner]],
        right=place[arrays["right"][inner]],
        missing_left=threshold >= 0.0,  # a NaN counts as zero, as in serve.engines.forest
        sets=np.full(len(inner), -1),
        set_start=np.zeros(1, dtype=np.int64),
        set_words=np.empty(0, dtype=np.uint32),
        value=np.ascontiguousarray(value[:, -1:] if k == 2 else value),
        slot=np.zeros(len(offsets) - 1, dtype=np.int64),
        width=1 if k == 2 else k,
        single=True,
        divisor=float(len(offsets) - 1),
        pair=k == 2,
    )


class _Tree:
    """One block of LightGBM's text."""

    def __init__(self, facts: Mapping[str, str]) -> None:
        if facts.get("is_linear", "0") != "0":
            raise _unknown("linear trees")
        self.value = _numbers(facts["leaf_value"])
        self.n_nodes = len(self.value) - 1
        self.root = 0 if self.n_nodes else -1
        self.n_sets = int(facts["num_cat"])
        self.starts = _numbers(facts.get("cat_boundaries", "0"), np.int64)
        self.words = _numbers(facts.get("cat_threshold", ""), np.int64)
        split = self.n_nodes > 0
        self.feature = _numbers(facts["split_feature"] if split else "", np.int64)
        self.threshold = _numbers(facts["threshold"] if split else "")
        self.left = _numbers(facts["left_child"] if split else "", np.int64)
        self.right = _numbers(facts["right_child"] if split else "", np.int64)
        kind = _numbers(facts.get("decision_type", "") if split else "", np.int64)
        missing = (kind >> 2) & 3
        by_set = (kind & _CATEGORICAL) > 0
        if ((missing == 1) & ~by_set).any():
            raise _unknown("zeros that count as missing")
        default = (kind & _DEFAULT_LEFT) > 0
        # where training had none missing, LightGBM takes a NaN for zero
        self.missing_left = np.where(missing == 2, default, self.threshold >= 0.0) & ~by_set
        self.sets = np.where(by_set, self.threshold, -1.0).astype(np.int64)


def _lines(block: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in block.splitlines() if "=" in line)


def _numbers(text: str, kind: type[np.generic] = np.float64) -> Array:
    return np.array(text.split(), dtype=kind)


def _moved(places: Array, node: int, leaf: int) -> Array:
    return np.where(places >= 0, places + node, places - leaf)


def _joined(arrays: list[Array], none: Array) -> Array:
    return np.concatenate(arrays) if arrays else none


def _unknown(what: str) -> ArtefactRefused:
    return ArtefactRefused(
        "a LightGBM model has a part that no export knows",
        got=what,
        expected="trees as Everfit's learners grow them",
        do="export another version (--use)",
    )
