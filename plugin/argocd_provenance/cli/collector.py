"""The operator's OpenTelemetry collector, told of a run that is over.

One law: whatever the collector does, it is done within its time, costs a line at most, and gets nothing but what was made
for it: no redirect is followed, and nothing that it answers is repeated.
"""

import re
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from argocd_provenance.config import Otel
from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import Error, OperatorError
from argocd_provenance.oci.reference import registry_host
from argocd_provenance.oci.settings import HostSettings
from argocd_provenance.report.metrics import Numbers
from argocd_provenance.report.model import Report
from argocd_provenance.report.spans import Times

if TYPE_CHECKING:
    from argocd_provenance.oci.transport import Transport

_ANSWER = 64 * 1024
# Seconds in which those who noticed the end of the time may say what they were doing.
_GRACE = 0.2
_TYPE = "application/x-protobuf"
_HEADER = re.compile(
    r"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}):[ \t]*([\x21-\x7e](?:[\x20-\x7e]{0,8190}[\x21-\x7e])?)[ \t]*"
)
_OURS = frozenset({
    "accept-encoding", "connection", "content-encoding", "content-length", "content-type", "expect", "host", "te",
    "trailer", "transfer-encoding", "upgrade", "user-agent",
})  # fmt: skip
_INSTALL = "the Python package opentelemetry-proto is not installed; install argocd-provenance[otel]"


class _Untold(Exception):
    """The collector was not told, or did not take it."""


def tell(otel: Otel, seconds: float, report: Report, numbers: Numbers, times: Times) -> str:
    """Send what `otel` asks for about a run, within `seconds`; what went wrong, or an empty text."""
    return _within(seconds, otel, partial(_bodies, otel, report, numbers, times))


def probe(otel: Otel) -> str:
    """What is wrong with the collector, which is told of nothing; an empty text where it listens."""
    return _within(otel.timeout, otel, lambda: dict.fromkeys(_paths(otel), b""))


def _within(seconds: float, otel: Otel, make: Callable[[], Mapping[str, bytes]]) -> str:
    """In a thread, for a name server cannot be told to hurry; whoever leaves with it unfinished must not wait for it."""
    said: list[str] = []

    def work() -> None:
        try:
            _post_all(otel, Deadline(seconds), make())
        except ImportError:
            said.append(_INSTALL)
        except (Error, _Untold) as error:
            said.append(str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, the run is not the worse for it
            said.append(f"{type(error).__name__}: a fault in argocd-provenance")

    if seconds <= 0:
        return "not told, for the run has no time left"
    thread = threading.Thread(target=work, name="otel", daemon=True)
    thread.start()
    thread.join(seconds + _GRACE)
    if thread.is_alive():
        return f"{otel.endpoint}: no answer within {seconds:g} s"
    return said[0] if said else ""


def _paths(otel: Otel) -> tuple[str, ...]:
    return tuple(f"/v1/{signal}" for signal in otel.signals)


def _bodies(otel: Otel, report: Report, numbers: Numbers, times: Times) -> Mapping[str, bytes]:
    """What is sent, by the path to which it is posted."""
    from argocd_provenance.report import otlp
    from argocd_provenance.report.spans import spans

    made = {
        "/v1/traces": lambda: otlp.traces(spans(report, numbers, times)),
        "/v1/metrics": lambda: otlp.metrics(report, numbers, times.run),
    }
    return {path: made[path]() for path in _paths(otel)}


def _post_all(otel: Otel, deadline: Deadline, bodies: Mapping[str, bytes]) -> None:
    from argocd_provenance.oci.manners import Manners
    from argocd_provenance.oci.transport import Transport

    class Once(Manners):
        """Asks once: who tries again makes this run wait, and those behind it."""

        def attempts(self, origin: str) -> int:  # noqa: ARG002 - whoever it is
            return 1

    host = urlsplit(otel.endpoint).netloc
    settings = HostSettings(host, ca_file=otel.ca_file, client_cert=otel.client_cert)
    headers = {**_headers(otel.headers_file), "Content-Type": _TYPE}
    transport = Transport({registry_host(host): settings}, deadline, manners=Once())
    try:
        for path, body in bodies.items():
            _post(transport, otel.endpoint + path, headers, body)
    except OperatorError as error:
        # A transport is a registry's everywhere else.
        raise _Untold(str(error).removeprefix(f"registries: {host}: ")) from None
    finally:
        transport.close()


def _post(transport: "Transport", url: str, headers: Mapping[str, str], body: bytes) -> None:
    from argocd_provenance.report.otlp import rejected

    reply = transport.send(url, headers, _ANSWER, form=body, follow=False)
    if reply.status != 200:
        raise _Untold(f"{url}: answers {reply.status}")
    refused = rejected(reply.body)
    if refused is None:
        raise _Untold(f"{url}: answers what is not OTLP")
    if refused:
        raise _Untold(f"{url}: {refused} were not taken")


def _headers(path: str | None) -> Mapping[str, str]:
    """The headers in the file at `path`, one a line; no fault quotes what stands there."""
    if path is None:
        return {}
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise _Untold(f"headersFile: {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise _Untold(f"headersFile: {path}: is not UTF-8 text") from None
    found = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _HEADER.fullmatch(line)
        if match is None:
            raise _Untold(f"headersFile: {path}:{number}: is not `Name: value`")
        if match[1].lower() in _OURS:
            raise _Untold(f"headersFile: {path}:{number}: {match[1]} is not yours to set; remove the line")
        found[match[1]] = match[2]
    return found
