"""What all policy files share: patterns, globs and keys, read with their faults."""

import posixpath
from collections.abc import Callable
from typing import TypeVar

from argocd_provenance.errors import OperatorError
from argocd_provenance.operatorfile import Field
from argocd_provenance.policy.cluster import Cluster
from argocd_provenance.policy.imagepatterns import ImagePattern
from argocd_provenance.policy.patterns import BadPatternError, Glob
from argocd_provenance.records import dataclass, field

_Made = TypeVar("_Made")


@dataclass(frozen=True, slots=True)
class Reading:
    """The policy file that is read, and how the files beside it are."""

    file: str
    read: Callable[[str], bytes]
    cluster: Cluster = field(default_factory=Cluster)

    def beside(self, name: str) -> bytes:
        """The bytes of the file `name`, relative to the policy file."""
        return self.read(posixpath.join(posixpath.dirname(self.file), name))


def pattern(field: Field, make: Callable[[str], _Made], text: str | None = None) -> _Made | None:
    """The pattern that `make` reads from the field's text, or None and a fault."""
    written = field.text() if text is None else text
    if not written:
        return None
    try:
        return make(written)
    except BadPatternError as error:
        field.fault(str(error))
        return None


def image_patterns(field: Field, *, empty: bool = True) -> tuple[ImagePattern, ...]:
    """A list of image patterns."""
    found = (pattern(item, ImagePattern.parse) for item in field.sequence(empty=empty))
    return tuple(made for made in found if made is not None)


def globs(field: Field) -> tuple[Glob, ...]:
    """A list of globs, with at least one."""
    found = (pattern(item, Glob) for item in field.sequence(empty=False))
    return tuple(made for made in found if made is not None)


def public_key(field: Field, pem: bytes) -> bytes | None:
    """A public key as SubjectPublicKeyInfo, or None and a fault."""
    # cryptography takes 50 ms that a policy without keys need not wait for
    from argocd_provenance.evidence.keys import load_public_key  # noqa: PLC0415

    try:
        return load_public_key(pem)
    except OperatorError as error:
        field.fault(str(error))
        return None


def key_file(field: Field, reading: Reading) -> bytes | None:
    """The bytes of a key file beside the policy, or None and a fault."""
    name = field.text()
    if not name:
        return None
    try:
        return reading.beside(name)
    except (OSError, OperatorError, KeyError) as error:
        reason = getattr(error, "strerror", None) or error
        field.fault(f"{name} cannot be read: {reason}; the path is relative to the policy file")
        return None


def operator_file(field: Field, reading: Reading, kind: str, name: str) -> bytes | None:
    """The bytes of the file that the config gives instead of `name`, of a `kind` in a cluster; None and a fault."""
    cluster = reading.cluster
    files = {
        "secrets": cluster.secrets, "configMaps": cluster.config_maps, "kms": cluster.kms, "remotes": cluster.remotes,
    }[kind]  # fmt: skip
    if not name:
        return None
    if name not in files:
        field.fault(
            f"{name} is not asked here: only a cluster could; put its content into a file, and name that in the config "
            f"under clusterImagePolicy.{kind}"
        )
        return None
    try:
        return reading.read(files[name])
    except (OSError, OperatorError, KeyError) as error:
        field.fault(f"{files[name]} cannot be read: {getattr(error, 'strerror', None) or error}")
        return None
