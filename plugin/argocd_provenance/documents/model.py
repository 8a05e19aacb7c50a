"""What reading finds, and what annotating is asked about, as values."""

from typing import Literal

from argocd_provenance.documents.values import Path
from argocd_provenance.records import dataclass

Role = Literal["core", "crd", "other"]
"""Kubernetes' own kinds; kinds of the table of places; any other object."""


@dataclass(frozen=True, slots=True)
class ImageField:
    """A field that holds an image: its text as written, and where it stands.

    `object_id` counts the objects of a run from 0 (the items of a List one by one), `document` the parts of `file`;
    `keys` leads from the document's root to the field, `path` is the same within the object, for people. `applied` is
    whether Argo CD may ever apply the object: it never does so with helm's tests.
    """

    written: str
    api_version: str
    kind: str
    namespace: str
    name: str
    container: str
    file: str
    line: int
    path: str
    object_id: int
    role: Role
    document: int
    keys: Path
    labels: tuple[tuple[str, str], ...] | None = ()
    """Those of the object itself; None where readers could disagree about them."""
    applied: bool = True


@dataclass(frozen=True, slots=True)
class Suspect:
    """A string that looks like an image, where no image field is known."""

    text: str
    kind: str
    namespace: str
    name: str
    file: str
    line: int
    path: str


@dataclass(frozen=True, slots=True)
class ObjectImages:
    """One object with the images it runs: what its annotations are made from."""

    object_id: int
    kind: str
    namespace: str
    name: str
    images: tuple[ImageField, ...]


def path_text(path: Path) -> str:
    """`path` as people write it: ``spec.containers[0].image``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step.replace("-", "").replace("_", "").isalnum():
            text += f".{step}" if text else step
        else:
            text += f"[{step!r}]"
    return text
