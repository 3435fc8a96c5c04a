"""What a handle says belongs to the version that it holds; what a call sets is marked so."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

import everfit
from everfit.faces.python.estimators import _marked
from everfit.faces.python.model import Model
from everfit.records import Policy
from tests.faces.build import FakeHouse, decision, result, study, trial, version

CHAMPION = version(1, speaks_of="the recipe of v1")
CHALLENGER = version(2, run="r-2", state="challenger", speaks_of="the recipe of v2")


def after_a_challenger_lost() -> Model:
    found = study(
        candidate=replace(study().candidate, speaks_of="the recipe of v2"),
        trials=(trial(1, "of the challenger", 0.8),),
    )
    kept = decision(kind="kept", headline="Kept v1; did not promote v2", run="r-2", version="v2")
    made = result(run="r-2", study=found, decision=kept, version=CHALLENGER, champion=CHAMPION)
    return Model.of_run(made, "./.everfit", 60.0)


def test_after_a_challenger_lost_the_score_speaks_of_the_champion(house: FakeHouse) -> None:
    model = after_a_challenger_lost()

    assert model.version == "v1"
    assert model.score.mid == CHAMPION.score.mid
    assert model.score.speaks_of == "the recipe of v1"


def test_after_a_challenger_lost_the_leaderboard_is_that_of_the_champion(house: FakeHouse) -> None:
    board = after_a_challenger_lost().leaderboard

    assert "LightGBM" in set(board["trial"])
    assert "of the challenger" not in set(board["trial"])


def test_after_a_challenger_lost_the_card_shows_the_champion_and_no_watch_of_the_other(
    house: FakeHouse,
) -> None:
    html = after_a_challenger_lost()._repr_html_()

    assert "LightGBM" in html
    assert "of the challenger" not in html
    assert "What to watch" not in html


def test_printing_still_tells_the_run_that_was_made(house: FakeHouse) -> None:
    assert "Kept v1; did not promote v2" in str(after_a_challenger_lost())


def test_a_version_that_was_named_answers_for_itself(house: FakeHouse) -> None:
    model = Model("churn", CHALLENGER, "./.everfit")

    assert model.score.speaks_of == "the recipe of v2"
    assert "of the challenger" in set(model.leaderboard["trial"])


def test_without_a_version_the_score_is_that_of_what_the_run_proposed(house: FakeHouse) -> None:
    refused = result(version=None, champion=None)

    model = Model.of_run(refused, "./.everfit", 60.0)

    assert model.version is None
    assert model.score.speaks_of == study().candidate.speaks_of


@pytest.mark.parametrize("policy", [Policy(alpha=0.01), {"alpha": 0.01}])
def test_only_the_limits_that_a_call_sets_are_marked_as_set_by_it(
    policy: Policy | dict[str, float], house: FakeHouse
) -> None:
    everfit.run("x.csv", "y", policy=policy, progress="none")

    assert house.requests[0].policy == Policy(alpha=0.01, set_by={"alpha": "call"})


def test_an_estimator_marks_its_limits_too() -> None:
    assert _marked(Policy(min_gain=0.2)) == Policy(min_gain=0.2, set_by={"min_gain": "call"})
    assert _marked(None) == Policy()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({}, False),
        ({"name": "churn"}, True),
        ({"store": "elsewhere"}, True),
        ({"name": "churn", "save": False}, False),
        ({"save": True}, True),
    ],
)
def test_an_assessment_is_kept_when_a_name_a_store_or_a_wish_is_given(
    given: dict[str, object], kept: bool, house: FakeHouse
) -> None:
    everfit.assess("x.csv", "y", progress="none", **given)  # type: ignore[arg-type]

    assert house.saved == [kept]


def test_users_items_and_a_frame_of_items_reach_the_loop(house: FakeHouse) -> None:
    items = pl.DataFrame({"i": ["a"], "about": ["a drama"]})

    everfit.run("r.csv", task="recommend", user="u", item="i", time="t", items=items, name="shop")

    request = house.requests[-1]
    assert (request.target, request.task) == ("i", "recommend")
    assert request.roles == {"u": "group", "t": "time"}
    assert request.beside["items"] is items
