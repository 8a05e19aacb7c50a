"""Where a render may fetch from, put together: `render.remotes` of the config, registries and web servers, credentials.

The law: a chart of a registry is judged as an image is, and what is fetched is what was judged.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence

from argocd_provenance.cli import edges
from argocd_provenance.cli.operator import Operator
from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import FileFaults, RegistryError
from argocd_provenance.oci.descriptor import Manifest
from argocd_provenance.oci.files import Files
from argocd_provenance.oci.reference import Reference
from argocd_provenance.oci.registry import Registry
from argocd_provenance.pipeline import Decided
from argocd_provenance.policy.patterns import BadPatternError, Glob
from argocd_provenance.render.remotes import NoRemotes, Remotes

# As helm names it, in its package `registry`.
_CHART = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"


def permitted(ruled: Operator, address: str) -> bool:
    """Whether `render.remotes` names `address`; raises `FileFaults` for a pattern that is none."""
    try:
        return any(Glob(pattern).matches(address) for pattern in ruled.config.remotes)
    except BadPatternError as error:
        raise FileFaults([f"{ruled.config.file}: render.remotes: {error}"]) from error


def chart_hosts(ruled: Operator, references: Sequence[str]) -> frozenset[str]:
    """The hosts of the charts `references`; raises `RegistryError` for one that `render.remotes` does not name."""
    parsed = [Reference.parse(reference) for reference in references]
    for reference in parsed:
        if not permitted(ruled, f"oci://{reference.written.rpartition(':')[0]}"):
            raise RegistryError(
                f"the chart {reference.written} may not be fetched: `render.remotes` in the config does not name oci://{reference.written.rpartition(':')[0]}",
                code="registry-forbidden",
            )
    return frozenset(reference.repository.host for reference in parsed)


@contextlib.contextmanager
def remotes(ruled: Operator, charts: Mapping[str, Decided], deadline: Deadline) -> Iterator[Remotes]:
    """What a render may fetch, while the context is open: of `charts`, those that were let through."""
    if not ruled.config.remotes:
        yield NoRemotes()
        return
    with edges.registry(ruled.config, chart_hosts(ruled, list(charts)), deadline) as registry:
        files = edges.files(ruled.config, lambda address: permitted(ruled, address), deadline)
        try:
            yield _Remotes(files, registry, charts)
        finally:
            files.close()


class _Remotes:
    """The port's other side."""

    def __init__(self, files: Files, registry: Registry, charts: Mapping[str, Decided]) -> None:
        self._files, self._registry, self._charts = files, registry, charts

    def file(self, address: str, limit: int) -> bytes:
        return self._files.fetch(address, limit)

    def git(self, repository: str) -> Mapping[str, str]:
        return self._files.access(repository)

    def chart(self, reference: str, limit: int) -> bytes:
        decided, parsed = self._charts[reference], Reference.parse(reference)
        digest = decided.digest or self._registry.resolve(parsed)
        manifest = self._registry.manifest(parsed.repository, digest)
        layers = manifest.layers if isinstance(manifest, Manifest) else ()
        packed = [layer for layer in layers if layer.media_type == _CHART]
        if len(packed) != 1 or packed[0].size > limit:
            raise RegistryError(f"{reference}@{digest}: is no chart of helm", code="registry-misbehaved")
        return self._registry.blob(parsed.repository, packed[0])
