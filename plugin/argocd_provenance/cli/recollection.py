"""What a run knows of earlier ones (`pipeline.Recollection`): the registry's lists, and what was proved where they led."""

from collections.abc import Callable, Sequence

from argocd_provenance.evidence.found import Found, Spot
from argocd_provenance.evidence.values import Anchor
from argocd_provenance.evidence.verify import Verifier
from argocd_provenance.oci.gathered import Place
from argocd_provenance.oci.reference import Digest, Reference, Repository
from argocd_provenance.oci.registry import Registry


class Recollection:
    """The memory of `registry` and of the verifier, which is made when it is first needed."""

    def __init__(self, registry: Registry, verifier: Callable[[], Verifier]) -> None:
        self._registry, self._verifier = registry, verifier

    def digest(self, reference: Reference) -> Digest | None:
        """What `reference` stands for, if that is believed still."""
        return self._registry.recall(reference)

    def found(
        self, repository: Repository, subject: Digest, place: Place, tag_prefix: str, anchors: Sequence[Anchor]
    ) -> Found | None:
        """What was found at one place, if the lists that led there are believed still."""
        lists = self._registry.lists(repository, subject, place, tag_prefix)
        if lists is None:
            return None
        return self._verifier().recall(Spot(repository, subject, place, tag_prefix, lists), anchors)

    def keep(self, spot: Spot, anchors: Sequence[Anchor], found: Found) -> None:
        """Remember what was found at `spot`."""
        self._verifier().keep(spot, anchors, found)
