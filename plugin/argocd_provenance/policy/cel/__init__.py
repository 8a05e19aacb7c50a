"""CEL, the Common Expression Language: the part that policies need, judged within a fixed number of steps.

One law: it never says true where cel-go does not. What is left out (unsigned numbers, bytes, messages, optionals, time
zones by name) is refused when the expression is read; what goes wrong while it is judged is an error, which no operator
but ``&&``, ``||``, ``all`` and ``exists`` may pass over, and they only as the specification says.

A limit in steps, not in seconds: the same evidence gives the same answer on a busy machine.

Language: github.com/google/cel-spec, doc/langdef.md. Text → `tokens` → `syntax` (a tree) → `program` (closures).
"""

from argocd_provenance.policy.cel.program import STEPS, Program
from argocd_provenance.policy.cel.tokens import CelSyntaxError
from argocd_provenance.policy.cel.values import CelError, OutOfStepsError

__all__ = ["STEPS", "CelError", "CelSyntaxError", "OutOfStepsError", "Program"]
