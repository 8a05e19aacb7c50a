"""Attacks on the reading of manifests: each is an image that Argo CD would deploy, and that must be seen or refused."""

import pytest

from argocd_provenance.documents import emit, read
from argocd_provenance.errors import DocumentError

_POD = "apiVersion: v1\nkind: {kind}\nmetadata: {{name: p}}\n"


@pytest.mark.parametrize(
    "text",
    [
        # The word stands alone in a list, which is no key, and comes back as one.
        _POD.format(kind="Pod") + "spec:\n  containers:\n  - args:\n    - &k image\n    *k : evil:1\n",
        # The kind is spelled so that no first look sees a pod, and what follows the word is no text.
        _POD.format(kind='"\\x50od"') + "x: {&k image : [1]}\nspec:\n  containers:\n  - *k : evil:1\n",
    ],
    ids=["list", "odd"],
)
def test_a_word_with_an_anchor_is_looked_at(text: str) -> None:
    """`image` may become a key by an alias, so a document where it carries an anchor never passes unread."""
    with pytest.raises(DocumentError, match="an alias as a key"):
        read([("f.yaml", text)])


@pytest.mark.parametrize("name", ["Argocd-Provenance.io/verdict", '"ARGOCD\\x2dprovenance.io/images"'])
def test_capitals_do_not_save_a_forged_annotation(name: str) -> None:
    """Kubernetes keeps such a name, and people would read it as our word."""
    text = f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n  annotations:\n    a: b\n    {name}: verified\n"

    written = emit(read([("f.yaml", text)]), {})

    assert written == "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n  annotations:\n    a: b\n"


def test_items_that_are_no_list_are_a_field_like_any() -> None:
    """Such an object is one object, and not nothing."""
    assert (
        read([("f.yaml", "apiVersion: x/v1\nkind: Menu\nitems: {a: 1}\nspec: {containers: [{image: a}]}\n")]).objects
        == 1
    )
