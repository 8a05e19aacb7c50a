"""What cryptography has proved about candidates, kept for later runs under the cache's seal.

One law: a proof is about one candidate, whole, to one trust anchor: the digest of all its parts, the anchor's key or the
digest of its trusted root, what that root must prove, and this very verifier with the libraries it stands on. Change any
of them and nothing is known. No verdict is in it, and no word about which image or policy it served.
"""

import hashlib
import importlib.util
import json
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from argocd_provenance import __version__
from argocd_provenance.cache.memory import Memory
from argocd_provenance.evidence.found import Found, Reopened, Spot, reopened, spelled
from argocd_provenance.evidence.parts import Candidate
from argocd_provenance.evidence.rejections import REJECTIONS
from argocd_provenance.evidence.trust import TrustDomain
from argocd_provenance.evidence.values import Anchor, Certificate, KeyAnchor
from argocd_provenance.records import dataclass, replace

Trusted = Sequence[tuple[Anchor, TrustDomain | None]]
"""Trust anchors, each with the trust domain that it leans on."""


@dataclass(frozen=True, slots=True)
class Proved:
    """What the certificate, key, log and timestamp authorities prove."""

    certificate: Certificate | None
    logged: bool
    times: tuple[datetime, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why cryptography proves nothing; `claimed_identity` is for messages only."""

    code: str
    reason: str
    claimed_identity: str


class Proofs:
    """The proofs in `memory`; without one nothing is known, and nothing kept."""

    def __init__(self, memory: Memory | None = None) -> None:
        self._memory = memory
        self._roots: dict[TrustDomain, str] = {}

    def recall(self, candidate: Candidate, anchor: Anchor, domain: TrustDomain | None) -> Proved | Refusal | None:
        """What was found about `candidate` before; None where nothing was."""
        if self._memory is None or not _rememberable(candidate):
            return None
        found = self._memory.recall(self._question(candidate, anchor, domain))
        return read_proof(found.answer) if found is not None else None

    def keep(self, candidate: Candidate, anchor: Anchor, domain: TrustDomain | None, found: Proved | Refusal) -> None:
        """Remember what cryptography said about `candidate`."""
        if self._memory is not None and _rememberable(candidate):
            self._memory.keep(self._question(candidate, anchor, domain), spell_proof(found))

    def recall_spot(self, spot: Spot, trusted: Trusted) -> Reopened | None:
        """What was found at `spot` before, for who trusts all of `trusted`; None where that is not known."""
        if self._memory is None:
            return None
        found = self._memory.recall(self._about_spot(spot, trusted))
        return reopened(found.answer, [anchor for anchor, _ in trusted]) if found is not None else None

    def keep_spot(self, spot: Spot, trusted: Trusted, found: Found) -> None:
        """Remember what was found at `spot`."""
        if self._memory is not None:
            self._memory.keep(self._about_spot(spot, trusted), spelled(found, [anchor for anchor, _ in trusted]))

    def knows_root(self, root: bytes, requires: frozenset[str]) -> bool:
        """Whether the trusted root `root` was found sound before, for those who require this of it."""
        return self._memory is not None and self._memory.recall(self._about_root(root, requires)) is not None

    def keep_root(self, root: bytes, requires: frozenset[str]) -> None:
        """Remember that the trusted root `root` is sound."""
        if self._memory is not None:
            self._memory.keep(self._about_root(root, requires), b"")

    def _question(self, candidate: Candidate, anchor: Anchor, domain: TrustDomain | None) -> tuple[str, ...]:
        # Every part counts, not the bundle's bytes alone: what cosign signs stands in annotations beside the layer. The
        # place it was found at proves nothing and is left out.
        parts = _digest(repr(replace(candidate, source="")).encode())
        return ("proof", self._verifier, parts, *self._trust(anchor, domain))

    def _about_spot(self, spot: Spot, trusted: Trusted) -> tuple[str, ...]:
        where = (spot.repository.host, spot.repository.path, spot.subject.text, spot.place, spot.tag_prefix)
        asked = [part for anchor, domain in trusted for part in ("anchor", *self._trust(anchor, domain))]
        return ("spot", self._verifier, *where, *spot.lists, *asked)

    def _trust(self, anchor: Anchor, domain: TrustDomain | None) -> tuple[str, ...]:
        key = ""
        if isinstance(anchor, KeyAnchor):
            key = f"{anchor.spki.hex()} log={anchor.log} stamped={anchor.stamped} hash={anchor.hash}"
        if domain is None:
            return (key, "")
        if domain not in self._roots:
            self._roots[domain] = _digest(domain.root)
        return (key, self._roots[domain], *sorted(domain.requires))

    def _about_root(self, root: bytes, requires: frozenset[str]) -> tuple[str, ...]:
        return ("sound root", self._verifier, _digest(root), *sorted(requires))

    @cached_property
    def _verifier(self) -> str:
        """This program's version, and those of everything that is installed beside sigstore."""
        spec = importlib.util.find_spec("sigstore")
        places = spec.submodule_search_locations if spec is not None else None
        site = Path(next(iter(places))).parent if places else Path("/nonexistent")
        return _digest("\n".join((__version__, *sorted(path.name for path in site.glob("*.dist-info")))).encode())


def _rememberable(candidate: Candidate) -> bool:
    # A signature over a message that is not in the candidate is about the file at hand, not about the candidate alone.
    return candidate.envelope is not None or candidate.payload is not None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def spell_proof(found: Proved | Refusal) -> bytes:
    """`found` as bytes."""
    said: dict[str, Any]
    if isinstance(found, Refusal):
        said = {"code": found.code, "reason": found.reason, "claimed": found.claimed_identity}
    else:
        by = found.certificate
        said = {
            "certificate": [by.identity, by.issuer, dict(by.claims), dict(by.read_from)] if by is not None else None,
            "logged": found.logged,
            "times": [time.isoformat() for time in found.times],
        }
    return json.dumps(said, separators=(",", ":")).encode()


def read_proof(answer: bytes) -> Proved | Refusal | None:
    """The proof that `spell_proof` wrote; None for what this version does not write."""
    try:
        said = json.loads(answer)
        if "code" in said:
            return Refusal(said["code"], said["reason"], said["claimed"]) if said["code"] in REJECTIONS else None
        by = said["certificate"]
        times = tuple(datetime.fromisoformat(time) for time in said["times"])
        return Proved(Certificate(*by) if by is not None else None, said["logged"], times)
    except (ValueError, KeyError, TypeError):
        return None
