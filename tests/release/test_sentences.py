"""A decision is told in short sentences, from its fields alone."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from everfit.records import Because, Decision
from everfit.release import judge, release_first, roll_back, tell
from everfit.release.sentences import rule
from tests.release.build import AT, case
from tests.store.build import version

SLOW = Because("answers one row in time", False, 80.0, limit=50.0, limit_by="maria", unit="ms")
OLD = np.linspace(0, 1, 800)
NOISY = np.clip(OLD - 0.01 + np.random.default_rng(0).normal(0, 0.3, 800), 0, 1)
DECISIONS = {
    "released": release_first(case(champion="")),
    "refused": release_first(case(SLOW, champion="")),
    "promoted": judge(case(), OLD * 0.5, OLD, looks=1),
    "kept": judge(case(), OLD, OLD * 0.5, looks=1),
    "kept by a gate": judge(case(SLOW), OLD * 0.5, OLD, looks=1),
    "inconclusive": judge(case(), NOISY, OLD, looks=1),
    "not_evaluable": judge(case(), OLD[:2], OLD[:2], looks=1),
    "rolled_back": roll_back(
        champion=version(2), to=version(1), checks=(Because("files as packed", True),), by="maria"
    ),
    "roll back refused": roll_back(champion=version(2), to=version(1), checks=(), by="maria"),
}


def test_the_whole_entry_of_a_kept_champion() -> None:
    gap = Because("the gap", False, 0.004, -0.003, 0.011, n=9612, limit=0.005, limit_by="maria")
    made = Decision(
        "churn",
        "kept",
        "Kept v7; did not promote v8",
        (gap,),
        also_checked=(Because("answers one row in time", True, 8.0, limit=50.0, unit="ms"),),
        not_done=("v8 does not serve", "no search"),
        would_change="a gain above 0.005",
        at=AT,
        run="214",
        undo="everfit rollback churn",
    )

    assert tell(made).splitlines() == [
        "Kept v7; did not promote v8 · 20 Nov 2026 09:30 UTC · by the system, policy default"
        " · run 214",
        "  The gap ✗: 0.004 (95% range -0.003 to 0.011) on 9,612 rows. The limit is 0.005 (maria).",
        "  Also checked: answers one row in time 8 ms, limit 50 ✓.",
        "  Not done: v8 does not serve. No search.",
        "  This would change it: a gain above 0.005.",
        "  Undo: `everfit rollback churn`",
    ]


@pytest.mark.parametrize("name", DECISIONS)
def test_sentences_are_short_and_leave_no_number_bare(name: str) -> None:
    text = tell(DECISIONS[name])

    sentences = re.split(r"(?<=[.:])\s+|\n| · ", text)
    assert max(len(sentence.split()) for sentence in sentences) <= 20
    assert "None" not in text
    assert "nan" not in text
    assert "!" not in text
    assert ".." not in text


@pytest.mark.parametrize("name", DECISIONS)
def test_the_text_is_made_of_the_fields(name: str) -> None:
    made = DECISIONS[name]

    text = tell(made)

    assert text.startswith(made.headline)
    assert all(b.rule in text.lower() for b in (*made.because, *made.also_checked))
    assert made.would_change in text
    assert tell(replace(made, headline="Other")) == "Other" + text.removeprefix(made.headline)


@pytest.mark.parametrize(
    ("because", "expected"),
    [
        (Because("loads", True), "Loads ✓."),
        (Because("loads", None), "Loads: not measured."),
        (Because("loads", False, note="bad plan; row 3"), "Loads ✗: bad plan. Row 3."),
        (
            Because("speed", None, limit=50.0, unit="ms"),
            "Speed: not measured. The limit is 50 ms (default).",
        ),
        (Because("rows", True, 48211.0, n=0), "Rows ✓: 48,211."),
    ],
)
def test_a_rule_is_told_with_what_it_has(because: Because, expected: str) -> None:
    assert rule(because) == expected
