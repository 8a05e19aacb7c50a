"""Spans and counters as OTLP messages, by the classes that OpenTelemetry publishes (the extra ``otel``).

Not by its SDK: that takes its settings, headers for everybody who exports among them, from two dozen variables of the
environment, and starts threads; a run has one trace, which is known when it is over. The law: what is sent is what
`spans` and `metrics` let out, and who sends it.

Source: opentelemetry-proto, ``opentelemetry/proto/collector/*/v1``; OTLP specification 1, "OTLP/HTTP".
"""

import os
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2

from argocd_provenance import __version__
from argocd_provenance.report.metrics import BOUNDS, METRICS, PREFIX, Numbers, counted
from argocd_provenance.report.model import Report
from argocd_provenance.report.spans import Period, Span, Value

_NANO = 1_000_000_000
_DELTA = metrics_pb2.AGGREGATION_TEMPORALITY_DELTA


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


def metrics(report: Report, numbers: Numbers, period: Period) -> bytes:
    """The request for ``/v1/metrics`` with what a run adds to each counter: a process that ends knows no sums (delta).

    Names lack ``_total``: who makes names of Prometheus of them adds it, and has those of the file.
    """
    name = "run_seconds"
    told = [*_sums(report, numbers, period), _metric(name, unit="s", histogram=_histogram(numbers.seconds, period))]
    scoped = metrics_pb2.ScopeMetrics(scope=_scope(), metrics=told)
    request = ExportMetricsServiceRequest(
        resource_metrics=[metrics_pb2.ResourceMetrics(resource=_resource(), scope_metrics=[scoped])]
    )
    return bytes(request.SerializeToString())


def _sums(report: Report, numbers: Numbers, period: Period) -> Iterator[metrics_pb2.Metric]:
    points: dict[str, list[metrics_pb2.NumberDataPoint]] = {}
    for (name, values), number in counted(report, numbers).items():
        labels = [_attribute(label, value) for label, value in zip(METRICS[name].labels, values, strict=True)]
        points.setdefault(name, []).append(
            metrics_pb2.NumberDataPoint(attributes=labels, as_int=number, **_between(period))
        )
    for name, found in points.items():
        yield _metric(name, sum=metrics_pb2.Sum(data_points=found, aggregation_temporality=_DELTA, is_monotonic=True))


def _histogram(seconds: float, period: Period) -> metrics_pb2.Histogram:
    bounds = [float(bound) for bound in BOUNDS[:-1]]
    here = bisect_left(bounds, seconds)
    counts = [int(at == here) for at in range(len(BOUNDS))]
    point = metrics_pb2.HistogramDataPoint(
        count=1, sum=seconds, explicit_bounds=bounds, bucket_counts=counts, **_between(period)
    )
    return metrics_pb2.Histogram(data_points=[point], aggregation_temporality=_DELTA)


def _metric(name: str, **data: Any) -> metrics_pb2.Metric:
    return metrics_pb2.Metric(name=PREFIX + name.removesuffix("_total"), description=METRICS[name].text, **data)


def _between(period: Period) -> dict[str, Any]:
    begin, end = (int(moment * _NANO) for moment in period)
    return {"start_time_unix_nano": begin, "time_unix_nano": end}


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
