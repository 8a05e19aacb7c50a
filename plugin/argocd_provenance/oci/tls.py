"""With what TLS is spoken to a registry: whom we trust, and which certificate we show.

One law: no connection without a verified certificate of the host's own name, from the operator's `caFile` or else from the
public CAs that certifi ships; nothing in the environment changes whom we trust.
"""

import ssl
from collections.abc import Iterable

import certifi
from urllib3.util.ssl_ import ALPN_PROTOCOLS, create_urllib3_context

from argocd_provenance.errors import OperatorError
from argocd_provenance.oci.settings import HostSettings


class SharedContext(ssl.SSLContext):
    """A context that many threads connect with.

    OpenSSL forbids changing a context that is in use (SSL_CTX_new(3)), and urllib3 names the protocols for each connection:
    a use after free (python/cpython#141012). They are named once.
    """

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """Nothing: they are known."""


def context(settings: HostSettings) -> ssl.SSLContext:
    """urllib3's context with the files of `settings`.

    Raises `OperatorError` when a file cannot be used. Reading the public CAs takes longer than a handshake, so that
    connections are to share a context, and may.
    """
    made = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
    made.set_alpn_protocols(ALPN_PROTOCOLS)
    try:
        made.load_verify_locations(cafile=settings.ca_file or certifi.where())
    except OSError as error:
        raise _unusable(settings, "caFile", settings.ca_file, error, "holds no PEM for that") from None
    if settings.client_cert:
        try:
            made.load_cert_chain(settings.client_cert, password=lambda: b"")  # never a prompt
        except OSError as error:
            wanted = "must hold a certificate and its unencrypted key, both as PEM"
            raise _unusable(settings, "clientCert", settings.client_cert, error, wanted) from None
    made.__class__ = SharedContext
    return made


def _unusable(settings: HostSettings, name: str, path: str | None, error: OSError, wanted: str) -> OperatorError:
    fault = error.strerror if error.errno and not isinstance(error, ssl.SSLError) else wanted
    return OperatorError(f"registries: {settings.host}: {name}: {path}: {fault}")
