"""Once a month the version before is proved to be ready."""

from __future__ import annotations

from datetime import timedelta

from everfit.loop.turn.rehearse import rehearse
from everfit.records import Because
from tests.loop.turn.fakes import MODEL, served


def beside():
    model = served()
    model.add(2)
    model.by_hand(champion=2, previous=1)
    return model


def test_a_rehearsal_is_done_once_a_month_and_moves_nothing():
    model = beside()
    first, again = model.do(rehearse), model.do(rehearse)
    model.now += timedelta(days=31)
    later = model.do(rehearse)

    assert first is not None
    assert (first[1], again) == ("2026-01", None)
    assert later is not None
    assert model.state().champion.number == 2
    assert "v1 is ready to serve" in model.store.rows[-1].headline


def test_a_version_that_could_not_serve_is_told():
    model = beside()
    model.checks = (Because("loads in a fresh process", False),)
    model.do(rehearse)

    row = model.store.rows[-1]
    assert "could not serve" in row.headline
    assert row.would_change == "v1 as it was packed"
    assert not model.store.steps(MODEL, "rehearsed")[0].record["ready"]


def test_a_clock_that_was_ahead_does_not_end_rehearsals():
    model = beside()
    right = model.now
    model.now += timedelta(days=3_000)
    model.do(rehearse)
    model.now = right

    assert model.do(rehearse) is not None
    assert model.do(rehearse) is None


def test_there_is_nothing_to_rehearse_without_a_version_before():
    assert served().do(rehearse) is None
