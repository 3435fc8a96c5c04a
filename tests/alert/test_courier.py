from __future__ import annotations

import threading
from pathlib import Path

from everfit.alert.courier import Courier
from everfit.alert.outbox import Delivered, Outbox
from everfit.alert.targets import Webhook
from everfit.errors import Unreachable
from everfit.store import open_store
from tests.alert.looks import FLOOR, Turns, health
from tests.alert.receivers import Receiver, receiving

PATIENCE_S = 30.0


def test_what_is_written_is_sent_beside_the_loop(tmp_path: Path) -> None:
    turns, heard = Turns(tmp_path), threading.Event()
    said: list[Delivered] = []

    def say(done: Delivered) -> None:
        said.append(done)
        heard.set()

    with receiving(Receiver()) as receiver:
        hook = Webhook("ops", url=receiver.url(), private=True)

        def opened() -> Outbox:
            return Outbox(
                open_store(tmp_path / "store"),
                lambda: (hook,),
                source="abc",
                clock=lambda: turns.now,
            )

        courier = Courier(opened, say=say)
        turns.look(health(FLOOR))
        courier.wake()
        assert heard.wait(PATIENCE_S)
        courier.close()

    assert said == [Delivered(1, 0, ())]
    assert len(receiver.got) == 1
    turns.store.close()


def test_a_store_that_is_away_is_opened_again(tmp_path: Path) -> None:
    turns, heard = Turns(tmp_path), threading.Event()
    turns.look(health(FLOOR))
    tries: list[int] = []

    with receiving(Receiver()) as receiver:
        hook = Webhook("ops", url=receiver.url(), private=True)

        def opened() -> Outbox:
            tries.append(1)
            if len(tries) < 3:
                raise Unreachable("the database is away")
            return Outbox(
                open_store(tmp_path / "store"),
                lambda: (hook,),
                source="abc",
                clock=lambda: turns.now,
            )

        courier = Courier(opened, say=lambda done: heard.set())
        for _ in range(3):
            n = len(tries)
            courier.wake()
            while len(tries) == n:
                threading.Event().wait(0.01)
        assert heard.wait(PATIENCE_S)
        courier.close()

    assert len(tries) == 3
    assert len(receiver.got) == 1
    turns.store.close()


def test_closing_does_not_wait_for_a_target_that_hangs(tmp_path: Path) -> None:
    turns = Turns(tmp_path)
    turns.look(health(FLOOR))
    receiver = Receiver(drip_s=0.2)
    with receiving(receiver):
        hook = Webhook("ops", url=receiver.url(), private=True, timeout_s=5.0)
        courier = Courier(
            lambda: Outbox(
                open_store(tmp_path / "store"),
                lambda: (hook,),
                source="abc",
                clock=lambda: turns.now,
            ),
        )
        courier.wake()
        while not receiver.got:
            threading.Event().wait(0.01)

        courier.close()

    assert not any(
        row.done_at
        for place, row in turns.store.mirrored("alert:ops").items()
        if place[0] == "alert"
    )
    turns.store.close()


def test_who_is_not_woken_sends_nothing(tmp_path: Path) -> None:
    opened: list[int] = []

    def never() -> Outbox:
        opened.append(1)
        raise Unreachable("nobody asked")

    courier = Courier(never)
    threading.Event().wait(0.2)
    courier.close()

    assert opened == []
