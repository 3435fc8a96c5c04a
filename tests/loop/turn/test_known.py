"""Steps that are remembered are those that the store has, whoever wrote them and whenever."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from everfit.loop.turn.known import known_of, remembering
from everfit.records import Step
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


def test_two_stores_do_not_share_what_they_remember(held, tmp_path):
    store, hold = held
    store.note(hold, steps("trial", "a"))
    refresh(store)
    other = open_store(str(tmp_path / "store"), create=False)

    assert known_of(other, MODEL).of("trial") == []
