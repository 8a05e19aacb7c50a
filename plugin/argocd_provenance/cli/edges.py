"""The edges with the operator's settings: the registry client and the verifier."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from argocd_provenance.cli.operator import Operator, domains
from argocd_provenance.config import Config
from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import UsageError
from argocd_provenance.evidence.values import DomainAnchor
from argocd_provenance.evidence.verify import Verifier
from argocd_provenance.oci.credentials import Credentials
from argocd_provenance.oci.registry import Registry


@contextlib.contextmanager
def registry(config: Config, permitted: frozenset[str], deadline: Deadline) -> Iterator[Registry]:
    """A client that asks the hosts in `permitted`, and any other only where ``registries`` has a mirror for ``*``."""
    everything = any(settings.host == "*" for settings in config.registries)
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path(os.environ.get("HOME") or "/nonexistent", ".docker"))
    if not folder.is_absolute():
        # The working folder is the Application's repository.
        raise UsageError(f"DOCKER_CONFIG and HOME must be absolute paths, not {str(folder)!r}")
    client = Registry(
        config.registries,
        lambda host: everything or host in permitted,
        Credentials.load(folder / "config.json"),
        deadline,
    )
    try:
        yield client
    finally:
        client.close()


def verifier(ruled: Operator) -> Verifier:
    """The verifier, with everything imported that the first verification would have to wait for."""
    made = Verifier(domains(ruled))
    if any(isinstance(anchor, DomainAnchor) or anchor.log for policy in ruled.policies for anchor in policy.anchors()):
        made.warm()
    return made
