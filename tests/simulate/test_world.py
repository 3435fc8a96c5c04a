"""Living through windows: the real loop, its real store, and a clock that is made up."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from everfit.errors import Refused
from everfit.executors import InlineExecutor
from everfit.loop.turn.windows import scored
from everfit.records import Decision
from everfit.simulate.answering import Answering, Asking, instants, judged, spread_over
from everfit.simulate.begin import Given, begin
from everfit.simulate.result import simulated
from everfit.store import open_store
from tests.simulate.worlds import DAY_S, MODEL, ROWS, kinds


@pytest.fixture(scope="module")
def moved(tumour, tmp_path_factory):
    """A world whose target is shuffled more and more, lived through."""
    folder = tmp_path_factory.mktemp("moved")
    world = tumour.world(folder, "labels::0.9@6", windows=16)
    return world, tumour.live(world)


def test_windows_follow_each_other_on_the_grid_of_the_loop(moved):
    _, windows = moved

    assert [lived.index for lived in windows] == list(range(16))
    assert {b.start - a.start for a, b in pairwise(windows)} == {timedelta(days=1)}
    assert all(lived.start.timestamp() % DAY_S == 0 for lived in windows)


def test_each_window_is_one_window_of_the_loop_with_all_its_rows(moved):
    world, windows = moved

    asked = world.store.steps(MODEL, "asked")

    assert [step.record["n"] for step in asked] == [ROWS] * len(windows)
    assert [step.key for step in asked] == [lived.start.isoformat() for lived in windows]


def test_outcomes_mature_after_their_delay_and_not_before(moved):
    _, windows = moved
    matured = [[key for kind, key in lived.steps if kind == "matured"] for lived in windows]

    assert matured[:3] == [[], [], [windows[0].start.isoformat()]]


def test_the_measured_loss_is_that_of_the_answers_that_were_given(moved):
    world, windows = moved
    first = world.store.steps(MODEL, "matured")[0].record

    assert first["facts"]["versions"]["1"]["mean"] == pytest.approx(windows[0].got.loss, abs=1e-6)


def test_a_model_that_went_bad_is_noticed_and_something_is_done(moved):
    _, windows = moved

    assert "degraded" in kinds(windows)
    assert "decided" in kinds(windows)
    assert windows[2].got.loss < windows[14].never.loss


def test_all_times_are_those_of_the_made_up_clock(moved):
    world, windows = moved
    ends = windows[-1].start + timedelta(days=1, hours=1)

    assert all(row.at <= ends for lived in windows for row in lived.decisions)
    assert all(row.at.year == 2025 for row in world.store.decisions(MODEL))


def test_windows_as_long_as_a_week_lie_on_the_grid_too(tumour, tmp_path):
    world = tumour.world(tmp_path, windows=2, window_s=7 * DAY_S)

    windows = tumour.live(world)

    asked = world.store.steps(MODEL, "asked")
    assert [step.record["n"] for step in asked] == [ROWS, ROWS]
    assert [step.key for step in asked] == [lived.start.isoformat() for lived in windows]


def test_what_was_lived_can_be_read_after_it_was_stopped(tumour, tmp_path):
    world = tumour.world(tmp_path)

    windows = tumour.live(world, 3)

    done = simulated(world, tumour.first, windows, 1.0)
    assert done.stopped
    assert [row["window"] for row in done.rows()] == [0, 1, 2]
    assert open_store(str(tmp_path / "store"), create=False).decisions(MODEL)


def test_a_version_with_two_aliases_answers_once_in_the_shadow(tumour, tmp_path):
    world = tumour.world(tmp_path)
    row = Decision(model=MODEL, kind="shadow", headline="both names for v1", at=world.clock())
    world.store.commit(row, aliases={"shadow": 1, "fallback": 1})
    champion = replace(world.store.version(MODEL, "v1"), number=9)

    shadows = Answering(world.store, MODEL).shadows(champion)

    assert [version.number for version in shadows] == [1]


def test_a_shadow_repeats_what_the_champion_was_asked(tumour, tmp_path):
    world = tumour.world(tmp_path)
    champion = replace(world.store.version(MODEL, "v1"), number=9)
    answering = Answering(world.store, MODEL)
    rows = world.stream.window(0)
    at = instants(spread_over(ROWS, world.clock().replace(tzinfo=None), timedelta(days=1)))
    asking = Asking(0, rows.drop(tumour.target), at, rows[tumour.target], at)
    row = Decision(model=MODEL, kind="shadow", headline="v1 in the shadow", at=world.clock())
    world.store.commit(row, aliases={"shadow": 1})

    frame = answering.answer(asking, champion, answering.values(champion, asking.rows))

    assert frame.group_by("arm").len().sort("arm").rows() == [("champion", ROWS), ("shadow", ROWS)]
    assert frame.filter(arm="shadow")["of"].to_list() == [f"0-{i}" for i in range(ROWS)]
    assert frame["id"].n_unique() == 2 * ROWS


def test_rows_that_come_again_are_answered_as_they_were(tumour, tmp_path, monkeypatch):
    world = tumour.world(tmp_path)
    version = world.store.version(MODEL, "v1")
    rows = [world.stream.window(i).drop(tumour.target) for i in range(3)]
    plain = [Answering(world.store, MODEL).values(version, part) for part in rows]
    asked = []

    def counted(scorer, frame):
        asked.append(frame.height)
        return scored(scorer, frame)

    monkeypatch.setattr(sys.modules[Answering.__module__], "scored", counted)
    answering = Answering(world.store, MODEL)
    drawn = [world.stream.drawn(i) for i in range(3)]
    found = [answering.values(version, *both) for both in zip(rows, drawn, strict=True)]

    assert world.stream.drawn_again
    assert all(np.allclose(*both, rtol=1e-12) for both in zip(found, plain, strict=True))
    assert sum(asked) == len(np.unique(np.concatenate([part.at for part in drawn])))
    assert asked[0] < rows[0].height


def test_a_feature_called_like_a_column_of_the_log_keeps_its_values(tumour, tmp_path):
    world = tumour.world(tmp_path)
    version = world.store.version(MODEL, "v1")
    answering = Answering(world.store, MODEL)
    rows = world.stream.window(0).rename({tumour.target: "y"})
    rows = rows.with_columns(pl.int_range(ROWS).alias("id"))
    at = instants(spread_over(ROWS, world.clock().replace(tzinfo=None), timedelta(days=1)))
    asking = Asking(0, rows.drop("y"), at, rows["y"], at)

    frame = answering.answer(asking, version, answering.values(version, asking.rows))

    assert frame["feature.id"].to_list() == list(range(ROWS))
    assert frame["id"][0] == "0-0"


def test_answers_are_judged_on_what_is_known_alone(tumour):
    problem = tumour.first.study.problem
    said = np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]])

    found = judged(said, pl.Series([problem.labels[0], None, "other"]), problem)

    assert found.loss == pytest.approx(-np.log(0.9))
    assert found.right == 1.0
    assert np.isnan(judged(said[:0], pl.Series([], dtype=pl.String), problem).score)


def test_a_store_that_has_the_model_is_left_alone(tumour, tmp_path):
    world = tumour.world(tmp_path)
    before = world.store.revision()

    with pytest.raises(Refused, match="the store has a model 'tumour'") as caught:
        begin(tumour.wanted, Given(world.store, InlineExecutor, tmp_path / "other"))

    assert "--store" in caught.value.do
    assert world.store.revision() == before
