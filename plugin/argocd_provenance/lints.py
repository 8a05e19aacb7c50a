"""What a lint can say of policies: a closed list of codes, each with a section in ``docs/lint.md``."""

from collections.abc import Iterable, Mapping
from typing import Literal

from argocd_provenance.records import dataclass

Severity = Literal["error", "warning", "note"]
"""error: a rule that can never match, or that anyone satisfies; warning: it does something else than it seems to; note: worth knowing."""

CODES: Mapping[str, tuple[Severity, str]] = {
    # can never match
    "image-never": ("error", "an image pattern that no image can fit"),
    "signer-never": ("error", "a signer that no certificate can name"),
    "demand-never": ("error", "a demand that contradicts itself"),
    "retired-value": ("error", "a value that builders no longer write"),
    "exception-idle": ("warning", "an exception for images that the policy is not about"),
    # satisfied by anyone
    "anyone": ("error", "a signer that anyone can be"),
    "missing-issuer": ("error", "an issuer that any issuer satisfies"),
    "public-builder": ("error", "a builder that anyone may call, without the source it must have built from"),
    # more than it seems
    "unanchored": ("warning", "a regular expression that matches anywhere in the text"),
    "dot-in-regex": ("warning", "a dot of a regular expression that was meant as a dot"),
    "open-name": ("warning", "a wildcard behind a part of a name, which other owners can begin with too"),
    "glob-in-regex": ("warning", "a wildcard of globs in a regular expression"),
    "vacuous-expression": ("warning", "an expression that may be true of nothing"),
    "key-without-log": ("warning", "a key whose use leaves no trace"),
    "no-sct": ("warning", "certificates that nobody need have published"),
    "static-pass": ("warning", "an authority that lets everything through"),
    "tag-decides": ("warning", "a lenient policy that is chosen by a tag, which nobody proves beside a digest"),
    # together, and in time
    "overlap": ("note", "two policies that are about the same images"),
    "expired-exception": ("warning", "an exception that has expired"),
    "expiring-exception": ("note", "an exception that expires soon"),
    "unmatched-open": ("warning", "images that no policy covers are let through"),
}


@dataclass(frozen=True, slots=True)
class Lint:
    """One thing said of a policy: its code, where it stands (`line` from 1), what is so, and what to write instead."""

    code: str
    file: str
    line: int
    message: str
    fix: str
    path: str = ""
    policy: str = ""

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise ValueError(f"no such lint code: {self.code}")

    @property
    def severity(self) -> Severity:
        """How much it matters."""
        return CODES[self.code][0]


_RANK: Mapping[Severity, int] = {"error": 0, "warning": 1, "note": 2}


def in_order(found: Iterable[Lint]) -> tuple[Lint, ...]:
    """Each once; errors first, then warnings, then notes, each by file and line."""
    return tuple(
        sorted(dict.fromkeys(found), key=lambda one: (_RANK[one.severity], one.file, one.line, one.code, one.message))
    )


def exit_code(found: Iterable[Lint], *, strict: bool) -> int:
    """4 where there is an error, or (`strict`) a warning; else 0."""
    failing = {"error", "warning"} if strict else {"error"}
    return 4 if any(one.severity in failing for one in found) else 0
