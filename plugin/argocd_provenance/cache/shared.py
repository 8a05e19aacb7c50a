"""The cache that replicas share: Redis, which may vanish at any time and is then not asked again in a run.

One law: it is a stranger. What comes out of it is cut to a limit and means nothing without our seal; the URL may be told,
the password never.
"""

import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from argocd_provenance.cache.store import ENTRY_LIMIT, StoreError

# Nobody waits longer for it than for a registry nearby.
_PATIENCE = 0.5
# Seconds after which Redis may forget an entry that nobody wrote again.
_KEPT = 7 * 24 * 3600
_PREFIX = b"argocd-provenance:1:"


class Shared:
    """A store in the Redis at `url`; a connection is made when the first entry is asked for."""

    def __init__(self, url: str, password: str | None) -> None:
        self._url, self._password = url, password
        self._lock = threading.Lock()
        self._made: tuple[Any, Any] | None = None

    def get(self, name: bytes) -> bytes | None:
        """What lies under `name`."""
        redis, client = self._client()
        try:
            # A range, not the value: whoever can write there could make one of half a gigabyte.
            found = client.getrange(_PREFIX + name, 0, ENTRY_LIMIT)
        except redis.ResponseError as error:
            if str(error).startswith("WRONGTYPE"):
                return None
            raise self._broken(error) from None
        except (redis.RedisError, OSError, ValueError) as error:
            raise self._broken(error) from None
        return found if isinstance(found, bytes) and found else None

    def put(self, entries: Mapping[bytes, bytes]) -> None:
        """Keep `entries`."""
        redis, client = self._client()
        try:
            with client.pipeline(transaction=False) as pipeline:
                for name, content in entries.items():
                    pipeline.set(_PREFIX + name, content, ex=_KEPT)
                pipeline.execute()
        except (redis.RedisError, OSError, ValueError) as error:
            raise self._broken(error) from None

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            if self._made is not None:
                self._made[1].close()
                self._made = None

    def _client(self) -> tuple[Any, Any]:
        with self._lock:
            if self._made is None:
                try:
                    import redis  # noqa: PLC0415 - an extra, a tenth of a second, and only wanted where the disk knows nothing
                except ImportError:
                    raise StoreError(
                        "cache.redis: the Python package redis is not installed; install argocd-provenance[redis]"
                    ) from None
                client = redis.Redis.from_url(
                    self._url,
                    password=self._password,
                    socket_timeout=_PATIENCE,
                    socket_connect_timeout=_PATIENCE,
                    retry=None,
                    max_connections=32,
                )
                self._made = redis, client
            return self._made

    def _broken(self, error: Exception) -> StoreError:
        # Redis repeats what it was sent, and a client library may repeat what it was given.
        said = str(error).replace(self._password, "***") if self._password else str(error)
        parts = urlsplit(self._url)
        where = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        return StoreError(f"cache.redis: {where}: {said[:200]}")
