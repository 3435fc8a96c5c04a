from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from everfit.faces.words.ledger import because_line, decision_lines, ledger_text
from everfit.records import Because
from everfit.release import judge, release_first, roll_back
from tests.faces.build import AT, decision
from tests.release.build import case
from tests.store.build import version

SLOW = Because("answers one row in time", False, 80.0, limit=50.0, limit_by="maria", unit="ms")
OLD = np.linspace(0, 1, 800)
NOISY = np.clip(OLD - 0.01 + np.random.default_rng(0).normal(0, 0.3, 800), 0, 1)
AS_PACKED = (Because("files as packed", True),)
MADE = {
    "released": release_first(case(champion="")),
    "refused": release_first(case(SLOW, champion="")),
    "promoted": judge(case(), OLD * 0.5, OLD, looks=1),
    "kept": judge(case(), OLD, OLD * 0.5, looks=1),
    "kept by a gate": judge(case(SLOW), OLD * 0.5, OLD, looks=1),
    "inconclusive": judge(case(), NOISY, OLD, looks=1),
    "not_evaluable": judge(case(), OLD[:2], OLD[:2], looks=1),
    "rolled_back": roll_back(champion=version(2), to=version(1), checks=AS_PACKED, by="maria"),
    "roll back refused": roll_back(champion=version(2), to=version(1), checks=(), by="maria"),
}


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
        (
            Because("gap", True, 0.032, 0.01, 0.054, n=1, limit=0.1, unit="share of its loss"),
            "gap: 3.2% of its loss (95% range 1.0 to 5.4), 1 row; limit 10% of its loss (default)"
            " - passed",
        ),
        (
            Because("gain", True, 0.25, limit=0.0, unit="mean loss"),
            "gain: 0.25 mean loss; limit 0 (default) - passed",
        ),
        (Because("golden", None), "golden - not checked"),
        (Because("nan", False, float("nan"), limit=1.0), "nan: -; limit 1 (default) - failed"),
    ],
)
def test_a_rule_says_measured_range_rows_limit_and_who_set_it(because: Because, line: str) -> None:
    assert because_line(because) == line


@pytest.mark.parametrize("name", MADE)
def test_every_decision_that_a_release_can_make_is_told_whole(name: str) -> None:
    made = MADE[name]

    text = " ".join("\n".join(decision_lines(made)).split())

    assert text.startswith(made.headline)
    assert all(b.rule in text for b in (*made.because, *made.also_checked))
    assert made.would_change in text
    assert all(left in text for left in made.not_done)
    assert not re.search(r"\b(None|nan|True|False)\b|\.\.|!", text)


@pytest.mark.parametrize("name", MADE)
def test_no_number_of_a_decision_has_more_than_four_digits_that_count(name: str) -> None:
    text = "\n".join(decision_lines(replace(MADE[name], at=AT)))

    assert re.findall(r"(?<![\d,])0\.0*[1-9]\d{4,}", text) == []


def test_a_person_is_named_and_the_system_is_called_so() -> None:
    assert "by maria" in "\n".join(decision_lines(decision(by="maria")))
    assert "by the system" in "\n".join(decision_lines(decision()))


def test_decisions_stand_newest_first_even_within_one_second() -> None:
    first, second = decision(id=1, headline="one"), decision(id=2, headline="two")
    oldest = decision(id=3, headline="zero", at=AT - timedelta(days=1))

    text = ledger_text([oldest, first, second])

    assert text.index("two") < text.index("one") < text.index("zero")


def test_what_a_run_left_undone_is_told_once() -> None:
    studied = decision(id=1, kind="studied", headline="Tried 9", not_done=("no search",))
    released = decision(id=2, headline="Released v1", not_done=("v1 is slow", "no search"))
    later = decision(id=3, headline="Tried 4", not_done=("no search",), run="r-2")

    text = ledger_text([later, released, studied])

    second, first = text[text.index("Released v1") :].split("Tried 9")
    assert "no search" not in second
    assert "v1 is slow" in second
    assert "no search" in first
    assert "no search" in text[: text.index("Released v1")]


def test_a_long_list_of_checks_is_cut_with_the_command_that_shows_it_whole() -> None:
    made = decision(also_checked=tuple(Because(f"check {n}", True) for n in range(30)))

    short, full = decision_lines(made), decision_lines(made, full=True)

    assert sum("check " in line for line in short) == 8
    assert "· and 22 more: everfit why churn 7" in "\n".join(short)
    assert sum("check " in line for line in full) == 30


def test_one_reason_has_no_bullet_and_several_have_one_each() -> None:
    one = "\n".join(decision_lines(decision(not_done=("no search",))))
    two = "\n".join(decision_lines(decision(not_done=("no search", "no refit"))))

    assert "    Not done  no search" in one
    assert "    Not done  · no search\n              · no refit" in two


def test_hash_and_e_value_are_told_only_in_full() -> None:
    made = decision(log_e=1.5, looks=3)

    short, full = "\n".join(decision_lines(made)), "\n".join(decision_lines(made, full=True))

    assert "abab" not in short
    assert "abab" in full
    assert "log e-value 1.500, looks 3" in full


def test_looks_after_which_nothing_was_done_are_told_once():
    idle = [replace(decision(), id=n, kind="did_nothing", headline=f"idle {n}") for n in (1, 2, 4)]
    moved = replace(decision(), id=3, kind="promoted", headline="moved")
    last = replace(decision(), id=5, kind="did_nothing", headline="idle 5")
    rows = [*idle, moved, last]

    short, full = ledger_text(rows), ledger_text(rows, full=True)

    assert [n for n in range(1, 6) if f"#{n}  " in short or f"#{n} " in short] == [2, 3, 5]
    assert short.count("nothing was done once more since") == 2
    assert all(f"idle {n}" in full for n in (1, 2, 4, 5))
    assert "nothing was done" not in full
