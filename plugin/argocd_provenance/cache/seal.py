"""Seals: who can write the cache, and not read the key, can take entries away and nothing else.

One law: a seal covers the question, the answer and the time together. So no answer can be moved to another question
(another repository, another tag, another trust root) and none made younger than it is.
"""

import functools
import hashlib
import hmac
import os
from collections.abc import Sequence
from pathlib import Path

from argocd_provenance.cache import moments
from argocd_provenance.cache.moments import Moment
from argocd_provenance.errors import OperatorError

Question = Sequence[str]

_VERSION = b"\x01"
_MAC = 32
_HEAD = len(_VERSION) + _MAC
OVERHEAD = _HEAD + moments.SIZE
_LEAST, _MOST = 32, 4096


class Seal:
    """Seals and opens entries under one key."""

    def __init__(self, secret: bytes) -> None:
        # Keyed BLAKE2b (RFC 7693) is a MAC by itself, and costs a tenth of an HMAC: a run makes a thousand of them. Two
        # uses, two personalisations: a name that is known says nothing about a seal.
        self._naming = hashlib.blake2b(key=secret, person=b"names", digest_size=20)
        self._sealing = hashlib.blake2b(key=secret, person=b"seals", digest_size=_MAC)

    def name(self, question: Question) -> bytes:
        """Where the answer to `question` lies: 20 bytes that say nothing about it to who lacks the key."""
        naming = self._naming.copy()
        naming.update(_spelled(tuple(question)))
        return naming.digest()

    def close(self, question: Question, moment: Moment, answer: bytes) -> bytes:
        """The entry that says: the answer to `question` was `answer` at `moment`."""
        body = moment.packed() + answer
        return _VERSION + self._mac(question, body) + body

    def open(self, question: Question, entry: bytes) -> tuple[Moment, bytes] | None:
        """Moment and answer of `entry`; None unless we sealed it, for this very question."""
        body = entry[_HEAD:]
        if len(body) < moments.SIZE or entry[:1] != _VERSION:
            return None
        if not hmac.compare_digest(entry[1:_HEAD], self._mac(question, body)):
            return None
        return Moment.unpacked(body[: moments.SIZE]), body[moments.SIZE :]

    def _mac(self, question: Question, body: bytes) -> bytes:
        sealing = self._sealing.copy()
        sealing.update(_VERSION + _spelled(tuple(question)) + body)
        return sealing.digest()


@functools.lru_cache(maxsize=4096)
def _spelled(question: tuple[str, ...]) -> bytes:
    """`question` in one way only: each part behind its length, all behind their number."""
    parts = [part.encode("utf-8", "surrogatepass") for part in question]
    return b"%d;" % len(parts) + b"".join(b"%d:%s" % (len(part), part) for part in parts)


def load(path: Path) -> bytes:
    """The secret in the file `path`, which is made, readable for us alone, where it is absent.

    Of several processes that make it at once one wins, and all have its secret. Raises `OSError` where it can be neither
    read nor made, `OperatorError` where it is no key.
    """
    try:
        content = _read(path)
    except FileNotFoundError:
        _make(path)
        content = _read(path)
    if not _LEAST <= len(content) <= _MOST:
        raise OperatorError(
            f"cache.keyFile: {path} holds {len(content)} bytes; a key has at least {_LEAST} random ones. Remove it and it is made anew"
        )
    return hashlib.sha256(content).digest()


def _read(path: Path) -> bytes:
    # A pipe in its place must not hold us up. A link may be one: mounted Secrets are links.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        return file.read(_MOST + 1)


def _make(path: Path) -> None:
    """Write a new secret to `path`, whole or not at all, unless somebody else was faster."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(os.urandom(32))
            file.flush()
            os.fsync(file.fileno())
        # A link is made only where there is nothing yet; renaming would take the key away from whoever came first.
        os.link(beside, path)
    except FileExistsError:
        pass
    finally:
        beside.unlink(missing_ok=True)
