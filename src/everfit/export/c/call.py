"""Calls the library of an exported C source by ctypes: what the gate and the tests do."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from everfit.export.c.columns import TYPES
from everfit.export.c.source import Names
from everfit.export.packed import Packed
from everfit.records import Array
from everfit.serve.row import seconds_of


class Library:
    """A dynamic library built from an export.

    Parameters
    ----------
    path : the library
    packed, names : what the source was written from
    """

    def __init__(self, path: Path, packed: Packed, names: Names) -> None:
        self._library = ctypes.CDLL(str(path))
        self._packed, self._names = packed, names
        kinds = [item.column.kind for item in packed.columns]
        fields: list[tuple[str, Any]] = [
            (name, ctypes.c_double if kind in TYPES else ctypes.c_char_p)
            for name, kind in zip(names.fields, kinds, strict=True)
        ]
        self._row: Any = type(
            "Row", (ctypes.Structure,), {"_fields_": fields or [("none", ctypes.c_char)]}
        )

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> Array:
        """The answers to rows of typed values: float64 (n, n_outputs)."""
        predict = self._library[f"{self._names.prefix}_predict"]
        out = np.empty((len(rows), self._packed.n_outputs))
        answer = (ctypes.c_double * self._packed.n_outputs)()
        for at, row in enumerate(rows):
            if predict(ctypes.byref(self._given(row)), answer) != 0:
                out[at] = np.nan
            else:
                out[at] = answer[:]
        return out

    def _given(self, row: Mapping[str, Any]) -> Any:
        made = self._row()
        for item, name in zip(self._packed.columns, self._names.fields, strict=True):
            setattr(made, name, _plain(row.get(item.column.name), item.column.kind))
        return made


def _plain(value: Any, kind: str) -> float | bytes | None:
    if kind not in TYPES:
        return None if value is None else str(value).encode()
    if value is None:
        return float("nan")
    return seconds_of(value) if isinstance(value, datetime) else float(value)
