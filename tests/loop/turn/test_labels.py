"""Outcomes that were asked for with unequal chances judge nobody, but for an even draw of them."""

from __future__ import annotations

import pytest

from everfit.data.read import read
from everfit.loop.turn.windows import ASKED_FOR
from everfit.records import Step
from tests.loop.turn.world import MODEL, small
from tests.real import cancer


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path, target = cancer(tmp_path_factory.mktemp("cancer"))
    return read(str(path)), target


@pytest.mark.parametrize(("least", "judging"), [(0.0, 100), (0.5, 150)])
def test_a_window_is_judged_without_outcomes_that_teach_only(tmp_path, table, least, judging):
    one = small(tmp_path, *table, acts=())
    one.live()
    ids = [f"0-{row}" for row in range(50)]
    draw = {"ids": ids, "chances": [0.5] * 50, "of": 150, "least": least, "drawn_from": "k"}
    hold = one.store.hold(MODEL, ttl_s=60.0)
    one.store.note(hold, [Step(MODEL, ASKED_FOR, "k", draw, one.clock.now)])
    one.store.let_go(hold)

    one.turn()

    (window,) = one.store.steps(MODEL, "matured")
    assert window.record["facts"]["versions"]["1"]["n"] == judging
    assert window.record["facts"]["outcomes"]["told"] == judging
