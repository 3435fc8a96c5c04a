"""Heads that were seen before: answered without being parsed, and as if they had been."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from everfit.faces.http.guard.tokens import FILE, make_token, revoke_token
from everfit.faces.http.machine.fast import MOST_HEAD, MOST_HEADS, Heads
from tests.faces.http.machine.test_fast import PATH, ROW, Wire, request
from tests.faces.http.working import Keeper, raw, wait, working

WAY = ("coin", None, None)


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keeper]:
    with working(tmp_path_factory.mktemp("heads")) as made:
        raw(made.port, request())  # from now on the host is known
        yield made


@pytest.fixture
def wire(keeper: Keeper) -> Iterator[Wire]:
    """A connection on which the head of ``request()`` was learnt."""
    with Wire(keeper.port) as made:
        for _ in range(3):
            made.end.sendall(request())
            assert made.answer()[0] == b"HTTP/1.1 200 OK"
        yield made


def learnt(data: bytes, *headers: tuple[bytes, bytes]) -> Heads:
    heads = Heads()
    heads.learn(data, list(headers), WAY)  # type: ignore[arg-type]
    return heads


def test_a_head_is_learnt_with_the_length_of_its_body() -> None:
    data = request(b"1234")
    head = data[:-4]

    assert learnt(data, (b"content-length", b"4")) == {head: (WAY, 4)}


@pytest.mark.parametrize(
    ("data", "length"),
    [
        (b"\r\n\r\n" + request(b"1234"), b"4"),
        (request(b"1234"), b"3"),
        (request(b"1234"), b""),
        (request(b"1234"), b"+4"),
        (request(b"1234").replace(b"POST", b"\r\nPOST"), b"4"),
        (request(b"1234", X=MOST_HEAD * "x"), b"4"),
    ],
)
def test_what_could_be_read_in_two_ways_is_not_learnt(data: bytes, length: bytes) -> None:
    assert learnt(data, (b"content-length", length)) == {}


def test_no_more_heads_are_kept_than_fit() -> None:
    heads = Heads()
    for i in range(MOST_HEADS + 5):
        heads.learn(request(b"1", X=str(i)), [(b"content-length", b"1")], WAY)  # type: ignore[arg-type]

    assert len(heads) == 5


def test_each_body_behind_a_known_head_has_an_answer_of_its_own(wire: Wire, keeper: Keeper) -> None:
    bodies = [b'{"size": %d.0}' % i for i in range(1, 9)]
    before = len(keeper.frames())

    ids = []
    for body in bodies:
        wire.end.sendall(request(body))
        ids.append(json.loads(wire.answer()[2])["id"])

    sent = {json.loads(f.answer)["id"]: f.request for f in keeper.frames()[before:]}
    assert [sent[one] for one in ids] == bodies


@pytest.mark.parametrize("cut", [1, len(ROW) - 1, len(ROW), len(ROW) + 2, len(ROW) + 40])
def test_a_known_head_in_pieces_is_one_request(wire: Wire, cut: int) -> None:
    data = request()

    wire.end.sendall(data[:-cut])
    assert not wait(lambda: False, 0.02)
    wire.end.sendall(data[-cut:])

    assert wire.answer()[0] == b"HTTP/1.1 200 OK"
    wire.end.sendall(data)
    assert wire.answer()[0] == b"HTTP/1.1 200 OK"


def test_several_requests_at_once_behind_a_known_head_are_several(wire: Wire) -> None:
    wire.end.sendall(request() * 5 + request(path=f"{PATH}?explain=0") + request())

    answers = [wire.answer() for _ in range(7)]

    assert {line for line, _, _ in answers} == {b"HTTP/1.1 200 OK"}
    assert len({json.loads(body)["id"] for _, _, body in answers}) == 7


def test_bytes_behind_a_known_request_are_the_next_one(wire: Wire) -> None:
    data = request()
    wire.end.sendall(data + data[:10])
    assert wire.answer()[0] == b"HTTP/1.1 200 OK"

    wire.end.sendall(data[10:])

    assert wire.answer()[0] == b"HTTP/1.1 200 OK"


def test_line_breaks_before_a_known_head_are_no_body(wire: Wire) -> None:
    for _ in range(2):
        wire.end.sendall(b"\r\n" + request())

        assert wire.answer()[0] == b"HTTP/1.1 200 OK"


def test_what_is_no_http_is_refused_behind_a_known_head_too(wire: Wire) -> None:
    wire.end.sendall(b"GARBAGE\r\n\r\n")

    line, _, body = wire.answer()

    assert line == b"HTTP/1.1 400 Bad Request"
    assert json.loads(body)["error"]["message"] == "what came is no HTTP request"


def test_a_body_that_cannot_be_used_is_refused_behind_a_known_head(wire: Wire) -> None:
    body = b"x" * len(ROW)
    wire.end.sendall(request(body))
    assert wire.answer()[0] == b"HTTP/1.1 400 Bad Request"

    wire.end.sendall(request())
    assert wire.answer()[0] == b"HTTP/1.1 200 OK"


def test_a_token_that_was_revoked_opens_no_known_head(tmp_path: Path) -> None:
    path = tmp_path / FILE
    text = make_token(path, "shop", ["predict"])
    with (
        working(tmp_path, tokens=str(path), require_token=True, read_s=0.4) as keeper,
        Wire(keeper.port) as wire,
    ):
        data = request(Authorization=f"Bearer {text}")
        for _ in range(4):
            wire.end.sendall(data)
            assert wire.answer()[0] == b"HTTP/1.1 200 OK"

        revoke_token(path, "shop")

        def refused() -> bool:
            wire.end.sendall(data)
            return wire.answer()[0] == b"HTTP/1.1 401 Unauthorized"

        assert wait(refused, 5.0)


def test_several_hosts_are_refused_on_both_ways(keeper: Keeper) -> None:
    for path in (PATH, f"{PATH}?explain=0", "/health"):
        data = request(path=path).replace(b"Host: ", b"Host: 127.0.0.1\r\nhost: ")

        got = raw(keeper.port, data)

        assert got.startswith(b"HTTP/1.1 400 ")
        assert b"several Host headers" in got


def test_an_address_has_no_more_connections_than_it_may(tmp_path: Path) -> None:
    with working(tmp_path, connections_per_client=3) as keeper:
        held = [Wire(keeper.port) for _ in range(3)]
        for wire in held:
            wire.end.sendall(request())
            assert wire.answer()[0] == b"HTTP/1.1 200 OK"
        with Wire(keeper.port) as more:
            line, headers, body = more.answer()
            assert line == b"HTTP/1.1 429 Too Many Requests"
            assert headers["connection"] == "close"
            assert json.loads(body)["error"]["got"] == "more than 3 at a time"

        held.pop().end.close()

        def let_in() -> bool:
            with socket.create_connection(("127.0.0.1", keeper.port), timeout=5.0) as end:
                end.sendall(request())
                return end.recv(15) == b"HTTP/1.1 200 OK"

        assert wait(let_in, 5.0)
        for wire in held:
            wire.end.close()


def test_a_proxy_may_have_as_many_as_it_needs(tmp_path: Path) -> None:
    with working(tmp_path, connections_per_client=1, proxies=["127.0.0.0/8"]) as keeper:
        held = [Wire(keeper.port) for _ in range(4)]
        for wire in held:
            wire.end.sendall(request())

            assert wire.answer()[0] == b"HTTP/1.1 200 OK"
            wire.end.close()
