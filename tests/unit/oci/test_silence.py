"""Why a registry did not answer: exceptions as urllib3 raises them, in our words."""

import errno
import socket
import ssl
from http.client import RemoteDisconnected
from typing import Any

import pytest
from urllib3.exceptions import (
    ConnectTimeoutError,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from argocd_provenance.oci.network import ForbiddenAddressError
from argocd_provenance.oci.silence import silence

POOL: Any = None


def caused(error: BaseException, cause: BaseException) -> BaseException:
    """`error`, raised from `cause`."""
    error.__cause__ = cause
    return error


def unverified() -> ssl.SSLCertVerificationError:
    """As OpenSSL has it."""
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate"
    return error


REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
RESET = ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
UNKNOWN = socket.gaierror(socket.EAI_NONAME, "unknown")
PROXIED = "the proxy refuses, or does not answer"
BROKE = "the connection broke before the answer was whole"


@pytest.mark.parametrize(
    ("error", "reason", "hope"),
    [
        (caused(NewConnectionError(POOL, "x"), REFUSED), "Connection refused", "again"),
        (caused(ConnectTimeoutError(POOL, "x"), TimeoutError()), "no connection in time", "again"),
        (ReadTimeoutError(POOL, "/", "x"), "no answer in time", "again"),
        (TimeoutError("timed out"), "no answer in time", "again"),
        (NameResolutionError("registry.test", POOL, UNKNOWN), "the name is unknown", "again"),
        (ProtocolError("Connection aborted.", RESET), "Connection reset by peer", "again"),
        (ProtocolError("Connection aborted.", RemoteDisconnected("x")), BROKE, "again"),
        (ProtocolError("Connection aborted.", ForbiddenAddressError("there, never")), "there, never", "final"),
        (SSLError(unverified()), "TLS: self-signed certificate", "final"),
        (ProxyError("x", OSError("Tunnel connection failed: 403 Forbidden")), PROXIED, "again"),
        (ProxyError("x", caused(NewConnectionError(POOL, "x"), REFUSED)), PROXIED, "again"),
        (ProxyError("x", NameResolutionError("proxy.test", POOL, UNKNOWN)), PROXIED, "again"),
        (ProxyError("x", SSLError(unverified())), "TLS: self-signed certificate", "final"),
        (ProxyError("x", ConnectTimeoutError(POOL, "x")), "no answer in time", "again"),
        (LocationParseError("x"), "no host can be called that", "final"),
        (OSError(), BROKE, "again"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_the_reason_is_the_innermost_that_says_something(error: BaseException, reason: str, hope: str) -> None:
    """Whether asking again can help goes with it; only who is forbidden or not trusted is final."""
    found = silence(error)

    assert (found.reason, "final" if found.final else "again") == (reason, hope)


def test_no_url_of_the_libraries_gets_out() -> None:
    """Its query may hold a secret."""
    error = ReadTimeoutError(POOL, "/v2/?token=hunter2", "Read timed out: /v2/?token=hunter2")

    assert "hunter2" not in str(silence(error).error("https://registry.test/v2/?token=hunter2"))
