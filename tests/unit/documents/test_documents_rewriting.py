"""What is written: images pinned and objects annotated, and not one other byte."""

import json

import pytest

from argocd_provenance.documents import ObjectImages, emit, read
from argocd_provenance.documents import rewrite as module
from argocd_provenance.documents.reread import says
from argocd_provenance.documents.split import Part
from argocd_provenance.errors import Error

D = "@sha256:" + "0" * 64
OURS = {"argocd-provenance.io/verdict": "verified", "argocd-provenance.io/images": '{"a:1":"it\'s"}'}
BLOCK = "argocd-provenance.io/verdict: verified\n{i}argocd-provenance.io/images: '{{\"a:1\":\"it''s\"}}'\n"
FLOW = json.dumps(OURS, separators=(",", ":"))
HEAD = "kind: Pod\n"
SPEC = "spec:\n  containers:\n  - image: a:1\n"


def note(_: ObjectImages) -> dict[str, str]:
    """The same annotations for every object."""
    return OURS


def pinned(text: str) -> str:
    """One file with all images pinned."""
    rendered = read([("f", text)])
    return emit(rendered, {image.written: image.written + D for image in rendered.images})


def annotated(text: str) -> str:
    """One file with all objects annotated."""
    return emit(read([("f", text)]), {}, note)


def block(indent: int) -> str:
    """Our annotations in block style."""
    return BLOCK.format(i=" " * indent)


class TestPin:
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ("image: a:1", "image: a:1@"),
            ("image: a:1   # why", "image: a:1@   # why"),
            ("image: 'a:1'", "image: 'a:1@'"),
            ('image: "a\\x3a1"', 'image: "a\\x3a1@"'),
            ("image: &x a:1", "image: &x a:1@"),
            ("image: !!str a:1", "image: !!str a:1@"),
            ("image: |-\n      a:1\n\n    name: x", "image: |-\n      a:1@\n\n    name: x"),
            ("image: >-\n      a:1", "image: >-\n      a:1@"),
            ("image:\n      a:1", "image:\n      a:1@"),
            ("{name: c, image: a:1}", "{name: c, image: a:1@}"),
            ("{name: c, 'image': 'a:1'}", "{name: c, 'image': 'a:1@'}"),
            ("? image\n    : a:1", "? image\n    : a:1@"),
        ],
    )
    @pytest.mark.parametrize("newline", ["\n", "\r\n"])
    @pytest.mark.parametrize("end", ["\n", ""])
    def test_the_digest_is_put_behind_the_text(self, before: str, after: str, newline: str, end: str) -> None:
        """Whatever the style of the scalar, the digest goes behind its text and nothing else changes."""
        text = f"{HEAD}spec: # s\n  containers:\n  - {before}{end}".replace("\n", newline)

        assert pinned(text) == text.replace(before.replace("\n", newline), after.replace("@", D).replace("\n", newline))

    def test_characters_beyond_ascii_do_not_shift_the_place(self) -> None:
        """Marks count characters, and not the BOM."""
        text = "\ufeff# \U0001f600 é\nkind: Pod\nx: 日本\nspec: {containers: [{image: a:1}]}\n"

        assert pinned(text) == text.replace("a:1", "a:1" + D)

    def test_a_text_that_is_no_longer_the_old_one_is_replaced(self) -> None:
        """A pin may be any text."""
        text = HEAD + "spec: {containers: [{image: a:1}, {image: 'a:1'}]}\n"

        assert emit(read([("f", text)]), {"a:1": "m/b: 2"}) == text.replace("'a:1'", "a:1").replace("a:1", '"m/b: 2"')

    @pytest.mark.parametrize(
        "text",
        [
            HEAD + "x: &i a:1\nspec: {containers: [{image: *i}]}\n",
            HEAD + "x: &c {image: a:1}\nspec: {containers: [{<<: *c}]}\n",
            HEAD + "x: &l [{image: a:1}]\nspec: {containers: *l}\n",
            HEAD + "spec: {containers: [{image: &i a:1, args: [*i]}]}\n",
        ],
    )
    def test_an_anchor_shared_with_another_place_keeps_that_place(self, text: str) -> None:
        """What a splice cannot express is written as JSON: the image is pinned, the other place is not touched."""
        out = json.loads(pinned(text))

        assert out["spec"]["containers"][0]["image"] == "a:1" + D
        assert json.dumps(out).count(D) == 1

    def test_an_anchor_shared_by_images_only_is_spliced(self) -> None:
        """Where every use of an anchor is the same image, comments and order stay."""
        text = HEAD + "spec:\n  containers:\n  - image: &i a:1 # one\n  - image: *i\n"

        assert pinned(text) == text.replace("a:1", "a:1" + D)

    def test_values_stay_what_argo_cd_reads_when_a_document_becomes_json(self) -> None:
        """The JSON has go-yaml's values, and nothing that go-yaml cannot read (escaped slashes, surrogate pairs)."""
        text = (
            HEAD
            + 'x: &i a:1\nv: [1e3, 0o17, on, 1_000, 1.5, ~, "\\x7f\\u2028", 😀, a/b, 12345678901234567890]\nspec: {containers: [{image: *i}]}\n'
        )

        out = pinned(text)

        assert '"v":[1000,15,true,1000,1.5,null,"\\u007f\\u2028","😀","a/b",12345678901234567890]' in out


class TestAnnotate:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            pytest.param(HEAD + SPEC, "metadata:\n  annotations:\n    " + block(4) + HEAD + SPEC, id="no metadata"),
            pytest.param(
                HEAD + "metadata:\n  name: x\n" + SPEC,
                HEAD + "metadata:\n  annotations:\n    " + block(4) + "  name: x\n" + SPEC,
                id="no annotations",
            ),
            pytest.param(
                HEAD + "metadata:\n  annotations: # c\n    # d\n    a: |+\n      b\n\n" + SPEC,
                HEAD + "metadata:\n  annotations: # c\n    # d\n    " + block(4) + "    a: |+\n      b\n\n" + SPEC,
                id="annotations",
            ),
            pytest.param(
                HEAD + "metadata:\n  annotations: {}\n" + SPEC,
                HEAD + f"metadata:\n  annotations: {FLOW}\n" + SPEC,
                id="empty annotations",
            ),
            pytest.param(
                HEAD + "metadata:\n  annotations:\n" + SPEC,
                HEAD + f"metadata:\n  annotations: {FLOW}\n" + SPEC,
                id="null annotations",
            ),
            pytest.param(
                HEAD + "metadata:\n" + SPEC, HEAD + f'metadata: {{"annotations":{FLOW}}}\n' + SPEC, id="null metadata"
            ),
            pytest.param(
                HEAD + "metadata: {name: x}\n" + SPEC,
                HEAD + f'metadata: {{"annotations":{FLOW},name: x}}\n' + SPEC,
                id="flow metadata",
            ),
            pytest.param(
                '{"kind":"Pod","spec":{"containers":[{"image":"a:1"}]}}',
                f'{{"metadata":{{"annotations":{FLOW}}},"kind":"Pod","spec":{{"containers":[{{"image":"a:1"}}]}}}}',
                id="JSON",
            ),
            pytest.param(
                HEAD + "metadata: &m\n  &n name: x\n" + SPEC,
                HEAD + "metadata: &m\n  annotations:\n    " + block(4) + "  &n name: x\n" + SPEC,
                id="anchored metadata",
            ),
            pytest.param(
                "items:\n- kind: Pod\n  " + SPEC.replace("\n", "\n  ") + "\n- kind: Service\n",
                "items:\n- metadata:\n    annotations:\n      "
                + block(6)
                + "  kind: Pod\n  "
                + SPEC.replace("\n", "\n  ")
                + "\n- kind: Service\n",
                id="item of a list",
            ),
        ],
    )
    def test_annotations_go_before_the_first_key_of_the_map(self, text: str, expected: str) -> None:
        """On the object's own metadata, made where there is none; a second run changes nothing."""
        out = annotated(text)

        assert out == expected
        assert annotated(out) == out

    def test_a_pod_template_is_never_annotated(self) -> None:
        """That would restart pods."""
        text = "kind: Deployment\nmetadata: &m\n  name: x\nspec:\n  template:\n    metadata: *m\n    spec: {containers: [{image: a:1}]}\n"

        out = json.loads(annotated(text))

        assert (out["metadata"]["annotations"], out["spec"]["template"]["metadata"]) == (OURS, {"name": "x"})

    def test_an_object_without_images_is_not_asked_about(self) -> None:
        """Services and ConfigMaps stay as they are."""
        text = "kind: Service\nmetadata: {name: x}\n"

        assert annotated(text) == text

    def test_only_names_of_ours_are_written(self) -> None:
        """A fault of the caller is no annotation."""
        with pytest.raises(ValueError, match="not ours"):
            emit(read([("f", HEAD + SPEC)]), {}, lambda _: {"example.com/x": "y"})


class TestForged:
    @pytest.mark.parametrize(
        "name",
        ["argocd-provenance.io/verdict", "argocd-provenance.io/anything", "link.argocd.argoproj.io/argocd-provenance"],
    )
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ("metadata:\n  annotations:\n    N: verified\n    a: b\n", "metadata:\n  annotations:\n    a: b\n"),
            ("metadata:\n  annotations:\n    a: b\n    N: verified # c\n", "metadata:\n  annotations:\n    a: b\n"),
            (
                "metadata:\n  annotations:\n    a: b\n    N: >-\n      verified\n      yes\n    c: d\n",
                "metadata:\n  annotations:\n    a: b\n    c: d\n",
            ),
            ("metadata:\n  annotations: {a: b, N: verified, c: d}\n", "metadata:\n  annotations: {a: b, c: d}\n"),
            ("metadata:\n  annotations: {'N': verified, c: d}\n", "metadata:\n  annotations: {c: d}\n"),
            ("metadata:\n  annotations: {N: verified}\n", "metadata:\n  annotations: {}\n"),
            ("metadata:\n  annotations:\n    N: verified\n", "metadata:\n  annotations:\n    {}\n"),
            (
                "spec:\n  t:\n  - metadata:\n      annotations:\n        N: x\n        a: b\n",
                "spec:\n  t:\n  - metadata:\n      annotations:\n        a: b\n",
            ),
            ('{"metadata":{"annotations":{"a":"b","N":"x"}}}', '{"metadata":{"annotations":{"a":"b"}}}'),
        ],
    )
    def test_what_the_source_brought_under_our_names_is_dropped(self, name: str, before: str, after: str) -> None:
        """From every metadata.annotations at any depth, in documents without images too."""
        assert annotated(before.replace("N", name)) == after

    @pytest.mark.parametrize(
        "text",
        [
            'metadata:\n  annotations:\n    "argocd\\x2dprovenance.io/verdict": verified\n',
            "x: &a {argocd-provenance.io/verdict: verified}\nmetadata: {annotations: *a}\n",
            "x: &a {argocd-provenance.io/verdict: verified}\nmetadata: {annotations: {<<: *a}}\n",
            "metadata:\n  annotations:\n    ? argocd-provenance.io/verdict\n    : verified\n",
            "metadata:\n  annotations:\n    argocd-provenance.io/verdict: verified\n    argocd-provenance.io/verdict: verified\n",
        ],
    )
    def test_no_spelling_keeps_a_forged_annotation(self, text: str) -> None:
        """Escapes, anchors, merges and explicit keys do not help."""
        out = json.loads(says(Part("f", annotated(text), 1)))

        assert out["metadata"]["annotations"] == {}

    def test_a_forged_verdict_is_replaced(self) -> None:
        """The object says what was found, and that only."""
        text = HEAD + "metadata:\n  annotations:\n    a: b\n    argocd-provenance.io/verdict: forged\n" + SPEC

        assert annotated(text) == HEAD + "metadata:\n  annotations:\n    " + block(4) + "    a: b\n" + SPEC


class TestStream:
    def test_sources_are_joined_to_one_stream(self) -> None:
        """Each source begins a document of its own, whatever ends the one before."""
        out = emit(read([("a", "kind: A"), ("b", "---\nkind: B\n"), ("c", "\ufeffkind: C\n"), ("d", "")]), {})

        assert out == "kind: A\n---\nkind: B\n---\nkind: C\n---\n"

    def test_untouched_documents_keep_their_bytes(self) -> None:
        """Comments, blanks, order, quotes, missing final newlines."""
        text = (
            "# top\n\n---\n# only a comment\n--- # x\nkind:   A   # c\r\n\n\nb: {c:   'd'}\n...\n---\n"
            + HEAD
            + SPEC
            + "\n# end"
        )

        assert emit(read([("f", text)]), {}) == text

    def test_a_document_that_does_not_say_what_was_intended_stops_the_run(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What was written is read again; anything unexpected is an error, and no output."""
        monkeypatch.setattr(module, "says", lambda _: "something else")

        with pytest.raises(Error, match="intended"):
            pinned(HEAD + SPEC)
