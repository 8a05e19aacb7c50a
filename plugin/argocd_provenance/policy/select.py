"""Which policies cover an image, for an Application.

A policy covers what its `images` match and its `exclude` does not, for the Applications that it is about. An image that
only policies for other Applications cover is out of scope, which is a denial whatever `unmatched` says.
"""

from collections.abc import Sequence

from argocd_provenance.oci.reference import Digest, Reference
from argocd_provenance.policy.giturl import normalised
from argocd_provenance.policy.imagepatterns import Image
from argocd_provenance.policy.index import PolicyIndex
from argocd_provenance.policy.model import Applications, Policy
from argocd_provenance.policy.objectmatch import Carrier
from argocd_provenance.records import dataclass


@dataclass(frozen=True, slots=True)
class Application:
    """The Argo CD Application that wants the image."""

    name: str
    project: str
    repository: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """The policies that cover an image, and what is good to know where there are none."""

    policies: tuple[Policy, ...] = ()
    elsewhere: tuple[str, ...] = ()
    """Policies that cover it for other Applications."""
    excluded: tuple[str, ...] = ()
    """Policies whose `exclude` took it out."""
    unlike: tuple[str, ...] = ()
    """Policies whose `match` is about other objects than those that run it."""
    tried: tuple[str, ...] = ()
    """All image patterns, as written."""
    awaits_digest: bool = False
    """The digest is not known yet, and some pattern asks for it: ask again with it."""

    @property
    def out_of_scope(self) -> bool:
        """Whether only policies for other Applications cover it."""
        return not self.policies and bool(self.elsewhere)


def cover(
    policies: PolicyIndex | Sequence[Policy],
    reference: Reference,
    digest: Digest | None,
    application: Application | None,
    carriers: Sequence[Carrier] | None = None,
) -> Coverage:
    """The policies that cover `reference`, which stands for `digest` (None: not known yet).

    Without an `application` every policy is taken as one for it, and without `carriers` (the objects that run the image;
    one that fits is enough) as one about them.
    """
    index = policies if isinstance(policies, PolicyIndex) else PolicyIndex(policies)
    image = Image(reference, digest if digest is not None else reference.digest)
    offered = index.offered(image.repository.name)
    here: list[Policy] = []
    elsewhere: list[str] = []
    excluded: list[str] = []
    unlike: list[str] = []
    for policy in offered:
        if not any(pattern.matches(image) for pattern in policy.images):
            continue
        if any(pattern.matches(image, proved=True) for pattern in policy.exclude):
            excluded.append(policy.name)
        elif policy.match and carriers is not None and not _is_about(policy, carriers):
            unlike.append(policy.name)
        elif application is None or policy.applications is None or is_for(policy.applications, application):
            here.append(policy)
        else:
            elsewhere.append(policy.name)
    awaits = any(pattern.awaits_digest(image) for policy in offered for pattern in (*policy.images, *policy.exclude))
    return Coverage(tuple(here), tuple(elsewhere), tuple(excluded), tuple(unlike), index.tried, awaits)


def _is_about(policy: Policy, carriers: Sequence[Carrier]) -> bool:
    return any(entry.fits(carrier) for entry in policy.match for carrier in carriers)


def is_for(applications: Applications, application: Application) -> bool:
    """Whether `application` fits every part that `applications` states."""
    repository = normalised(application.repository)
    return (
        (not applications.projects or any(glob.matches(application.project) for glob in applications.projects))
        and (not applications.names or any(glob.matches(application.name) for glob in applications.names))
        and (
            not applications.repositories
            or any(repository and g.matches(repository) for g in applications.repositories)
        )
    )
