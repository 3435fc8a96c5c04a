"""Steps that are remembered are those that the store has, whoever wrote them and whenever."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from everfit.evidence.trial.differences import Differences
from everfit.loop.turn.known import known_of, remembering
from everfit.plain import as_plain
from everfit.records import Step, Window
from everfit.store import open_store

MODEL = "churn"
AT = datetime(2026, 3, 1, tzinfo=UTC)


def steps(kind: str, *keys: str) -> list[Step]:
    return [Step(MODEL, kind, key, {"n": len(key)}, AT) for key in keys]


@pytest.fixture
def held(tmp_path):
    store = open_store(str(tmp_path / "store"), create=True)
    run = store.begin_run(MODEL, {})
    store.finish_run(run, "done")
    return store, store.hold(MODEL, ttl_s=600.0)


def refresh(store) -> None:
    known = known_of(store, MODEL)
    seen = store.seen(MODEL, after=known.mark)
    known.add(seen.steps, seen.mark)


def test_steps_are_read_once_and_only_the_new_ones_again(held):
    store, hold = held
    store.note(hold, steps("trial", "b", "a"))
    first = store.seen(MODEL)
    store.note(hold, steps("fit", "c"))

    newer = store.seen(MODEL, after=first.mark)

    assert [step.key for step in first.steps] == ["b", "a"]
    assert [step.key for step in newer.steps] == ["c"]
    assert store.seen(MODEL, after=newer.mark).steps == ()
    assert store.seen(MODEL, after=newer.mark).mark == newer.mark


def test_remembered_steps_are_those_of_the_store_in_the_same_order(held):
    store, hold = held
    store.note(hold, steps("trial", "v2@b", "v2@a"))
    refresh(store)
    store.note(hold, steps("trial", "v3@c"))
    store.note(hold, steps("guard", "v1@a"))
    refresh(store)
    remembered = remembering(store, MODEL)

    for asked in ({}, {"last": 1}, {"last": 0}, {"after": "v2@a"}, {"after": "v2@a", "last": 1}):
        assert remembered.steps(MODEL, "trial", **asked) == store.steps(MODEL, "trial", **asked)
    assert remembered.steps(MODEL) == store.steps(MODEL)
    assert remembered.steps(MODEL, "nothing") == ()


def test_windows_are_ready_to_be_used_and_their_steps_are_asked_of_the_store(held):
    store, hold = held
    pair = Differences.of([1.0, 0.0], [0.0, 0.0], 1.0)
    facts = {"pairs": {"2": pair.as_dict()}, "adapted": {}, "versions": {}}
    end = AT + timedelta(days=1)
    record = as_plain(Window("matured", AT, end, 1, 2, facts))
    store.note(hold, [Step(MODEL, "matured", AT.isoformat(), record, AT)])
    refresh(store)

    (window,) = known_of(store, MODEL).windows("matured", AT - timedelta(days=1))

    assert (window.start, window.end, window.n) == (AT, end, 2)
    assert window.facts == {"pairs": {"2": pair}, "adapted": {}, "versions": {}}
    (step,) = remembering(store, MODEL).steps(MODEL, "matured")
    assert step.record == record


def test_two_stores_do_not_share_what_they_remember(held, tmp_path):
    store, hold = held
    store.note(hold, steps("trial", "a"))
    refresh(store)
    other = open_store(str(tmp_path / "store"), create=False)

    assert known_of(other, MODEL).of("trial") == []
