"""CUE, the language of a ClusterImagePolicy's policies: a strict part of it, decided here.

Law: never allowed where cue says no. What is not read is refused by name when the policy is loaded.
"""

import functools
from collections.abc import Mapping
from typing import Any

from argocd_provenance.policy import retired
from argocd_provenance.policy.cue.evaluate import Evaluation
from argocd_provenance.policy.cue.names import Checked, check, constraints
from argocd_provenance.policy.cue.parser import parse
from argocd_provenance.policy.cue.scope import Scope
from argocd_provenance.policy.cue.syntax import CueError
from argocd_provenance.records import dataclass, field

__all__ = ["RESULT", "STATEMENT", "CueError", "CuePolicy"]

STATEMENT = frozenset({"_type", "predicateType", "subject", "predicate"})
"""The fields of an in-toto statement."""
RESULT = frozenset({"authorityMatches", "config", "spec", "metadata", "typemeta"})
"""The fields of what a policy over all authorities sees. policy-controller: pkg/webhook/validator_result.go."""

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class CuePolicy:
    """A policy over a statement (or whatever has the fields `known`). Raises `CueError` for what is not read."""

    source: str
    known: frozenset[str] = STATEMENT
    missing_ok: bool = False
    text: str = "the CUE policy"
    """What reports call it."""
    _checked: Checked = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_checked", _read(self.source, self.known))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a lint says of it."""
        return self._checked.warnings

    @property
    def advice(self) -> str:
        """What to write instead of constraints that nothing matches any more; usually empty."""
        found = (retired.advice(path, said) for path, said in constraints(self._checked.file.body))
        return "; ".join(dict.fromkeys(filter(None, found)))

    def failure(self, scope: Mapping[str, Any]) -> str | None:
        """Why the policy does not hold for ``scope["statement"]``; None if it does."""
        statement = scope["statement"]
        if not isinstance(statement, Mapping):
            return "there is no statement"
        evaluation = Evaluation(Scope(self._checked.helpers, self.missing_ok))
        misses = evaluation.misses(self._checked.file.body, statement)
        if not misses:
            return None
        more = f" (+{len(misses) - _SHOWN} more)" if len(misses) > _SHOWN else ""
        return "; ".join(str(miss) for miss in misses[:_SHOWN]) + more


@functools.lru_cache(maxsize=256)
def _read(source: str, known: frozenset[str]) -> Checked:
    """The policy that `source` spells. Many ClusterImagePolicies share one text."""
    return check(parse(source), known)
