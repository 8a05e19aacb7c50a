"""The operator's cache, opened: where it lies, its key, and what to say when it cannot be used.

One law: only a wrong setting stops a run. A cache that is not there costs time, and a note in the report.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from argocd_provenance.cache.memory import Memory
from argocd_provenance.cache.store import Store, StoreError
from argocd_provenance.config import Cache, Config, Redis
from argocd_provenance.errors import FileFaults, OperatorError

KEY_FILE = "/var/lib/argocd-provenance/key"


@contextlib.contextmanager
def memory_of(config: Config, notes: list[str]) -> Iterator[Memory | None]:
    """What earlier runs learned; None where the operator wants no cache, or it cannot be used. Faults go to `notes`.

    Raises `OperatorError` where the key is none, or lies in the cache.
    """
    memory = _opened(config, notes)
    try:
        yield memory
    finally:
        if memory is not None:
            memory.close()
            notes += [_said(warning) for warning in memory.warnings]


def _opened(config: Config, notes: list[str]) -> Memory | None:
    cache = config.cache
    if cache.path is None and cache.redis is None:
        return None
    from argocd_provenance.cache import moments, seal

    path = Path(cache.key_file or KEY_FILE)
    _refuse_key_in_cache(config, path)
    try:
        secret = seal.load(path)
    except OSError as error:
        notes.append(_said(f"its key {path}: {error.strerror}; name another place with cache.keyFile"))
        return None
    except OperatorError as error:
        raise FileFaults([f"{config.file}: {error}"]) from None
    stores = _stores(cache, notes)
    return Memory(seal.Seal(secret), stores, moments.clock()) if stores else None


def _stores(cache: Cache, notes: list[str]) -> list[Store]:
    stores: list[Store] = []
    if cache.path is not None:
        from argocd_provenance.cache.disk import Disk

        try:
            stores.append(Disk(Path(cache.path), cache.size))
        except StoreError as error:
            notes.append(_said(str(error)))
    if cache.redis is not None:
        from argocd_provenance.cache.shared import Shared

        try:
            stores.append(Shared(cache.redis.url, _password(cache.redis)))
        except OSError as error:
            notes.append(_said(f"cache.redis.passwordFile: {cache.redis.password_file}: {error.strerror}"))
    return stores


def _refuse_key_in_cache(config: Config, key: Path) -> None:
    """Raise where who can write the cache could read the key, links followed."""
    if config.cache.path is not None and key.resolve().is_relative_to(Path(config.cache.path).resolve()):
        raise FileFaults([f"{config.file}: cache.keyFile: {key} lies in the cache; keep it elsewhere"])


def _password(redis: Redis) -> str | None:
    return Path(redis.password_file).read_text(encoding="utf-8").strip() if redis.password_file is not None else None


def _said(warning: str) -> str:
    return f"the cache cannot be used as configured, which costs time and nothing else: {warning}"
