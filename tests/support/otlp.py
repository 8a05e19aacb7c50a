"""An OpenTelemetry collector on loopback.

with collector() as told:
    ...                                        # otel: {endpoint: told.url}
    told.spans, told.requests                  # what was sent: spans, and every request with its headers and bytes

`answer` is what it says to everybody: a status, headers and a body; `silent` lets nobody have an answer before the end.
"""

import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

Answer = tuple[int, Mapping[str, str], bytes]


@dataclass
class Request:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def raw(self) -> bytes:
        """All bytes that were sent, as good as."""
        return repr((self.method, self.path, self.headers)).encode() + self.body


@dataclass
class Told:
    """What the collector at `url` was told."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)

    @property
    def spans(self) -> list[Any]:
        """All spans, in the order in which they came."""
        found = [ExportTraceServiceRequest.FromString(r.body) for r in self.requests if r.path == "/v1/traces"]
        return [span for one in found for r in one.resource_spans for s in r.scope_spans for span in s.spans]

    @property
    def resource(self) -> dict[str, Any]:
        """Who told it first."""
        first = ExportTraceServiceRequest.FromString(self.requests[0].body)
        return attributes(first.resource_spans[0].resource)

    @property
    def metrics(self) -> dict[str, Any]:
        """The metrics by their names."""
        found = [ExportMetricsServiceRequest.FromString(r.body) for r in self.requests if r.path == "/v1/metrics"]
        return {m.name: m for one in found for r in one.resource_metrics for s in r.scope_metrics for m in s.metrics}


def attributes(holder: Any) -> dict[str, Any]:
    """The attributes of a span, a resource or a data point."""
    return {pair.key: _value(pair.value) for pair in holder.attributes}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    return [_value(item) for item in value.array_value.values] if kind == "array_value" else getattr(value, str(kind))


@contextmanager
def collector(
    answer: Answer = (200, {}, b""),
    *,
    silent: bool = False,
    host: str = "127.0.0.1",
    tls: ssl.SSLContext | None = None,
) -> Iterator[Told]:
    """A collector that answers everybody alike."""
    told, over = Told(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            told.requests.append(Request(self.command, self.path, dict(self.headers), body))
            if silent:
                over.wait()
                self.close_connection = True
                return
            status, headers, content = answer
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_CONNECT = do_POST  # noqa: N815 - the base class looks for these names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
            pass

    server = ThreadingHTTPServer((host, 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    told.url = f"{'http' if tls is None else 'https'}://{host}:{server.server_port}"
    try:
        yield told
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join()
