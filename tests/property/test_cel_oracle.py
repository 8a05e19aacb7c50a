"""Our CEL beside Google's own runtime: what theirs does not say is true, ours does not either."""

from typing import Any

import pytest
from cel_expr_python import cel
from hypothesis import given, settings
from hypothesis import strategies as st

from argocd_provenance.policy.cel import CelError, CelSyntaxError, Program

THEIRS = cel.NewEnv(variables={"predicate": cel.Type.DYN, "image": cel.Type.DYN})
SCOPE = {
    "predicate": {
        "n": 3, "f": 1.5, "one": 1, "oneish": 1.0, "s": "abc", "e": "", "t": True, "u": False, "z": None,
        "when": "2026-01-02T03:04:05Z",
        "list": [1, 2, 3], "empty": [], "mixed": [1, "a", None, True, 2.0], "texts": ["a", "b"],
        "map": {"a": 1, "b": "x"}, "rows": [{"id": "A", "n": 1}, {"id": "B"}, {"id": "C", "n": "x"}],
    },
    "image": {"repository": "ghcr.io/acme/shop", "tag": "v1"},
}  # fmt: skip


def ours(text: str) -> Any:
    """What we say of `text`: a value, or ``error``."""
    try:
        return Program(text, tuple(SCOPE)).result(SCOPE)
    except (CelError, CelSyntaxError):
        return "error"


def theirs(text: str) -> Any:
    """What Google's runtime says of it."""
    try:
        found = THEIRS.compile(text, disable_check=True).eval(data=SCOPE)
    except RuntimeError:
        return "error"
    return "error" if found.type() == cel.Type.ERROR else found.plain_value()


_leaves = st.sampled_from([
    "0", "1", "3", "-1", "1.0", "1.5", "true", "false", "null", '"a"', '"abc"', '""', "[]", "[1, 2]", '{"a": 1}',
    *[f"predicate.{name}" for name in (*SCOPE["predicate"], "missing")], "image.tag", "x", "x.n", "x.id",
])  # fmt: skip
_BINARY = ("==", "!=", "<", "<=", ">", ">=", "in", "&&", "||", "+", "-", "*", "/", "%")
_METHODS = ("startsWith", "endsWith", "contains", "matches")


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds(lambda a, op, b: f"({a} {op} {b})", inner, st.sampled_from(_BINARY), inner),
        st.builds(lambda a: f"!({a})", inner),
        st.builds(lambda a: f"-({a})", inner),
        st.builds(lambda a, b, c: f"({a} ? {b} : {c})", inner, inner, inner),
        st.builds(
            lambda a, macro, b: f"{a}.{macro}(x, {b})",
            inner,
            st.sampled_from(("all", "exists", "exists_one", "filter", "map")),
            inner,
        ),
        st.builds(lambda a, name, b: f"{a}.{name}({b})", inner, st.sampled_from(_METHODS), inner),
        st.builds(
            lambda name, a: f"{name}({a})", st.sampled_from(("size", "int", "double", "string", "bool", "type")), inner
        ),
        st.builds(lambda a, b: f"{a}[{b}]", inner, inner),
        st.builds(lambda a: f"has(predicate.{a})", st.sampled_from(("n", "missing", "map"))),
        st.builds(lambda a, b: f"[{a}, {b}]", inner, inner),
    )


EXPRESSIONS = st.recursive(_leaves, _grown, max_leaves=12)


@settings(max_examples=300)
@given(EXPRESSIONS)
def test_what_cels_own_runtime_does_not_say_is_true_we_do_not(text: str) -> None:
    """Ours may be stricter, never laxer; and where both give a bool, it is the same."""
    mine, google = ours(text), theirs(text)

    if isinstance(mine, bool):
        assert mine is google, text


@pytest.mark.parametrize(
    "text",
    [
        "1 == 1.0", "true == 1", "predicate.one == predicate.oneish", '1 == "1"', "null == false", "[1] == [1.0]",
        "[true] == [1]", '{"a": 1} == {"a": 1.0}', "predicate.missing == 1", "predicate.missing == 1 || true",
        "true || predicate.missing == 1", "false && predicate.missing == 1", "predicate.missing == 1 && false",
        "predicate.missing == 1 && true", "1 || true", "predicate.empty.all(x, false)", "predicate.empty.exists(x, true)",
        "predicate.rows.all(x, has(x.n))", "predicate.rows.exists(x, x.n == 1)", "predicate.rows.all(x, x.n == 1)",
        "predicate.rows.exists_one(x, x.n == 1)", "predicate.list.exists_one(x, x > 2)",
        "predicate.map.all(x, x in ['a', 'b'])", "predicate.s.all(x, true)", "'a' in predicate.s", "'a' in predicate.map",
        "1 in predicate.map", "predicate.list.filter(x, x > 1) == [2, 3]", "predicate.list.map(x, x * 2) == [2, 4, 6]",
        "predicate.list.map(x, x > 1, x * 2) == [4, 6]", "predicate.list[0] == 1", "predicate.list[3] == 1",
        "predicate.list[1.0] == 2", "predicate.list[-1] == 3", "7 / 2 == 3", "-7 / 2 == -3", "-7 % 2 == -1", "1 / 0 == 1",
        "9223372036854775807 + 1 > 0", "-9223372036854775808 == -9223372036854775808", "- -1 == 1", "!!true", "1 + 1.0 == 2.0",
        "'a' + 'b' == 'ab'", "'a' < 'b'", "'a' < 1", "1 < 1.5", "true < false", "null < null", "[1] < [2]",
        "'abc'.matches('b')", "'abc'.matches('^b')", "'abc'.matches('(')", "matches('abc', 'c$')", "size('äb') == 2",
        "size(predicate.list) == 3", "predicate.list.size() == 3", "size(1) == 1", "int('12') == 12", "int(1.9) == 1",
        "int('x') == 1", "double('1.5') == 1.5", "string(1) == '1'", "bool('true')", "type(1) == int", "type('a') == string",
        "type(1.0) == double", "type(predicate.map) == map", "type(null) == null_type", "type(int) == type",
        "timestamp(predicate.when) < timestamp('2027-01-01T00:00:00Z')", "timestamp('x') == timestamp('x')",
        "timestamp(predicate.when).getFullYear() == 2026", "timestamp(predicate.when).getMonth() == 0",
        "timestamp(predicate.when).getDayOfWeek() == 5", "timestamp(predicate.when).getHours('+02:00') == 5",
        "timestamp(predicate.when) + duration('24h') == timestamp('2026-01-03T03:04:05Z')",
        "timestamp('2026-01-02T00:00:00Z') - timestamp('2026-01-01T00:00:00Z') == duration('24h')",
        "duration('1h30m') == duration('5400s')", "duration('1.5s').getMilliseconds() == 500", "duration('90m').getHours() == 1",
        "duration('x') == duration('x')", "true ? 1 == 1 : 1 / 0 == 0", "1 ? true : false", r"'\u00e4' == 'ä'",
        r"r'\n' == '\\n'", "'''a'b''' == \"a'b\"", "0x10 == 16", "1e3 == 1000.0", ".5 == 0.5", "predicate['n'] == 3",
        "dyn(1) == 1", "has(predicate.map.a)", "has(predicate.s.a)", "!has(predicate.missing)",
        "predicate.z == null", "size(predicate.texts + ['c']) == 3", "// a comment\n true",
    ],
)  # fmt: skip
def test_what_people_write_means_the_same(text: str) -> None:
    """Value for value, and error for error."""
    assert ours(text) == theirs(text)
    assert type(ours(text)) is type(theirs(text))


@pytest.mark.parametrize(
    "text", ["1u == 1u", "b'a' == b'a'", "predicate.?a", "predicate{}", "1 +", "(", "predicate.", "a.b.c", "f(1)", "x = 1",
             "true and true", "'a", "has(1)", "[1].all(1, true)", "for", "predicate.in", "size()", "1a"],
)  # fmt: skip
def test_what_is_not_read_is_refused_when_it_is_read(text: str) -> None:
    """Unsigned numbers, bytes, messages, optionals and names that nobody knows too: before any image is judged."""
    with pytest.raises(CelSyntaxError):
        Program(text, tuple(SCOPE))
