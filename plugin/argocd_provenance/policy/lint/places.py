"""Where in its file a part of a policy stands."""

import re
from collections.abc import Callable, Mapping, Sequence

from argocd_provenance.lints import Lint
from argocd_provenance.operatorfile import Faults, Field, documents
from argocd_provenance.policy.model import Policy

Spot = Callable[[str, str, str, str], Lint]
"""A lint of one policy: code, path, message, fix."""

_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")


class Places:
    """The lines of policy files, by path."""

    def __init__(self, files: Sequence[tuple[str, str]]) -> None:
        self._roots = {f"{file}:{root.line}": root for file, text in files for root in documents(file, text, Faults())}

    def of(self, policy: Policy) -> Spot:
        """What makes lints of `policy` that know where they stand."""
        file, _, line = policy.origin.rpartition(":")
        root = self._roots.get(policy.origin)

        def spot(code: str, path: str, message: str, fix: str) -> Lint:
            found = _line(root, path) if root is not None else int(line)
            return Lint(code, file, found, message, fix, path, policy.name)

        return spot


def _line(root: Field, path: str) -> int:
    """The line of `path`, or of the deepest part of it that is written."""
    here = root
    for name, place in _STEP.findall(path):
        inner = here.value
        if name and isinstance(inner, Mapping) and name in inner:
            here = inner[name]
        elif place and isinstance(inner, tuple) and int(place) < len(inner):
            here = inner[int(place)]
        else:
            break
    return here.line
