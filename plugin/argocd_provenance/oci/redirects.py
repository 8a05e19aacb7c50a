"""Where a redirect may lead, as far as its URL tells; the address is judged again when it is connected to (`network`).

One law: a registry cannot make us speak to a place that it could not be itself: no step from https to http, none from the
internet into this network or this machine.
"""

from urllib.parse import SplitResult, urljoin, urlsplit

from argocd_provenance.oci.network import Network, may_lead
from argocd_provenance.oci.replies import Reply, misbehaved, shown

LIMIT = 5
STATUSES = frozenset({301, 302, 303, 307, 308})


def target(reply: Reply, network: Network) -> str:
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
    if not same_origin(here, there) and not _near_enough(here.hostname or "", there.hostname, network):
        raise misbehaved(reply, f"redirects into another network ({shown(url)})")
    return url


def same_origin(here: SplitResult, there: SplitResult) -> bool:
    """Whether both have one scheme, host and port: only then may credentials go along."""
    return (here.scheme, here.hostname, _port(here)) == (there.scheme, there.hostname, _port(there))


def _port(url: SplitResult) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def _near_enough(here: str, there: str, network: Network) -> bool:
    """A host with addresses in several zones leads no further than its farthest one could."""
    origin = min(network.zones(here))
    return all(may_lead(origin, zone) for zone in network.zones(there))
