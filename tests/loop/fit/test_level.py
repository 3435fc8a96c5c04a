"""A model of numbers whose world has grown is set right by recent outcomes, and packed so."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from everfit.data.read import read
from everfit.executors import InlineExecutor
from everfit.loop.fit.fit import fit
from everfit.loop.fit.job import FitJob, Fitted, Hands
from everfit.serve.load import open_plan
from everfit.serve.verify import check_golden
from tests.loop.turn.world import MODEL, Small, small
from tests.real import diabetes


def grown(folder: Path, times: float) -> tuple[Small, Fitted]:
    """A model lives through windows whose target grew, and is recalibrated."""
    path, target = diabetes(folder)
    model = small(folder, read(str(path), roles={target: "target"}), target, rows=120, windows=6)
    for _ in range(6):
        model.live(lambda rows: rows.with_columns(pl.col(target).cast(pl.Float64) * times))
    job = FitJob(
        MODEL, "recalibrate", until=model.clock.now, now=model.clock.now, champion=1,
        upkeep=model.upkeep,
    )  # fmt: skip
    return model, fit(job, Hands(model.store, model.record, InlineExecutor))


def test_a_target_that_grew_by_half_is_followed_by_the_level(tmp_path: Path) -> None:
    model, made = grown(tmp_path, 1.5)

    assert made.decision.kind == "recalibrated"
    assert made.version is not None
    folder = model.store.root / made.version.folder
    found = json.loads((folder / "plan.json").read_text())["calibration"]
    assert set(found) == {"scale", "shift"}
    old = open_plan(model.store.root / model.store.version(MODEL, "v1").folder)
    new, row = open_plan(folder), model.stream.begin.drop(model.stream.target).row(3, named=True)
    before, after = old.row(row).value, new.row(row).value
    assert isinstance(before, float)
    assert after == before * found["scale"] + found["shift"]
    assert 1.2 < float(after) / before < 1.8
    assert check_golden(folder).ok
