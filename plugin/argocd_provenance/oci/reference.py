"""Image references and digests, by the grammar of the distribution project.

Parsing is strict and total: any text gives a `Reference`, or `InvalidReference`.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Self

from argocd_provenance.errors import InvalidReference

_HEX_LENGTH = {"sha256": 64, "sha384": 96, "sha512": 128}
_DIGEST = re.compile(r"(sha256|sha384|sha512):([0-9a-f]+)")


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """The address of some bytes by their content: ``sha256:<64 hex digits>``, or sha384, sha512."""

    text: str

    def __post_init__(self) -> None:
        match = _DIGEST.fullmatch(self.text)
        if match is None or len(match[2]) != _HEX_LENGTH[match[1]]:
            raise InvalidReference(f"not a digest: {self.text[:200]!r}")

    @classmethod
    def of(cls, content: bytes, algorithm: str = "sha256") -> Self:
        """The digest that `content` has."""
        return cls(f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}")

    @property
    def algorithm(self) -> str:
        """``sha256``, ``sha384`` or ``sha512``."""
        return self.text.partition(":")[0]

    @property
    def hex(self) -> str:
        """The digits after the colon."""
        return self.text.partition(":")[2]

    def __str__(self) -> str:
        return self.text
