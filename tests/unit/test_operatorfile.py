"""The strict reader of an operator's files."""

from datetime import date

import pytest

from argocd_provenance.errors import FileFaults
from argocd_provenance.operatorfile import Faults, Field, documents


def read(text: str) -> Field:
    """The one document of `text`."""
    faults = Faults()
    root = documents("f.yaml", text, faults)[0]
    faults.raise_any()
    return root


def refused(text: str) -> tuple[str, ...]:
    """The faults of `text`."""
    faults = Faults()
    documents("f.yaml", text, faults)
    with pytest.raises(FileFaults) as caught:
        faults.raise_any()
    return caught.value.faults


def fault_of(text: str, accessor: str, *arguments: object) -> str:
    """The fault that an accessor reports for the value of ``a``."""
    field = read(f"a: {text}\n").mapping(None)["a"]
    getattr(field, accessor)(*arguments)
    with pytest.raises(FileFaults) as caught:
        field.faults.raise_any()
    return caught.value.faults[0]


class TestStructure:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("a: 1\nb:\n  c: 1\n  c: 2\n", "f.yaml:4: b.c: stands twice, first in line 3; keep one"),
            ("a: &x 1\n", "f.yaml:1: a: the anchor &x is not read here"),
            ("a: 1\nb: *x\n", "f.yaml:2: b: the alias *x is not read here"),
            ("a: !!str 1\n", "f.yaml:1: a: the tag tag:yaml.org,2002:str is not read here"),
            ("a: !!binary YQ==\n", "is not read here; remove it"),
            ("<<: {a: 1}\n", "f.yaml:1: <<: merge keys are not read here"),
            ("!!str a: 1\n", "a key takes neither an anchor nor a tag"),
            ("? [a]\n: 1\n", "a key must be a text"),
            ("%YAML 1.1\n---\na: 1\n", "directives are not read here"),
            ("a: [\n", "f.yaml:2: is no YAML"),
            ("a: " + "[" * 40 + "]" * 40, "nested deeper than 32 levels"),
            (
                "a: '" + "x" * 524289 + "'",
                "f.yaml:1: holds 524294 characters, and a file of more than 524288 is not read",
            ),
            ("a: '" + "x" * 524289 + "'", "split a policy file between two documents (at ---) into several files"),
            ("", "f.yaml:1: the file is empty"),
            ("# only a comment\n---\nnull\n", "f.yaml:1: the file is empty"),
        ],
    )
    def test_what_could_be_read_in_two_ways_is_refused(self, text: str, said: str) -> None:
        """No anchors, aliases, tags, merge keys, duplicate keys, directives; and an empty file decides nothing."""
        assert any(said in fault for fault in refused(text)), refused(text)

    def test_faults_of_several_documents_name_theirs(self) -> None:
        """``document 2`` stands in the path when a file holds several."""
        assert refused("a: 1\n---\nb: &x 1\n") == (
            "f.yaml:3: document 2: b: the anchor &x is not read here; write each value where it is meant",
        )

    def test_a_quoted_merge_sign_is_an_ordinary_key(self) -> None:
        """As for go-yaml."""
        assert list(read('"<<": 1\n').mapping(None)) == ["<<"]

    def test_unknown_and_missing_fields_are_faults(self) -> None:
        """With what was probably meant, or what is known."""
        root = read("imagse: 1\nzzz: 2\n")

        root.mapping(("images", "mode"), ("mode",))

        with pytest.raises(FileFaults) as caught:
            root.faults.raise_any()
        assert caught.value.faults == (
            "f.yaml:1: imagse: there is no such field; did you mean images?",
            "f.yaml:1: mode is missing",
            "f.yaml:2: zzz: there is no such field; known here: images, mode",
        )


class TestScalars:
    @pytest.mark.parametrize(
        ("text", "accessor", "arguments", "said"),
        [
            ("1", "text", (), "f.yaml:1: a: 1 is a number; put it in quotes"),
            ("0x1F", "text", (), "is a number"),
            ("1e3", "text", (), "is a number"),
            ("yes", "text", (), "yes is a boolean; put it in quotes"),
            ("", "text", (), "is empty; it must be a text"),
            ("''", "text", (), "is an empty text"),
            ("[]", "text", (), "is a list; it must be a text"),
            ("{}", "sequence", (), "is a mapping; it must be a list"),
            ("x", "mapping", (None,), "is a text; it must be a mapping"),
            ("yes", "boolean", (), "is 'yes'; it must be true or false"),
            ("'true'", "boolean", (), "it must be true or false"),
            ("[]", "boolean", (), "is a list; it must be true or false"),
            ("'1'", "integer", (0, 3), "it must be a whole number from 0 to 3"),
            ("4", "integer", (0, 3), "is 4; it must be a whole number from 0 to 3"),
            ("01", "integer", (0, 3), "it must be a whole number"),
            ("2027-02-30", "date", (), "is 2027-02-30; it must be a day such as 2027-01-31"),
            ("40", "duration", (), "it must be a number with its unit"),
            ("1.5h", "duration", (), "it must be a number with its unit"),
            ("enforced", "choice", (("enforce", "warn"),), "it must be enforce or warn; did you mean enforce?"),
        ],
    )
    def test_a_wrong_type_is_a_fault(self, text: str, accessor: str, arguments: tuple[object, ...], said: str) -> None:
        """What is wrong, and what is right."""
        assert said in fault_of(text, accessor, *arguments)

    def test_right_types_are_read(self) -> None:
        """Typed accessors."""
        fields = read("t: x\nq: '1'\nb: false\ni: 3\nd: 2027-01-31\nh: 24h\nl: [a, b]\nn: ~\nc: 1a2b\n").mapping(None)

        assert fields["t"].text() == "x"
        assert fields["q"].text() == "1"
        assert fields["c"].text() == "1a2b"
        assert fields["b"].boolean() is False
        assert fields["i"].integer(0, 3) == 3
        assert fields["d"].date() == date(2027, 1, 31)
        assert fields["h"].duration() == 86400.0
        assert fields["l"].texts() == ("a", "b")
        assert fields["n"].is_null
        assert fields["l"].plain_values() == ["a", "b"]
        assert not fields["t"].faults.found
