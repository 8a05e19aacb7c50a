"""What a registry did wrong is followed by what helps against it."""

import pytest

from argocd_provenance.errors import RegistryError
from argocd_provenance.pipeline import fault


@pytest.mark.parametrize("code", ["digest-mismatch", "registry-misbehaved"])
def test_nobody_is_told_to_try_again_where_a_registry_lies(code: str) -> None:
    """Content is addressed by its digest so that this is noticed; docs/findings.md says the same."""
    finding = fault(RegistryError("http://127.0.0.1:5000/v2/x: other bytes", code=code))

    assert "The registry is at fault" in finding.message
    assert "try again" not in finding.fix
    assert "the registry" in finding.fix
