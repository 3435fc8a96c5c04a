"""Versions packed by hand from learners' parts, as a release would."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from everfit.data.table import Table
from everfit.plain import as_plain


def plan_columns(table: Table, defaults: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """The columns of a scoring plan, with training ranges."""
    made = []
    for column in table.columns:
        plain = as_plain(column) | {"default": (defaults or {}).get(column.name)}
        if column.kind == "number":
            known = table.frame[column.name].cast(pl.Float64)
            plain |= {"low": known.min(), "high": known.max()}
        made.append(plain)
    return made


def pack(
    folder: Path, table: Table, parts: Sequence[Mapping[str, Any]], *,
    form: str = "probabilities", labels: Sequence[str] = ("no", "yes"),
    calibration: Mapping[str, float] | None = None, defaults: Mapping[str, Any] | None = None,
    weights: Sequence[float] | None = None,
) -> None:  # fmt: skip
    """Write plan.json for members whose files are already in ``folder/m0``, ``folder/m1``, ..."""
    weights = weights or [1.0 / len(parts)] * len(parts)
    plan = {
        "format": 1,
        "form": form,
        "labels": list(labels) if form == "probabilities" else [],
        "label_type": "str",
        "columns": plan_columns(table, defaults),
        "members": [
            {"weight": weight, "folder": f"m{i}", "part": dict(part)}
            for i, (weight, part) in enumerate(zip(weights, parts, strict=True))
        ],
        "calibration": dict(calibration or {}),
    }
    (folder / "plan.json").write_text(json.dumps(plan))
