"""Where a redirect may lead. Pure, but for the look-up of addresses, which is an argument.

One law: a registry cannot make us speak to a place that it could not be itself: no step from https to http, none from the
internet into this network or this machine.
"""

import ipaddress
from collections.abc import Callable, Sequence
from enum import IntEnum
from urllib.parse import SplitResult, urljoin, urlsplit

from argocd_provenance.oci.replies import Reply, misbehaved, shown

LIMIT = 5
STATUSES = frozenset({301, 302, 303, 307, 308})

Lookup = Callable[[str], Sequence[str]]


class _Zone(IntEnum):
    """How near an address is."""

    PUBLIC = 0
    PRIVATE = 1
    LINK_LOCAL = 2
    LOOPBACK = 3


def target(reply: Reply, lookup: Lookup) -> str:
    """The URL that `reply` redirects to. Raises `RegistryError` (``registry-misbehaved``) when it may not lead there."""
    here = urlsplit(reply.url)
    location = reply.headers.get("location", "")
    try:
        url = urljoin(reply.url, location)
        there = urlsplit(url)
        port = there.port
    except ValueError:
        raise misbehaved(reply, "redirects to something that is no URL") from None
    if not location or there.scheme not in ("http", "https") or not there.hostname or "@" in there.netloc or port == 0:
        raise misbehaved(reply, "redirects to something that is no http URL")
    if here.scheme == "https" and there.scheme == "http":
        raise misbehaved(reply, f"redirects from https to http ({shown(url)})")
    if not same_origin(here, there) and not _may_lead(_zones(here, lookup), _zones(there, lookup)):
        raise misbehaved(reply, f"redirects into another network ({shown(url)})")
    return url


def same_origin(here: SplitResult, there: SplitResult) -> bool:
    """Whether both have one scheme, host and port: only then may credentials go along."""
    return (here.scheme, here.hostname, _port(here)) == (there.scheme, there.hostname, _port(there))


def _port(url: SplitResult) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def _may_lead(here: set[_Zone], there: set[_Zone]) -> bool:
    """Public to public; private to private or public; loopback to loopback. Link-local (cloud metadata): never."""
    if here == {_Zone.LOOPBACK}:
        return there == {_Zone.LOOPBACK}
    return max(there) <= min(max(here), _Zone.PRIVATE)


def _zones(url: SplitResult, lookup: Lookup) -> set[_Zone]:
    host = (url.hostname or "").partition("%")[0]
    try:
        return {_zone(ipaddress.ip_address(host))}
    except ValueError:
        pass
    if host == "localhost" or host.endswith(".localhost"):
        return {_Zone.LOOPBACK}
    # A name that cannot be looked up here is for a proxy to find, and then names nothing of this network.
    return {_zone(ipaddress.ip_address(address.partition("%")[0])) for address in lookup(host)} or {_Zone.PUBLIC}


def _zone(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> _Zone:
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_loopback or address.is_unspecified:
        return _Zone.LOOPBACK
    if address.is_link_local:
        return _Zone.LINK_LOCAL
    return _Zone.PUBLIC if address.is_global and not address.is_multicast else _Zone.PRIVATE
