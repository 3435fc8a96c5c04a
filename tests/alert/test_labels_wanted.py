"""Outcomes that Everfit wants are an alert; rows that a person drew by hand are none."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from everfit.alert.causes import decided
from everfit.records import Decision, Upkeep

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(("by", "n"), [("system", 1), ("person", 0)])
def test_only_what_everfit_asks_for_itself_is_told(by: str, n: int) -> None:
    asked = Decision("churn", "labels_wanted", "Asked for outcomes", by=by, at=NOW, id=1)

    found = decided([asked], NOW, Upkeep())

    assert len(found) == n
    assert all("everfit labels churn" in cause.you_need for cause in found)
