"""Files that lie beside registries, on web servers: the index of a chart repository, and its charts.

One law: the whole address is permitted before a packet leaves, and the credentials of a host go to that host alone.
"""

from collections.abc import Callable, Mapping, Sequence
from urllib.parse import SplitResult, urlsplit

from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import RegistryError
from argocd_provenance.oci.credential import Credential
from argocd_provenance.oci.credentials import Credentials
from argocd_provenance.oci.proxies import environ_proxies
from argocd_provenance.oci.reference import registry_host
from argocd_provenance.oci.replies import refused, shown
from argocd_provenance.oci.settings import HostSettings, is_loopback
from argocd_provenance.oci.transport import Transport


class Files:
    """A client for the addresses that `permitted` says yes to; until `close`."""

    def __init__(
        self,
        hosts: Sequence[HostSettings],
        permitted: Callable[[str], bool],
        credentials: Credentials,
        deadline: Deadline,
    ) -> None:
        self._permitted, self._credentials, self._deadline = permitted, credentials.with_settings(hosts), deadline
        self._hosts = {registry_host(settings.host): settings for settings in hosts}
        self._transport = Transport(self._hosts, deadline)

    def fetch(self, address: str, limit: int) -> bytes:
        """The bytes at `address`, at most `limit`; raises `RegistryError`, or `DeadlineExceeded`."""
        parts = self._permit(address)
        reply = self._transport.send(address, self._headers(parts), limit)
        if reply.status != 200:
            raise refused(reply)
        return reply.body

    def access(self, address: str) -> Mapping[str, str]:
        """What somebody else needs to speak to `address`: ``username``, ``password``, ``ca``, ``proxy``, where there is one.

        Raises `RegistryError`.
        """
        parts = self._permit(address)
        credential = self._credential(parts)
        settings = self._hosts.get(registry_host(parts.netloc))
        known = {
            "username": credential.username if credential else "",
            "password": credential.password if credential else "",
            "ca": (settings.ca_file or "") if settings else "",
            "proxy": environ_proxies(parts.scheme, parts.netloc).get(parts.scheme, ""),
        }
        return {name: value for name, value in known.items() if value}

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def _permit(self, address: str) -> SplitResult:
        parts = urlsplit(address)
        if not parts.hostname or "@" in parts.netloc or parts.fragment or ".." in address:
            raise RegistryError(f"{shown(address)} is no address that is fetched", code="registry-forbidden")
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.netloc)):
            raise RegistryError(f"{shown(address)}: only https is spoken", code="registry-forbidden")
        if not self._permitted(address):
            raise RegistryError(
                f"{shown(address)} may not be fetched: `render.remotes` in the config does not name it",
                code="registry-forbidden",
            )
        return parts

    def _headers(self, parts: SplitResult) -> Mapping[str, str]:
        credential = self._credential(parts)
        return {} if credential is None else {"Authorization": credential.basic}

    def _credential(self, parts: SplitResult) -> Credential | None:
        """The closest one for this address."""
        for entry in self._credentials.matching(parts.netloc, parts.path.strip("/")):
            return entry.reveal(parts.netloc, self._deadline.remaining())
        return None
