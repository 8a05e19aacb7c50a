"""How near an address is, and which addresses a name may lead to.

One law: a name decides nothing; what counts is the address that is really connected to.
"""

import ipaddress
import socket
from collections.abc import Callable, Sequence
from enum import IntEnum

from argocd_provenance.records import dataclass

Lookup = Callable[[str], Sequence[str]]


class Zone(IntEnum):
    """How near an address is."""

    PUBLIC = 0
    PRIVATE = 1
    LINK_LOCAL = 2
    LOOPBACK = 3


class ForbiddenAddressError(OSError):
    """An address that may not be connected to; nothing was sent there."""


def zone_of(address: str) -> Zone:
    """The zone of an IP address; IPv6 addresses that wrap an IPv4 one are that one."""
    found: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        found = found.ipv4_mapped or _embedded(found) or found
    if found.is_loopback or found.is_unspecified:
        return Zone.LOOPBACK
    if found.is_link_local:
        return Zone.LINK_LOCAL
    return Zone.PUBLIC if found.is_global and not found.is_multicast else Zone.PRIVATE


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address behind a translator's prefix (RFC 6052: ``64:ff9b::/96``) or a 6to4 one (RFC 3056)."""
    if address in ipaddress.ip_network("64:ff9b::/96"):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour


def addresses(host: str) -> list[str]:
    """The addresses of `host` by the system's resolver; none when it has none."""
    try:
        return list(
            dict.fromkeys(str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM))
        )
    except (OSError, UnicodeError):  # the latter for what no name may look like
        return []


def may_lead(here: Zone, there: Zone) -> bool:
    """Public to public; private to private or public; loopback to loopback. Link-local (cloud metadata): never."""
    if here is Zone.LOOPBACK:
        return there is Zone.LOOPBACK
    return there <= min(here, Zone.PRIVATE)


@dataclass(frozen=True, slots=True)
class Network:
    """Names to addresses, and addresses to zones. Tests bring their own."""

    lookup: Lookup = addresses
    zone: Callable[[str], Zone] = zone_of

    def of(self, host: str) -> Sequence[str]:
        """The addresses of a name, or the address that `host` is."""
        name = host.strip("[]")
        return [name] if _is_address(name) else self.lookup(name)

    def zones(self, host: str) -> set[Zone]:
        """The zones of all addresses of `host`.

        A name that cannot be looked up here is for a proxy to find, and then names nothing of this network.
        """
        if host == "localhost" or host.endswith(".localhost"):
            return {self.zone("127.0.0.1")}
        return {self.zone(address) for address in self.of(host)} or {Zone.PUBLIC}

    def remembering(self) -> "Network":
        """One that looks each name up once: to judge where many redirects lead, never to connect."""
        known: dict[str, Sequence[str]] = {}

        def lookup(name: str) -> Sequence[str]:
            found = known.get(name) or self.lookup(name)
            if found:
                known[name] = found
            return found

        return Network(lookup, self.zone)

    def open_to(self, host: str, origin: Zone | None) -> Sequence[str]:
        """The addresses of `host` if all of them may be connected to; `ForbiddenAddressError` otherwise.

        `origin` is the zone of who redirected here; None for a host that the operator named, of whom only a name that
        leads to a link-local address is refused.
        """
        found = self.of(host)
        for address in found:
            zone = self.zone(address)
            link_local = origin is None and zone is Zone.LINK_LOCAL and not _is_address(host.strip("[]"))
            if link_local or (origin is not None and not may_lead(origin, zone)):
                raise ForbiddenAddressError(f"{host} is {address}, where a registry must not lead")
        return found


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
