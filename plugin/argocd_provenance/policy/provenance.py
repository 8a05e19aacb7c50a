"""SLSA provenance, v1, v0.2 and v0.1, as one value.

It reads, and believes nothing: the certificate goes before what stands here (`claims`). Absent things are absent. Which
builder writes what where stands in `emitters`.
"""

from collections.abc import Mapping

from argocd_provenance.evidence.values import PROVENANCE_V01, PROVENANCE_V02, PROVENANCE_V1, Evidence
from argocd_provenance.policy import emitters
from argocd_provenance.policy.predicateplace import At, Said
from argocd_provenance.records import dataclass, field
from argocd_provenance.regex import regex

# Before @actions/attest 1.3.0 (2024-06) the builder was the kind of runner.
_FIRST_ERA_BUILDER = regex(r"https://github\.com/actions/runner/(github-hosted|self-hosted)")


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a provenance says of a build, in the words of the certificate's claims, each with its place.

    Keys: builder, build_type, repository, ref, commit, workflow, trigger, runner, run, repository_id, owner_id.
    """

    values: Mapping[str, Said] = field(default_factory=dict)

    def said(self, what: str) -> Said | None:
        """What it says of `what`, and where."""
        return self.values.get(what)

    def value(self, what: str) -> str | None:
        """What it says of `what`."""
        said = self.values.get(what)
        return said.value if said is not None else None

    @property
    def by_runner(self) -> bool:
        """Whether the builder is a kind of runner (GitHub's first era), and names no workflow."""
        return _FIRST_ERA_BUILDER.fullmatch(self.value("builder") or "") is not None


_LAYOUTS = {
    PROVENANCE_V1: emitters.of_v1,
    PROVENANCE_V02: emitters.of_v02,
    PROVENANCE_V01: emitters.of_v01,
}


def extract(evidence: Evidence) -> Provenance | None:
    """The provenance in `evidence`, or None if its predicate is of another type."""
    layout = _LAYOUTS.get(evidence.predicate_type or "")
    if layout is None:
        return None
    found = {what: said for what, said in layout(At("predicate", evidence.predicate)).items() if said is not None}
    builder = found.get("builder")
    era = _FIRST_ERA_BUILDER.fullmatch(builder.value) if builder else None
    if builder is not None and era is not None:
        found.setdefault("runner", Said(era[1], builder.read_from))
    return Provenance(found)
