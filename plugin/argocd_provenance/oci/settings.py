"""What the operator says about a registry's host, and what follows for its address and scheme.

One law: https, but for loopback hosts and those that the operator named ``plainHttp``; and plain http carries no credentials
beyond this machine.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from argocd_provenance.errors import OperatorError
from argocd_provenance.oci.reference import Repository, registry_host

EVERY_HOST = "*"

# Where Docker Hub's registry really listens (docker/cli: cli/registry; every client has this).
_API_HOSTS = {"docker.io": "registry-1.docker.io"}


@dataclass(frozen=True, slots=True)
class HostSettings:
    """One entry of ``registries``; all but `host` is optional.

    `mirror` is a URL that is asked instead (`fallback`: then the host itself), `ca_file` and `client_cert` are paths of
    PEM files, `realm` is the token server's host or URL, `tls` makes a loopback host speak https.
    """

    host: str
    mirror: str | None = None
    fallback: bool = False
    ca_file: str | None = None
    client_cert: str | None = None
    realm: str | None = None
    plain_http: bool = False
    tls: bool = False

    def __post_init__(self) -> None:
        if self.host == EVERY_HOST and (self.mirror is None or self.fallback):
            raise OperatorError('registries: host "*" needs a mirror, and no fallback')
        if self.mirror is not None:
            mirror = urlsplit(self.mirror)
            if (
                mirror.scheme not in ("http", "https")
                or not mirror.hostname
                or "@" in mirror.netloc
                or mirror.query
                or mirror.fragment
            ):
                raise OperatorError(
                    f"registries: host {self.host!r}: a mirror is an http or https URL without credentials"
                )


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where requests for a repository go: the `base` URL, and the `host` whose credentials and settings count there."""

    base: str
    host: str
    settings: HostSettings
    may_authenticate: bool


def endpoints(repository: Repository, hosts: Sequence[HostSettings]) -> tuple[Endpoint, ...]:
    """Whom to ask about `repository`, in order: the mirror, if there is one, and the host unless the mirror replaces it."""
    named = {settings.host: settings for settings in hosts}
    settings = named.get(repository.host) or named.get(EVERY_HOST) or HostSettings(repository.host)
    own = settings if settings.host != EVERY_HOST else HostSettings(repository.host)
    itself = _host_endpoint(repository.host, own)
    if settings.mirror is None:
        return (itself,)
    mirror = _mirror_endpoint(settings.mirror, named)
    return (mirror, itself) if settings.fallback else (mirror,)


def address_of(host: str, scheme: str = "https") -> str:
    """The URL at which the registry of `host` listens."""
    return f"{scheme}://{_API_HOSTS.get(host, host)}"


def _host_endpoint(host: str, settings: HostSettings) -> Endpoint:
    plain = settings.plain_http or (is_loopback(host) and settings.ca_file is None and not settings.tls)
    scheme = "http" if plain else "https"
    return Endpoint(
        address_of(host, scheme), host, settings, not plain or (is_loopback(host) and not settings.plain_http)
    )


def _mirror_endpoint(mirror: str, named: dict[str, HostSettings]) -> Endpoint:
    parts = urlsplit(mirror)
    host = parts.netloc
    settings = named.get(registry_host(host)) or HostSettings(host)
    return Endpoint(
        mirror.rstrip("/"), host, settings, parts.scheme == "https" or (is_loopback(host) and not settings.plain_http)
    )


def is_loopback(host: str) -> bool:
    """Whether `host` (a port is ignored) is literally ``localhost``, in 127.0.0.0/8, or ``[::1]``."""
    name = hostname(host)
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def hostname(host: str) -> str:
    """`host` in lower case, without port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()
