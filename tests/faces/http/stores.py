"""Stores with released models, packed by hand in a moment, the same in every process."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from everfit.data.table import Table
from everfit.evidence.interval import Interval
from everfit.plain import as_plain
from everfit.records import Array, Because, Decision, Problem, Version
from everfit.release.manifest import FORMAT, Manifest, seal
from everfit.serve import open_plan
from everfit.store import open_store
from tests.encoders.mixed import as_table, mixed_rows, target_of
from tests.faces.http.small import ROWS, fit_and_pack
from tests.live.shelves import lists_store
from tests.tables import make_table

MODEL, TARGET = "mixed", "bought"
AT = datetime(2026, 11, 20, 12, tzinfo=UTC)


def mixed_frame(n: int, seed: int = 0) -> pl.DataFrame:
    """Rows of every kind of column with a label of words."""
    rows = mixed_rows(n, seed)
    labels = ["yes" if label else "no" for label in target_of(rows)]
    return pl.DataFrame([r | {TARGET: y} for r, y in zip(rows, labels, strict=True)])


@cache
def released_store() -> Path:
    """The store of the mixed model; tests must not write to it."""
    folder = _kept()
    release(folder, 1)
    return folder


@cache
def both_store() -> Path:
    """The store of the mixed model, and of a model that answers with lists."""
    folder = _kept()
    release(folder, 1)
    return lists_store(folder, (1,))


@cache
def churn_store() -> Path:
    """The store of the page about HTTP: two versions of ``churn``, the second the champion."""
    folder = _kept()
    for number, seed in ((1, 1), (2, 2)):
        rng = np.random.default_rng(seed)
        age, calls = rng.integers(18, 97, 400), rng.poisson(2.0, 400)
        plan = rng.choice(["basic", "pro", "trial"], 400)
        table = make_table({"age": age, "calls": calls, "plan": plan})
        left = rng.random(400) < 1 / (1 + np.exp(3.0 - 0.8 * calls - 1.5 * (plan == "trial")))
        rows = table.frame.to_dicts()
        release(folder, number, Packed("churn", "churned", table, left.astype(float), rows))
    return folder


@cache
def page_store() -> Path:
    """The same with ``movies``, which answers with lists."""
    folder = _kept()
    shutil.copytree(churn_store(), folder, dirs_exist_ok=True)
    return lists_store(folder, (1,))


@dataclass(frozen=True)
class Packed:
    """What a version is made of: its table, the class of each row, and the rows as dicts."""

    model: str = MODEL
    target: str = TARGET
    table: Table = field(default_factory=lambda: as_table(ROWS))
    classes: Array = field(default_factory=lambda: target_of(ROWS))
    rows: Sequence[Mapping[str, Any]] = field(default_factory=lambda: ROWS)

    @property
    def problem(self) -> Problem:
        return Problem("classify", self.target, "auc", "probabilities", ("no", "yes"))


def release(folder: Path, number: int, made: Packed | None = None) -> None:
    """Put a version into the store and make it the champion, the one before it the previous."""
    made = made or Packed()
    model = made.model
    store = open_store(folder)
    try:
        run = store.begin_run(model, {"budget_s": 2.0, "seed": 0, "data_sha256": "d" * 64})
        with store.packing(model, number) as place:
            fit_and_pack(place, made.table, made.classes)
            sha256 = _sealed(place, number, made, store.key())
        version = Version(
            model, number, str(store.folder(model, number)), sha256, made.problem,
            Interval(0.70, 0.75, 0.80, n=200), run.id, "one weight a feature", AT,
            speaks_of="the model refitted on all rows",
        )  # fmt: skip
        gain = Because("better than the floor", True, 0.2, 0.1, 0.3, n=200, limit=0.0)
        for kind in ("assessed", "studied"):
            store.commit(Decision(model, kind, f"It was {kind}", at=AT), run=run)
        released = Decision(
            model, "released", f"Released v{number}", (gain,), version=version.name, at=AT
        )
        aliases: dict[str, int | None] = {"champion": number}
        aliases |= {"previous": number - 1} if number > 1 else {}
        store.commit(released, version=version, aliases=aliases, run=run)
        store.finish_run(run, "done")
    finally:
        store.close()


def _sealed(place: Path, number: int, made: Packed, key: bytes) -> str:
    scorer = open_plan(place)
    some = [{k: v for k, v in r.items() if not isinstance(v, datetime)} for r in made.rows[:25]]
    golden = [{"input": row, "expected": list(scorer.row(row).probabilities or ())} for row in some]
    (place / "golden.json").write_text(json.dumps(golden))
    (place / "card.md").write_text(f"# {made.model} v{number}\n\nPredicts `{made.target}`.\n")
    manifest = Manifest(
        FORMAT, "0", made.model, f"v{number}", AT.isoformat(), as_plain(made.problem),
        tuple(as_plain(column) for column in scorer.columns), (), {"numpy": np.__version__}, {},
    )  # fmt: skip
    return seal(place, manifest, key).sha256


def _kept() -> Path:
    """A folder for as long as the process lives."""
    folder = Path(tempfile.mkdtemp(prefix="everfit-store-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
