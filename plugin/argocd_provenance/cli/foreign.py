"""ClusterImagePolicy meets this machine: files instead of a cluster's objects, programs for its languages, trust domains."""

from collections.abc import Mapping

from argocd_provenance.config import ClusterObjects
from argocd_provenance.evidence.trust import TrustDomain, mixed, trust_domain
from argocd_provenance.policy.cluster import Cluster
from argocd_provenance.policy.model import MixedDomain


def cluster(objects: ClusterObjects) -> Cluster:
    """What policies can ask for instead of a cluster."""
    return Cluster(
        secrets=objects.secrets,
        config_maps=objects.config_maps,
        kms=objects.kms,
        remotes=objects.remotes,
        cue_missing=objects.cue_missing == "allow",
    )


def mixed_domain(domain: MixedDomain, known: Mapping[str, TrustDomain], explicit: frozenset[str]) -> TrustDomain:
    """The trust domain that a policy puts together from those that are `known`; raises `OperatorError`.

    What the config demands of its base by name (`explicit`) holds too.
    """
    base = known[domain.base]
    root = mixed(domain.name, base.root, known[domain.log].root, known[domain.stamps].root)
    times = domain.requires if domain.requires is not None else base.requires - {"sct"}
    sct = base.requires & {"sct"} if domain.sct else frozenset()
    return trust_domain(domain.name, root, times | sct | explicit)
