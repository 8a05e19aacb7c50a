"""The private names of sigstore that the bridge leans on are there."""

from argocd_provenance.evidence.bridge import surface


def test_the_installed_sigstore_has_every_name_the_bridge_uses() -> None:
    """N29: a bump of sigstore that drops a name fails here, not in an operator's cluster."""
    assert surface() == []
