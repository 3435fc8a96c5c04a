"""The ledger rows of who answers, pure, and as `everfit why` tells them."""

from __future__ import annotations

import pytest

from everfit.faces.words.ledger import decision_lines
from everfit.records import Because
from everfit.release import handover
from everfit.release.handover import Wish
from tests.store.build import version

SOUND = (Because("files as packed", True), Because("loads in a fresh process", True))
WISH = Wish("churn", "promote v2", "anna", "we know better")


@pytest.mark.parametrize(
    ("checks", "sound"),
    [
        (SOUND, True),
        ((*SOUND, Because("reproduces its golden rows", False)), False),
        ((Because("files as packed", None),), False),
        ((), False),
    ],
)
def test_what_was_not_verified_is_refused_like_what_failed(checks, sound):
    made = handover.promote(WISH, version(1), version(2), checks)

    assert made.kind == ("promoted" if sound else "refused")
    assert made.by == "anna"
    if not sound:
        assert made.headline == "Refused to promote v2; nothing was changed"
        assert made.because
        assert not any(because.passed for because in made.because)


def test_a_first_champion_may_be_named_by_hand():
    made = handover.promote(WISH, None, version(2), SOUND)

    assert made.headline == "Promoted v2 by hand: we know better"
    assert made.undo == ""


def test_an_incident_is_told_in_words():
    failed = [Because("files as packed", False, note="'plan.json' in v2 is not what was packed")]

    lines = decision_lines(handover.incident("churn", "v2", "v1", failed))

    text = "\n".join(lines)
    assert lines[0] == "v2 could not be served; v1 still answers"
    assert "by the system" in text
    assert "files as packed: 'plan.json' in v2 is not what was packed - failed" in text
    assert "v2 does not serve, though it was asked for" in text
    assert "v2 as it was packed, or another version" in text


def test_an_incident_with_nobody_left_says_so():
    made = handover.incident("churn", "v2", "", [Because("files as packed", False)])

    assert made.headline == "v2 could not be served; nobody answers"


def test_what_was_told_of_a_canary_names_shares_reason_and_the_way_back():
    wish = Wish("churn", "send keys", "anna", "try it")

    made = handover.canary(wish, version(1), version(2), 0.1, 0.05, SOUND)

    text = "\n".join(decision_lines(made))
    assert "v2 answers 0.1 of the keys beside v1" in text
    assert "0.05 of all keys stay with the champion: try it" in " ".join(text.split())
    assert "everfit canary churn --share 0" in text
