"""Registries and trusted roots: can they be asked with what lies at hand, and how old are they."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from argocd_provenance.argocd.doctor.complaint import Complaint
from argocd_provenance.errors import DeadlineExceeded, NotFound, RegistryError, Unauthorized
from argocd_provenance.evidence import rootfacts
from argocd_provenance.evidence.trust import TrustDomain
from argocd_provenance.oci.credentials import Credentials
from argocd_provenance.oci.reference import Digest, Reference
from argocd_provenance.oci.settings import HostSettings
from argocd_provenance.policy.model import Policy

# Sigstore's own keys stay in use for a year or two.
_OLD = timedelta(days=730)
_SOON = timedelta(days=30)
# Nobody has such a tag: a registry that says so was reached, and took the credential.
_TAG = "argocd-provenance-doctor"


class Registry(Protocol):
    """What is asked of registries."""

    def resolve(self, reference: Reference) -> Digest:
        """The digest of what the tag names; raises `RegistryError` or `DeadlineExceeded`."""


def repositories(policies: Iterable[Policy], hosts: Iterable[HostSettings]) -> list[str]:
    """One repository of each host that may be asked: what a policy names literally, as far as it does."""
    found: dict[str, str] = {}
    for pattern in (pattern for policy in policies for pattern in policy.images):
        host, _, path = pattern.repository.text.partition("/")
        if pattern.host is not None:
            literal, star, _ = path.partition("*")
            found.setdefault(host, f"{literal.rpartition('/')[0]}/{_TAG}".lstrip("/") if star else literal)
    for settings in hosts:
        if settings.host != "*":
            found.setdefault(settings.host, _TAG)
    return [f"{host}/{path}" for host, path in sorted(found.items())]


def judge_registries(
    asked: Sequence[str], registry: Registry, credentials: Credentials, hosts: Sequence[HostSettings]
) -> Iterator[Complaint]:
    """Which credential is used for each repository (never what it is), and whether its registry answers."""
    for name in asked:
        reference = Reference.parse(f"{name}:{_TAG}")
        for choice in credentials.choices(reference.repository, hosts):
            yield Complaint("credential", name, str(choice))
        try:
            registry.resolve(reference)
        except NotFound:
            continue
        except Unauthorized as error:
            yield Complaint(
                "registry-unauthorized",
                name,
                str(error),
                "check the credential above; a registry may also say this of what it has not",
            )
        except (RegistryError, DeadlineExceeded) as error:
            yield Complaint(
                "registry-unreachable",
                name,
                str(error),
                "check egress, proxy, mirror and caFile; every image there is refused until then",
            )


def judge_roots(domains: Mapping[str, TrustDomain], places: Mapping[str, str], now: datetime) -> Iterator[Complaint]:
    """How old each trusted root is, and whether one of its keys ends soon."""
    for name, domain in domains.items():
        facts = rootfacts.facts(domain.root, now)
        since = (
            "does not say since when" if facts.newest is None else f"newest key {rootfacts.age(facts.newest, now)} old"
        )
        yield Complaint(
            "trust-root", name, f"{places.get(name, '')}: {since}; requires {', '.join(sorted(domain.requires))}"
        )
        newest = facts.newest.astimezone(UTC) if facts.newest else now
        if now - newest > _OLD or (facts.ends is not None and facts.ends - now < _SOON):
            yield Complaint(
                "trust-root-old",
                name,
                "its newest key is older than two years, or a key in use ends within a month",
                "argocd-provenance trust update, or take the newest from who runs the instance",
            )
