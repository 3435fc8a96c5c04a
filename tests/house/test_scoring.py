"""The 28 tests on a model that was really released and has lived through windows of traffic."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from everfit import wire
from everfit.data.read import read
from everfit.data.table import Table
from everfit.errors import ModelUnknown
from everfit.executors import InlineExecutor
from everfit.house import House
from everfit.house.scoring import Asked, scored_now
from everfit.loop.fit.fit import fit
from everfit.loop.fit.job import FitJob
from everfit.loop.fit.job import Hands as FitHands
from everfit.records import Decision
from everfit.rubric import Graded, Score
from tests.live.coins import coin_store
from tests.loop.turn.world import MODEL, Small, small
from tests.real import cancer


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> tuple[Table, str]:
    path, target = cancer(tmp_path_factory.mktemp("cancer"))
    return read(str(path)), target


@pytest.fixture(scope="module")
def world(table: tuple[Table, str], tmp_path_factory: pytest.TempPathFactory) -> Small:
    # acts are left to people: no fit is made, and the windows cost little
    return small(tmp_path_factory.mktemp("world") / "small", *table, acts=())


@pytest.fixture(scope="module")
def new(world: Small) -> Score:
    """The score at the release, before anybody asked anything."""
    assert world.index == 0
    return scored_now(house_of(world), asked(world))


@pytest.fixture(scope="module")
def lived(new: Score, world: Small) -> Score:
    """The score after six windows with their outcomes."""
    for _ in range(6):
        world.live()
        world.turn()
    return scored_now(house_of(world), asked(world))


def house_of(world: Small) -> House:
    return House("here", lambda create: world.store, InlineExecutor, 1)


def asked(world: Small) -> Asked:
    return Asked(MODEL, world.clock.now, upkeep=world.upkeep, record=world.record)


def grades(found: Score) -> dict[str, float]:
    return {test.code: test.grade for test in found.tests}


def one(found: Score, code: str) -> Graded:
    return next(test for test in found.tests if test.code == code)


def test_a_fresh_release_is_graded_by_what_was_tried_now(new: Score) -> None:
    whole = {code for code, grade in grades(new).items() if grade == 1.0}

    assert whole >= {"D1", "D7", "M1", "M5", "I2", "I3", "I4", "I5", "O1", "O6"}
    assert "30 columns" in one(new, "D1").checked
    assert "30 columns" in one(new, "I5").checked


def test_what_needs_traffic_gets_nothing_before_there_is_any(new: Score) -> None:
    found = grades(new)

    assert [found[code] for code in ("D2", "M4", "O2", "O3", "O7")] == [0.0] * 5
    assert found["O5"] == 0.5


def test_what_a_model_has_lived_through_is_graded(lived: Score) -> None:
    found = grades(lived)

    assert [found[code] for code in ("D2", "M4", "O2", "O4", "O5")] == [1.0] * 5
    assert (found["O3"], found["I6"], found["I7"]) == (0.5, 0.0, 0.0)
    assert "900 answers asked again" in one(lived, "O3").checked
    assert "6 windows" in one(lived, "M4").checked


def test_the_words_of_people_and_guards_count(lived: Score, world: Small) -> None:
    said = replace(asked(world), told={"privacy": "hashed", "metric": "calls", "inclusion": "age"})
    guarded = replace(said, upkeep=replace(said.upkeep, guardrails={"radius up to 12": 0.1}))

    found = grades(scored_now(house_of(world), guarded))

    assert (found["D5"], found["M7"]) == (0.5, 1.0)
    assert found["M2"] > grades(lived)["M2"]


def test_a_version_that_was_tampered_with_is_not_opened_and_gets_nothing(
    lived: Score, world: Small
) -> None:
    house = house_of(world)
    plan = Path(house.version(MODEL).folder) / "plan.json"
    before = plan.read_bytes()
    plan.write_bytes(before + b" ")
    try:
        found = scored_now(house, asked(world))
    finally:
        plan.write_bytes(before)

    spoilt = [one(found, code) for code in ("D7", "M1", "I2", "I3", "I5", "O5", "O6")]
    assert [test.grade for test in spoilt] == [0.0] * 7
    assert "plan.json" in one(found, "M1").checked
    assert grades(scored_now(house, asked(world))) == grades(lived)


def test_fits_are_made_only_when_they_are_asked_for(lived: Score, world: Small) -> None:
    fitted = scored_now(house_of(world), replace(asked(world), fit_s=60.0))

    assert one(lived, "I1").grade == 0.5
    assert (one(fitted, "I1").grade, "fitted twice" in one(fitted, "I1").checked) == (1.0, True)


def test_nothing_is_written(lived: Score, world: Small) -> None:
    before = world.store.revision(), len(world.store.steps(MODEL))

    scored_now(house_of(world), asked(world))

    assert (world.store.revision(), len(world.store.steps(MODEL))) == before


def test_a_version_that_was_tried_in_the_shadow_has_a_way_back(tmp_path: Path) -> None:
    house = wire.house(coin_store(tmp_path / "store"))
    house.shadow("coin", "v2", by="maria")
    house.promote("coin", "v2", by="maria")

    found = scored_now(house, Asked("coin", datetime.now(UTC)))

    assert (one(found, "I6").grade, "shadow" in one(found, "I6").checked) == (1.0, True)
    assert (one(found, "I7").grade, one(found, "I7").checked[:8]) == (0.5, "v1 loads")
    assert (one(found, "I4").grade, one(found, "I4").checked[-8:]) == (0.5, "by maria")
    house.close()


def test_a_recalibrated_champion_has_lived_through_what_its_line_has(
    table: tuple[Table, str], tmp_path: Path
) -> None:
    world = small(tmp_path, *table, acts=())
    for _ in range(4):
        world.live()
        world.turn()
    before = scored_now(house_of(world), asked(world))
    follow(world)

    found = scored_now(house_of(world), asked(world))

    assert found.version == "v2"
    lived = ("D2", "O2", "O3", "O4", "O5", "O7", "M4")
    assert {code: grades(found)[code] for code in lived} == {
        code: grades(before)[code] for code in lived
    }
    assert "600 answers asked again" in one(found, "O3").checked
    assert one(found, "O4").checked == one(before, "O4").checked  # as old as its fit


def follow(world: Small) -> None:
    """Recalibrate the champion and let the new version follow it, as the loop does."""
    job = FitJob(
        MODEL, "recalibrate", until=world.clock.now, now=world.clock.now, champion=1,
        upkeep=world.upkeep, about="again", shadow=False, again=True,
    )  # fmt: skip
    hold = world.store.hold(MODEL, ttl_s=600.0)
    made = fit(job, FitHands(world.store, world.record, InlineExecutor), hold)
    world.store.let_go(hold)
    assert made.version is not None, made.decision.headline
    row = Decision(MODEL, "promoted", "v2 follows v1", version="v2", at=world.clock.now)
    world.store.commit(row, aliases={"champion": 2, "previous": 1, "base": 1})


def test_a_model_that_is_not_there_is_told_with_near_names(world: Small) -> None:
    with pytest.raises(ModelUnknown, match="smal"):
        scored_now(house_of(world), Asked("smal", world.clock.now))
