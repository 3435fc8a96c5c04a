"""Sentences about estimates: none while they hold."""

from __future__ import annotations

from everfit.records import Window
from everfit.watch.estimate import estimate_findings, estimated
from tests.watch.estimate.test_backtest import history, pair
from tests.watch.matured_traffic import DAY, MONDAY


def test_nothing_is_said_while_estimates_hold():
    assert estimate_findings(history([0.01] * 20), version=3) == []


def test_estimates_that_miss_are_said_to_and_not_shown():
    windows = history([0.0] * 10 + [0.3] * 8) + pair(18, 0.5, 0.02, None)

    (found,) = estimate_findings(windows, version=3)

    assert "8 of the last 12 ranges missed" in found.headline
    assert found.severity == "info"
    assert estimated(windows) == ()


def test_windows_that_cannot_be_estimated_are_said_so_after_three():
    refused = [
        Window("asked", MONDAY + t * DAY, MONDAY + (t + 1) * DAY, 3, 9,
               {"estimate": {"n": 9, "refused": "fewer than 50 rows"}})
        for t in range(3)
    ]  # fmt: skip

    assert estimate_findings(refused[:2], version=3) == []
    (found,) = estimate_findings(refused, version=3)
    assert found.headline.endswith("before outcomes come: fewer than 50 rows.")
    assert estimate_findings(refused, version=4) == []
