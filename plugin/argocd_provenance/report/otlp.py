"""Spans and counters as OTLP messages, by the classes that OpenTelemetry publishes (the extra ``otel``).

Not by its SDK: that takes its settings, headers for everybody who exports among them, from two dozen variables of the
environment, and starts threads; a run has one trace, which is known when it is over. The law: what is sent is what
`spans` and `metrics` let out, and who sends it.

Source: opentelemetry-proto, ``opentelemetry/proto/collector/*/v1``; OTLP specification 1, "OTLP/HTTP".
"""

import os
from collections.abc import Sequence

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2

from argocd_provenance import __version__
from argocd_provenance.report.spans import Span, Value

_NANO = 1_000_000_000


def traces(spans: Sequence[Span]) -> bytes:
    """The request for ``/v1/traces`` that tells of one trace, under a name of its own."""
    trace_id, ids = os.urandom(16), [os.urandom(8) for _ in spans]
    told = [
        trace_pb2.Span(
            trace_id=trace_id,
            span_id=own,
            parent_span_id=b"" if span.parent is None else ids[span.parent],
            name=span.name,
            kind=trace_pb2.Span.SPAN_KIND_INTERNAL,
            start_time_unix_nano=int(span.period[0] * _NANO),
            end_time_unix_nano=int(span.period[1] * _NANO),
            attributes=[_attribute(name, value) for name, value in span.attributes.items()],
            status=trace_pb2.Status(code=trace_pb2.Status.STATUS_CODE_ERROR) if span.failed else None,
        )
        for own, span in zip(ids, spans, strict=True)
    ]
    scoped = trace_pb2.ScopeSpans(scope=_scope(), spans=told)
    request = ExportTraceServiceRequest(
        resource_spans=[trace_pb2.ResourceSpans(resource=_resource(), scope_spans=[scoped])]
    )
    return bytes(request.SerializeToString())


def rejected(answer: bytes) -> int | None:
    """How many spans, or points, a collector says that it did not take; None where that is no answer of OTLP."""
    try:
        # Both signals answer in one form: field 1 is the partial success, and its field 1 the number.
        response = ExportTraceServiceResponse.FromString(answer)
    except DecodeError:
        return None
    return int(response.partial_success.rejected_spans)


def _resource() -> Resource:
    own = {"service.name": "argocd-provenance", "service.version": __version__, "host.name": os.uname().nodename}
    return Resource(attributes=[_attribute(name, value) for name, value in own.items()])


def _scope() -> InstrumentationScope:
    return InstrumentationScope(name="argocd_provenance", version=__version__)


def _attribute(name: str, value: Value) -> KeyValue:
    return KeyValue(key=name, value=_any(value))


def _any(value: Value) -> AnyValue:
    if isinstance(value, tuple):
        return AnyValue(array_value=ArrayValue(values=[_any(item) for item in value]))
    return AnyValue(int_value=value) if isinstance(value, int) else AnyValue(string_value=value)
