"""The rows of `builders`: up to which SLSA build level a policy trusts whom."""

from argocd_provenance.operatorfile import Field
from argocd_provenance.policy.fields import Reading, pattern
from argocd_provenance.policy.levels import Builder
from argocd_provenance.policy.patterns import Glob
from argocd_provenance.policy.signerfields import one_signer


def builders(field: Field, reading: Reading) -> tuple[Builder, ...]:
    """The rows, in their order; faults for what is none."""
    found = (_builder(item, reading) for item in field.sequence(empty=False))
    return tuple(row for row in found if row is not None)


def _builder(item: Field, reading: Reading) -> Builder | None:
    parts = item.mapping(("by", "id", "level"), ("by", "level"))
    signer = one_signer(parts["by"], reading) if "by" in parts else None
    builder_id = pattern(parts["id"], Glob) if "id" in parts else None
    level = parts["level"].integer(1, 3) if "level" in parts else 1
    return Builder(signer, level, builder_id) if signer is not None else None
