"""Workers are started, told, watched and started again; with processes of a few lines."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from everfit.live import crew as module
from everfit.live import orders
from everfit.live.arms import Arms
from everfit.live.crew import Crew, Heard, Lost
from everfit.live.orders import Placed, Start
from tests.live.coins import wait

COMMAND = (sys.executable, "-m", "tests.live.worker_of_test")


@dataclass
class Ears:
    """Keeps what a crew says."""

    said: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)

    def hear(self, worker: int, message: Mapping[str, Any]) -> None:
        self.said.append((worker, dict(message)))

    def of(self, did: str) -> list[dict[str, Any]]:
        return [message for _, message in list(self.said) if message.get("did") == did]


@pytest.fixture
def ears() -> Ears:
    return Ears()


@pytest.fixture
def crew(ears: Ears) -> Iterator[Crew]:
    made = make(ears, 2)
    made.open()
    made.go()
    assert wait(lambda: all(one["ready"] for one in made.states()))
    yield made
    made.close(5.0)


def make(ears: Ears, n: int, **serving: Any) -> Crew:
    start = Start(0, os.getpid(), (), "/spool", serving=serving)
    return Crew(COMMAND, start, n, Heard(ears.hear, ears.lost.append))


def order(model: str = "churn", rev: int = 1) -> dict[str, Any]:
    return orders.serve(model, rev, Arms(1), [Placed(1, "/s/v1", "ab")])


def test_each_worker_has_its_number_and_its_spool(crew, ears):
    found = {message["worker"]: message["spool"] for message in ears.of("began")}

    assert found == {1: "/spool/w1", 2: "/spool/w2"}


def test_an_order_is_settled_when_every_worker_has_answered(crew, ears):
    crew.order(order())

    assert wait(lambda: len(ears.of("serving")) == 2)
    assert crew.settled("churn")
    assert crew.settled("never ordered")


def test_a_worker_that_is_killed_comes_back_and_is_told_all_again(crew, ears):
    crew.order(order("churn"))
    crew.order(order("fraud"))
    crew.stand("log", orders.trouble("log", "away"))
    assert wait(lambda: len(ears.of("serving")) == 4)
    first = crew.states()[0]["pid"]

    os.kill(first, signal.SIGKILL)

    assert wait(lambda: len(ears.of("serving")) == 6 and len(ears.of("heard")) == 3)
    assert wait(lambda: crew.states()[0]["ready"])
    assert crew.states()[0]["pid"] not in (None, first)
    assert ears.lost == [Lost(1, "SIGKILL, perhaps out of memory", None, True)]


def test_a_model_that_was_dropped_is_not_ordered_again(crew, ears):
    crew.order(order("churn"))
    assert wait(lambda: len(ears.of("serving")) == 2)
    crew.order(orders.drop("churn"))

    os.kill(crew.states()[0]["pid"], signal.SIGKILL)

    assert wait(lambda: len(ears.of("began")) == 3 and crew.states()[0]["ready"])
    assert len(ears.of("serving")) == 2


def test_who_dies_of_an_order_is_told_with_the_order(ears):
    crew = make(ears, 1)
    crew.open()
    crew.order(order("churn"))
    crew.order(order("dies", rev=7))
    crew.go()

    assert wait(lambda: bool(ears.lost))
    lost = ears.lost[0]
    assert (lost.how, lost.carrying["model"], lost.carrying["rev"]) == ("SIGSEGV", "dies", 7)
    crew.order(orders.drop("dies"))
    assert wait(lambda: crew.states()[0]["ready"])
    assert crew.close(5.0)


def test_a_failed_order_is_answered_and_no_longer_waited_for(crew, ears):
    crew.order(order("fails"))

    assert wait(lambda: len(ears.of("failed")) == 2)
    assert crew.settled("fails")


def test_workers_that_end_before_they_answer_are_given_up(ears):
    crew = make(ears, 1, stillborn=True)
    crew.open()

    assert crew.hopeless.wait(20.0)
    assert {lost.how for lost in ears.lost} == {"exit status 3"}
    assert len(ears.lost) == 5
    crew.close(1.0)


def test_a_worker_whose_process_cannot_be_made_is_tried_again_and_then_given_up(ears):
    start = Start(0, os.getpid(), (), "/spool")
    crew = Crew(("/no/such/program",), start, 1, Heard(ears.hear, ears.lost.append))
    crew.open()

    assert crew.hopeless.wait(20.0)
    assert len(ears.lost) == 5
    assert all("could not be started" in lost.how for lost in ears.lost)
    crew.close(1.0)


def test_a_worker_that_cannot_come_back_does_not_end_one_that_answers(ears, monkeypatch):
    """On a full disk no worker can start, and those that run still answer what they can."""
    monkeypatch.setattr(module, "MOST_WAIT_S", 0.1)
    crew = make(ears, 2)
    crew.open()
    crew.go()
    assert wait(lambda: all(one["ready"] for one in crew.states()))
    crew.change({"stillborn": True})
    os.kill(crew.states()[0]["pid"], signal.SIGKILL)

    assert wait(lambda: len(ears.lost) > module.HOPELESS + 1)
    assert not crew.hopeless.is_set()
    crew.change({})
    assert wait(lambda: all(one["ready"] for one in crew.states()))
    assert crew.close(5.0)


def test_a_worker_that_does_not_drain_is_killed_and_that_is_told(ears):
    crew = make(ears, 1)
    crew.open()
    crew.order(order("hangs"))

    assert wait(lambda: len(ears.of("began")) == 1)
    assert not crew.close(0.3)
    assert crew.states() == [{"worker": 1, "pid": None, "ready": False}]


def test_a_crew_that_drains_in_time_is_clean_and_loses_nobody(ears):
    crew = make(ears, 2)
    crew.open()
    crew.go()
    assert crew.wait_ready(10.0)

    assert crew.close(5.0)
    assert ears.lost == []


def test_settings_that_change_reach_those_who_start_later(crew, ears):
    crew.change({"stillborn": True})
    os.kill(crew.states()[0]["pid"], signal.SIGKILL)

    assert wait(lambda: any(lost.how == "exit status 3" for lost in list(ears.lost)))
