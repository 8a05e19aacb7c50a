"""What can be wrong with an installation: a closed list of codes, each with a section in ``docs/doctor.md``."""

from collections.abc import Iterable, Mapping
from typing import Literal

from argocd_provenance.records import dataclass

Weight = Literal["error", "warning", "note"]
"""error: it does not work, or lets images through; warning: it will not do on a bad day; note: worth knowing."""

CODES: Mapping[str, Weight] = {
    # the cluster
    "argocd-missing": "error",
    "sidecar-missing": "error",
    "sidecar-user": "error",
    "sidecar-shares-tmp": "error",
    "sidecar-image-by-tag": "warning",
    "sidecar-config": "error",
    "other-plugin": "warning",
    "deadline-too-long": "error",
    "time-limits-differ": "warning",
    "plugin-not-required": "note",
    "application-plugin-name": "error",
    "application-plugin-unnamed": "error",
    "application-two-kinds": "error",
    "application-carried-over": "warning",
    "application-not-covered": "note",
    # the sidecar
    "not-a-sidecar": "error",
    "plugin-file": "error",
    "plugin-file-discovers": "error",
    "plugin-file-versioned": "error",
    "socket-missing": "error",
    "resident-missing": "note",
    "program-missing": "warning",
    "program-version": "warning",
    "fences": "warning",
    "config-unusable": "error",
    "unmatched-open": "warning",
    "cache-unwritable": "warning",
    "cache-off": "note",
    "key-exposed": "error",
    "collector": "warning",
    "trust-root": "note",
    "trust-root-old": "warning",
    "credential": "note",
    "registry-unreachable": "error",
    "registry-unauthorized": "error",
}


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing found: its code, where (an object or a file), what is so, and what to do about it."""

    code: str
    where: str
    message: str
    fix: str = ""

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise AssertionError(f"{self.code} is no code of this list")

    @property
    def weight(self) -> Weight:
        """How much it matters."""
        return CODES[self.code]


def other_plugin(where: str) -> Complaint:
    """The complaint about a plugin at `where` that shares the repo-server with ours."""
    return Complaint(
        "other-plugin",
        where,
        "is another plugin on the same repo-server: `.argocd-source.yaml` in a repository can name it instead of ours",
        "give it a repo-server of its own, or make sure that it verifies as well",
    )


_UNUSABLE = frozenset({"config-unusable"})
_UNASKED = frozenset({"argocd-missing", "not-a-sidecar", "registry-unreachable", "registry-unauthorized"})


def exit_code(found: Iterable[Complaint]) -> int:
    """0: nothing wrong; 2: the operator's files cannot be used; 3: something could not be looked at; 4: an error.

    The order is that of ``verify``: what is known to be wrong outweighs what could not be asked.
    """
    errors = {complaint.code for complaint in found if complaint.weight == "error"}
    if errors & _UNUSABLE:
        return 2
    if errors - _UNASKED:
        return 4
    return 3 if errors else 0


def in_order(found: Iterable[Complaint]) -> list[Complaint]:
    """Errors first, then warnings, then notes; within these as they were found."""
    weights: list[Weight] = ["error", "warning", "note"]
    return sorted(found, key=lambda complaint: weights.index(complaint.weight))
