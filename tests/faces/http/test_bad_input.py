"""Requests that nobody should send: each is refused in words that help, and the server stays up."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from everfit.faces.http.machine.state import LARGE
from tests.faces.http.working import Keeper, raw, wait, working

PREDICT = "/models/coin/predict"
JSON = {"content-type": "application/json"}
PARTS = ["code", "message", "got", "expected", "do"]


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keeper]:
    folder = tmp_path_factory.mktemp("bad")
    with working(folder, 1, read_s=0.4, limits={"rows": 1_000}) as made:
        yield made


@pytest.fixture
def client(keeper: Keeper) -> Iterator[httpx.Client]:
    with keeper.client() as made:
        yield made
        # whatever came before, the next one is served
        assert made.post(PREDICT, json={"size": 1.0}).status_code == 200


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, str]:
    """The error of an answer, which has all its parts."""
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert list(error) == PARTS
    assert all(error[part] for part in PARTS)
    assert error["code"] == code
    return dict(error)


def post(client: httpx.Client, body: bytes | str, path: str = PREDICT) -> httpx.Response:
    return client.post(path, content=body, headers=JSON)


@pytest.mark.parametrize("wrapped", [{"instances": [{"size": 3}]}, {"row": {"size": 3}}])
def test_a_row_wrapped_in_something_is_refused(client: httpx.Client, wrapped: object) -> None:
    answered = client.post(PREDICT, json=wrapped)

    assert answered.status_code == 400
    told = answered.json()["error"]
    assert "which is no column of the model" in told["message"]
    assert "with nothing around it" in told["do"]


def test_a_row_without_any_column_of_the_model_is_told_so_first(client: httpx.Client) -> None:
    warnings = client.post(PREDICT, json={"a": 1}).json()["warnings"]

    assert "none of the model's columns is given, so all of them count as missing" in warnings


def test_an_unknown_model_or_version_is_told_with_near_names(client: httpx.Client) -> None:
    model = refused(client.post("/models/coni/predict", json={}), 404, "ModelUnknown")
    version = refused(client.post(f"{PREDICT}?version=v7", json={}), 404, "ModelUnknown")

    assert "'coin'" in model["do"]
    assert "v1" in version["expected"]


def test_an_unknown_path_method_or_query_is_told(client: httpx.Client) -> None:
    refused(client.get("/model/coin"), 404, "RouteUnknown")
    method = client.delete(PREDICT)
    query = refused(client.post(f"{PREDICT}?explian=1", json={}), 400, "UsageError")

    refused(method, 405, "MethodUnknown")
    assert method.headers["allow"] == "POST"
    assert "'explain'" in query["do"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "the body is empty"),
        (b"{", "the body is not JSON"),
        (b'{"size": 1} x', "the body is not JSON"),
        (b"{'size': 1}", "the body is not JSON"),
        (b'{"size": NaN}', "JSON has no NaN"),
        (b'{"size": Infinity}', "JSON has no Infinity"),
        (b'{"size": -Infinity}', "JSON has no -Infinity"),
        (b'{"size": 1e999}', "a number is too large for JSON readers"),
        (b'{"plan": "\xff\xfe"}', "the body is not UTF-8"),
        (b'{"\xc0\xaf": 1}', "the body is not UTF-8"),
        (b'"row"', "the body is neither a row nor a list of rows"),
        (b"7", "the body is neither a row nor a list of rows"),
        (b"null", "the body is neither a row nor a list of rows"),
        (b'[{"size": 1}, 2]', "row 2 of 2 is not a JSON object"),
        (b'[{"size": 1}, [1]]', "row 2 of 2 is not a JSON object"),
        (b'{"_key": {"a": 1}}', "the key of a row cannot be used"),
        (b'{"_key": true}', "the key of a row cannot be used"),
    ],
)
def test_a_body_that_is_no_row_is_refused_with_its_place(
    client: httpx.Client, body: bytes, said: str
) -> None:
    assert refused(post(client, body), 400, "UsageError")["message"] == said


@pytest.mark.parametrize(
    "body",
    [
        '{"size": 1, "plan": "pro", "size": 2}',
        '{"size" : 1, "size":2}',
        '{"size": 1, "plan": "12:30", "size": 2}',
        '[{"size": 1}, {"size": 1, "size": 2}]',
        '{"si\\u007ae": 1, "size": 2}',
        '{"plan": {"size": 1, "size": 2}}',
    ],
)
def test_a_key_that_stands_twice_is_refused_by_name(client: httpx.Client, body: str) -> None:
    error = refused(post(client, body), 400, "UsageError")

    assert error["message"] == "a JSON object has the key 'size' 2 times"
    assert error["got"] == "1, 2"


def test_colons_in_texts_are_no_keys(client: httpx.Client) -> None:
    body = '{"note": "at 12:30: \\"a\\": b", "since": "2022-07-23T21:48:00", "size": 1}'

    assert post(client, body).status_code == 200


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 50_000, b"[" * 60 + b"]" * 60])
def test_json_that_nests_too_deep_is_refused(client: httpx.Client, body: bytes) -> None:
    error = refused(post(client, body), 400, "UsageError")

    assert "32 levels" in error["got"]


def test_values_of_another_type_are_answered_with_warnings(client: httpx.Client) -> None:
    odd = {"size": "much", "income": 10**400, "rooms": [1, 2], "paid": 7, "since": 3, "plan": [1]}

    answer = post(client, json.dumps(odd))

    assert answer.status_code == 200
    warned = {warning.split(":")[0] for warning in answer.json()["warnings"]}
    assert warned >= {"size", "income", "rooms", "paid", "since", "plan"}


def test_huge_numbers_are_answered_with_warnings(client: httpx.Client) -> None:
    plain = post(client, '{"size": 1.7e308, "income": -1e300, "rooms": 123456789012345678901}')

    assert plain.status_code == 200
    assert all(0.0 <= p <= 1.0 for p in plain.json()["probabilities"].values())


def test_more_rows_than_allowed_are_sent_to_the_batch_job(client: httpx.Client) -> None:
    error = refused(post(client, json.dumps([{}] * 1_001)), 413, "TooMuch")

    assert error["got"] == "1,001 rows"
    assert "everfit predict" in error["do"]


def test_a_million_rows_and_100_mb_are_refused_before_they_are_read(keeper: Keeper) -> None:
    for size, what in ((100_000_000, b"{"), (11_000_000, b"[{},")):
        head = f"POST {PREDICT} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {size}\r\n\r\n"

        got = raw(keeper.port, head.encode() + what * 10)

        assert b" 413 " in got.split(b"\r\n")[0]
        assert b'"code":"TooMuch"' in got
        assert b"connection: close" in got.lower()


def test_a_body_without_length_is_read_up_to_the_limit(tmp_path: Any) -> None:
    with working(tmp_path, limits={"body_bytes": 10_000}) as keeper, keeper.client() as client:
        good = client.post(PREDICT, content=iter([b'{"size"', b": 1}"]), headers=JSON)
        head = f"POST {PREDICT} HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        chunk = b"1000\r\n" + b" " * 4096 + b"\r\n"
        got = raw(keeper.port, head.encode() + chunk * 4)

        assert good.status_code == 200
        assert b" 413 " in got.split(b"\r\n")[0]


def test_a_content_type_or_encoding_that_is_not_known_is_refused(client: httpx.Client) -> None:
    for headers in ({"content-type": "application/xml"}, {**JSON, "content-encoding": "gzip"}):
        refused(client.post(PREDICT, content=b"x", headers=headers), 415, "TypeUnknown")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "the CSV has no header"),
        (b"size,size\n1,2\n", "the CSV has 'size' twice"),
        (b"size,plan\n1\n", "line 2 of the CSV has another number of fields"),
        (b"size,plan\n1,\xff\n", "the CSV is not UTF-8"),
        (b'size\n"1\n', "line 2 of the CSV cannot be read"),
        (b"size;plan\n1;pro\n", "the CSV has none of the model's columns"),
    ],
)
def test_a_csv_that_is_none_is_refused_with_its_line(
    client: httpx.Client, body: bytes, said: str
) -> None:
    answer = client.post(PREDICT, content=body, headers={"content-type": "text/csv"})

    assert refused(answer, 400, "UsageError")["message"] == said


def test_a_csv_or_arrow_with_too_many_rows_is_refused(client: httpx.Client) -> None:
    import pyarrow as pa
    from pyarrow import ipc

    sink = pa.BufferOutputStream()
    schema = pa.schema([("size", pa.null())])
    with ipc.new_stream(sink, schema) as writer:
        # a billion rows in a few bytes
        writer.write_batch(pa.record_batch([pa.nulls(1_000_000_000)], schema=schema))
    arrow = "application/vnd.apache.arrow.stream"

    for kind, body in (
        ("text/csv", b"size\n" + b"1\n" * 1_001),
        (arrow, sink.getvalue().to_pybytes()),
    ):
        answer = client.post(PREDICT, content=body, headers={"content-type": kind})

        refused(answer, 413, "TooMuch")


@pytest.mark.parametrize(
    "body", [b"", b"nonsense", b"\xff\xff\xff\xff\x00\x10\x00\x00" + b"x" * 64]
)
def test_bytes_that_are_no_arrow_stream_are_refused(client: httpx.Client, body: bytes) -> None:
    headers = {"content-type": "application/vnd.apache.arrow.stream"}

    refused(client.post(PREDICT, content=body, headers=headers), 400, "UsageError")


def test_compressed_arrow_is_refused_since_it_may_grow_without_bound(client: httpx.Client) -> None:
    import pyarrow as pa
    from pyarrow import ipc

    table = pa.table({"note": ["x" * 200_000_000]})
    sink = pa.BufferOutputStream()
    with ipc.new_stream(sink, table.schema, options=ipc.IpcWriteOptions(compression="zstd")) as w:
        w.write_table(table)
    body = sink.getvalue().to_pybytes()
    assert len(body) < 1_000_000
    headers = {"content-type": "application/vnd.apache.arrow.stream"}

    error = refused(client.post(PREDICT, content=body, headers=headers), 400, "UsageError")

    assert "compressed" in error["message"]


def test_a_client_that_stops_in_the_body_is_told_and_let_go(keeper: Keeper) -> None:
    for size in (100, 100, 50_000):  # the second one on the way of known hosts
        head = f"POST {PREDICT} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {size}\r\n\r\n"

        got = raw(keeper.port, head.encode() + b'{"size":')

        assert b" 408 " in got.split(b"\r\n")[0]
        assert b'"code":"BodyTooSlow"' in got


def test_a_client_that_never_ends_its_head_is_let_go(keeper: Keeper) -> None:
    for data in (b"", b"POST /models/coin/pre", b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "):
        with socket.create_connection(("127.0.0.1", keeper.port), timeout=10.0) as end:
            if data:
                end.sendall(data)

            assert end.recv(1_000) == b""


def test_a_client_that_is_slow_but_comes_in_time_is_answered(keeper: Keeper) -> None:
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 11\r\n\r\n"

    got = raw(keeper.port, head.encode() + b'{"size"', pause_s=0.1, rest=b": 1}")

    assert b" 200 " in got.split(b"\r\n")[0]


def test_slow_clients_keep_nobody_from_sending_a_body_of_unknown_length(tmp_path: Path) -> None:
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    with working(tmp_path, read_s=8.0) as keeper, contextlib.ExitStack() as stack:
        slow = [
            stack.enter_context(socket.create_connection(("127.0.0.1", keeper.port)))
            for _ in range(LARGE + 1)
        ]
        for end in slow:
            end.sendall(head.encode() + b"1\r\n{\r\n")

        got = raw(keeper.port, head.encode() + b"2\r\n{}\r\n0\r\n\r\n")

        assert b" 200 " in got.split(b"\r\n")[0]
        assert all(not select.select([end], [], [], 0)[0] for end in slow), "they were let go first"


def test_a_client_that_does_not_read_its_answers_is_let_go(tmp_path: Path) -> None:
    body = json.dumps([{"size": 1}] * 10_000).encode()
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
    with working(tmp_path, read_s=0.2) as keeper, socket.socket() as end:
        n_before = sockets(keeper)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        end.connect(("127.0.0.1", keeper.port))
        end.sendall((head.encode() + body) * 2)  # more than the system takes for it
        assert wait(lambda: len(keeper.frames()) >= 1)
        assert sockets(keeper) == n_before + 1

        assert wait(lambda: sockets(keeper) == n_before)


def sockets(keeper: Keeper) -> int:
    """How many sockets the worker has open."""
    n = 0
    for handle in Path(f"/proc/{keeper.process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            n += os.readlink(handle).startswith("socket:")
    return n


def test_a_client_that_goes_away_in_the_body_leaves_nothing_behind(keeper: Keeper) -> None:
    n_before = len(keeper.frames())
    with socket.create_connection(("127.0.0.1", keeper.port)) as end:
        end.sendall(f"POST {PREDICT} HTTP/1.1\r\nHost: 127.0.0.1\r\n".encode())
        end.sendall(b'Content-Length: 9999\r\n\r\n{"size"')

    with keeper.client() as client:
        assert wait(
            lambda: "everfit_requests_in_flight 1.0\n" in client.get("/metrics").text  # itself
        )
    assert len(keeper.frames()) == n_before


@pytest.mark.parametrize("filling", [b"a" * 65_536, b"X: a\r\n" * 10_000])
def test_a_head_without_end_is_refused(keeper: Keeper, filling: bytes) -> None:
    """It grew in our memory for as long as it came: 100 MB of headers took a gigabyte."""
    with socket.create_connection(("127.0.0.1", keeper.port), timeout=10.0) as end:
        end.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ")
        with contextlib.suppress(ConnectionError):
            for _ in range(200):
                end.sendall(filling)
            pytest.fail("it took 13 MB of headers")


def test_many_small_requests_at_once_are_no_large_head(keeper: Keeper) -> None:
    one = f"POST {PREDICT} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\n{{}}".encode()
    n = 3_000
    assert len(one) * n > 3 * 65_536
    got = b""
    with socket.create_connection(("127.0.0.1", keeper.port), timeout=10.0) as end:
        sender = threading.Thread(target=end.sendall, args=(one * n,))
        sender.start()
        while got.count(b"HTTP/1.1 ") < n and (more := end.recv(1 << 20)):
            got += more
        sender.join()

    assert got.count(b"HTTP/1.1 200 ") == n


def test_fields_behind_a_body_are_no_headers(tmp_path: Path) -> None:
    """A proxy takes the header of its users out of what strangers send, but not of trailers."""
    serving = {"require_token": True, "proxies": ["127.0.0.1"], "proxy_header": "X-User"}
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: 127.0.0.1\r\n%sTransfer-Encoding: chunked\r\n\r\n"
    body = "2\r\n{}\r\n0\r\n%s\r\n"
    with working(tmp_path, **serving) as keeper:
        told = raw(keeper.port, (head % "X-User: ann\r\n" + body % "").encode())
        behind = raw(keeper.port, (head % "" + body % "X-User: ann\r\n").encode())

    assert b" 200 " in told.split(b"\r\n")[0]
    assert b" 401 " in behind.split(b"\r\n")[0]


def test_bytes_that_are_no_http_are_refused(keeper: Keeper) -> None:
    for data in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 10, b"GARBAGE\r\n\r\n"):
        assert b" 400 " in raw(keeper.port, data).split(b"\r\n")[0]


def test_no_path_of_a_file_can_be_asked_for(keeper: Keeper, client: httpx.Client) -> None:
    for path in (
        "/models/..%2F..%2Fetc/schema", "/models/%2e%2e/schema", "/models/../../etc/passwd",
        "/models/coin/versions/..%2f..%2fkey", "/models/coin%00/schema",
    ):  # fmt: skip
        keeper.answers["version"] = lambda args: (404, {"error": {}})

        got = raw(keeper.port, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())

        assert b" 404 " in got.split(b"\r\n")[0], (path, got)
