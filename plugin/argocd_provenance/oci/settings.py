"""What the operator says about a registry's host, and what follows for its address and scheme.

One law: https, but for loopback hosts and those that the operator named ``plainHttp``; and plain http carries no credentials
beyond this machine.
"""

import functools
import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

from argocd_provenance.errors import OperatorError
from argocd_provenance.oci.reference import Repository, registry_host
from argocd_provenance.records import dataclass

EVERY_HOST = "*"

# Where Docker Hub's registry really listens (docker/cli: cli/registry; every client has this).
_API_HOSTS = {"docker.io": "registry-1.docker.io"}


@dataclass(frozen=True, slots=True)
class HostSettings:
    """One entry of ``registries``; all but `host` is optional.

    `mirrors` are URLs that are asked instead, in order (`fallback`: then the host itself), `ca_file` and `client_cert`
    are paths of PEM files, `realm` is the token server's host or URL, `tls` makes a loopback host speak https.
    `password_file` holds the password, or a token, of `username`; it is read when it is needed, for who writes it renews it.
    """

    host: str
    mirrors: tuple[str, ...] = ()
    fallback: bool = False
    ca_file: str | None = None
    client_cert: str | None = None
    realm: str | None = None
    plain_http: bool = False
    tls: bool = False
    username: str = ""
    password_file: str | None = None

    def __post_init__(self) -> None:
        if self.host == EVERY_HOST and (not self.mirrors or self.fallback):
            raise OperatorError('registries: host "*" needs a mirror, and no fallback')
        for url in self.mirrors:
            mirror = urlsplit(url)
            if mirror.scheme == "file" and mirror.path.startswith("/") and not mirror.netloc:
                continue
            if (
                mirror.scheme not in ("http", "https")
                or not mirror.hostname
                or "@" in mirror.netloc
                or mirror.query
                or mirror.fragment
            ):
                raise OperatorError(
                    f"registries: host {self.host!r}: a mirror is an http or https URL without credentials, or file:///FOLDER"
                )


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where requests for a repository go: the `base` URL, and the `host` whose credentials and settings count there.

    `prefix` stands before the repository's path there.
    """

    base: str
    host: str
    settings: HostSettings
    may_authenticate: bool
    prefix: str = ""

    def path(self, repository: Repository) -> str:
        """What `repository` is called there."""
        return f"{self.prefix}/{repository.path}" if self.prefix else repository.path


def endpoints(repository: Repository, hosts: Sequence[HostSettings]) -> tuple[Endpoint, ...]:
    """Whom to ask about `repository`, in order: the mirrors, if any, and the host unless they replace it."""
    named = {settings.host: settings for settings in hosts}
    settings = named.get(repository.host) or named.get(EVERY_HOST) or HostSettings(repository.host)
    own = settings if settings.host != EVERY_HOST else HostSettings(repository.host)
    itself = _host_endpoint(repository.host, own)
    mirrors = tuple(_mirror_endpoint(url, named) for url in settings.mirrors)
    return (*mirrors, itself) if settings.fallback or not mirrors else mirrors


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
    """Where a mirror is.

    A path in its URL is the begin of the repository's name there (Harbor's proxy projects, ECR's and Google's remote
    repositories); with a ``v2`` in it, what stands before that is where the registry is (Artifactory). ``file:///FOLDER``
    holds OCI image layouts.
    """
    parts = urlsplit(mirror)
    if parts.scheme == "file":
        return Endpoint(f"file://{parts.path.rstrip('/')}", "", HostSettings(""), may_authenticate=False)
    host = registry_host(parts.netloc)
    settings = named.get(host) or HostSettings(host)
    segments = [segment for segment in parts.path.split("/") if segment]
    at = segments.index("v2") if "v2" in segments else 0
    root = "".join(f"/{segment}" for segment in segments[:at])
    prefix = "/".join(segments[at + 1 :] if "v2" in segments else segments)
    may = parts.scheme == "https" or (is_loopback(host) and not settings.plain_http)
    return Endpoint(f"{parts.scheme}://{_API_HOSTS.get(host, parts.netloc)}{root}", host, settings, may, prefix)


@functools.lru_cache(256)
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
