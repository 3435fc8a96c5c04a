"""Trees by LightGBM's C library, without importing the lightgbm package.

The library's own Python wrapper costs 24 microseconds a row and 3 seconds of imports; the C
function for single rows costs 4 (anchors/serving.md, B1). A booster handle is not for sharing
between threads while it answers a single row: the scorer holds a lock.
"""

from __future__ import annotations

import ctypes
import weakref
from array import array
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from everfit.column import Array
from everfit.errors import ArtefactRefused, Refused

_FLOAT64 = 1  # C_API_DTYPE_FLOAT64
_RAW, _LEAF = 1, 2  # C_API_PREDICT_RAW_SCORE, C_API_PREDICT_LEAF_INDEX
_CHUNK = 8_192  # rows whose leaf numbers are in memory at one time


@lru_cache(maxsize=1)
def _libraries() -> tuple[Any, Any]:
    """The C library twice: keeping the interpreter lock (one row) and releasing it (many)."""
    spec = find_spec("lightgbm")
    folders = list(spec.submodule_search_locations or []) if spec else []
    names = ("lib_lightgbm.so", "lib_lightgbm.dylib", "lib_lightgbm.dll")
    found = [p for f in folders for name in names for p in sorted(Path(f).glob(f"*/{name}"))]
    if not found:
        raise Refused(
            "LightGBM's library is not installed",
            got=", ".join(folders) or "no lightgbm package",
            expected="lib_lightgbm inside the lightgbm package",
            do="pip install lightgbm",
        )
    held, free = ctypes.PyDLL(str(found[0])), ctypes.CDLL(str(found[0]))
    for library in (held, free):
        library.LGBM_GetLastError.restype = ctypes.c_char_p
    free.LGBM_RegisterLogCallback(_quiet)
    return held, free


# LightGBM's notes while it reads a model are nothing for a server's output
_quiet = ctypes.CFUNCTYPE(None, ctypes.c_char_p)(lambda _: None)


def _check(library: Any, status: int) -> None:
    if status != 0:
        raise ArtefactRefused(
            "LightGBM cannot use a packed model",
            got=library.LGBM_GetLastError().decode("utf-8", "replace"),
            expected="a model as the release wrote it",
            do="check the version's hash, or roll back to another version",
        )


class Trees:
    """A booster that answers the vector in a buffer, or a matrix.

    Parameters
    ----------
    text : model in LightGBM's text form
    vector : buffer of float64 that holds one row's features when :meth:`row` is called; its
        address must not change
    leaves : (total leaves, k) values to sum over the leaves that a row falls in, one tree after
        the other, and ``starts`` (trees,) the first of each tree; None for the booster's raw scores

    Raises
    ------
    ArtefactRefused : the text is no model, or is made for another number of features
    """

    def __init__(
        self, text: str, vector: array[float], leaves: Array | None = None,
        starts: Array | None = None,
    ) -> None:  # fmt: skip
        held, self._free = _libraries()
        self._held = held
        self._booster, self._fast = ctypes.c_void_p(), ctypes.c_void_p()
        n_trees = ctypes.c_int()
        data = text.encode("utf-8")
        _check(held, held.LGBM_BoosterLoadModelFromString(
            data, ctypes.byref(n_trees), ctypes.byref(self._booster)))  # fmt: skip
        weakref.finalize(self, held.LGBM_BoosterFree, self._booster)
        self._leaves, self._starts = leaves, starts
        self._kind = _RAW if leaves is None else _LEAF
        self.n_features = len(vector)
        self._check_width()
        self.width, n_out = self._widths()
        self._n_out = n_out
        self._out = array("d", bytes(8 * n_out))
        length = ctypes.c_int64()
        _check(held, held.LGBM_BoosterPredictForMatSingleRowFastInit(
            self._booster, self._kind, 0, -1, _FLOAT64, self.n_features, b"",
            ctypes.byref(self._fast)))  # fmt: skip
        weakref.finalize(self, held.LGBM_FastConfigFree, self._fast)
        self._vector = vector
        call = held.LGBM_BoosterPredictForMatSingleRowFast
        address = ctypes.c_void_p(vector.buffer_info()[0])
        self._length = length
        out = ctypes.c_void_p(self._out.buffer_info()[0])
        self._arguments = (self._fast, address, ctypes.byref(length), out)
        self._call = call

    def _check_width(self) -> None:
        width = ctypes.c_int()
        _check(self._held, self._held.LGBM_BoosterGetNumFeature(
            self._booster, ctypes.byref(width)))  # fmt: skip
        if width.value != self.n_features:
            raise ArtefactRefused(
                "a packed model does not fit its feature plan",
                got=f"a model of {width.value} features",
                expected=f"{self.n_features} features",
                do="roll back to another version",
            )

    def _widths(self) -> tuple[int, int]:
        """Outputs for one row, and numbers that the library writes for one row."""
        if self._leaves is not None and self._starts is not None:
            return self._leaves.shape[1], len(self._starts)
        width = ctypes.c_int()
        _check(self._held, self._held.LGBM_BoosterGetNumClasses(
            self._booster, ctypes.byref(width)))  # fmt: skip
        return width.value, width.value

    def row(self) -> list[float]:
        """Raw scores (k) for the features that are in the buffer now."""
        if self._call(*self._arguments):
            _check(self._held, -1)
        if self._leaves is None:
            return self._out.tolist()
        return self._leaf_row()

    def table(self, matrix: Array, threads: int) -> Array:
        """Raw scores of many rows: (n, k). ``matrix`` is float64 (n, n_features), any order.

        All trees are asked for: a range of trees would change the state of the booster, and with it
        the answers of :meth:`row`.
        """
        if self._leaves is None:
            return self._many(matrix, threads)
        out = np.zeros((len(matrix), self.width))
        for start in range(0, len(matrix), _CHUNK):
            leaf = self._many(matrix[start : start + _CHUNK], threads)
            self._add(out[start : start + _CHUNK], leaf)
        return out

    def _many(self, matrix: Array, threads: int) -> Array:
        by_row = int(not matrix.flags.f_contiguous)
        if by_row:
            matrix = np.ascontiguousarray(matrix, dtype=np.float64)
        n = len(matrix)
        out = np.empty((n, self._n_out))
        length = ctypes.c_int64()
        if n:
            _check(self._free, self._free.LGBM_BoosterPredictForMat(
                self._booster, ctypes.c_void_p(matrix.ctypes.data), _FLOAT64,
                ctypes.c_int32(n), ctypes.c_int32(self.n_features), by_row, self._kind, 0, -1,
                f"num_threads={threads} verbosity=-1".encode(), ctypes.byref(length),
                ctypes.c_void_p(out.ctypes.data)))  # fmt: skip
        return out

    def _add(self, out: Array, leaf: Array) -> None:
        """Add, tree by tree, the values of the leaves (n, trees) to ``out``."""
        if self._leaves is None or self._starts is None:
            return
        for tree, start in enumerate(self._starts):
            out += self._leaves[leaf[:, tree].astype(np.int64) + start]

    def _leaf_row(self) -> list[float]:
        if self._leaves is None or self._starts is None:
            return []
        at = np.array(self._out, dtype=np.int64) + self._starts
        # accumulate adds one by one, as the table does; a plain sum adds pairwise
        return np.add.accumulate(self._leaves[at], axis=0)[-1].tolist()  # type: ignore[no-any-return]


def lightgbm_text(trees: list[tuple[Array, Array, Array, Array, Array]], n_features: int) -> str:
    """A LightGBM text model of numerical trees, for one output.

    Parameters
    ----------
    trees : for each tree split feature (m,), threshold (m,), left (m,), right (m,) and leaf values
        (m + 1,); a child below 0 is leaf ``-child - 1``; a row goes left when x <= threshold
    n_features : width of the matrix
    """
    blocks = [_block(number, tree) for number, tree in enumerate(trees)]
    names = " ".join(f"f{i}" for i in range(n_features))
    infos = " ".join(["none"] * n_features)
    sizes = " ".join(str(len(block)) for block in blocks)
    return (
        "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\n"
        f"max_feature_idx={n_features - 1}\nobjective=regression\nfeature_names={names}\n"
        f"feature_infos={infos}\ntree_sizes={sizes}\n\n{''.join(blocks)}end of trees\n\n"
    )


def _block(number: int, tree: tuple[Array, Array, Array, Array, Array]) -> str:
    feature, threshold, left, right, value = tree

    def line(name: str, items: list[Any]) -> str:
        return f"{name}={' '.join(map(repr, items))}\n"

    m = len(feature)
    return (
        f"Tree={number}\nnum_leaves={m + 1}\nnum_cat=0\n"
        + line("split_feature", feature.tolist())
        + line("threshold", threshold.tolist())
        + line("left_child", left.tolist())
        + line("right_child", right.tolist())
        + line("leaf_value", value.tolist())
        + "is_linear=0\nshrinkage=1\n\n\n"
    )
