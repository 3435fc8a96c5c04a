"""Estimates held against what was measured: what they were off by, and when not to trust them."""

from __future__ import annotations

import numpy as np
import pytest

from everfit.records import Window
from everfit.watch.estimate import estimated, trust
from tests.watch.matured_traffic import DAY, MONDAY


def pair(day, told, error, true, version=3):
    start, end = MONDAY + day * DAY, MONDAY + (day + 1) * DAY
    facts = {
        "n": 100,
        "pape": {"loss": told, "error": error, "score": told},
        "cbpe": {"loss": told + 0.1, "score": told},
    }
    asked = Window("asked", start, end, version, 100, {"estimate": facts})
    if true is None:
        return [asked]
    own = {str(version): {"n": 100, "mean": true}}
    return [asked, Window("matured", start, end, version, 100, {"versions": own})]


def history(errors, told=0.5):
    return [w for day, off in enumerate(errors) for w in pair(day, told, 0.02, told + off)]


def test_what_estimates_were_off_by_is_counted():
    found = trust(history([0.01, -0.01, 0.03, 0.01]))

    assert found is not None
    assert found.n == 4
    assert found.mean_off == pytest.approx(0.015)
    assert found.bias == pytest.approx(0.01)
    assert found.check_off == pytest.approx(0.09)
    assert found.last_off == pytest.approx((0.02 + 0.04 + 0.02) / 3)
    assert found.missed == 0


def test_sound_estimates_are_trusted_for_years():
    rng = np.random.default_rng(0)

    rung = sum(not trust(history(rng.normal(0, 0.02, 365))).sound for _ in range(8))

    assert rung == 0


def test_estimates_that_keep_missing_are_not_trusted_from_then_on():
    rng = np.random.default_rng(0)
    errors = [*rng.normal(0, 0.02, 30), *(0.3 + rng.normal(0, 0.02, 8))]

    found = trust(history(errors))

    assert found is not None
    assert not found.sound
    assert MONDAY + 30 * DAY < found.alarm.since <= MONDAY + 37 * DAY
    assert found.missed >= 8


def test_estimates_are_trusted_again_when_they_hold():
    errors = [0.3] * 8 + [0.0] * 60

    found = trust(history(errors))

    assert found is not None
    assert found.sound


def test_only_windows_without_outcomes_are_estimated_and_ranges_are_as_wide_as_the_past():
    past = history([0.06 if day % 13 == 12 else 0.0 for day in range(40)])

    (one,) = estimated([*past, *pair(40, 0.5, 0.02, None)])

    assert one.start == MONDAY + 40 * DAY
    assert one.how == "estimated"
    assert one.loss.mid == 0.5
    assert one.loss.high - one.loss.mid == pytest.approx(0.06, rel=0.05)  # not 1.96 times 0.02


def test_a_refused_estimate_is_no_performance():
    window = Window("asked", MONDAY, MONDAY + DAY, 3, 9, {"estimate": {"n": 9, "refused": "few"}})

    assert estimated([window]) == ()
    assert trust([window]) is None


def test_a_new_version_is_judged_by_its_own_estimates():
    windows = history([0.3] * 10) + pair(10, 0.5, 0.02, 0.5, version=4)

    found = trust(windows)

    assert found is not None
    assert (found.n, found.mean_off) == (1, 0.0)
    assert trust(windows, version=3).n == 10
    assert trust(windows, version=9) is None
