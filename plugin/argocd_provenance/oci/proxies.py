"""The environment's proxies, as requests reads them.

One law: through which proxy a host is asked is requests' word alone, and requests is imported only where the environment
names one: its import is slow, and most installations have none.
"""

import os
import sys
from collections.abc import Mapping
from typing import Any

from argocd_provenance.imports import one_at_a_time
from argocd_provenance.oci.settings import is_loopback


def environ_proxies(scheme: str, netloc: str) -> Mapping[str, str]:
    """The proxies for URLs of `scheme` at `netloc`, by scheme; none for this machine, nor for whom ``NO_PROXY`` names."""
    if is_loopback(netloc) or not _is_any_named(scheme):
        return {}
    with one_at_a_time:
        from requests.utils import get_environ_proxies  # noqa: PLC0415

    return dict(get_environ_proxies(f"{scheme}://{netloc}"))


def proxy_for(scheme: str, netloc: str) -> str:
    """The URL of the proxy for URLs of `scheme` at `netloc`; empty where they are asked for directly."""
    proxies = environ_proxies(scheme, netloc)
    if not proxies:
        return ""
    with one_at_a_time:
        from requests.utils import prepend_scheme_if_needed, select_proxy  # noqa: PLC0415

    found = select_proxy(f"{scheme}://{netloc}", dict(proxies))
    return str(prepend_scheme_if_needed(found, "http")) if found else ""  # type: ignore[no-untyped-call]


def proxy_manager(proxy: str, connections: int, **more: Any) -> Any:
    """urllib3's manager of connections through `proxy` (SOCKS too, where PySocks is installed), with its credentials.

    `more` is for the manager. Raises `OSError` for a URL that names no proxy.
    """
    with one_at_a_time:
        from requests.adapters import HTTPAdapter  # noqa: PLC0415
        from requests.exceptions import InvalidProxyURL  # noqa: PLC0415
        from urllib3.util import parse_url  # noqa: PLC0415

    if not parse_url(proxy).host:
        raise InvalidProxyURL("the proxy's URL has no host")
    return HTTPAdapter(pool_connections=1, pool_maxsize=connections).proxy_manager_for(proxy, **more)


def _is_any_named(scheme: str) -> bool:
    """Whether the environment, by any spelling that requests would see, or the system's settings may name a proxy."""
    if sys.platform in ("darwin", "win32"):
        return True
    names = (name.lower() for name, value in os.environ.items() if value)
    return any(name.endswith("_proxy") and name.startswith((scheme, "all")) for name in names)
