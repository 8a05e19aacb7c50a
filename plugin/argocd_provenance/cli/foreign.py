"""ClusterImagePolicy meets this machine: files instead of a cluster's objects, programs for its languages, trust domains."""

import importlib.util
from collections.abc import Mapping

from argocd_provenance.config import ClusterObjects
from argocd_provenance.evidence.trust import TrustDomain, mixed, trust_domain
from argocd_provenance.policy.cluster import Cluster, Evaluator
from argocd_provenance.policy.model import MixedDomain


def cluster(objects: ClusterObjects) -> Cluster:
    """What policies can ask for instead of a cluster."""
    return Cluster(
        secrets=objects.secrets,
        config_maps=objects.config_maps,
        kms=objects.kms,
        remotes=objects.remotes,
        cue_missing=objects.cue_missing == "allow",
        cue=_cue(objects.cue, missing_ok=objects.cue_missing == "allow") if objects.cue else None,
        rego=_Rego() if importlib.util.find_spec("regopy") is not None else None,
    )


def _cue(binary: str, *, missing_ok: bool) -> Evaluator:
    from argocd_provenance.cli.languages import Cue

    return Cue(binary, missing_ok=missing_ok)


class _Rego:
    """The evaluator of Rego, made when the first policy asks for it: most have none."""

    def __init__(self) -> None:
        self._made: Evaluator | None = None

    def _rego(self) -> Evaluator:
        if self._made is None:
            from argocd_provenance.cli.languages import Rego

            self._made = Rego()
        return self._made

    def check(self, policy: str) -> None:
        """As the evaluator does."""
        self._rego().check(policy)

    def failure(self, policy: str, value: str) -> str | None:
        """As the evaluator does."""
        return self._rego().failure(policy, value)


def mixed_domain(domain: MixedDomain, known: Mapping[str, TrustDomain], explicit: frozenset[str]) -> TrustDomain:
    """The trust domain that a policy puts together from those that are `known`; raises `OperatorError`.

    What the config demands of its base by name (`explicit`) holds too.
    """
    base = known[domain.base]
    root = mixed(domain.name, base.root, known[domain.log].root, known[domain.stamps].root)
    times = domain.requires if domain.requires is not None else base.requires - {"sct"}
    sct = base.requires & {"sct"} if domain.sct else frozenset()
    return trust_domain(domain.name, root, times | sct | explicit)
