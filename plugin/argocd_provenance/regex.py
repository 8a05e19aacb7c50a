"""`regex`: a regular expression that is compiled when it is first used.

Python takes 0.05 to 2 ms to compile one, and a run uses a few of the hundred that its modules define. One that is no
expression is an error at its first use, as each is used by some test. What a match names as its expression (``match.re``)
is the compiled one, so whoever asks which one matched uses ``re.compile``.
"""

import functools
import re
from typing import TYPE_CHECKING, Any, AnyStr

__all__ = ["compile_all", "regex"]

_waiting: "list[Any]" = []


def compile_all() -> None:
    """Compile every expression that there is: for a process whose forks should not each do it."""
    while _waiting:
        _ = _waiting.pop().compiled


if TYPE_CHECKING:

    def regex(text: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
        """What ``re.compile`` returns, or does as if."""
        return re.compile(text, flags)

else:

    class regex:  # noqa: N801 - to its users a function
        """Stands for the compiled expression: each of its methods is looked up there once, and called there after that."""

        def __init__(self, text: str | bytes, flags: int = 0) -> None:
            self._text, self._flags = text, flags
            _waiting.append(self)

        @functools.cached_property
        def compiled(self) -> re.Pattern:
            """What ``re.compile`` returns."""
            return re.compile(self._text, self._flags)

        def __getattr__(self, name: str) -> Any:
            found = getattr(self.compiled, name)
            setattr(self, name, found)
            return found
