from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from everfit.alert.outbox import KEEP_S, Outbox, source_of
from everfit.alert.sign import verify
from everfit.alert.targets import Target, Webhook
from everfit.alert.telling import mute
from everfit.records import Finding
from tests.alert.looks import DAY, FLOOR, MOVED, Turns, health
from tests.alert.receivers import Receiver, receiving

SOURCE = "abc"
ENVIRON = {"OPS_SECRET": "s3cret"}


@pytest.fixture
def turns(tmp_path: Path) -> Iterator[Turns]:
    made = Turns(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving(Receiver()) as open_one:
        yield open_one


def hook(receiver: Receiver, **changes: object) -> Webhook:
    plain = {"url": receiver.url(), "private": True, "timeout_s": 2.0}
    return Webhook("ops", **(plain | changes))  # type: ignore[arg-type]


class Post:
    """An outbox whose clock stands where the turns are, and can be set on."""

    def __init__(
        self, turns: Turns, *targets: Target, environ: Mapping[str, str] = ENVIRON
    ) -> None:
        self.turns, self.targets, self.environ = turns, targets, environ
        self.ahead = timedelta(0)

    @property
    def box(self) -> Outbox:
        """A new one each time, as a new process would have it."""
        return Outbox(
            self.turns.store, lambda: self.targets, source=SOURCE, clock=self.now,
            environ=self.environ, tell=lambda model: self.turns.upkeep.tell,
        )  # fmt: skip

    def now(self) -> datetime:
        return self.turns.now + self.ahead


def events(receiver: Receiver) -> list[str]:
    return [f"{(b := json.loads(got.body))['id']} {b['event']}" for got in receiver.got]


def test_every_message_arrives_once_and_in_order(turns: Turns, receiver: Receiver) -> None:
    post = Post(turns, hook(receiver))
    post.box.deliver()
    for seen in (health(FLOOR), health(FLOOR, MOVED), health(), health(), health()):
        turns.look(seen)
        post.box.deliver()

    done = post.box.deliver()

    assert events(receiver) == [
        "abc/churn/floor#1.0 firing", "abc/churn/drift#1.0 firing",
        "abc/churn/drift#1.1 resolved", "abc/churn/floor#1.1 resolved",
    ]  # fmt: skip
    assert (done.taken, done.waiting, done.errors) == (0, 0, ())


def test_a_message_is_signed_and_the_signature_holds(turns: Turns, receiver: Receiver) -> None:
    post = Post(turns, hook(receiver, secret_env="OPS_SECRET"))
    turns.look(health(FLOOR))
    post.box.deliver()

    (got,) = receiver.got
    now_s = post.now().timestamp()
    assert verify("s3cret", got.headers, got.body, now_s)
    assert not verify("s3cret", got.headers, got.body + b" ", now_s)


def test_the_json_has_what_the_documentation_promises(turns: Turns, receiver: Receiver) -> None:
    turns.look(health(FLOOR), act="retrain")
    Post(turns, hook(receiver)).box.deliver()

    body = json.loads(receiver.got[0].body)
    assert list(body) == [
        "schema_version", "event", "id", "dedup_key", "model", "cause", "state", "headline",
        "measured", "limit", "limit_by", "since", "at", "means", "doing", "you_need", "about",
        "links", "see",
    ]  # fmt: skip
    assert body["measured"] == {"value": 0.71, "low": 0.70, "high": 0.72, "n": 400}
    assert body["dedup_key"] == "abc/churn/floor#1"
    assert (body["state"], body["you_need"]) == ("needs_you", "nothing yet")


def test_slack_gets_its_own_json(turns: Turns, receiver: Receiver) -> None:
    turns.look(health(FLOOR))

    target = Webhook("team", url_env="SLACK", slack=True, private=True)
    done = Post(turns, target, environ={"SLACK": receiver.url("/services/T/B/X")}).box.deliver()

    (got,) = receiver.got
    body = json.loads(got.body)
    assert done.taken == 1
    assert (got.path, set(body)) == ("/services/T/B/X", {"text", "blocks"})
    assert "churn: The metric is on the wrong side of the floor" in body["text"]


@pytest.mark.parametrize("status", [500, 503, 404, 401, 302])
def test_what_is_not_taken_is_kept_and_tried_again_later(
    turns: Turns, receiver: Receiver, status: int
) -> None:
    receiver.answers = [(status, "no", {"Location": "/x"}), (200, "", {})]
    post = Post(turns, hook(receiver))
    turns.look(health(FLOOR))

    first = post.box.deliver()
    at_once = post.box.deliver()
    post.ahead = timedelta(seconds=16)
    later = post.box.deliver()

    assert (first.taken, first.waiting) == (0, 1)
    assert f"ops: it answered {status}" in first.errors[0]
    assert (at_once.taken, at_once.waiting, at_once.errors) == (0, 1, first.errors)
    assert (later.taken, later.waiting) == (1, 0)
    assert len({json.loads(got.body)["id"] for got in receiver.got}) == 1
    assert len(receiver.got) == 2


def test_the_wait_doubles_with_each_failure(turns: Turns, receiver: Receiver) -> None:
    receiver.answers = [(500, "", {})]
    post = Post(turns, hook(receiver))
    turns.look(health(FLOOR))
    waits = []

    for _ in range(4):
        post.box.deliver()
        (one,) = post.box.waiting()
        assert one.next_try_at is not None
        waits.append((one.next_try_at - post.now()).total_seconds())
        post.ahead = one.next_try_at - turns.now

    assert waits == [15.0, 30.0, 60.0, 120.0]


def test_a_server_that_asks_for_time_gets_it(turns: Turns, receiver: Receiver) -> None:
    receiver.answers = [(429, "", {"Retry-After": "600"}), (200, "", {})]
    post = Post(turns, hook(receiver))
    turns.look(health(FLOOR))
    post.box.deliver()

    post.ahead = timedelta(seconds=599)
    assert post.box.deliver().taken == 0
    post.ahead = timedelta(seconds=600)
    assert post.box.deliver().taken == 1


def test_a_server_that_is_away_costs_no_message_and_mixes_no_order(turns: Turns) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        away = Receiver(port=reserved.getsockname()[1])
    post = Post(turns, hook(away))
    post.box.deliver()
    for seen in (health(FLOOR), health(), health(), health(), health(FLOOR)):
        turns.look(seen)
        assert post.box.deliver().taken == 0

    with receiving(Receiver()) as back:
        post.targets = (hook(back),)
        post.ahead = timedelta(hours=2)
        done = post.box.deliver()

    assert done.taken == 3
    assert events(back) == [
        "abc/churn/floor#1.0 firing", "abc/churn/floor#1.1 resolved", "abc/churn/floor#2.0 firing",
    ]  # fmt: skip


def test_an_end_does_not_overtake_the_beginning_that_waits(
    turns: Turns, receiver: Receiver
) -> None:
    receiver.answers = [(500, "", {}), (200, "", {})]
    post = Post(turns, hook(receiver))
    post.box.deliver()
    turns.look(health(FLOOR))
    post.box.deliver()
    # the end comes while the beginning waits for its next try
    post.ahead = -3 * DAY
    for _ in range(3):
        turns.look(health())

    post.box.deliver()
    assert len(receiver.got) == 1
    post.ahead = timedelta(0)
    post.box.deliver()

    assert events(receiver)[1:] == ["abc/churn/floor#1.0 firing", "abc/churn/floor#1.1 resolved"]


def test_a_target_that_fails_keeps_no_other_from_its_messages(
    turns: Turns, receiver: Receiver
) -> None:
    broken = Webhook("broken", url="http://127.0.0.1:9/", private=True, timeout_s=1.0)
    turns.look(health(FLOOR))

    done = Post(turns, broken, hook(receiver)).box.deliver()

    assert (done.taken, done.waiting) == (1, 1)
    assert len(receiver.got) == 1


def test_a_target_that_fails_three_times_is_left_alone_for_this_pass(
    turns: Turns, receiver: Receiver
) -> None:
    receiver.answers = [(500, "", {})]
    for kind in ("source_lost", "called", "labels_wanted", "turn_failed", "not_evaluable"):
        turns.decide(kind)

    post = Post(turns, hook(receiver))
    done = post.box.deliver()

    assert len(receiver.got) == 3
    assert done.waiting == len(list(post.box.waiting())) == 5


def test_a_missing_secret_is_an_error_that_waits_and_sends_nothing_unsigned(
    turns: Turns, receiver: Receiver
) -> None:
    turns.look(health(FLOOR))

    done = Post(turns, hook(receiver, secret_env="OPS_SECRET"), environ={}).box.deliver()

    assert done.errors == ("ops: the environment variable OPS_SECRET is not set",)
    assert receiver.got == []


def test_no_secret_reaches_the_store_or_an_error(turns: Turns, receiver: Receiver) -> None:
    token = "T0000/B0000/XXXXXXXX"
    secret_url = receiver.url("/services/" + token)
    receiver.answers = [(403, f"no such hook {token} for s3cret", {})]
    target = Webhook("team", url_env="SLACK", secret_env="OPS_SECRET", slack=True, private=True)
    environ = {"SLACK": secret_url, "OPS_SECRET": "s3cret"}
    turns.look(health(FLOOR))

    done = Post(turns, target, environ=environ).box.deliver()

    kept = str(turns.store.mirrored("alert:team")) + str(done)
    assert "403" in kept
    assert token not in kept
    assert "s3cret" not in kept


def test_a_new_target_hears_of_what_is_open_and_not_of_the_past(
    turns: Turns, receiver: Receiver
) -> None:
    for seen in (health(MOVED), health(), health(), health(), health(FLOOR)):
        turns.look(seen)
    post = Post(turns, hook(receiver))
    post.ahead = timedelta(minutes=1)

    post.box.deliver()

    assert events(receiver) == ["abc/churn/floor#1.0 firing"]


def test_a_message_that_could_not_be_sent_for_a_week_is_left(
    turns: Turns, receiver: Receiver
) -> None:
    receiver.answers = [(500, "", {})]
    post = Post(turns, hook(receiver))
    turns.look(health(FLOOR))
    post.box.deliver()

    post.ahead = timedelta(seconds=KEEP_S + 1)

    assert list(post.box.waiting()) == []


def test_who_is_told_is_for_target_and_policy_to_say(turns: Turns, receiver: Receiver) -> None:
    turns.look(health(FLOOR, MOVED))
    urgent = hook(receiver, states=("needs_you",))
    other = hook(receiver, models=("fraud",))

    assert [w.message.cause.name for w in Post(turns, urgent).box.waiting()] == ["floor"]
    assert list(Post(turns, other).box.waiting()) == []
    turns.upkeep = replace(turns.upkeep, tell=("team",))
    assert list(Post(turns, urgent).box.waiting()) == []


def test_who_heard_of_it_when_it_was_worse_hears_that_it_is_over(
    turns: Turns, receiver: Receiver
) -> None:
    def lost(severity: str, *columns: str) -> Finding:
        return Finding("schema", severity, "columns no longer come", columns=columns)  # type: ignore[arg-type]

    post = Post(turns, hook(receiver, states=("needs_you",)))
    post.box.deliver()
    turns.look(health(lost("fail", "a")))
    turns.store.commit(mute("churn", 3600 * 36, by="person", reason="", at=turns.now))
    turns.look(health(lost("fail", "a", "b", "c")))  # worse, and muted
    turns.look(health(lost("warn", "a")))  # the silence is over, and it is better
    for _ in range(3):
        turns.look(health())

    post.box.deliver()

    states = [json.loads(got.body)["state"] for got in receiver.got]
    assert states == ["needs_you", "watch", "resolved"]


def test_what_is_muted_is_not_sent(turns: Turns, receiver: Receiver) -> None:
    turns.store.commit(mute("churn", 10 * 86_400, by="person", reason="", at=turns.now))
    post = Post(turns, hook(receiver))
    turns.look(health(FLOOR))

    assert post.box.deliver().taken == 0
    assert receiver.got == []


def test_a_killed_process_sends_the_same_message_again_under_the_same_id(
    turns: Turns, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = Post(turns, hook(receiver))
    post.box.deliver()
    turns.look(health(FLOOR))
    box = post.box

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt  # between the answer and the note about it

    with monkeypatch.context() as patch:
        patch.setattr(turns.store, "note_mirrored", killed)
        with pytest.raises(KeyboardInterrupt):
            box.deliver()
    post.box.deliver()
    post.box.deliver()

    assert events(receiver) == ["abc/churn/floor#1.0 firing"] * 2


def test_how_each_target_stands_is_visible(turns: Turns, receiver: Receiver) -> None:
    receiver.answers = [(200, "", {}), (500, "busy", {})]
    post = Post(turns, hook(receiver))
    turns.look(health(FLOOR, MOVED))
    post.box.deliver()

    (standing,) = post.box.standing()

    assert (standing.taken, standing.waiting) == (1, 1)
    assert standing.error == "it answered 500: busy"
    assert standing.next_try_at == post.now() + timedelta(seconds=15)


def test_a_clock_that_was_set_back_stops_nothing(turns: Turns, receiver: Receiver) -> None:
    receiver.answers = [(500, "", {}), (200, "", {})]
    post = Post(turns, hook(receiver))
    turns.look(health(FLOOR))
    post.box.deliver()

    post.ahead = timedelta(days=-2)

    assert post.box.deliver().taken == 1


def test_two_stores_have_two_names() -> None:
    assert source_of(b"a" * 32) != source_of(b"b" * 32)
