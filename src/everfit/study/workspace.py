"""The folder through which a study hands its data to the processes that fit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import polars as pl

from everfit.data.table import Table
from everfit.data.timeline import Timeline
from everfit.plain import as_plain, from_plain
from everfit.records import Array, Column, Cut, Form, Source, Truth

MARKS, TIMED = "marks.arrow", "marks_timed.arrow"


@dataclass(frozen=True, slots=True)
class Material:
    """What a fit needs: features of all rows, the truth for them, and the cuts.

    ``marks`` are keys and times of the rows where a learner reads history, see ``data.timeline``.
    Row i of ``items`` tells of item i of the ``n_items`` that lists are made of.
    """

    features: Table
    truth: Truth
    cuts: tuple[Cut, ...]
    marks: pl.DataFrame | None = None
    timed: bool = False
    items: Table | None = None
    n_items: int = 0

    def timeline(self, form: Form) -> Timeline | None:
        """The rows by key and time, their outcomes those that are known."""
        if self.marks is None:
            return None
        outcomes = np.full(self.features.n_rows, np.nan)
        outcomes[self.truth.ids] = self.truth.values
        codes = form == "probabilities"
        return Timeline(self.marks, self.features, outcomes, codes, self.timed)


def lay_out(
    folder: Path,
    features: Table,
    truth: Truth,
    cuts: Sequence[Cut],
    marks: pl.DataFrame | None = None,
    *,
    timed: bool = False,
    items: Table | None = None,
    n_items: int = 0,
) -> None:
    """Write the material into ``folder``, so that other processes can map it into memory.

    ``truth`` is what histories are learnt from; ``items`` and ``n_items`` are those of lists.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if marks is not None:
        marks.write_ipc(folder / (TIMED if timed else MARKS), compression="uncompressed")
    _write(folder, "features", features)
    if items is not None:
        _write(folder, "items", items)
    arrays = {"ids": truth.ids, "values": truth.values, "n_items": np.array(n_items)}
    if truth.weight is not None:
        arrays["weight"] = truth.weight
    for number, cut in enumerate(cuts):
        arrays[f"history_{number}"], arrays[f"asked_{number}"] = cut.history, cut.asked
    np.savez(folder / "truth.npz", **arrays)  # type: ignore[arg-type]


@lru_cache(maxsize=1)  # a worker serves one study; reading again for each fit would cost more
def pick_up(folder: Path) -> Material:
    """The inverse of :func:`lay_out`."""
    features = _read(folder, "features")
    items = _read(folder, "items") if (folder / "items.arrow").exists() else None
    with np.load(folder / "truth.npz") as arrays:
        weight = arrays.get("weight")
        truth, n_items = Truth(arrays["ids"], arrays["values"], weight), int(arrays["n_items"])
        n_cuts = sum(name.startswith("asked_") for name in arrays)
        cuts = tuple(
            Cut(f"fold {i}", arrays[f"history_{i}"], arrays[f"asked_{i}"]) for i in range(n_cuts)
        )
    marked = next((name for name in (MARKS, TIMED) if (folder / name).exists()), None)
    marks = None if marked is None else pl.read_ipc(folder / marked)
    return Material(features, truth, cuts, marks, marked == TIMED, items, n_items)


def _write(folder: Path, name: str, table: Table) -> None:
    table.frame.write_ipc(folder / f"{name}.arrow", compression="uncompressed")
    described = {"columns": as_plain(table.columns), "source": as_plain(table.source)}
    (folder / f"{name}.json").write_text(json.dumps(described))


def _read(folder: Path, name: str) -> Table:
    described = json.loads((folder / f"{name}.json").read_text())
    columns = tuple(from_plain(Column, column) for column in described["columns"])
    frame = pl.read_ipc(folder / f"{name}.arrow")
    return Table(frame, columns, from_plain(Source, described["source"]))


def known(truth: Truth, rows: Array) -> tuple[Array, Array, Array | None]:
    """The rows of ``rows`` whose truth is known, their values and weights."""
    ids, _, at = np.intersect1d(rows, truth.ids, return_indices=True)
    return ids, truth.values[at], None if truth.weight is None else truth.weight[at]
