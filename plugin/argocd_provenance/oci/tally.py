"""How often registries were asked, for what, and how that went.

One law: kinds and results are closed lists, by which metrics are labelled; nothing of a URL but its shape is looked at.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import urlsplit

KINDS = ("tag", "manifest", "blob", "referrers", "token")
RESULTS = ("ok", "redirected", "unauthorized", "absent", "throttled", "refused", "failed")
_BY_STATUS = {401: "unauthorized", 403: "unauthorized", 404: "absent", 429: "throttled"}
_BY_CLASS = {2: "ok", 3: "redirected", 4: "refused"}


class Tally:
    """Counts requests, each attempt and each step of a redirect as one; for many threads."""

    def __init__(self) -> None:
        self._asked: list[tuple[str, str]] = []  # appending needs no lock

    @contextlib.contextmanager
    def request(self, kind: str) -> Iterator[Callable[[int], None]]:
        """One request, while the context is open; what it gives is to be told the status of a whole answer."""
        seen: list[int] = []
        try:
            yield seen.append
        finally:
            self._asked.append((kind, _result(seen[-1] if seen else 0)))

    def counts(self) -> Mapping[tuple[str, str], int]:
        """How many requests of each kind came to each result."""
        return Counter(self._asked)


def kind_of(url: str) -> str:
    """What a request of a registry client for `url` asks for (distribution-spec 1.1, "Endpoints"); the rest is for tokens."""
    _, _, path = urlsplit(url).path.partition("/v2/")
    name, _, last = path.rpartition("/")
    endpoint = name.rpartition("/")[2]
    if endpoint == "manifests":
        return "manifest" if ":" in last else "tag"
    return {"blobs": "blob", "referrers": "referrers"}.get(endpoint, "token")


def _result(status: int) -> str:
    return _BY_STATUS.get(status) or _BY_CLASS.get(status // 100, "failed")
