"""Recalibration is tried again and again: what did not pay may pay when the world moves."""

from __future__ import annotations

import pytest

from everfit.loop.turn.moves import close_procedure
from everfit.loop.turn.trials import procedure
from tests.loop.turn.fakes import DAY, Model, served


def lived(model: Model, days: int, gain: float) -> None:
    for _ in range(days):
        model.live(1, adapted={1: gain})
        model.do(close_procedure)


def test_two_months_without_a_gain_end_a_trial_without_a_row_and_the_next_begins() -> None:
    model = served()
    lived(model, 75, 0.0)

    (ended,) = model.closed("procedure")
    assert ended.record["closed"] == "kept"
    assert ended.decision == 0
    now = procedure(model.state(), model.hands())
    assert now is not None
    assert (now.began - model.state().judged[0].start).days == 60
    assert now.terms.number == 2
    assert now.terms.level < ended.record["level"]


def test_months_of_no_gain_need_not_be_made_up_for_when_the_world_moves() -> None:
    model = served()
    lived(model, 120, -0.02)
    model.store.rows.clear()
    lived(model, 60, 0.15)

    (proven,) = [s for s in model.closed("procedure") if s.record["closed"] == "proven"]
    assert proven.record["looks"] <= 56
    assert model.state().adaptive


def test_a_later_trial_is_read_later_and_held_to_a_lower_level() -> None:
    model = served()
    lived(model, 61, 0.0)
    lived(model, 26, 0.19)

    found = procedure(model.state(), model.hands())
    assert found is not None
    assert found.verdict is not None
    assert not found.verdict.decided
    assert found.verdict.log_e > found.verdict.needed_log_e
    assert found.terms.level == pytest.approx(4e-4)


def test_what_was_gone_back_from_is_tried_again_on_newer_windows_alone() -> None:
    model = served()
    lived(model, 16, 0.15)
    (proven,) = model.closed("procedure")
    gone = dict(proven.record) | {"closed": "rolled_back", "ends": "recalibration"}
    model.now += 30 * DAY
    gone["until"] = model.now.isoformat()
    model.store.done.append(type(proven)("m", "guard", "gone back", gone, model.now))
    lived(model, 3, 0.15)

    found = procedure(model.state(), model.hands())
    assert found is not None
    assert found.verdict is not None
    assert (found.verdict.looks, found.terms.number) == (3, 2)
