"""What a person wants to know of a trusted root: whose it is, what it can prove, how old it is. Pure."""

import hashlib
from datetime import UTC, datetime

from argocd_provenance.evidence.trust import TrustedRoot, parse
from argocd_provenance.records import dataclass

_INSTANCES = {"fulcio.sigstore.dev": "public-good", "rekor.sigstore.dev": "public-good", "githubapp.com": "github"}


@dataclass(frozen=True, slots=True)
class RootFacts:
    """What a root says of itself.

    `newest` is when the youngest of its keys and certificates came into use, `ends` when the first of those that are in
    use goes out of it; None where the root does not say.
    """

    fingerprint: str
    newest: datetime | None
    ends: datetime | None
    authorities: int
    logs: int
    ct_logs: int
    timestamp_authorities: int


def facts(raw: bytes, now: datetime) -> RootFacts:
    """The facts of the root `raw`. Raises `OperatorError` where it is none."""
    root = parse(raw)
    windows = [part.window for part in (*root.authorities, *root.timestamp_authorities)]
    windows += [part.window for part in (*root.logs, *root.ct_logs)]
    starts = [window.start for window in windows if window.start is not None]
    ends = [window.end for window in windows if window.end is not None and now in window]
    return RootFacts(
        hashlib.sha256(raw).hexdigest(),
        max(starts, default=None),
        min(ends, default=None),
        len(root.authorities),
        len(root.logs),
        len(root.ct_logs),
        len(root.timestamp_authorities),
    )


def instance(raw: bytes) -> str:
    """The name that people know this instance by: ``public-good``, ``github``; empty for any other."""
    root: TrustedRoot = parse(raw)
    hosts = [log.host for log in (*root.logs, *root.ct_logs)]
    for part, name in _INSTANCES.items():
        if any(part in host for host in hosts) or (not root.logs and part.encode() in raw):
            return name
    return ""


def age(since: datetime, now: datetime) -> str:
    """How long ago, in days, months or years: ``12 days``."""
    days = max(0, (now - since.astimezone(UTC)).days)
    for size, word in ((365, "year"), (30, "month"), (1, "day")):
        if days >= 2 * size or size == 1:
            count = days // size
            return f"{count} {word}" + ("" if count == 1 else "s")
    raise AssertionError("unreachable")
