"""What is read, and what is refused because readers of YAML take it differently."""

import pytest

from argocd_provenance.documents import Rendered, emit, read
from argocd_provenance.documents.scalars import plain
from argocd_provenance.documents.split import split
from argocd_provenance.errors import DocumentError

POD = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n"


def loaded(text: str) -> Rendered:
    """One file, read."""
    return read([("f.yaml", text)])


def written(text: str) -> list[str]:
    """The images of one file."""
    return [image.written for image in loaded(text).images]


class TestSplit:
    @pytest.mark.parametrize("line", ["---", "--- ", "---\t", "--- # note", "---\r"])
    def test_a_marker_cuts(self, line: str) -> None:
        """Dashes alone, or with blanks and a comment behind them, separate documents."""
        source = split("f", f"a: 1\n{line}\nb: 2\n")

        assert [part.text for part in source.parts] == ["a: 1\n", "b: 2\n"]

    @pytest.mark.parametrize("line", ["---#x", "--- text", "--- {}", "---\u00a0", "----", "---a", "--- !!map"])
    def test_a_line_that_readers_split_differently_is_refused(self, line: str) -> None:
        """What begins with three dashes and is no marker to all is refused with its line."""
        with pytest.raises(DocumentError) as caught:
            split("f", f"a: 1\n{line}\nb: 2\n")

        assert caught.value.line == 2

    @pytest.mark.parametrize("character", ["\x85", "\u2028", "\u2029", "\r"])
    def test_a_line_break_of_some_readers_is_refused(self, character: str) -> None:
        """NEL, LS, PS and a lone CR break lines for some readers only."""
        with pytest.raises(DocumentError, match="line break"):
            loaded(f"a: 1\nb: x{character}y\n")

    def test_the_pieces_join_to_the_text(self) -> None:
        """Splitting loses nothing."""
        text = "---\na: 1\n--- # c\n\n---\nb: 2"
        source = split("f", text)

        assert "".join(s + p.text for s, p in zip(source.separators, source.parts, strict=True)) == text


class TestRefusals:
    @pytest.mark.parametrize(
        ("text", "line", "words"),
        [
            pytest.param(
                '~\n---#x\n{"kind":"Pod","spec":{"containers":[{"image":"evil"}]}}',
                2,
                "separator",
                id="scalar to libyaml, Pod to Argo CD",
            ),
            pytest.param("just text\n", 1, "mapping", id="scalar document"),
            pytest.param("- a\n- b\n", 1, "mapping", id="list document"),
            pytest.param(POD + "  - image: a\n    image: b\n", 6, "twice", id="image twice"),
            pytest.param(POD + "  - image: a\n    'image': b\n", 6, "twice", id="image twice, once quoted"),
            pytest.param(POD + '  - image: a\n    "im\\x61ge": b\n', 6, "twice", id="image twice, once escaped"),
            pytest.param(POD + "  - image: a\n  containers: []\n", 6, "twice", id="containers twice"),
            pytest.param(POD + "  - image: a\nspec: {}\n", 6, "twice", id="spec twice"),
            pytest.param(POD + "  - image: a\nkind: List\n", 6, "twice", id="kind twice"),
            pytest.param(POD + "  - image: !custom a\n", 5, "tag", id="custom tag"),
            pytest.param(POD + "  - image: ! a\n", 5, "tag", id="non-specific tag"),
            pytest.param(POD + "  - !!binary aW1hZ2U=: evil\n", 5, "tag", id="binary key"),
            pytest.param("data:\n  a: !!binary aGk=\n", 2, "tag", id="tag in a document without images"),
            pytest.param(
                "x: &k image\nspec:\n  containers:\n  - *k : evil\n    image: a\n", 4, "alias as a key", id="alias key"
            ),
            pytest.param(POD + "  - ? [a]\n    : b\n    image: c\n", 5, "as a key", id="list as a key"),
            pytest.param(POD + "  - ? {a: b}\n    : b\n    image: c\n", 5, "as a key", id="mapping as a key"),
            pytest.param(POD + "  - ~: b\n    image: c\n", 5, "as a key", id="null as a key"),
            pytest.param(POD + "  - 1.5: b\n    image: c\n", 5, "as a key", id="float as a key"),
            pytest.param("%YAML 1.2\n---\na: b\n", 1, "directive", id="directive"),
            pytest.param("\ufeff%YAML 1.1\n--- \n" + POD, 1, "directive", id="directive behind a BOM"),
            pytest.param("a: b\n...\nkind: Pod\n", 3, "not YAML", id="text behind the end"),
            pytest.param('{"kind":"ConfigMap"}: {"kind":"Pod"}\n', 1, "JSON", id="JSON object as a key"),
            pytest.param(
                '{"kind":"ConfigMap"}\n{"kind":"Pod"}\n', 2, "not YAML", id="two JSON objects in one document"
            ),
            pytest.param(
                "x: &e {image: evil}\n" + POD + "  - {image: good, <<: *e}\n", 6, "behind", id="merge behind a key"
            ),
            pytest.param(POD + "  - <<: text\n    image: a\n", 5, "takes a mapping", id="merge of a text"),
            pytest.param(
                "x: &l [{image: a}]\n" + POD + "  - <<: *l\n    image: b\n",
                6,
                "takes a mapping",
                id="merge of an aliased list",
            ),
            pytest.param(POD + "  - <<: {image: a, image: b}\n", 5, "twice", id="image twice in a merge"),
            pytest.param(POD + "  - &a {b: *a, image: c}\n", 5, "inside its own anchor", id="alias in its anchor"),
            pytest.param(POD + "  - {b: *a, image: c}\n", 5, "no anchor", id="unknown alias"),
            pytest.param(POD + "  - image: a\n  bad:\t- b\n   x: y\n", 6, "not YAML", id="no YAML"),
            pytest.param(
                POD + "  - image: a\n  n: .inf\n", 6, "JSON number", id="infinity in a document that is changed"
            ),
            pytest.param(
                "kind: List\nitems:\n- [{containers: [{image: a}]}]\n", 3, "mapping", id="an item that is no object"
            ),
            pytest.param(POD + "  - " + "[" * 300 + "]" * 300 + "\n  - image: a\n", 5, "deeper", id="too deep"),
        ],
    )
    def test_what_readers_take_differently_is_refused_with_its_line(self, text: str, line: int, words: str) -> None:
        """Each bypass is refused, and the refusal says where it stands and why."""
        with pytest.raises(DocumentError, match=words) as caught:
            emit(loaded(text), {"a": "a@b"})

        assert (caught.value.file, caught.value.line) == ("f.yaml", line)

    @pytest.mark.parametrize(
        "value", ["1e3", "0o17", "y", "on", "~", "", "null", "1_000", "0x1F", ".5", "true", "{a: b}", "[a]", "08"]
    )
    @pytest.mark.parametrize("field", ["containers:\n  - image: {}", "volumes:\n  - image: {{reference: {}}}"])
    def test_an_image_that_is_no_string_is_refused(self, field: str, value: str) -> None:
        """In kinds of Kubernetes itself an image must be text to Argo CD."""
        with pytest.raises(DocumentError, match="must be a string"):
            loaded("apiVersion: v1\nkind: Pod\nspec:\n  " + field.format(value) + "\n")

    def test_aliases_cannot_grow_without_end(self) -> None:
        """A document of aliases of aliases is refused before it fills the memory."""
        bomb = "a0: &a0 {image: x}\n" + "".join(
            f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 12)}]\n" for n in range(1, 7)
        )

        with pytest.raises(DocumentError, match="too large"):
            loaded(bomb + POD + "  - image: a\n")


class TestAccepted:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            pytest.param(POD + "  - image: 190:20\n", ["190:20"], id="sexagesimal is text"),
            pytest.param(POD + "  - image: 2001-01-01\n", ["2001-01-01"], id="a date is text"),
            pytest.param(POD + "  - image: !!str 1e3\n", ["1e3"], id="string tag"),
            pytest.param(POD + "  - image: '1e3'\n", ["1e3"], id="quoted"),
            pytest.param("\ufeff---\n" + POD + "  - image: a\n", ["a"], id="BOM"),
            pytest.param((POD + "  - image: a\n").replace("\n", "\r\n"), ["a"], id="CRLF"),
            pytest.param('{"kind":"Pod","spec":{"containers":[{"image":"a"}]}}', ["a"], id="JSON"),
            pytest.param(POD + "  - image:\ta\n", ["a"], id="tab behind the colon"),
            pytest.param(
                "x: &e {image: e}\n" + POD + "  - <<: *e\n    image: a\n", ["a"], id="key behind a merge wins"
            ),
            pytest.param("x: &e {image: e}\n" + POD + "  - <<: *e\n", ["e"], id="merged image"),
            pytest.param(
                "x: &e {image: e}\ny: &f {image: f}\n" + POD + "  - <<: [*f, *e]\n",
                ["f"],
                id="the first of merged wins",
            ),
            pytest.param("x: &e {image: e}\n" + POD + '  - "<<": *e\n    image: a\n', ["a"], id="a quoted << is a key"),
            pytest.param(POD + "  - ? image\n    : a\n", ["a"], id="explicit key"),
            pytest.param(POD + '  - "im\\u0061ge": a\n', ["a"], id="escaped key"),
            pytest.param(
                POD + "  - image: a\n  replicas: 1\n  replicas: 2\n", ["a"], id="a key twice that leads to no image"
            ),
            pytest.param(
                "# nothing\n---\n~\n---\n" + POD + "  - image: a\n...\n", ["a"], id="empty documents, document end"
            ),
        ],
    )
    def test_what_every_reader_takes_alike_is_read(self, text: str, expected: list[str]) -> None:
        """Odd but clear YAML is no reason to refuse."""
        assert written(text) == expected

    def test_objects_are_counted_as_argo_cd_counts(self) -> None:
        """Empty documents are none, a List is its items."""
        text = "~\n---\n# c\n---\nkind: A\n---\nkind: List\nitems: [{kind: B}, {kind: C}]\n---\nkind: List\nitems: []\n"

        assert loaded(text).objects == 3


class TestPlainScalars:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("y", True), ("Off", False), ("~", None), ("1e3", 1000.0), ("0o17", 15), ("017", 15), ("08", 8.0), ("1_000", 1000),
            ("0b11", 3), ("-0x10", -16), (".5", 0.5), ("1.", 1.0), ("18446744073709551615", 2**64 - 1), ("1e999", "1e999"),
            ("190:20", "190:20"), ("2001-01-01", "2001-01-01"), ("nginx", "nginx"), ("=", "="), ("-", "-"), ("0x", "0x"), ("1-2", "1-2"),
        ],
    )  # fmt: skip
    def test_they_are_what_go_yaml_makes_of_them(self, text: str, value: object) -> None:
        """go-yaml's rules, not YAML 1.1's or 1.2's; checked against the real one in tests/peers."""
        found = plain(text)

        assert (type(found), found) == (type(value), value)
