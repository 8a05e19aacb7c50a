"""Laws of reading and writing that hold for every document."""

import json
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from argocd_provenance.documents import annotations, emit, read
from argocd_provenance.documents.reread import says
from argocd_provenance.documents.scalars import json_text
from argocd_provenance.documents.split import Part, split
from argocd_provenance.errors import DocumentError

DIGEST = "@sha256:" + "7" * 64
OURS = {"argocd-provenance.io/verdict": "verified", "argocd-provenance.io/images": '{"a":{"signer":"it\'s"}}'}

words = st.text(st.sampled_from("abcxyz-./: #'\"{}[]&*!|>\\n\\té日\u00a0\U0001f600"), max_size=8)
keys = st.sampled_from(
    [
        "name",
        "metadata",
        "annotations",
        "spec",
        "template",
        "image",
        "args",
        "a b",
        "argocd-provenance.io/verdict",
        "é",
        "y",
        "1",
    ]
)
leaves = (
    words
    | st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.sampled_from(["1e3", "0o17", "~", "on", "---", "..."])
)
trees = st.recursive(leaves, lambda t: st.lists(t, max_size=3) | st.dictionaries(keys, t, max_size=4), max_leaves=12)
images = st.sampled_from(["nginx", "ghcr.io/a/b:1", "a:1", "190:20"])
containers = st.lists(
    st.fixed_dictionaries({"image": images}, optional={"name": words, "env": trees}), min_size=1, max_size=3
)
metadata = st.dictionaries(keys.filter(lambda k: k != "annotations"), leaves, max_size=3)
annotated = st.dictionaries(st.sampled_from(["a", "b/c", *OURS]), words, max_size=4)


@st.composite
def objects(draw: st.DrawFn) -> dict[str, Any]:
    """Something like a Pod, in any order of keys."""
    one: dict[str, Any] = {"kind": "Pod", "spec": {"containers": draw(containers), "x": draw(trees)}}
    if draw(st.booleans()):
        one["metadata"] = draw(metadata)
        if draw(st.booleans()):
            one["metadata"]["annotations"] = draw(annotated)
    return {key: one[key] for key in draw(st.permutations(list(one)))}


def dumped(one: Any, flow: Any, width: int) -> str:
    """`one` as PyYAML writes it, or as JSON."""
    if flow is None:
        return json.dumps(one, ensure_ascii=False)
    return str(
        yaml.dump(one, Dumper=_NoAliases, default_flow_style=flow, sort_keys=False, width=width, allow_unicode=True)
    )


class _NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


texts = st.builds(dumped, objects(), st.sampled_from([False, True, None]), st.sampled_from([20, 80, 1000]))


def cleaned(node: Any) -> Any:
    """`node` without our names in any metadata.annotations."""
    if isinstance(node, list):
        return [cleaned(item) for item in node]
    if not isinstance(node, dict):
        return node
    found = {key: cleaned(value) for key, value in node.items()}
    inner = found["metadata"].get("annotations") if isinstance(found.get("metadata"), dict) else None
    if isinstance(inner, dict):
        found["metadata"]["annotations"] = {k: v for k, v in inner.items() if not k.startswith("argocd-provenance.io/")}
    return found


class TestRewriting:
    """Rewriting changes image fields and our annotations, nothing else, and only once."""

    @settings(max_examples=60, deadline=None)
    @given(texts)
    def test_it_says_what_was_intended(self, text: str) -> None:
        """The output is the input with pinned images and our annotations."""
        rendered = read([("f", text)])

        out = emit(rendered, {i.written: i.written + DIGEST for i in rendered.images}, lambda _: OURS)

        intended = cleaned(json.loads(says(Part("f", text, 1))))
        for image in rendered.images:
            holder = intended
            for step in image.keys[:-1]:
                holder = holder[step]
            holder["image"] += DIGEST
        intended.setdefault("metadata", {})
        intended["metadata"].setdefault("annotations", {}).update(OURS)
        assert json.loads(says(Part("f", out, 1))) == intended

    @settings(max_examples=40, deadline=None)
    @given(texts)
    def test_twice_is_once(self, text: str) -> None:
        """A second run over the output changes no byte."""
        once = emit(read([("f", text)]), {}, lambda _: OURS)

        twice = emit(read([("f", once)]), {}, lambda _: OURS)

        assert twice == once

    @settings(max_examples=40, deadline=None)
    @given(st.lists(texts, min_size=1, max_size=3))
    def test_without_changes_the_bytes_stay(self, several: list[str]) -> None:
        """Reading and emitting is the identity where nothing of ours stands in the text."""
        text = "---\n".join(one if one.endswith("\n") else one + "\n" for one in several).replace(
            "argocd-provenance.io", "example.com"
        )

        assert emit(read([("f", text)]), {}) == text


class TestSplitting:
    """Splitting loses nothing."""

    @given(st.text(st.sampled_from("-a# \n\t"), max_size=30))
    def test_the_pieces_are_the_text(self, text: str) -> None:
        """Whatever is not refused joins to what it was."""
        try:
            source = split("f", text)
        except DocumentError:
            return

        assert "".join(s + p.text for s, p in zip(source.separators, source.parts, strict=True)) == text


class TestJson:
    """What we write as JSON is read back as the same value."""

    @settings(deadline=None)
    @given(st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3))
    def test_any_text_survives(self, tree: dict[str, str]) -> None:
        """Control characters and odd line breaks too."""
        if any("\ud800" <= c <= "\udfff" for k, v in tree.items() for c in k + v):
            return

        assert json.loads(says(Part("f", json_text(tree), 1))) == tree


class TestAnnotations:
    """At most 2,048 bytes an object."""

    @given(
        st.dictionaries(st.text(min_size=1, max_size=300), st.dictionaries(words, words, max_size=3), max_size=30),
        st.text(max_size=3000),
    )
    def test_the_limit_holds(self, entries: dict[str, dict[str, object]], link: str) -> None:
        """Whatever the entries and the link are."""
        entries.pop("…", None)

        found = annotations("verified", entries, link)

        assert sum(len(k.encode()) + len(v.encode()) for k, v in found.items()) <= 2048
