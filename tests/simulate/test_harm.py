"""A promotion that was a mistake: noticed by the same test turned round, and gone back from."""

from __future__ import annotations

import time
from dataclasses import replace

import polars as pl
import pytest

from everfit.evidence.sequential import planned_units
from everfit.evidence.trial.differences import STEPS, Differences, together
from everfit.executors import InlineExecutor
from everfit.house import House
from everfit.loop.run import run
from everfit.simulate.world import live
from tests.simulate.worlds import MODEL, ROWS, kinds

BEFORE, SEASON, LEAST = 2, 7, 10  # windows: before the mistake, of a week, until an answer is read


def spoiled(world, folder) -> int:
    """A version that learnt from rows of which half have the target of another row."""
    target = world.stream.target
    rows = world.stream.begin
    half = pl.Series([i % 2 == 0 for i in range(rows.height)])
    other = rows[target].sample(fraction=1.0, shuffle=True, seed=5)
    noisy = rows.with_columns(pl.when(half).then(other).otherwise(pl.col(target)).alias(target))
    noisy.write_parquet(folder / "noisy.parquet")
    request = replace(world.request, source=str(folder / "noisy.parquet"), started=time.monotonic())
    made = run(request, world.means)
    assert made.version is not None
    return made.version.number


@pytest.fixture(scope="module")
def mistaken(tumour, tmp_path_factory):
    """A world in which somebody promotes a spoiled version after two windows."""
    folder = tmp_path_factory.mktemp("mistaken")
    world = tumour.world(folder, windows=22)
    windows = live(world, tumour.first)
    lived = [next(windows) for _ in range(BEFORE)]
    number = spoiled(world, folder)
    house = House("here", lambda create: world.store, InlineExecutor, 1)
    house.promote(MODEL, f"v{number}", by="ann", reason="by mistake")
    lived.extend(windows)
    return world, lived


def test_who_served_before_stands_by_from_the_first_turn_after_a_promotion_by_hand(mistaken):
    world, lived = mistaken
    (by_hand,) = world.store.decisions(MODEL, kinds=("promoted",))
    (stood,) = world.store.steps(MODEL, "stand_by")

    assert (stood.key, stood.record["version"]) == (f"{by_hand.id:09d}", 1)
    assert ("stand_by", stood.key) in lived[BEFORE].steps
    row = next(d for d in world.store.decisions(MODEL) if d.id == stood.decision)
    assert row.kind == "shadow"
    assert "v1 stands by in the shadow of v2" in row.headline
    assert row.because[0].rule == "promoted by ann"


def test_a_harmful_promotion_is_gone_back_from_and_the_pointer_moves(mistaken):
    world, lived = mistaken

    assert kinds(lived).count("rolled_back") == 1
    assert {one.version for one in lived[BEFORE : BEFORE + LEAST]} != {"v1"}
    assert lived[-1].version == "v1"
    aliases = world.store.aliases(MODEL)
    assert {name: aliases[name].number for name in ("champion", "fallback")} == {
        "champion": 1, "fallback": None,
    }  # fmt: skip


def test_it_is_decided_within_the_rows_that_were_planned(mistaken):
    world, _ = mistaken
    closed = (step for step in world.store.steps(MODEL, "guard") if step.record.get("closed"))
    guard = next(closed).record
    blocks = [
        Differences.from_dict(step.record["facts"]["pairs"]["1"])
        for step in world.store.steps(MODEL, "matured")
        if "1" in step.record["facts"]["pairs"]
    ][: guard["looks"]]
    seen = together(blocks)
    steps, times = seen.arrays()
    variance = float((times * (steps / STEPS - seen.mean) ** 2).sum() / times.sum())
    planned = planned_units(seen.mean, variance + seen.mean**2, guard["level"])

    assert planned is not None
    # an answer is read after whole weeks, and not before ten windows
    first_look = -(-max(LEAST, planned / ROWS) // SEASON) * SEASON
    assert guard["looks"] <= first_look
    assert guard["n"] <= first_look * ROWS


def test_the_version_that_comes_back_was_verified_by_its_golden_rows(mistaken):
    world, _ = mistaken
    (row,) = world.store.decisions(MODEL, kinds=("rolled_back",))
    checks = {because.rule: because.passed for because in (*row.because, *row.also_checked)}

    assert checks["files as packed"] is True
    assert checks["loads in a fresh process"] is True
    assert any("golden" in rule and passed for rule, passed in checks.items())
