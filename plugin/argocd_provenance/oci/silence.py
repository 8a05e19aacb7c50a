"""Why a registry did not answer, in our words. Pure: an exception of the libraries in, a reason out.

One law: no URL that the libraries put into their words gets out, for its query may hold a secret.
"""

import os
import ssl

from argocd_provenance.errors import RegistryError
from argocd_provenance.oci.network import ForbiddenAddressError
from argocd_provenance.oci.replies import shown
from argocd_provenance.records import dataclass

_NO_PROXY = "the proxy that the environment names cannot be used"
_SAID_BY_NAME = {
    "InvalidProxyURL": _NO_PROXY,  # requests' words, which is not imported for them
    "InvalidSchema": _NO_PROXY,
    "ProxySchemeUnknown": _NO_PROXY,
    "LocationParseError": "no host can be called that",
}


@dataclass(frozen=True, slots=True)
class Silence:
    """Why there was no answer; `final` when asking again cannot help."""

    reason: str
    code: str = "registry-unavailable"
    final: bool = False

    def error(self, url: str) -> RegistryError:
        """The error for the request of `url`."""
        return RegistryError(f"{shown(url)}: {self.reason}", code=self.code, url=shown(url))


def silence(error: BaseException) -> Silence:
    """Why there was no answer, as far as exceptions within exceptions tell."""
    seen: BaseException | None = error
    proxied = False
    for _ in range(8):
        if seen is None:
            break
        if isinstance(seen, ForbiddenAddressError):
            return Silence(str(seen), "registry-misbehaved", final=True)
        if isinstance(seen, ssl.SSLError):
            return Silence(f"TLS: {getattr(seen, 'verify_message', '') or getattr(seen, 'reason', '')}", final=True)
        kind = type(seen).__name__
        if kind in _SAID_BY_NAME:
            return Silence(_SAID_BY_NAME[kind], final=True)
        if kind == "ConnectTimeoutError" and not proxied:
            return Silence("no connection in time")
        proxied = proxied or kind == "ProxyError"
        if kind == "NameResolutionError" and not proxied:
            return Silence("the name is unknown")
        if isinstance(seen, TimeoutError) or "Timeout" in kind:
            return Silence("no answer in time")
        if isinstance(seen, OSError) and seen.errno is not None and not proxied:
            return Silence(os.strerror(seen.errno) if seen.errno > 0 else "the name is unknown")
        inner = getattr(seen, "reason", None) or next(
            (part for part in seen.args if isinstance(part, BaseException)), None
        )
        seen = inner if isinstance(inner, BaseException) else seen.__cause__ or seen.__context__
    return Silence(
        "the proxy refuses, or does not answer" if proxied else "the connection broke before the answer was whole"
    )
