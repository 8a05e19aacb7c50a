"""CUE: what is read, what it decides, and what is refused by name."""

import pytest

from argocd_provenance.policy.cue import RESULT, CueError, CuePolicy

STATEMENT = {
    "_type": "https://in-toto.io/Statement/v1",
    "predicateType": "https://slsa.dev/provenance/v1",
    "predicate": {
        "text": "abc",
        "lines": "a\n",
        "when": "2022-04-01T00:00:00Z",
        "one": 1,
        "half": 0.5,
        "round": 1.0,
        "huge": 2**53 + 1,
        "yes": True,
        "nothing": None,
        "list": [1, 2],
        "items": [1, 2],
        "fields": {"k": "v"},
        "people": [{"name": "a"}, {"name": "b"}],
        "struct": {"k": "v"},
        "empty": {},
        "none": [],
    },
}


def failure(policy: str, *, missing_ok: bool = False) -> str | None:
    """Why `policy` does not hold for the predicate above."""
    return CuePolicy(policy, missing_ok=missing_ok).failure({"statement": STATEMENT})


def of(field: str, constraint: str, *packages: str) -> str:
    """A policy about one field of the predicate."""
    imports = "".join(f'import "{package}"\n' for package in packages)
    return f"{imports}predicate: {field}: {constraint}\n"


def refused(policy: str) -> str:
    """The fault of a policy."""
    with pytest.raises(CueError) as caught:
        CuePolicy(policy)
    return str(caught.value)


class TestConstraints:
    @pytest.mark.parametrize(
        ("field", "constraint", "holds"),
        [
            ("text", '"abc"', True),
            ("text", '"ab"', False),
            ("text", "string", True),
            ("text", "int", False),
            ("text", "_", True),
            ("text", '=~"b"', True),
            ("text", '=~"^b"', False),
            ("text", '!~"x"', True),
            ("text", '!~"b"', False),
            ("text", '"x" | *"abc"', True),
            ("text", '("x" | "abc") & =~"b"', True),
            ("text", '("x" | "abc") & =~"x"', False),
            ("text", '>"abb" & <"abd"', True),
            ("text", '#"abc"#', True),
            ("text", r'"\u0061bc"', True),
            ("lines", '=~"a$"', False),
            ("lines", '"a\\n"', True),
            ("one", "1", True),
            ("one", "1.0", False),
            ("one", ">0.5", True),
            ("one", "!=1", False),
            ("one", '!="a"', False),
            ("one", "!=null", True),
            ("one", "int & >0", True),
            ("one", "float", False),
            ("one", "-1", False),
            ("half", "0.5", True),
            ("half", "5e-1", True),
            ("half", "number", True),
            ("yes", "true", True),
            ("yes", "1 == 1", True),
            ("nothing", "null", True),
            ("nothing", "!=null", False),
            ("list", "[1, 2]", True),
            ("list", "[1]", False),
            ("list", "[1, 2, 3]", False),
            ("list", "[1, ...]", True),
            ("list", "[...int]", True),
            ("list", "[...string]", False),
            ("list", "{}", False),
            ("people", '[...{name: "a" | "b"}]', True),
            ("people", "[...{name: string, mail: string}]", False),
            ("struct", '{k: "v"}', True),
            ("struct", '{k: "v", ...}', True),
            ("struct", 'k: "v"', True),
            ("struct", '{k?: "w"}', False),
            ("struct", '{other?: "w"}', True),
            ("struct", "{other!: string}", False),
            ("struct", "[]", False),
            ("missing", "string", False),
            ("missing", "_", False),
        ],
    )
    def test_a_constraint_holds_as_in_cue(self, field: str, constraint: str, *, holds: bool) -> None:
        """And a field that is not there never does."""
        assert (failure(of(field, constraint)) is None) is holds

    @pytest.mark.parametrize(
        ("field", "package", "constraint", "holds"),
        [
            ("items", "list", "list.MinItems(2) & list.MaxItems(2)", True),
            ("items", "list", "list.MinItems(3)", False),
            ("items", "list", "list.MaxItems(1)", False),
            ("none", "list", "list.MinItems(1)", False),
            ("fields", "struct", "struct.MinFields(1) & struct.MaxFields(1)", True),
            ("fields", "struct", "struct.MaxFields(0)", False),
            ("empty", "struct", "struct.MinFields(1)", False),
            ("text", "strings", 'strings.HasPrefix("ab")', True),
            ("text", "strings", 'strings.HasSuffix("ab")', False),
            ("text", "strings", 'strings.Contains("b")', True),
            ("text", "strings", "strings.MinRunes(3) & strings.MaxRunes(3)", True),
            ("text", "strings", "strings.MinRunes(4)", False),
            ("one", "strings", "strings.MinRunes(1)", False),
            ("when", "time", '<time.Parse(time.RFC3339, "2022-04-01T02:00:01+02:00")', True),
            ("when", "time", '<time.Parse(time.RFC3339, "2022-04-01T02:00:00+02:00")', False),
        ],
    )
    def test_a_builtin_holds_as_in_cue(self, field: str, package: str, constraint: str, *, holds: bool) -> None:
        """But for limits on what could still grow: `MinFields(1)` of `{}` passes upstream, and proves nothing."""
        assert (failure(of(field, constraint, package)) is None) is holds

    def test_a_number_must_fit_as_signed_and_as_upstream_reads_it(self) -> None:
        """Go's float64 makes 1.0 a 1, and drops digits."""
        assert "upstream reads it as another number" in str(failure(of("round", "1.0")))
        assert "upstream reads it as another number" in str(failure(of("round", "1")))
        assert failure(of("round", ">=1 & <=1")) is None
        assert "loses digits" in str(failure(of("huge", str(2**53 + 1))))

    def test_a_hidden_field_constrains_nothing_and_the_lint_says_so(self) -> None:
        """An unquoted `_type` is one."""
        hidden = CuePolicy('_type: "another"\npredicate: one: 1\n')

        assert hidden.failure({"statement": STATEMENT}) is None
        assert "put its name in quotes" in hidden.warnings[0]
        assert failure('"_type": "another"') is not None

    def test_helper_fields_are_not_demanded(self) -> None:
        """What no statement has, and an expression refers to."""
        text = (
            'package p\nimport (\n  "time"\n)\nbefore: time.Parse(time.RFC3339, "2022-04-15T17:10:27Z")\n'
            'word: =~"b"\npredicate: {when:\n <before\n text: word}\n'
        )
        assert failure(text) is None
        assert failure('word: "abc"\npredicate: one: 1\n') == 'word: expected "abc", found nothing there'

    def test_a_reference_is_to_what_the_statement_says(self) -> None:
        """The innermost struct that has the name, as in CUE."""
        assert failure("predicate: {text: string, copy?: text, struct: k: !=text}") is None
        assert failure("predicate: {text: string, lines: text}") is not None
        assert failure("predicate: {missing: string, text: missing}") is not None

    @pytest.mark.parametrize(
        ("condition", "holds"),
        [
            ("len(list) < 3", False),
            ("len(list) > 3", True),
            ('text == "x"', True),
            ('text == "abc" && one == 2', True),
            ('!(text == "abc") || one == 1', False),
            ("len(list.deep) > 1", False),
        ],
    )
    def test_a_guard_adds_its_fields_when_it_is_true(self, condition: str, *, holds: bool) -> None:
        """What cannot be decided denies."""
        policy = f"predicate: {{text: string, one: int, list: _, if {condition} {{error: string}}}}".replace(
            "list", "people"
        )

        assert (failure(policy) is None) is holds

    def test_less_is_never_more(self) -> None:
        """A misspelt path denies; upstream lets it through."""
        assert failure('predicate: bulder: id: "x"') == "predicate.bulder: expected a struct, found nothing there"

    def test_missing_fields_may_pass_where_the_operator_says_so(self) -> None:
        """As upstream; but not where the policy contradicts itself."""
        assert failure('predicate: missing: id: "x"', missing_ok=True) is None
        for wrong in ("1 & 2", '"a" & int', ">5 & <3", "{a: 1} & {a: 2}", '=~"a" & "b"', "_ & string & 1"):
            assert failure(of("missing", wrong), missing_ok=True) is not None, wrong
        for right in ("1 & 1", '"a" & string', ">3 & <5", "{a: 1} & {b: 2}", "_", '"a" | 1', "[1, 2]"):
            assert failure(of("missing", right), missing_ok=True) is None, right

    def test_what_nobody_writes_any_more_has_advice(self) -> None:
        """The builder of the copied example."""
        old = CuePolicy('predicate: runDetails: builder: id: "https://github.com/actions/runner/github-hosted"')
        regex = CuePolicy(r'predicate: builder: id: =~"^https://github\\.com/actions/runner"')
        new = CuePolicy('predicate: runDetails: builder: id: =~"^https://github.com/acme/"')

        assert "the workflow that signed" in old.advice
        assert "the workflow that signed" in regex.advice
        assert new.advice == ""


class TestRefusals:
    @pytest.mark.parametrize(
        ("policy", "said"),
        [
            ("a: {\n", "line 2: a field is expected, not the end"),
            ('import "net"\n', "the package net is not read here; known are time, list, struct, strings"),
            ('import "time"\na: 1', "line 1: time is imported and not used"),
            ('a: time.Parse(time.RFC3339, "")', "time is not imported"),
            ('import "time"\na: time.Now', "time.Now is not read here"),
            ('import "time"\na: time.Parse("2006", "2022")', "time.Parse is read with time.RFC3339"),
            ('import "time"\na: time.Parse(time.RFC3339, "2022")', "'2022' is no time"),
            ('import "list"\na: list.Contains(1)', "the function list.Contains is not read here"),
            ('import t "time"\na: 1', "an import under another name"),
            ("a: b", "the reference b is not found"),
            ("a: struct", "(it is not imported)"),
            ("#A: 1", "a definition (it closes structs) is not read here"),
            ("a: 1 @tag()", "an attribute is not read here"),
            ("let x = 1\na: x", "an alias is not read here"),
            ("X=a: 1", "an alias is not read here"),
            ("[string]: 1", "pattern constraints"),
            ("(a): 1", "dynamic field names"),
            ("for x in [1] {a: x}", "comprehensions over lists (for)"),
            ("a: [for x in [1] {x}]", "comprehensions in lists"),
            ('a: "\\(b)"', "interpolation"),
            ('a: """\n  x\n  """', "multi-line strings"),
            ("a: 'x'", "a text of bytes"),
            ("a: 1 + 1", "arithmetic"),
            ("a: -b\nb: 1", "arithmetic"),
            ("a: _|_", "_|_ is not read here"),
            ("a: 0x10", "write plain decimal digits"),
            ("a: 1K", "write plain decimal digits"),
            ("a: b[0]\nb: [1]", "indexes"),
            ("a: *1", "a default without an alternative"),
            ("a: 1; b: 2", "a semicolon"),
            ('a: =~"("', "is no RE2 expression"),
            ('a: =~"\\\\C"', "no part of Go's expressions"),
            ("a: =~1", "=~ takes a text"),
            ("a: >null", "> takes no null"),
            ("if true {a: 1}", "an if at the top"),
            ("a: {_x: 1}", "the hidden field _x is read at the top only"),
            ("_x: 1\n_x: 2", "_x stands twice"),
            ("_x: {a: 1}", "the policy's own field _x is read as a text"),
            ("_x: _y\n_y: _x", "refers to itself"),
            ("_x: 1 & 2", "contradicts itself"),
            ("a?: 1\nb: a", "a is an optional field"),
            ("string: 1\na: string", "put its name in quotes"),
            ('import "list"\na: {list: list.MinItems(1)}', "put its name in quotes"),
            ('import "list"\nlist: list.MinItems(1)', "in quotes"),
            ("a: 1\x00", "the character '\\x00'"),
            ("a: " + "[" * 99, "nested deeper than 64"),
            ('import "strings"\na: strings.MinRunes(1.5)', "takes a whole number"),
            ("a: 1 == 1 == 1", "a comparison of a comparison"),
        ],
    )
    def test_what_is_not_read_is_refused_by_name(self, policy: str, said: str) -> None:
        """With the line."""
        assert said in refused(policy)
        assert refused(policy).startswith("CUE line ")

    def test_a_policy_over_all_authorities_has_other_fields(self) -> None:
        """Its own, and no statement's."""
        assert CuePolicy("authorityMatches: x: static: true", RESULT).warnings == ()
        assert "no statement has a field authorityMatches" in CuePolicy("authorityMatches: x: static: true").warnings[0]
        assert "constrains nothing" in CuePolicy("// nothing\n").warnings[0]
