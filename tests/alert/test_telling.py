from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from everfit.alert.telling import due, messages, mute, muted_until, tell, unmute
from everfit.errors import StoreBusy
from everfit.plain import as_plain
from everfit.records import Step, Upkeep
from everfit.store import open_store
from tests.alert.looks import DAY0, FLOOR, MOVED, Turns, health


@pytest.fixture
def turns(tmp_path: Path) -> Iterator[Turns]:
    made = Turns(tmp_path)
    yield made
    made.store.close()


def test_an_alert_is_a_step_and_a_row_of_the_ledger_in_one(turns: Turns) -> None:
    (message,) = turns.look(health(FLOOR))

    (step,) = turns.store.steps("churn", "alert")
    (row,) = turns.store.decisions("churn", kinds=("alerted",))
    assert (step.key, step.decision) == (message.key, row.id)
    assert row.headline == (
        "Alert floor#1 fires: The metric is on the wrong side of the floor since 1 Nov"
    )
    assert (row.because[0].measured, row.because[0].limit) == (0.71, 0.8)


def test_a_course_over_days_fires_once_and_is_over_after_three_quiet_days(turns: Turns) -> None:
    days = [health(FLOOR), health(FLOOR), health(), health(FLOOR), health(), health(), health()]

    told = [turns.look(seen) for seen in days]

    assert [[m.event for m in day] for day in told] == [
        ["firing"], [], [], [], [], [], ["resolved"],
    ]  # fmt: skip
    assert len(turns.store.decisions("churn", kinds=("alerted",))) == 2


def test_telling_twice_writes_nothing_twice(turns: Turns) -> None:
    turns.look(health(FLOOR))

    assert turns.wait(0) == ()
    assert len(messages(turns.store, "churn")) == 1


def test_another_process_goes_on_where_the_first_one_was(tmp_path: Path) -> None:
    first = Turns(tmp_path)
    first.look(health(FLOOR))
    first.look(health())
    first.store.close()
    second = Turns.__new__(Turns)
    second.__dict__.update(first.__dict__)
    second.store = open_store(tmp_path / "store")

    told = [second.look(health()) for _ in range(2)]

    assert [[m.key for m in day] for day in told] == [[], ["floor#1.1"]]
    second.store.close()


def test_who_lost_the_model_tells_nothing(turns: Turns) -> None:
    hold = turns.hold()
    turns.store.note(hold, [
        Step("churn", "health", "k", as_plain(health(FLOOR)), turns.now),
    ])  # fmt: skip
    turns.store.let_go(hold)

    with pytest.raises(StoreBusy, match="churn"):
        tell(turns.store, hold, "churn", turns.upkeep, turns.now)

    assert messages(turns.store, "churn") == ()


def test_what_was_told_meanwhile_is_not_told_again(turns: Turns) -> None:
    hold = turns.hold()
    turns.store.note(hold, [Step("churn", "health", "k", as_plain(health(FLOOR)), turns.now)])
    (message,) = due(turns.store, "churn", turns.upkeep, turns.now)
    turns.store.note(hold, [message.step()])

    assert tell(turns.store, hold, "churn", turns.upkeep, turns.now) == ()
    assert turns.store.decisions("churn", kinds=("alerted",)) == ()


def test_what_the_ledger_says_is_told_at_once_and_waits_before_it_is_over(turns: Turns) -> None:
    lost = turns.decide("source_lost")
    found = turns.decide("retrained")

    later = [turns.wait(2), turns.wait(2), turns.wait(2)]

    assert [m.key for m in lost] == ["source#1.0"]
    assert found == ()
    assert [[m.event for m in day] for day in later] == [[], ["resolved"], []]


def test_a_source_that_comes_and_goes_is_one_alert(turns: Turns) -> None:
    for kind in ("source_lost", "retrained") * 5:
        turns.decide(kind)

    assert [m.key for m in messages(turns.store, "churn")] == ["source#1.0"]


def test_maintain_says_what_is_done_about_it(turns: Turns) -> None:
    (message,) = turns.look(health(FLOOR), act="retrain")

    assert message.cause.doing.startswith("Everfit fits it again")
    assert message.cause.you_need == "nothing yet"


def test_while_a_version_is_tried_nobody_is_asked_to_retrain(turns: Turns) -> None:
    (message,) = turns.look(health(FLOOR), waits_for="v2")

    assert message.cause.doing.startswith("Everfit tries another version in the shadow")
    assert message.cause.you_need == "nothing yet"


def test_a_muted_model_is_written_down_and_told_when_the_silence_ends(turns: Turns) -> None:
    turns.store.commit(mute("churn", 2 * 86_400, by="person", reason="known", at=turns.now))

    told = [turns.look(health(FLOOR)) for _ in range(3)]

    # two days are over at the second look
    assert [[(m.event, m.muted) for m in day] for day in told] == [
        [("firing", True)], [("updated", False)], [],
    ]  # fmt: skip
    row = turns.store.decisions("churn", kinds=("alerted",))[-1]
    assert row.not_done == ("it was sent to nobody: alerts are muted",)


def test_a_silence_ends_by_time_or_by_a_person(turns: Turns) -> None:
    turns.store.commit(mute("churn", 3600, by="person", reason="", at=DAY0))

    assert muted_until(turns.store, "churn", DAY0) == DAY0 + timedelta(hours=1)
    assert muted_until(turns.store, "churn", DAY0 + timedelta(hours=1)) is None
    turns.store.commit(mute("churn", 3600, by="person", reason="", at=DAY0))
    turns.store.commit(unmute("churn", by="person", reason="", at=DAY0))
    assert muted_until(turns.store, "churn", DAY0) is None


def test_a_look_without_data_ends_no_alert(turns: Turns) -> None:
    turns.look(health(FLOOR))
    blind = replace(health(), state="not_enough_data")

    told = [turns.look(blind) for _ in range(5)]

    assert told == [()] * 5


def test_patience_is_that_of_the_policy(tmp_path: Path) -> None:
    turns = Turns(tmp_path, Upkeep(hold_looks=2, quiet_looks=1))

    told = [turns.look(seen) for seen in (health(MOVED), health(MOVED), health())]

    assert [[m.event for m in day] for day in told] == [[], ["firing"], ["resolved"]]
    turns.store.close()
