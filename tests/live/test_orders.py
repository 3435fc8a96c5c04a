"""Messages arrive whole and in order, however the bytes are cut; an end is told as an end."""

from __future__ import annotations

import os
import socket
import threading

import pytest

from everfit.live import orders
from everfit.live.arms import Arms
from everfit.live.orders import Channel, Placed, Start


@pytest.fixture
def pair():
    mine, theirs = Channel.pair()
    other = Channel(theirs)
    yield mine, other
    mine.close()
    other.close()


def test_messages_arrive_in_order_and_whole(pair):
    mine, other = pair
    sent = [orders.ask(i, "model", {"model": "ü" * i}) for i in range(50)]
    for message in sent:
        mine.send(message)

    found = []
    while len(found) < 50:
        found += other.receive()

    assert found == sent


def test_a_message_larger_than_any_buffer_arrives_while_it_is_read(pair):
    mine, other = pair
    card = "x" * 3_000_000
    sending = threading.Thread(target=mine.send, args=(orders.answer(1, 200, {"card": card}),))
    sending.start()

    (found,) = other.receive()

    sending.join(10.0)
    assert found["body"] == {"card": card}


def test_half_a_message_is_none_yet():
    raw, theirs = socket.socketpair()
    with Channel(theirs) as other, raw:
        raw.sendall(b'{"do":"go"}\n{"do":')
        assert other.receive() == [orders.go()]
        assert other.receive(wait=False) == []

        raw.sendall(b'"drain"}\n')
        assert other.receive() == [orders.drain()]


def test_sockets_that_come_with_a_message_are_the_receivers_own(pair):
    mine, other = pair
    with socket.create_server(("127.0.0.1", 0)) as listening:
        where = listening.getsockname()
        start = Start(1, 1, (listening.fileno(),), "/s")
        mine.send(orders.begin(start), start.listening)

    (found,) = other.receive()
    got = Start.from_dict(found["start"], other.received)
    with socket.socket(fileno=got.listening[0]) as theirs:
        assert theirs.getsockname() == where
        socket.create_connection(where, timeout=5).close()


def test_what_came_before_the_end_is_still_received_and_then_the_end_is_told(pair):
    mine, other = pair
    mine.send(orders.ready())
    mine.close()

    assert other.receive() == [orders.ready()]
    with pytest.raises(EOFError, match="gone"):
        other.receive()


def test_sending_to_who_is_gone_is_told(pair):
    mine, other = pair
    other.close()

    with pytest.raises(EOFError, match="gone"):
        mine.send(orders.ready())
    with pytest.raises(EOFError, match="gone"):
        mine.send(orders.ready())


def test_closing_wakes_who_waits(pair):
    mine, _ = pair
    told = []

    def wait() -> None:
        try:
            mine.receive()
        except EOFError:
            told.append("end")

    waiting = threading.Thread(target=wait)
    waiting.start()
    mine.close()
    waiting.join(5.0)

    assert told == ["end"]


def test_who_does_not_read_for_too_long_is_given_up(pair, monkeypatch):
    mine, _ = pair
    monkeypatch.setattr(orders, "SEND_S", 0.05)

    with pytest.raises(EOFError, match="does not read"):
        mine.send(orders.answer(1, 200, "x" * 3_000_000))


def test_noise_is_no_message():
    raw, theirs = socket.socketpair()
    with Channel(theirs) as other, raw:
        raw.sendall(b"GET / HTTP/1.1\r\n\r\n")

        with pytest.raises(EOFError, match="no message"):
            other.receive()


def test_an_inherited_end_is_opened_by_its_number():
    mine, theirs = Channel.pair()
    number = os.dup(theirs.fileno())
    theirs.close()
    with Channel(number) as other, mine:
        mine.send(orders.drain())

        assert other.receive() == [{"do": "drain"}]


def test_an_order_holds_what_a_worker_needs_and_no_more_versions_than_it_is_given():
    placed = [Placed(3, "/s/v3", "ab", ("mine.Model",)), Placed(4, "/s/v4", "cd")]

    order = orders.serve("churn", 7, Arms(3, canary=4, share=0.1), placed)

    assert [Placed.from_dict(one) for one in order["versions"]] == placed
    assert Arms.from_dict(order["arms"]) == Arms(3, canary=4, share=0.1)


def test_the_start_comes_back_as_it_was_sent():
    start = Start(2, 4711, (5, 6), "/s/spool/w2", "fsync", 3.0, {"hosts": ["a"]})

    assert Start.from_dict(orders.begin(start)["start"]) == start
