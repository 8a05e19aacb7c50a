"""With what TLS is spoken to a registry: whom we trust, and which certificate we show.

One law: no connection without a verified certificate of the host's own name, from the operator's `caFile` or else from the
public CAs that certifi ships; nothing in the environment changes whom we trust.
"""

import ssl

import certifi
from urllib3.util.ssl_ import create_urllib3_context

from argocd_provenance.errors import OperatorError
from argocd_provenance.oci.settings import HostSettings


def context(settings: HostSettings, *, shown: bool = True) -> ssl.SSLContext:
    """urllib3's context with the files of `settings`; without the client certificate unless it is `shown`.

    Raises `OperatorError` when a file cannot be used. Reading the public CAs takes longer than a handshake: connections to
    one host share a context.
    """
    made = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
    try:
        made.load_verify_locations(cafile=settings.ca_file or certifi.where())
    except OSError as error:
        raise _unusable(settings, "caFile", settings.ca_file, error, "holds no PEM for that") from None
    if settings.client_cert and shown:
        try:
            made.load_cert_chain(settings.client_cert, password=lambda: b"")  # never a prompt
        except OSError as error:
            wanted = "must hold a certificate and its unencrypted key, both as PEM"
            raise _unusable(settings, "clientCert", settings.client_cert, error, wanted) from None
    return made


def _unusable(settings: HostSettings, name: str, path: str | None, error: OSError, wanted: str) -> OperatorError:
    fault = error.strerror if error.errno and not isinstance(error, ssl.SSLError) else wanted
    return OperatorError(f"registries: {settings.host}: {name}: {path}: {fault}")
