"""What can go wrong with outcomes, columns and clocks: each has a verdict in the ledger."""

from __future__ import annotations

from datetime import timedelta

import pytest

from everfit.loop.tick import tick
from tests.simulate.worlds import MODEL, kinds

COLUMN = "worst perimeter"  # what the answers lean on


def headlines(world, kind: str) -> list[str]:
    return [row.headline for row in world.store.decisions(MODEL, kinds=(kind,))]


def findings(world) -> str:
    newest = world.store.steps(MODEL, "health", last=1)[0].record
    return " ".join(finding["headline"] for finding in newest["findings"])


def test_outcomes_that_never_come_are_asked_for_and_nothing_is_fitted(tumour, tmp_path):
    world = tumour.world(tmp_path, "silent::@0", windows=6)

    windows = tumour.live(world)

    assert "labels_wanted" in kinds(windows)
    assert not {"retrained", "searched", "promoted"} & set(kinds(windows))
    assert "outcomes of 0% of" in headlines(world, "labels_wanted")[0]
    assert windows[-1].version == "v1"


def test_outcomes_that_stop_coming_call_a_person(tumour, tmp_path):
    world = tumour.world(tmp_path, "silent::@3", windows=10)

    windows = tumour.live(world)

    assert "No outcome has come for predictions since" in headlines(world, "called")[0]
    assert windows[-1].version == "v1"


def test_outcomes_that_come_after_their_delay_are_not_taken_for_known(tumour, tmp_path):
    world = tumour.world(tmp_path, "late::2@0", windows=7)

    windows = tumour.live(world)

    first = world.store.steps(MODEL, "matured")[0].record["facts"]["outcomes"]
    assert (first["told"], first["missing"]) == (0, 150)
    assert not {"retrained", "searched", "promoted"} & set(kinds(windows))
    assert "labels_wanted" in kinds(windows)


def test_outcomes_that_are_all_one_value_are_set_aside(tumour, tmp_path):
    world = tumour.world(tmp_path, "same::@4", windows=9)

    windows = tumour.live(world)

    assert "set_aside" in kinds(windows)
    assert "are set aside" in headlines(world, "set_aside")[0]
    assert not {"retrained", "searched", "promoted"} & set(kinds(windows[6:]))


@pytest.mark.parametrize(
    ("drift", "words"),
    [
        (f"drop:{COLUMN}@3", "no longer comes"),
        (f"rename:{COLUMN}@3", "no longer comes"),
        (f"retype:{COLUMN}@3", "values are no number"),
    ],
)
def test_a_schema_that_changes_calls_a_person_and_the_champion_goes_on(
    tumour, tmp_path, drift, words
):
    world = tumour.world(tmp_path, drift, windows=5)

    windows = tumour.live(world)

    assert words in findings(world)
    assert any(words in headline for headline in headlines(world, "called"))
    assert [lived.n for lived in windows] == [150] * 5
    assert not {"retrained", "searched", "promoted"} & set(kinds(windows[3:]))


def turn(world):
    hold = world.store.hold(MODEL, ttl_s=600.0)
    try:
        return tick(MODEL, world.hands, hold)
    finally:
        world.store.let_go(hold)


def test_a_clock_that_goes_back_closes_nothing_twice_and_is_told_once(tumour, tmp_path):
    world = tumour.world(tmp_path, windows=6)
    tumour.live(world, 4)
    before = [(s.kind, s.key) for s in world.store.steps(MODEL)]
    world.clock.skew = timedelta(days=-3)

    first, again = turn(world), turn(world)

    done = [kind for kind, _ in first.steps]
    assert done[0] == "clock"
    assert not {"asked", "matured", "fit"} & set(done)
    assert again.steps == ()
    assert headlines(world, "called")[0].startswith("The clock went back")
    assert [(s.kind, s.key) for s in world.store.steps(MODEL)][: len(before)] == before


def test_a_clock_that_is_right_again_goes_on_where_it_was(tumour, tmp_path):
    world = tumour.world(tmp_path, windows=6)
    windows = tumour.live(world, 3)
    world.clock.skew = timedelta(days=-2)
    turn(world)
    world.clock.skew = timedelta(0)

    assert turn(world).steps == ()
    assert [s.key for s in world.store.steps(MODEL, "asked")] == [
        lived.start.isoformat() for lived in windows
    ]


def test_a_clock_that_jumps_a_year_ahead_leaves_no_year_of_empty_windows(tumour, tmp_path):
    world = tumour.world(tmp_path, windows=6)
    tumour.live(world, 3)
    world.clock.skew = timedelta(days=365)

    turn(world)

    asked = world.store.steps(MODEL, "asked")
    assert len(asked) < 3 + 40
    assert asked[-1].record["n"] == 0
    assert not {"promoted", "retrained", "searched"} & {
        row.kind for row in world.store.decisions(MODEL, last=3)
    }

    world.clock.skew = timedelta(0)
    turn(world)
    assert headlines(world, "called")[0].startswith("The clock went back")
