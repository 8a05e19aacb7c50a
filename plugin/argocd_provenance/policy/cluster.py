"""What only a cluster could resolve for a ClusterImagePolicy, and what the operator's config gives instead.

A reference that the config maps to no file is a fault of the policy, by its name. The evaluators are edges: they start
programs, and stand here as what the policies ask of them.
"""

from collections.abc import Mapping
from typing import Protocol

from argocd_provenance.records import dataclass, field

API_VERSIONS = ("policy.sigstore.dev/v1alpha1", "policy.sigstore.dev/v1beta1")
"""Those of ClusterImagePolicy, and of the TrustRoot that it names."""


class BadPolicyError(ValueError):
    """A text that an evaluator cannot read as a policy; the message says why."""


class Evaluator(Protocol):
    """A program that decides policies of another language. It may be slow: every answer is asked for once."""

    def check(self, policy: str) -> None:
        """Raise `BadPolicyError` if `policy` cannot be read."""

    def failure(self, policy: str, value: str) -> str | None:
        """Why `policy` does not hold for `value` (JSON); None if it does."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Files instead of what lies in a cluster, by the names that policies use."""

    secrets: Mapping[str, str] = field(default_factory=dict)
    """``secretRef``: a name, or ``namespace/name``."""
    config_maps: Mapping[str, str] = field(default_factory=dict)
    """``configMapRef``: ``name/key``."""
    kms: Mapping[str, str] = field(default_factory=dict)
    """``kms``: the reference as written, to a file with the public key."""
    remotes: Mapping[str, str] = field(default_factory=dict)
    """``remote``: the URL as written."""
    cue_missing: bool = False
    """Whether fields that a CUE policy constrains may be missing, as upstream."""
    cue: Evaluator | None = None
    """For CUE that is not read here."""
    rego: Evaluator | None = None
    """None: the extra is not installed."""
