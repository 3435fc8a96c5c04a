"""OpenTelemetry spans of requests, when they are asked for: needs ``everfit[otel]``.

Where they go, the standard variables say (``OTEL_EXPORTER_OTLP_ENDPOINT`` and the others).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from everfit.errors import SettingsError

SERVICE = "everfit"
STATUS = "http.response.status_code"


class Traces:
    """Makes a span for each request, below that of the caller when it sent a ``traceparent``.

    Raises
    ------
    SettingsError : OpenTelemetry is not installed
    """

    def __init__(self) -> None:
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
            from opentelemetry.trace import SpanKind
            from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
        except ImportError as error:
            raise SettingsError(
                "[serve] traces needs OpenTelemetry", got=str(error), expected="everfit[otel]",
                do="pip install 'everfit[otel]', or set traces = false",
            ) from error  # fmt: skip
        # Resource.create reads OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES, which win
        self._provider = TracerProvider(resource=Resource.create({"service.name": SERVICE}))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer(SERVICE)
        self._kind = SpanKind.SERVER
        self._parent = TraceContextTextMapPropagator()

    @contextmanager
    def span(
        self, method: str, route: str, names: Mapping[str, str], headers: Mapping[bytes, bytes]
    ) -> Iterator[Callable[[int], None]]:
        """A span around a request; what it gives takes the status of the answer.

        No value of a row, token or query stands in it.
        """
        carrier = {
            name: headers[name.encode()].decode("latin-1")
            for name in ("traceparent", "tracestate")
            if name.encode() in headers
        }
        attributes: dict[str, Any] = {"http.request.method": method, "http.route": route}
        attributes |= {f"everfit.{name}": value for name, value in names.items()}
        with self._tracer.start_as_current_span(
            f"{method} {route}", context=self._parent.extract(carrier), kind=self._kind,
            attributes=attributes, record_exception=False, set_status_on_exception=False,
        ) as span:  # fmt: skip
            try:
                yield lambda status: span.set_attribute(STATUS, status)
            except Exception as error:
                # its class alone: its words may quote a row
                span.set_attribute("error.type", type(error).__name__)
                span.set_attribute(STATUS, getattr(error, "http_status", 500))
                raise

    def close(self) -> None:
        """Send what was not sent yet."""
        self._provider.shutdown()
