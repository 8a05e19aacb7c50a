"""CEL, the language of `where`: an expression over one piece of evidence.

Only the value ``true`` is true. An error that reaches the result, a missing key and any other value are failures, and so
is an expression that takes more steps than any policy needs.
"""

import functools
from collections.abc import Mapping
from typing import Any

from argocd_provenance.policy.cel import CelError, CelSyntaxError, OutOfStepsError, Program
from argocd_provenance.policy.cel.lint import warnings
from argocd_provenance.policy.cel.values import kind
from argocd_provenance.records import dataclass, field

NAMES = ("predicate", "statement", "certificate", "image")

_MAX_EXPRESSION = 4096


class BadExpressionError(ValueError):
    """A text that is no expression, or one that can never be true; the message says why."""


@dataclass(frozen=True, slots=True)
class CelExpression:
    """A compiled expression; `more` are names that it may speak of beside `NAMES`."""

    text: str
    more: tuple[str, ...] = ()
    _program: Program = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise BadExpressionError("is empty; an empty expression proves nothing")
        if len(self.text) > _MAX_EXPRESSION:
            raise BadExpressionError(f"is longer than {_MAX_EXPRESSION} characters")
        try:
            object.__setattr__(self, "_program", _program(self.text, (*NAMES, *self.more)))
        except CelSyntaxError as error:
            raise BadExpressionError(str(error)) from error

    def failure(self, scope: Mapping[str, Any]) -> str | None:
        """Why the expression is not true of `scope`; None if it is."""
        try:
            result = self._program.result(scope)
        except CelError as error:
            return f"error: {error}"
        except OutOfStepsError:
            return "it takes more steps than are allowed; ask less of it, or split it"
        # What evidence holds is not ours, and only what was proved may pass: whatever else goes wrong is a failure too.
        except (ValueError, TypeError, ArithmeticError, RecursionError, AttributeError, LookupError) as error:
            return f"error: {type(error).__name__}: {error}"
        if result is True:
            return None
        return "it is false" if result is False else f"it is a {kind(result)}, not true"

    def warnings(self) -> tuple[str, ...]:
        """What a lint says of it."""
        return warnings(self._program.tree)


@functools.lru_cache(maxsize=1024)
def _program(text: str, names: tuple[str, ...]) -> Program:
    """Policies that a template made hold the same expressions; a program has no state, and may serve them all."""
    return Program(text, names)
