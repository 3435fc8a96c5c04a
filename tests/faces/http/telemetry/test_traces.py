"""Spans as a real collector gets them: over HTTP, in OTLP."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from everfit.errors import SettingsError
from everfit.faces.http.telemetry.traces import Traces
from tests.faces.http.working import working

SPAN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """An address that takes OTLP, and what came."""
    got: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *words: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", got
    server.shutdown()
    thread.join()
    server.server_close()


def test_each_request_is_a_span_below_that_of_its_caller(
    tmp_path: Path, collector: tuple[str, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    proto = pytest.importorskip(
        "opentelemetry.proto.collector.trace.v1.trace_service_pb2", reason="everfit[otel]"
    )
    url, got = collector
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")

    with working(tmp_path, traces=True) as keeper, keeper.client() as client:
        row = {"size": 41.5, "note": "private"}
        client.post("/models/coin/predict", json=row, headers={"traceparent": SPAN})
        client.get("/models/nobody/schema")

    spans = [
        span
        for body in got
        for resource in proto.ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    first, second = spans
    assert first.name == "POST /models/{model}/predict"
    assert first.trace_id.hex() == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert first.parent_span_id.hex() == "00f067aa0ba902b7"
    told = {item.key: item.value for item in first.attributes}
    assert told["http.response.status_code"].int_value == 200
    assert told["everfit.model"].string_value == "coin"
    assert second.parent_span_id == b""
    assert {item.key: item.value for item in second.attributes}[
        "http.response.status_code"
    ].int_value == 404
    assert not any(b"private" in body or b"41.5" in body for body in got)


def test_traces_without_their_library_are_refused_with_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)

    with pytest.raises(SettingsError, match="needs OpenTelemetry") as error:
        Traces()

    assert "everfit[otel]" in error.value.do
