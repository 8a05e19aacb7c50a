"""Plugin parameters are a Git commit's word: what is not understood exactly is an error, for every name that is known."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argocd_provenance.argocd.parameters import KNOWN, Parameters, parse_parameters
from argocd_provenance.argocd.rendering import FORMS
from argocd_provenance.errors import UsageError

_VALUES: dict[str, Any] = {"string": "true", "array": ["a"], "map": {"a": "b"}}
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["name", "string", "array", "map", "x"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def forms(name: str) -> tuple[str, ...]:
    return FORMS.get(name, ("string",))


@pytest.mark.parametrize("name", KNOWN)
class TestEveryName:
    def test_takes_its_own_form_only(self, name: str) -> None:
        """A list where a text is meant is not read as one, nor the other way round."""
        for form in set(_VALUES) - set(forms(name)):
            with pytest.raises(UsageError, match="takes"):
                parse_parameters(json.dumps([{"name": name, form: _VALUES[form]}]))

    def test_is_given_once(self, name: str) -> None:
        """Of two, one reader would take the first, another one the last."""
        entry = {"name": name, forms(name)[0]: _VALUES[forms(name)[0]]}
        if name.startswith("policy."):
            entry["string"] = {"policy.mode": "enforce", "policy.unmatched": "deny"}[name]

        with pytest.raises(UsageError, match="given twice"):
            parse_parameters(json.dumps([entry, entry]))

    @pytest.mark.parametrize("value", [None, 1, True, [1], [None], {"a": 1}, {"a": None}, [["a"]]])
    def test_takes_texts_only(self, name: str, value: object) -> None:
        """No number, boolean, null or nesting becomes a text by our hand."""
        for form in forms(name):
            with pytest.raises(UsageError):
                parse_parameters(json.dumps([{"name": name, form: value}]))

    def test_takes_nothing_beside(self, name: str) -> None:
        """An unknown field of an entry is not skipped, nor is a second form."""
        entry = {"name": name, forms(name)[0]: _VALUES[forms(name)[0]]}

        for more in ({"value": "x"}, {form: value for form, value in _VALUES.items() if form not in entry}):
            with pytest.raises(UsageError):
                parse_parameters(json.dumps([{**entry, **more}]))

    def test_is_spelled_exactly(self, name: str) -> None:
        """Go's reader folds cases; ours does not, and says what is known."""
        for other in {name.upper(), name + " ", name.replace(".", "_"), "spec." + name} - {name}:
            with pytest.raises(UsageError, match="unknown plugin parameter") as caught:
                parse_parameters(json.dumps([{"name": other, "string": "x"}]))

            assert all(known in str(caught.value) for known in KNOWN)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param('[{"name": "policy.mode", "name": "directory.recurse", "string": "true"}]', "stands twice", id="a name twice"),
        pytest.param('[{"name": "helm.parameters", "map": {"a": "1", "a": "2"}}]', "stands twice", id="a key twice"),
        pytest.param('[{"name": "helm.releaseName", "string": "a\\u0000b"}]', "NUL", id="NUL"),
        pytest.param('[{"name": "helm.parameters", "map": {"a\\ud800": "b"}}]', "half a character", id="surrogate"),
        pytest.param("[" + " " * 200_000 + "]", "longer than", id="huge"),
        pytest.param("nul", "not JSON", id="nearly null"),
        pytest.param("NaN", "not a list", id="no number"),
        pytest.param('"null"', "not a list", id="a text"),
        pytest.param("null null", "not JSON", id="two values"),
        pytest.param("\ufeff[]", "not JSON", id="byte order mark"),
        pytest.param("[{}]", "without a name", id="an empty entry"),
        pytest.param("[null]", "without a name", id="a null entry"),
        pytest.param('[{"name": "hook.enabled", "string": "false"}]', "unknown", id="no field of the config"),
        pytest.param('[{"name": "deadline", "string": "1h"}]', "unknown", id="not the time"),
        pytest.param('[{"name": "config", "string": "x.yaml"}]', "unknown", id="not the config"),
        pytest.param('[{"name": "render.remotes", "array": ["**"]}]', "unknown", id="not what may be fetched"),
        pytest.param('[{"name": "kustomize.buildOptions", "string": "--enable-exec"}]', "operator", id="no flags"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_an_error(text: str, why: str) -> None:
    """Malformed, ambiguous, too long, or the operator's business."""
    with pytest.raises(UsageError, match=why):
        parse_parameters(text)


@pytest.mark.parametrize("text", ["", "null", "[]", " null ", "[ ]"])
def test_none_is_none(text: str) -> None:
    """Argo CD says `null` where there are none."""
    assert parse_parameters(text) == Parameters()


def test_a_huge_name_is_not_quoted_whole() -> None:
    """What the repository chose does not fill the Application's status."""
    with pytest.raises(UsageError) as caught:
        parse_parameters(json.dumps([{"name": "x" * 100_000, "string": "a"}]))

    assert len(str(caught.value)) < 3000


@given(_json)
def test_anything_is_read_or_refused(value: Any) -> None:
    """Whatever JSON it is, it is understood whole, or one error says why not; and it only ever tightens."""
    try:
        parameters = parse_parameters(json.dumps(value))
    except UsageError:
        return

    assert value is None or isinstance(value, list)
    assert parameters.enforce in (True, False)
