"""The fast way of single rows, by bytes on a socket: it must not be told from the other way."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from everfit.faces.http.machine.fast import SPECIAL
from everfit.live.arms import Arms
from everfit.live.orders import drain
from tests.faces.http.working import Keeper, packed, raw, wait, working

PATH = "/models/coin/predict"
ROW = b'{"size": 1.0}'


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keeper]:
    with working(tmp_path_factory.mktemp("fast"), keep_alive_s=0.3, read_s=0.4) as made:
        raw(made.port, request())  # from now on the host is known
        yield made


def request(body: bytes = ROW, version: str = "1.1", path: str = PATH, **headers: str) -> bytes:
    given = {"Host": "127.0.0.1", "Content-Length": str(len(body)), **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in given.items())
    return f"POST {path} HTTP/{version}\r\n{lines}\r\n".encode() + body


class Wire:
    """A connection, read answer by answer."""

    def __init__(self, port: int) -> None:
        self.end = socket.create_connection(("127.0.0.1", port), timeout=10.0)
        self._rest = b""

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.end.close()

    def answer(self) -> tuple[bytes, dict[str, str], bytes]:
        """Status line, headers and body of the next answer."""
        while b"\r\n\r\n" not in self._rest:
            self._rest += self._more()
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        line, *lines = head.split(b"\r\n")
        headers = {
            name.decode().lower(): value.strip().decode()
            for name, _, value in (one.partition(b":") for one in lines)
        }
        n = int(headers["content-length"])
        while len(self._rest) < n:
            self._rest += self._more()
        body, self._rest = self._rest[:n], self._rest[n:]
        return line, headers, body

    def _more(self) -> bytes:
        got = self.end.recv(65_536)
        assert got, "the connection ended"
        return got


def test_both_ways_have_the_same_head(keeper: Keeper) -> None:
    with Wire(keeper.port) as wire:
        wire.end.sendall(request())
        fast = wire.answer()
        wire.end.sendall(request(path=f"{PATH}?explain=0"))
        other = wire.answer()

    assert fast[0] == other[0] == b"HTTP/1.1 200 OK"
    extra = other[1].keys() - fast[1].keys()
    assert extra == {"content-security-policy", "referrer-policy"}
    same = fast[1].keys() - {"date"}
    assert {name: fast[1][name] for name in same} == {name: other[1][name] for name in same}


def test_requests_that_come_at_once_are_answered_in_order(keeper: Keeper) -> None:
    bodies = [json.dumps({"size": float(i), "_key": i}).encode() for i in range(6)]
    # one of each way, so that a fast one waits for a slow one before it
    sent = [
        request(body, path=PATH if i % 2 else f"{PATH}?explain=1") for i, body in enumerate(bodies)
    ]
    n_before = len(keeper.frames())

    with Wire(keeper.port) as wire:
        wire.end.sendall(b"".join(sent))
        answers = [json.loads(wire.answer()[2]) for _ in bodies]

    assert [("contributions" in answer) for answer in answers] == [True, False] * 3
    frames = {json.loads(f.answer)["id"]: f.request for f in keeper.frames()[n_before:]}
    assert [frames[answer["id"]] for answer in answers] == bodies


@pytest.mark.parametrize("cut", range(1, 80, 7))
def test_a_request_in_pieces_is_one_request(keeper: Keeper, cut: int) -> None:
    data = request()

    got = raw(keeper.port, data[:-cut], pause_s=0.01, rest=data[-cut:])

    assert got.startswith(b"HTTP/1.1 200 OK")


def test_a_client_that_wants_the_connection_closed_gets_that(keeper: Keeper) -> None:
    for data in (request(Connection="close"), request(version="1.0")):
        with socket.create_connection(("127.0.0.1", keeper.port), timeout=10.0) as end:
            end.sendall(data)
            got = b""
            while more := end.recv(65_536):
                got += more

        assert b" 200 OK" in got.split(b"\r\n")[0]
        assert b"connection: close" in got.lower()


def test_a_client_that_asks_before_it_sends_is_told_to_go_on(keeper: Keeper) -> None:
    head, _, body = request(Expect="100-continue").partition(b"\r\n\r\n")
    with Wire(keeper.port) as wire:
        wire.end.sendall(head + b"\r\n\r\n")
        assert wire.end.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        wire.end.sendall(body)

        assert wire.answer()[0] == b"HTTP/1.1 200 OK"


def test_a_connection_that_rests_for_too_long_is_ended(keeper: Keeper) -> None:
    for path in (PATH, f"{PATH}?explain=0"):
        with Wire(keeper.port) as wire:
            wire.end.sendall(request(path=path))
            wire.answer()

            assert wire.end.recv(10) == b""


def test_a_connection_that_is_used_is_not_ended(keeper: Keeper) -> None:
    with Wire(keeper.port) as wire:
        for _ in range(12):
            wire.end.sendall(request())
            assert wire.answer()[0] == b"HTTP/1.1 200 OK"
            assert not wait(lambda: False, 0.1)


def test_a_name_that_was_let_in_is_not_let_in_for_others(keeper: Keeper) -> None:
    got = raw(keeper.port, request().replace(b"127.0.0.1", b"evil.test"))

    assert b" 421 " in got.split(b"\r\n")[0]


@pytest.mark.parametrize("name", sorted(SPECIAL - {b"transfer-encoding", b"expect", b"upgrade"}))
def test_a_header_that_needs_thought_takes_the_other_way(keeper: Keeper, name: bytes) -> None:
    values = {b"origin": b"https://evil.example", b"content-encoding": b"gzip"}
    value = values.get(name, b"10.0.0.1")

    line = raw(keeper.port, request(**{name.decode().replace("-", "_"): value.decode()}))

    status = {b"origin": b"403", b"content-encoding": b"415"}.get(name, b"200")
    assert line.split()[1] == status
    if name in (b"x-request-id", b"traceparent"):
        assert name + b": 10.0.0.1" in line


def test_bytes_that_are_no_http_get_an_error_in_all_its_parts(keeper: Keeper) -> None:
    _, _, body = raw(keeper.port, b"GARBAGE\r\n\r\n").partition(b"\r\n\r\n")

    assert all(json.loads(body)["error"].values())


def test_a_client_that_reads_nothing_is_not_answered_without_end(keeper: Keeper) -> None:
    data = request() * 50
    with socket.create_connection(("127.0.0.1", keeper.port), timeout=0.5) as end:
        sent = 0
        with pytest.raises((TimeoutError, ConnectionError)):  # it may be let go by then
            while sent < 100_000_000:
                sent += end.send(data)

    with keeper.client() as client:
        assert client.post(PATH, json={"size": 1}).status_code == 200


def test_a_swap_reaches_the_fast_way_at_once(tmp_path: Path) -> None:
    with working(tmp_path) as keeper, Wire(keeper.port) as wire:
        for rev, number in ((2, 2), (3, 1), (4, 2)):
            keeper.serve("coin", rev, Arms(number), packed(tmp_path, number))
            wire.end.sendall(request())

            assert json.loads(wire.answer()[2])["version"] == f"v{number}"


def test_a_body_that_is_on_its_way_when_the_server_ends_is_answered(tmp_path: Path) -> None:
    with working(tmp_path) as keeper, Wire(keeper.port) as wire:
        wire.end.sendall(request())
        wire.answer()
        data = request()
        wire.end.sendall(data[:-3])
        with keeper.client() as client:
            client.get("/health")  # the head is here by now

        keeper.channel.send(drain())
        assert not wait(lambda: False, 0.3)  # uvicorn looks ten times a second
        wire.end.sendall(data[-3:])

        assert wire.answer()[0] == b"HTTP/1.1 200 OK"
        assert keeper.process.wait(10.0) == 0
        assert len(keeper.frames()) == 2
