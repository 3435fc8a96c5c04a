"""The client against a server that really runs, beside the local model of the same store."""

from __future__ import annotations

import http.server
import inspect
import json
import os
import pickle
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import everfit
from everfit.errors import ModelUnknown, StoreFailed, Unreachable, UsageError
from everfit.faces.client.connection import error_of
from everfit.faces.client.remote import RemoteModel
from everfit.faces.client.rows import FEW, body_of
from tests.faces.http.running import running
from tests.faces.http.stores import MODEL, TARGET, mixed_frame, released_store

pytestmark = pytest.mark.filterwarnings("ignore::everfit.InputWarning")
LARGE = FEW + 300
FRAME = mixed_frame(20, seed=5).drop(TARGET)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running(released_store(), limits={"rows": 150}) as found:
        yield found.url


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[everfit.Client]:
    with everfit.Client(url, model=MODEL) as found:
        yield found


@pytest.fixture(scope="module")
def local() -> everfit.Model:
    return everfit.load(MODEL, store=released_store())


def matrix(shares: Any) -> np.ndarray:
    """Probabilities of any container, as numbers."""
    rows = shares.to_pylist() if isinstance(shares, pa.Table) else shares
    rows = rows.to_dicts() if isinstance(rows, pl.DataFrame) else rows
    return pd.DataFrame(rows).to_numpy(float)


def test_the_server_is_asked_for_its_models_and_a_model_for_itself(
    client: everfit.Client, local: everfit.Model
) -> None:
    remote = client.model(MODEL)

    assert client.models() == [MODEL]
    assert (remote.version, client.version) == ("v1", "v1")
    assert remote.score == client.score == local.score
    assert remote.decision == local.decision
    assert client.card() == local.card()
    assert client.why() == local.why()
    assert client.why(last=1) == local.why(last=1)
    assert set(client.columns) == {c.name for c in local._scorer().columns}
    assert remote.schema()["properties"].keys() == {*client.columns, "_key"}


@pytest.mark.parametrize("n", [1, 20, LARGE])
def test_every_container_gets_what_the_local_model_gives(
    client: everfit.Client, local: everfit.Model, n: int
) -> None:
    polars = mixed_frame(n, seed=6).drop(TARGET)
    pandas = polars.to_pandas().set_index(pd.Index([f"r{i}" for i in range(n)]))
    containers = (polars, polars.lazy(), pandas, polars.to_arrow(), polars.to_dicts())

    for data in containers:
        found, expected = client.predict(data), local.predict(data)
        shares, expected_shares = client.predict_proba(data), local.predict_proba(data)
        assert type(found) is type(expected)
        assert list(found) == list(expected)
        assert type(shares) is type(expected_shares)
        np.testing.assert_allclose(matrix(shares), matrix(expected_shares), rtol=1e-12)
    assert list(client.predict(pandas).index) == list(pandas.index)
    assert client.predict(pandas).name == client.predict(polars).name == TARGET


def test_one_row_gives_one_answer(client: everfit.Client, local: everfit.Model) -> None:
    row = FRAME.to_dicts()[0]

    assert client.predict(row) == local.predict(row)
    assert client.predict_proba(row) == pytest.approx(local.predict_proba(row))
    assert client.predict({**row, "size": float("nan"), "note": None}) in ("no", "yes")


def test_no_rows_give_no_answers(client: everfit.Client) -> None:
    assert client.predict([]) == []
    assert client.predict_proba([]) == []
    assert client.predict(FRAME.head(0)).to_list() == []
    assert client.predict_proba(FRAME.head(0)).columns == ["no", "yes"]


def test_answers_have_ids_warnings_and_reasons(client: everfit.Client) -> None:
    row = {**FRAME.to_dicts()[0], "size": 1e9}

    one = client.answers(row)
    explained = client.answers([row, row], explain=True)
    frame = client.answers(FRAME)
    pandas = client.answers(FRAME.to_pandas().set_index(FRAME["key"].to_pandas()))

    assert one["version"] == "v1"
    assert any("outside the training range" in line for line in one["warnings"])
    assert [set(a) >= {"id", "contributions"} for a in explained] == [True, True]
    assert frame["id"].n_unique() == FRAME.height
    assert list(pandas.index) == FRAME["key"].to_list()
    assert client.answers(FRAME.to_arrow()).num_rows == FRAME.height
    with pytest.raises(UsageError, match="rows of a frame are not explained"):
        client.answers(FRAME, explain=True)


def test_what_is_odd_is_warned_of_once_at_the_line_that_asked(client: everfit.Client) -> None:
    for model in (client, client.model(MODEL)):
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            model.predict([{"size": 1e9}, {"size": 1e9}])
            model.predict(FRAME)

        assert [one.category for one in found] == [everfit.InputWarning] * 2
        assert str(found[0].message).count("outside the training range") == 1
        assert "(2 rows)" in str(found[0].message)
        assert {one.filename for one in found} == {__file__}


def test_outcomes_are_told_by_id_and_by_key_in_every_shape(client: everfit.Client) -> None:
    frame = FRAME.with_columns(pl.Series("_key", [f"c{i}" for i in range(FRAME.height)]))
    ids = client.answers(frame)["id"].to_list()

    by_id = client.outcomes([{"id": one, "outcome": "yes"} for one in ids])
    by_key = client.outcomes(pl.DataFrame({"key": ["c1"], "outcome": ["no"]}))
    at = datetime(2026, 11, 20, tzinfo=UTC)
    single = client.outcomes({"id": ids[0], "outcome": True, "at": at})
    many = client.outcomes([{"key": "c1", "outcome": 1}] * LARGE)  # more than it takes at once

    joined = set()
    until = time.monotonic() + 20.0
    while "repeated" not in joined:  # a busy server may say that they wait
        again = client.outcomes([{"id": one, "outcome": "yes"} for one in ids[1:]])
        joined = {one["state"] for one in again["outcomes"]}
        assert time.monotonic() < until, again
    assert joined == {"repeated"}
    assert (by_id["accepted"], len(by_id["outcomes"])) == (20, 20)
    assert (by_key["accepted"], by_key["outcomes"][0]["key"]) == (1, "c1")
    assert single["accepted"] == 1
    assert (many["accepted"], len(many["outcomes"])) == (LARGE, LARGE)


def test_a_batch_that_cannot_be_told_names_its_place(client: everfit.Client) -> None:
    with pytest.raises(UsageError, match=r"(?s)outcome 2 of 2.*neither"):
        client.outcomes([{"id": "a", "outcome": 1}, {"outcome": 1}])


def test_errors_of_the_server_are_the_classes_that_they_are_there(
    client: everfit.Client, url: str
) -> None:
    with pytest.raises(ModelUnknown, match=r"(?s)mixde.*did you mean 'mixed'") as caught:
        client.model("mixde").predict({})
    with pytest.raises(ModelUnknown, match="v9"):
        client.model(MODEL, "v9").predict({})
    with pytest.raises(ModelUnknown, match="v9"):
        _ = client.model(MODEL, "v9").score
    with pytest.raises(UsageError, match="_key"):
        client.predict({"_key": True})
    with pytest.raises(UsageError, match=r"(?s)RouteUnknown.*there is no path"):
        everfit.Client(f"{url}/elsewhere").models()

    assert pickle.loads(pickle.dumps(caught.value)).do == caught.value.do


@pytest.mark.parametrize("name", ["../metrics", "a/b", "é", "", "x" * 300, "a b?c=d"])
def test_a_name_cannot_lead_to_another_path(client: everfit.Client, name: str) -> None:
    with pytest.raises((ModelUnknown, UsageError)):
        client.model(name).predict({})


def test_a_client_without_a_model_says_how_to_name_one(url: str) -> None:
    with pytest.raises(UsageError, match=r"(?s)no model is named.*client\.model"):
        everfit.Client(url).predict({})


@pytest.mark.parametrize("data", ["rows.csv", 3, np.ones((2, 2))])
def test_what_has_no_named_columns_is_refused(client: everfit.Client, data: Any) -> None:
    with pytest.raises(UsageError):
        client.predict(data)


def test_many_threads_share_a_client(client: everfit.Client, local: everfit.Model) -> None:
    rows = FRAME.to_dicts()

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(client.predict, rows * 5))

    assert found == local.predict(rows) * 5


def test_a_token_is_sent_and_never_shown() -> None:
    with running(released_store(), scopes=("predict",), require_token=True) as server:
        url, token = server.url, server.token
        with everfit.Client(url, token, model=MODEL) as client:
            assert client.predict(FRAME)[0] in ("no", "yes")
            assert client.predict(FRAME).name == "prediction"  # the token may not read the target
            with pytest.raises(UsageError, match="ScopeMissing"):
                client.models()
            assert token not in repr(client)
            assert token not in repr(vars(client))
        for wrong in (None, "wrong"):
            with pytest.raises(UsageError, match="TokenMissing"):
                everfit.Client(url, wrong, model=MODEL).predict({})


def test_the_token_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str | None] = []
    monkeypatch.setenv("EVERFIT_TOKEN", "from-outside")

    def answer(handler: Handler) -> None:
        heard.append(handler.headers.get("Authorization"))
        handler.reply(200, {"models": []})

    with serving(answer) as url:
        everfit.Client(url).models()
        everfit.Client(url, "given").models()

    assert heard == ["Bearer from-outside", "Bearer given"]


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as a test says."""

    protocol_version = "HTTP/1.1"
    answer: Callable[[Handler], None]

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        type(self).answer(self)

    do_POST = do_CONNECT = do_GET

    def reply(self, status: int, body: Any, **headers: str) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class Quiet(http.server.ThreadingHTTPServer):
    """Says nothing of clients that do not trust it."""

    def handle_error(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def serving(answer: Callable[[Handler], None], tls: ssl.SSLContext | None = None) -> Iterator[str]:
    made = type("Made", (Handler,), {"answer": staticmethod(answer)})
    with Quiet(("127.0.0.1", 0), made) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def busy(times: int, then: Any) -> tuple[Callable[[Handler], None], list[str]]:
    """A server that drops connections so many times before it answers; and what it heard."""
    heard: list[str] = []

    def answer(handler: Handler) -> None:
        heard.append(handler.command)
        if len(heard) <= times:
            handler.close_connection = True  # no answer at all
            return
        handler.reply(200, then)

    return answer, heard


ONE = {"prediction": "yes", "warnings": [], "probabilities": {"no": 0.1, "yes": 0.9}}


def test_a_question_is_asked_again_and_so_is_an_outcome() -> None:
    answer, heard = busy(2, {"models": [], "accepted": 1, "outcomes": []})
    with serving(answer) as url:
        assert everfit.Client(url).models() == []
    again, told = busy(1, {"accepted": 1, "outcomes": []})
    with serving(again) as url:
        assert everfit.Client(url, model="m").outcomes({"id": "a", "outcome": 1})["accepted"] == 1

    assert heard == ["GET"] * 3
    assert told == ["POST"] * 2


def test_a_prediction_whose_answer_got_lost_is_not_asked_again() -> None:
    answer, heard = busy(1, ONE)
    with serving(answer) as url, pytest.raises(Unreachable, match="no answer from"):
        everfit.Client(url, model="m").predict({})

    assert heard == ["POST"]


def test_a_prediction_that_a_busy_server_refused_is_asked_again_when_it_says() -> None:
    heard: list[str] = []
    error = {"code": "TooManyRequests", "message": "slow", "got": "", "expected": "", "do": ""}

    def answer(handler: Handler) -> None:
        heard.append(handler.command)
        if len(heard) < 3:
            handler.reply(429 if len(heard) == 1 else 503, {"error": error}, Retry_After="0")
        else:
            handler.reply(200, ONE)

    with serving(answer) as url:
        assert everfit.Client(url, model="m").predict({}) == "yes"
        heard.clear()
        with pytest.raises(UsageError, match="TooManyRequests: slow"):
            everfit.Client(url, model="m", retries=0).predict({})


def test_retries_end_with_the_timeout() -> None:
    heard: list[str] = []

    def answer(handler: Handler) -> None:
        heard.append(handler.command)
        handler.reply(503, {"error": {"code": "Unreachable", "message": "x"}}, Retry_After="60")

    with serving(answer) as url, pytest.raises(Unreachable, match="Unreachable: x"):
        everfit.Client(url, timeout=0.5).models()

    assert heard == ["GET"]  # a minute is more than the client has


def test_connections_are_kept_and_a_closed_one_is_noticed() -> None:
    ports: list[int] = []

    def answer(handler: Handler) -> None:
        ports.append(handler.client_address[1])
        handler.reply(200, ONE)
        if len(ports) == 2:
            handler.close_connection = True  # without a word in the headers

    with serving(answer) as url:
        client = everfit.Client(url, model="m", retries=0)
        for _ in range(2):
            client.predict({})
        deadline = threading.Event()
        deadline.wait(0.05)
        for _ in range(2):
            client.predict({})

    assert ports[0] == ports[1] != ports[2] == ports[3]


def test_a_forked_child_does_not_talk_on_its_parents_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ports: list[int] = []

    def answer(handler: Handler) -> None:
        ports.append(handler.client_address[1])
        handler.reply(200, ONE)

    with serving(answer) as url:
        client = everfit.Client(url, model="m")
        client.predict({})
        with monkeypatch.context() as patch:
            patch.setattr(os, "getpid", lambda: -1)
            client.predict({})

    assert ports[0] != ports[1]


def test_nobody_there_is_told_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    with pytest.raises(Unreachable, match=r"(?s)no answer from.*everfit serve"):
        everfit.Client(f"http://127.0.0.1:{port}", retries=1, timeout=2).models()


def test_a_server_that_hangs_is_told_after_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(Unreachable, match=r"(?s)TimeoutError.*more time"):
            everfit.Client(url, timeout=0.2).models()


@pytest.mark.parametrize("status", [200, 302, 404, 502])
def test_whoever_is_no_everfit_is_told_as_such(status: int) -> None:
    def answer(handler: Handler) -> None:
        handler.send_response(status)
        handler.send_header("Location", "http://127.0.0.1:1/")
        handler.send_header("Content-Length", "6")
        handler.end_headers()
        handler.wfile.write(b"<html>")

    with serving(answer) as url, pytest.raises(Unreachable, match="<html>"):
        everfit.Client(url, "secret", retries=0).models()


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[tuple[str, str | None]] = []

    def answer(handler: Handler) -> None:
        heard.append((handler.path, handler.headers.get("Proxy-Authorization")))
        handler.reply(200, {"models": []})

    with serving(answer) as url:
        monkeypatch.setenv("http_proxy", url.replace("://", "://me:secret@"))
        monkeypatch.delenv("no_proxy", raising=False)
        everfit.Client("http://models.example:8321/base").models()
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        everfit.Client(url).models()

    assert heard == [
        ("http://models.example:8321/base/models", "Basic bWU6c2VjcmV0"), ("/models", None),
    ]  # fmt: skip


def test_a_proxy_is_asked_for_a_tunnel_to_a_safe_server(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []

    def answer(handler: Handler) -> None:
        heard.append(f"{handler.command} {handler.path}")
        handler.reply(403, {})

    with serving(answer) as url:
        monkeypatch.setenv("https_proxy", url)
        monkeypatch.delenv("no_proxy", raising=False)
        with pytest.raises(Unreachable, match="Tunnel connection failed"):
            everfit.Client("https://models.example", retries=0).models()

    assert heard == ["CONNECT models.example:443"]


def test_a_certificate_is_checked_and_another_authority_may_be_given(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl here")
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    files = ["-nodes", "-days", "2", "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run([*make, *names, *files], cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")

    def answer(handler: Handler) -> None:
        handler.reply(200, ONE)

    with serving(answer, context) as url:
        place = url.replace("http://127.0.0.1", "https://localhost")
        with pytest.raises(Unreachable, match=r"(?s)CERTIFICATE_VERIFY_FAILED.*tls=context"):
            everfit.Client(place, model="m", retries=0).predict({})
        trusting = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
        client = everfit.Client(place, model="m", tls=trusting)
        assert [client.predict({}) for _ in range(3)] == ["yes"] * 3


@pytest.mark.parametrize(
    "url", ["", "models", "ftp://x", "http://", "http://a:b", "http://u:secret@x", "http://x?y=1"]
)
def test_a_url_that_cannot_be_used_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="URL of the server") as caught:
        everfit.Client(url)

    assert "secret" not in str(caught.value)
    assert ("token" in caught.value.do) == ("@" in url)


@pytest.mark.parametrize("token", ["a\nb", "\u00e9", "  "])
def test_a_token_that_would_break_a_header_is_refused(token: str) -> None:
    with pytest.raises(UsageError, match="token cannot be used"):
        everfit.Client("http://x", token)


@pytest.mark.parametrize("given", [{"timeout": 0}, {"timeout": float("nan")}, {"retries": -1}])
def test_times_that_cannot_be_used_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="timeout or the number of retries"):
        everfit.Client("http://x", **given)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.5), 0.5), (np.int64(3), 3), (np.bool_(True), True), (np.nan, None),
        (float("-inf"), None), (pd.NaT, None), (pd.NA, None), (np.datetime64("NaT"), None),
        (pd.Timestamp("2026-01-02"), "2026-01-02T00:00:00"), (date(2026, 1, 2), "2026-01-02"),
        (np.datetime64("2026-01-02"), "2026-01-02"), (Decimal("1.5"), 1.5), ([1, None], [1, None]),
    ],
)  # fmt: skip
def test_values_of_every_library_become_json(value: Any, expected: Any) -> None:
    assert json.loads(body_of({"x": value})) == {"x": expected}


def test_a_value_that_no_json_has_is_refused() -> None:
    with pytest.raises(UsageError, match="a value cannot be sent"):
        body_of({"x": object()})


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (404, "ModelUnknown", ModelUnknown), (500, "StoreFailed", StoreFailed),
        (401, "TokenMissing", UsageError), (503, "Draining", Unreachable),
        (500, "InternalError", Unreachable), (400, "near", UsageError),
    ],
)  # fmt: skip
def test_a_told_error_becomes_its_class(status: int, code: str, kind: type[Exception]) -> None:
    body = json.dumps({"error": {"code": code, "message": "m", "do": "d"}}).encode()

    found = error_of(status, body)

    assert type(found) is kind
    assert found.do == "d"


def test_a_remote_model_has_the_methods_of_a_local_one() -> None:
    here = {name for name in dir(everfit.Model) if not name.startswith("_")}
    there = {name for name in dir(RemoteModel) if not name.startswith("_")}
    # what needs a run of this process, or the port that operates
    only_here = {
        "of_run", "of_store", "result", "leaderboard", "compare", "rollback", "pause", "resume",
    }  # fmt: skip

    assert here - there == only_here
    for name in sorted(here & there):
        mine, theirs = getattr(everfit.Model, name), getattr(RemoteModel, name)
        if callable(mine):
            # a server looks the history of a row up in its own record
            lists = name in ("recommend", "because")  # there a history is all that is asked about
            given = [n for n in inspect.signature(mine).parameters if lists or n != "history"]
            assert given == list(inspect.signature(theirs).parameters), name


def test_one_row_needs_no_library_of_frames() -> None:
    def answer(handler: Handler) -> None:
        handler.reply(200, ONE)

    with serving(answer) as url:
        code = (
            f"import everfit, sys; print(everfit.Client({url!r}, model='m').predict({{'a': 1}}),"
            " [m for m in ('polars', 'pandas', 'pyarrow', 'sklearn', 'sqlalchemy', 'scipy')"
            " if m in sys.modules])"
        )
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert run.stdout == "yes []\n", run.stderr


def test_a_frame_that_no_table_can_hold_is_refused(client: everfit.Client) -> None:
    frame = pd.DataFrame({"x": [object(), 1, "a"]})

    with pytest.raises(UsageError, match="cannot be sent as a table"):
        client.predict(frame)


def test_a_table_of_arrow_with_dictionaries_is_sent(
    client: everfit.Client, local: everfit.Model
) -> None:
    table = pa.table({"plan": pa.array(["pro", "plus"] * LARGE).dictionary_encode()})

    assert client.predict(table).to_pylist() == local.predict(table).to_pylist()
