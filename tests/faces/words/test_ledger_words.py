from __future__ import annotations

from datetime import timedelta

import pytest

from everfit.faces.words.ledger import because_line, decision_lines, ledger_text
from everfit.records import Because
from tests.faces.build import AT, decision


@pytest.mark.parametrize(
    ("because", "line"),
    [
        (Because("rows", True), "rows - passed"),
        (
            Because("rows", None, note="none were withheld"),
            "rows: none were withheld",
        ),
        (
            Because("p", False, 0.2, limit=0.05, limit_by="maria"),
            "p: 0.2; limit 0.05 (maria) - failed",
        ),
        (Because("n", True, 9612.0, n=9612), "n: 9,612, 9,612 rows - passed"),
        (
            Because("gap", False, 0.004, -0.003, 0.011, n=9612, limit=0.005, unit="AUC"),
            "gap: 0.004 AUC (95% range -0.003 to 0.011), 9,612 rows; limit 0.005 AUC (default)"
            " - failed",
        ),
        (Because("golden", None), "golden - not checked"),
        (Because("nan", False, float("nan"), limit=1.0), "nan: -; limit 1 (default) - failed"),
    ],
)
def test_a_rule_says_measured_range_rows_limit_and_who_set_it(because: Because, line: str) -> None:
    assert because_line(because) == line


def test_a_person_is_named_and_the_system_is_called_so() -> None:
    assert "by maria" in "\n".join(decision_lines(decision(by="maria")))
    assert "by the system" in "\n".join(decision_lines(decision()))


def test_decisions_stand_newest_first_even_within_one_second() -> None:
    first, second = decision(id=1, headline="one"), decision(id=2, headline="two")
    oldest = decision(id=3, headline="zero", at=AT - timedelta(days=1))

    text = ledger_text([oldest, first, second])

    assert text.index("two") < text.index("one") < text.index("zero")


def test_hash_and_e_value_are_told_only_in_full() -> None:
    made = decision(log_e=1.5, looks=3)

    short, full = "\n".join(decision_lines(made)), "\n".join(decision_lines(made, full=True))

    assert "abab" not in short
    assert "abab" in full
    assert "log e-value 1.500, looks 3" in full
