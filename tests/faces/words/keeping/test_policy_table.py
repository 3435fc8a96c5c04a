"""The policy table is read on a terminal: whatever acts it holds, it stays within 80 columns."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from everfit.faces.words.keeping.policy_table import table_text
from everfit.maintain.chances import AGES, NAMES
from everfit.maintain.table import ACTS, Table
from everfit.records import ActKind, Step


def text_of(act: ActKind, overrides: dict[str, ActKind] | None = None) -> str:
    best = np.full((len(AGES) + 1, len(NAMES)), ACTS.index(act))
    table = Table(best, np.zeros((*best.shape, len(ACTS))), 2.0, overrides or {})
    record = {
        "act": act,
        "values": dict.fromkeys(ACTS, 123_456.789),
        "details": {"table": table.rows(), "scarce": 2.0, "ratio": 1.04, "age": 3.0},
    }
    return table_text("churn", Step("churn", "action", "k", record, datetime.now(UTC)))


@pytest.mark.parametrize("act", ACTS)
def test_it_fits_a_terminal_whatever_is_done(act: ActKind) -> None:
    text = text_of(act)

    assert max(map(len, text.splitlines())) <= 80
    assert text.count(f" {act}") >= (len(AGES) + 1) * len(NAMES)


def test_one_table_is_enough_where_it_fits() -> None:
    assert text_of("nothing").count("  age") == 1
    assert text_of("recalibrate").count("  age") == 2


def test_an_act_stands_at_its_age_and_below_its_level() -> None:
    lines = text_of("retrain", {"9 to 16 windows, to 10% worse": "call_person"}).splitlines()

    (row,) = [line for line in lines if "call person" in line]
    above = next(line for line in lines if "to 10%" in line)
    assert row.split()[:3] == ["9", "to", "16"]
    assert row.index("call person") == above.index("to 10%")
