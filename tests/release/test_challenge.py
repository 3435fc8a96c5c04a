"""A version that the loop made: into the shadow, or refused with the gates that said no."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from everfit.errors import SourceMissing
from everfit.evidence.interval import Interval
from everfit.records import Because, Problem, Upkeep, Version
from everfit.release.challenge import Challenge, above_floor, into_shadow, not_made

NOW = datetime(2026, 2, 1, tzinfo=UTC)
PROBLEM = Problem("classify", "y", "log_loss", "probabilities", ("no", "yes"))


def case(*gates: Because, **more: object) -> Challenge:
    version = Version(
        "m", 7, "models/m/v7", "", PROBLEM, Interval(0.31, 0.35, 0.39, 500), "9", "linear", NOW,
        until=NOW,
    )  # fmt: skip
    made = Challenge("m", "retrained", version, gates, "5,240 rows (240 new)", "v6", NOW)
    return replace(made, **more)  # type: ignore[arg-type]


def test_a_version_that_passes_its_gates_is_tried_in_the_shadow() -> None:
    found = into_shadow(case(Because("better than the floor", True, 0.1)))

    assert found.kind == "retrained"
    assert found.headline == (
        "Retrained as v7 on 5,240 rows (240 new): log loss 0.35 (95% range 0.31 to 0.39); "
        "it is tried in the shadow of v6"
    )
    assert found.undo == "everfit shadow m --off"
    assert found.not_done == (
        "v7 does not serve: only predictions from 2026-02-01 00:00 UTC on can prove it better",
    )
    assert (found.at, found.version, found.run, found.by) == (NOW, "v7", "9", "system")


def test_who_was_tried_before_is_named() -> None:
    assert "v5 is no longer tried in the shadow" in into_shadow(case(before="v5")).not_done


def test_a_gate_that_says_no_refuses_and_is_named() -> None:
    sound, bad = Because("files as packed", True), Because("loads in a fresh process", False)

    found = into_shadow(case(sound, bad))

    assert found.kind == "refused"
    assert found.headline == "Refused v7: it does not pass 'loads in a fresh process'"
    assert (found.because, found.also_checked) == ((bad,), (sound,))
    assert found.undo == ""


def test_one_that_follows_its_own_line_is_not_tried() -> None:
    found = into_shadow(case(made="recalibrated", tried=False))

    assert found.headline.endswith("it is to follow v6, whose line was proven")
    assert found.undo == ""


@pytest.mark.parametrize(
    ("floor", "higher", "holds"),
    [(0.38, False, True), (0.30, False, False), (0.30, True, True), (0.40, True, False)],
)
def test_the_floor_of_the_policy_fails_what_lies_beyond_it_wholly(
    floor: float, higher: bool, holds: bool
) -> None:
    upkeep = Upkeep(floor=floor, set_by={"floor": "everfit.toml"})

    (gate,) = above_floor(case().version, upkeep, higher=higher)

    assert gate.passed is holds
    assert (gate.limit, gate.limit_by) == (floor, "everfit.toml")


def test_why_nothing_was_made_is_told_with_what_would_change_it() -> None:
    error = SourceMissing("there is no file x.csv", got="x.csv", do="check the path")
    why = Because(error.what, False, note=error.got)

    found = not_made(
        "m", "retrain", why, champion="v6", at=NOW, kind="source_lost", would_change=error.do
    )

    assert (found.kind, found.at) == ("source_lost", NOW)
    assert found.headline == "Did not retrain: there is no file x.csv"
    assert found.not_done == ("no version was made from v6; what serves was not touched",)
    assert found.would_change == "check the path"
