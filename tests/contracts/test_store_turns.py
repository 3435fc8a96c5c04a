"""What every store must keep to for turns of the loop: holds, steps, and who runs the loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from everfit.errors import ModelUnknown, Refused, StoreBusy, UsageError
from everfit.records import Step
from everfit.store import Journal, RunHandle
from tests.contracts.test_stores import ODD, OPENERS
from tests.store.build import AT, decision, packed, release, version

TTL_S = 5.0


@pytest.fixture(params=sorted(OPENERS))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    opened = OPENERS[request.param](tmp_path / "store")
    opened.finish_run(opened.begin_run("churn", {}), "done")  # makes the model
    yield opened
    opened.close()


@pytest.fixture
def hold(store: Journal) -> RunHandle:
    return store.hold("churn", ttl_s=TTL_S)


def step(key: str = "2026-11-20", kind: str = "asked", **more: Any) -> Step:
    return Step("churn", kind, key, more or {"n": 1}, AT)


def later(store: Journal, seconds: float) -> None:
    store.clock = lambda: datetime.now(UTC) + timedelta(seconds=seconds)


def writes(store: Journal, hold: RunHandle) -> list[Callable[[], object]]:
    """All that a holder may write."""
    return [
        lambda: store.heartbeat(hold),
        lambda: store.note(hold, [step("late")]),
        lambda: store.commit(decision(), run=hold, steps=[step("late")]),
        lambda: store.begin_run("churn", {}, under=hold),
        lambda: store.let_go(hold),
    ]


def test_a_hold_has_an_epoch_of_its_own_and_no_run(store: Journal, hold: RunHandle) -> None:
    store.let_go(hold)
    second = store.hold("churn", ttl_s=TTL_S)

    assert (hold.id, hold.ttl_s, hold.under_hold) == ("", TTL_S, False)
    assert second.epoch == hold.epoch + 1
    assert len(store.runs("churn")) == 1


def test_a_model_that_is_held_is_refused_to_runs_and_to_other_holds(
    store: Journal, hold: RunHandle
) -> None:
    for take in (lambda: store.hold("churn", ttl_s=1.0), lambda: store.begin_run("churn", {})):
        with pytest.raises(StoreBusy, match=r"(?s)a turn of the loop holds.*'churn'.*process \d+"):
            take()

    store.heartbeat(hold)


def test_a_hold_is_refused_while_a_run_is_under_way(store: Journal) -> None:
    run = store.begin_run("churn", {})

    with pytest.raises(StoreBusy, match="another run holds model 'churn'"):
        store.hold("churn", ttl_s=TTL_S)

    store.heartbeat(run)


def test_a_holder_that_was_silent_for_too_long_is_fenced_though_it_lives_and_nobody_took_over(
    store: Journal, hold: RunHandle
) -> None:
    later(store, TTL_S + 0.1)

    for write in writes(store, hold):
        with pytest.raises(StoreBusy, match=r"(?s)no longer holds.*last sign of life is 5\.\d s"):
            write()

    assert store.steps("churn") == ()
    assert store.decisions("churn") == ()
    assert len(store.runs("churn")) == 1


def test_a_holder_that_another_followed_is_fenced(store: Journal, hold: RunHandle) -> None:
    later(store, TTL_S + 0.1)
    second = store.hold("churn", ttl_s=TTL_S)

    for write in writes(store, hold):
        with pytest.raises(StoreBusy, match="no longer holds model 'churn'"):
            write()

    assert store.note(second, [step()]) == (step(),)


def test_a_sign_of_life_keeps_a_hold(store: Journal, hold: RunHandle) -> None:
    for seconds in (4.0, 8.0, 12.0):
        later(store, seconds)
        store.heartbeat(hold)

    store.let_go(hold)


def test_each_write_is_a_sign_of_life(store: Journal, hold: RunHandle) -> None:
    later(store, 4.0)
    store.note(hold, [step("one")])
    later(store, 8.0)
    store.commit(decision(kind="kept"), run=hold)
    later(store, 12.0)

    store.note(hold, [step("two")])

    assert [s.key for s in store.steps("churn")] == ["one", "two"]


def test_a_hold_that_was_let_go_cannot_write(store: Journal, hold: RunHandle) -> None:
    store.let_go(hold)

    for write in writes(store, hold):
        with pytest.raises(StoreBusy, match="no longer holds"):
            write()


def test_a_clock_that_was_set_back_does_not_keep_a_silent_holder_in_place(
    store: Journal, hold: RunHandle
) -> None:
    later(store, -365 * 86_400.0)

    taker = store.hold("churn", ttl_s=TTL_S)

    assert taker.epoch == hold.epoch + 1
    with pytest.raises(StoreBusy, match="no longer holds"):
        store.note(hold, [step()])


def test_a_holder_that_lives_through_a_clock_set_back_goes_on(
    store: Journal, hold: RunHandle
) -> None:
    later(store, -365 * 86_400.0)

    store.note(hold, [step()])

    with pytest.raises(StoreBusy, match="a turn of the loop holds"):
        store.hold("churn", ttl_s=TTL_S)


def test_a_clock_that_leaps_a_year_ends_a_hold_and_the_next_one_works(
    store: Journal, hold: RunHandle
) -> None:
    later(store, 365 * 86_400.0)

    with pytest.raises(StoreBusy, match="no longer holds"):
        store.note(hold, [step()])

    assert store.note(store.hold("churn", ttl_s=TTL_S), [step()]) == (step(),)


def test_a_model_that_is_not_there_cannot_be_held(store: Journal) -> None:
    with pytest.raises(ModelUnknown, match="did you mean 'churn'"):
        store.hold("chrun", ttl_s=TTL_S)

    assert store.models() == ("churn",)


@pytest.mark.parametrize("ttl_s", [0.0, -1.0, float("inf"), float("nan")])
def test_a_hold_needs_a_time_that_ends(store: Journal, ttl_s: float) -> None:
    for take in (store.hold, store.take_runner):
        with pytest.raises(UsageError, match="(?s)without a sign.*seconds above 0"):
            take("churn", ttl_s=ttl_s)


def test_a_run_under_a_hold_shares_its_epoch_and_leaves_the_hold(
    store: Journal, hold: RunHandle
) -> None:
    run = store.begin_run("churn", {"budget_s": 60.0}, under=hold)
    store.save_trial(run, "abc", {"loss": 1})
    made = store.commit(decision(kind="kept"), run=run)
    store.finish_run(run, "done", [decision(kind="studied")])

    noted = store.note(hold, [step()])

    assert (run.epoch, run.under_hold, made.run) == (hold.epoch, True, run.id)
    assert noted == (step(),)
    assert store.runs("churn")[0].state == "done"
    store.let_go(hold)


def test_a_run_that_died_under_a_hold_is_interrupted_for_the_next_holder(
    store: Journal, hold: RunHandle
) -> None:
    run = store.begin_run("churn", {}, under=hold)
    during = store.runs("churn")[0].state
    later(store, TTL_S + 1)
    dead = store.runs("churn")[0].state
    store.hold("churn", ttl_s=TTL_S)

    assert (during, dead, store.runs("churn")[0].state) == ("running", "interrupted", "interrupted")
    with pytest.raises(StoreBusy, match="no longer holds"):
        store.finish_run(run, "done")


def test_a_run_needs_the_hold_of_its_own_model(store: Journal, hold: RunHandle) -> None:
    with pytest.raises(UsageError, match="(?s)hold of another model.*'prices' under.*'churn'"):
        store.begin_run("prices", {}, under=hold)

    assert store.models() == ("churn",)


def test_a_turn_may_move_what_it_moved_before_and_not_what_a_person_moved(
    store: Journal, hold: RunHandle
) -> None:
    release(store, hold, 1)
    release(store, hold, 2)
    store.commit(decision(kind="rolled_back", by="maria"), aliases={"champion": 1})

    with pytest.raises(Refused, match="champion of 'churn' was changed"):
        release(store, hold, 3)

    assert store.champion("churn").name == "v1"  # type: ignore[union-attr]


def test_the_old_champion_may_stay_as_a_fallback(store: Journal, hold: RunHandle) -> None:
    release(store, hold, 1)
    made = version(2, packed(store, 2))
    moves: dict[str, int | None] = {"champion": 2, "previous": 1, "fallback": 1}

    store.commit(decision(kind="promoted"), version=made, aliases=moves, run=hold)

    assert store.version("churn", "fallback").name == "v1"
    assert {v.name: v.state for v in store.versions("churn")} == {
        "v2": "champion",
        "v1": "previous",
    }
    store.commit(decision(kind="kept"), aliases={"fallback": None}, run=hold)
    assert store.aliases("churn")["fallback"].number is None


def test_steps_are_read_back_as_they_were_written_oldest_first(
    store: Journal, hold: RunHandle
) -> None:
    hard = {"mean": 0.1, "none": None, "deep": {"a": [1, 2.5, "ä"]}}
    given = [step("c", **hard), step("a"), step("b", "matured")]
    store.note(hold, given)

    assert store.steps("churn") == tuple(given)
    assert store.steps("churn", "asked") == (given[0], given[1])
    assert store.steps("churn", last=2) == (given[1], given[2])
    assert store.steps("churn", "asked", after="a") == (given[0],)
    assert store.steps("churn", "trial") == ()
    assert store.steps("churn", last=0) == ()


def test_keys_of_steps_are_compared_byte_by_byte(store: Journal, hold: RunHandle) -> None:
    store.note(hold, [step(key) for key in ("a-1", "B", "a", "é", "v10@x")])

    assert [s.key for s in store.steps("churn", after="a")] == ["a-1", "é", "v10@x"]


def test_a_step_that_was_done_before_is_not_written_again(store: Journal, hold: RunHandle) -> None:
    store.note(hold, [step("one", n=1)])

    new = store.note(hold, [step("one", n=2), step("two", n=2)])

    assert [s.key for s in new] == ["two"]
    assert [dict(s.record) for s in store.steps("churn")] == [{"n": 1}, {"n": 2}]


def test_the_same_key_may_stand_for_another_kind_or_another_model(
    store: Journal, hold: RunHandle
) -> None:
    store.finish_run(store.begin_run("prices", {}), "done")
    other = store.hold("prices", ttl_s=TTL_S)
    store.note(hold, [step("k"), step("k", "matured")])

    store.note(other, [replace(step("k"), model="prices")])

    assert len(store.steps("churn")) == 2
    assert len(store.steps("prices")) == 1


def test_a_step_goes_with_its_decision_or_not_at_all(store: Journal, hold: RunHandle) -> None:
    release(store, hold, 1)
    made = store.commit(
        decision(kind="kept"), aliases={"shadow": 1}, run=hold, steps=[step("t1", "trial")]
    )
    ledger, pointed = store.decisions("churn"), store.aliases("churn")

    with pytest.raises(Refused, match="(?s)step 'trial' of 'churn' was done before.*t1"):
        store.commit(
            decision(kind="promoted"),
            aliases={"shadow": None},
            run=hold,
            steps=[step("new", "trial"), step("t1", "trial")],
        )

    assert [(s.key, s.decision) for s in store.steps("churn")] == [("t1", made.id)]
    assert (store.decisions("churn"), store.aliases("churn")) == (ledger, pointed)


def test_a_commit_that_is_refused_leaves_no_step(store: Journal, hold: RunHandle) -> None:
    with pytest.raises(ModelUnknown, match="no version v9"):
        store.commit(decision(), aliases={"champion": 9}, run=hold, steps=[step()])

    assert store.steps("churn") == ()


@pytest.mark.parametrize("act", ["DELETE FROM step", "UPDATE step SET key = 'other'"])
def test_steps_refuse_to_be_changed(store: Journal, hold: RunHandle, act: str) -> None:
    store.note(hold, [step()])

    with pytest.raises(DatabaseError, match="append-only"), store.database.write() as connection:
        connection.execute(text(act))

    assert store.steps("churn") == (step(),)


@pytest.mark.parametrize("name", ["kind", "key"])
@pytest.mark.parametrize("text", ["", "x" * 300, "a\0b", "\ud800"])
def test_a_step_whose_name_cannot_be_kept_is_refused(
    store: Journal, hold: RunHandle, name: str, text: str
) -> None:
    odd = replace(step(), **{name: text})

    with pytest.raises(UsageError, match=f"{name} of a step cannot be kept"):
        store.note(hold, [step("good"), odd])

    assert store.steps("churn") == ()


def test_a_step_of_another_model_is_refused(store: Journal, hold: RunHandle) -> None:
    with pytest.raises(UsageError, match="(?s)belongs to another model.*prices"):
        store.note(hold, [replace(step(), model="prices")])


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
def test_odd_text_in_a_step_is_given_back_as_it_was(
    store: Journal, hold: RunHandle, odd: str
) -> None:
    store.note(hold, [step("k", **{odd: [odd]})])

    assert store.steps("churn")[0].record == {odd: [odd]}


def test_steps_of_a_model_that_is_not_there_are_unknown(store: Journal) -> None:
    with pytest.raises(ModelUnknown, match="did you mean 'churn'"):
        store.steps("chrun")


def test_the_ledger_can_be_asked_for_some_kinds_and_the_newest_alone(
    store: Journal, hold: RunHandle
) -> None:
    kept = [store.commit(decision(kind=k), run=hold) for k in ("paused", "kept", "resumed")]

    assert store.decisions("churn", last=1) == (kept[2],)
    assert store.decisions("churn", kinds=("paused", "resumed")) == (kept[2], kept[0])
    assert store.decisions("churn", newest_first=False, last=2) == (kept[1], kept[2])
    assert store.decisions("churn", kinds=("promoted",)) == ()


def test_one_runner_at_a_time(store: Journal) -> None:
    first = store.take_runner("loop", ttl_s=TTL_S)

    with pytest.raises(StoreBusy, match=r"(?s)runs the loop of this store.*process \d+ on"):
        store.take_runner("loop", ttl_s=TTL_S)
    store.release_runner(first)
    second = store.take_runner("loop", ttl_s=TTL_S)

    assert (first.epoch, second.epoch) == (1, 2)


def test_a_runner_that_was_silent_for_too_long_is_followed_and_fenced(store: Journal) -> None:
    first = store.take_runner("loop", ttl_s=TTL_S)
    later(store, TTL_S + 0.1)
    with pytest.raises(StoreBusy, match="no longer holds the runner 'loop'"):
        store.renew_runner(first)
    second = store.take_runner("loop", ttl_s=TTL_S)

    with pytest.raises(StoreBusy, match="no longer holds the runner 'loop'"):
        store.hold("churn", ttl_s=TTL_S, runner=first)
    store.release_runner(first)  # says nothing, and leaves the second alone

    assert store.hold("churn", ttl_s=TTL_S, runner=second).model == "churn"


def test_a_runner_that_says_that_it_lives_stays(store: Journal) -> None:
    runner = store.take_runner("loop", ttl_s=TTL_S)
    for seconds in (4.0, 8.0):
        later(store, seconds)
        store.renew_runner(runner)
    later(store, 12.0)

    store.hold("churn", ttl_s=TTL_S, runner=runner)

    with pytest.raises(StoreBusy, match="runs the loop"):
        store.take_runner("loop", ttl_s=TTL_S)


@pytest.mark.parametrize("name", ["", "x" * 65, "a\0b", "ä"])
def test_a_runner_whose_name_cannot_be_kept_is_refused(store: Journal, name: str) -> None:
    with pytest.raises(UsageError, match="name of a runner cannot be used"):
        store.take_runner(name, ttl_s=TTL_S)
