"""Pure: YAML read as Argo CD reads it, images found, and the text written again with nothing else changed.

The law of this folder: what two YAML readers could see differently is refused (`DocumentError`), and what is written was
read again first. In the order of the work: `split` (documents), `scan` (is there anything for us?), `nodes` and `values`
(structure, by go-yaml's rules), `places` and `find` (images), `splice` and `rewrite` (the text), `annotations` (the words), `objects` (who they are, where that matters).
"""

from argocd_provenance.documents.annotations import annotations, weakest
from argocd_provenance.documents.model import ImageField, ObjectImages, Suspect
from argocd_provenance.documents.objects import ObjectIdentity, objects_with
from argocd_provenance.documents.places import Row
from argocd_provenance.documents.rewrite import Rendered, emit, read

__all__ = [
    "ImageField",
    "ObjectIdentity",
    "ObjectImages",
    "Rendered",
    "Row",
    "Suspect",
    "annotations",
    "emit",
    "objects_with",
    "read",
    "weakest",
]
