"""The edges with the operator's settings: the registry client, the verifier, and what both remember."""

import contextlib
import functools
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from argocd_provenance.cache.memory import Memory
from argocd_provenance.cli.operator import Operator, domains
from argocd_provenance.config import Config
from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import Error, UsageError
from argocd_provenance.evidence.proofs import Proofs
from argocd_provenance.evidence.trust import check_keys, parse
from argocd_provenance.evidence.verify import Verifier
from argocd_provenance.oci.credentials import Credentials
from argocd_provenance.oci.registry import Registry
from argocd_provenance.oci.remembered import Remembered
from argocd_provenance.oci.tally import Tally

if TYPE_CHECKING:
    from argocd_provenance.evidence.aside import Aside
    from argocd_provenance.oci.files import Files


@contextlib.contextmanager
def registry(
    config: Config,
    permitted: frozenset[str],
    deadline: Deadline,
    remembered: Remembered | None = None,
    tally: Tally | None = None,
) -> Iterator[Registry]:
    """A client that asks the hosts in `permitted`, and any other only where ``registries`` has a mirror for ``*``."""
    everything = any(settings.host == "*" for settings in config.registries)
    client = Registry(
        config.registries,
        lambda host: everything or host in permitted,
        credentials(os.environ),
        deadline,
        remembered=remembered,
        offline=config.offline,
        tally=tally,
    )
    try:
        yield client
    finally:
        client.close()


def files(config: Config, permitted: Callable[[str], bool], deadline: Deadline) -> "Files":
    """A client for the web addresses that `permitted` says yes to, with the same credentials."""
    from argocd_provenance.oci.files import Files

    return Files(config.registries, permitted, credentials(os.environ), deadline)


def credentials(environment: Mapping[str, str]) -> Credentials:
    """What lies in ``DOCKER_CONFIG``, or in ``~/.docker``: `config.json` and mounted pull secrets."""
    folder = Path(environment.get("DOCKER_CONFIG") or Path(environment.get("HOME") or "/nonexistent", ".docker"))
    if not folder.is_absolute():
        # The working folder is the Application's repository.
        raise UsageError(f"DOCKER_CONFIG and HOME must be absolute paths, not {str(folder)!r}")
    return Credentials.load(folder)


@contextlib.contextmanager
def verifiers(
    ruled: Operator, memory: Memory | None, remembered: Remembered, begun: "Aside | None" = None
) -> Iterator[Callable[[], Verifier]]:
    """What makes the verifier of a run, once; its cryptography is done in the process that was `begun`, or in one of its own."""
    from argocd_provenance.evidence.aside import Aside

    aside = begun or Aside()
    try:
        yield functools.cache(lambda: verifier(ruled, memory, remembered, aside))
    finally:
        # Whoever has begun it waits for its end, and has something to do until then.
        aside.end()
        if begun is None:
            aside.close()


def verifier(
    ruled: Operator,
    memory: Memory | None = None,
    remembered: Remembered | None = None,
    aside: "Aside | None" = None,
) -> Verifier:
    """The verifier, with everything imported that the first verification would have to wait for.

    With a `memory` that may be for nothing: then it is imported beside the work, once a registry must be asked.
    """
    proofs = Proofs(memory)
    made = Verifier(domains(ruled, proofs, _checking(aside)), proofs, aside)
    if not ruled.leans_on_sigstore():
        return made
    if memory is None or remembered is None:
        made.warm()
    else:
        remembered.when_asked(threading.Thread(target=_warm, args=(made,), daemon=True).start)
    return made


def _checking(aside: "Aside | None") -> Callable[[bytes], None] | None:
    """Trusted roots are looked into where cryptography is imported anyway."""
    if aside is None:
        return None
    from argocd_provenance.evidence.aside import Gone

    def check(root: bytes) -> None:
        try:
            aside.check_root(root)
        except Gone:
            check_keys(parse(root))

    return check


def _warm(made: Verifier) -> None:
    with contextlib.suppress(Error):  # whoever verifies something meets it again, and says so
        made.warm()
