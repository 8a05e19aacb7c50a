"""What is asked of a piece of evidence: a demand, for an image, under a policy, on a day."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from argocd_provenance.policy.imagepatterns import Image
from argocd_provenance.policy.levels import Builder
from argocd_provenance.policy.model import Demand, SubjectName
from argocd_provenance.records import dataclass, field


@dataclass(frozen=True, slots=True)
class Question:
    """A demand, and all that is known beside the evidence that it is held against."""

    demand: Demand
    image: Image
    subject_name: SubjectName
    today: date
    builders: tuple[Builder, ...] = ()
    """The policy's own rows of the table of SLSA build levels."""
    beside: Mapping[str, Any] = field(default_factory=dict)
    """What other evidence adds to what an expression sees, by name."""
