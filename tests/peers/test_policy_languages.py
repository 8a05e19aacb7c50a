"""Programs that decide policies of other languages, as they really are: cue's own binary, and regopy."""

import json
import shutil

import pytest

from argocd_provenance.cli.languages import Cue, Rego
from argocd_provenance.errors import OperatorError
from argocd_provenance.policy.cluster import BadPolicyError

pytestmark = pytest.mark.peers

BOOLEAN = 'package sigstore\ndefault isCompliant = false\nisCompliant { input.predicate.builder.id == "x" }\n'
ENTRIES = """package sigstore
isCompliant[response] {
  result := input.a == 1
  response := {"result": result, "error": "a is wrong", "warning": ""}
}
"""
NEW = "package sigstore\nimport rego.v1\nisCompliant if { input.a == 1 }\n"


def cue(*, missing_ok: bool = False) -> Cue:
    """The installed cue."""
    found = shutil.which("cue")
    assert found, "cue is not installed: make tools"
    return Cue(found, missing_ok=missing_ok)


class TestCue:
    @pytest.mark.parametrize(
        ("policy", "value", "strict", "upstream"),
        [
            ("#B: {id: string}\npredicate: #B", {"predicate": {"id": "x"}}, True, True),
            ("#B: {id: string}\npredicate: #B", {"predicate": {"id": "x", "more": 1}}, False, False),
            ('predicate: {id: "x"}', {"predicate": {}}, False, True),
            ("predicate: {id: string}", {"predicate": {}}, False, True),
            ("predicate: [string]: int", {"predicate": {"a": 1}}, True, True),
            ("package q\nlet x = 1\npredicate: a: x", {"predicate": {"a": 1}}, True, True),
            ("own: 1\npredicate: a: 2 - own", {"predicate": {"a": 1}}, True, True),
            ("predicate: a: >1", {"predicate": {"a": 1}}, False, False),
            ('predicate: s: "\\(other)"\nother: "é"', {"predicate": {"s": "é"}}, True, True),
        ],
    )
    def test_its_own_binary_decides_what_is_not_read_here(
        self, policy: str, value: object, *, strict: bool, upstream: bool
    ) -> None:
        """And every field that the policy constrains must be there, unless the operator says otherwise."""
        cue().check(policy)

        assert (cue().failure(policy, json.dumps(value)) is None) is strict
        assert (cue(missing_ok=True).failure(policy, json.dumps(value)) is None) is upstream

    @pytest.mark.parametrize("policy", ["x: {", 'import "example.com/elsewhere"\nx: elsewhere'])
    def test_what_it_cannot_read_is_refused(self, policy: str) -> None:
        """Nothing is fetched for it."""
        with pytest.raises(BadPolicyError, match="cue: "):
            cue().check(policy)

    def test_a_binary_is_named_by_its_whole_path(self) -> None:
        """The working folder is the Application's."""
        with pytest.raises(OperatorError, match="whole path"):
            Cue("cue")


class TestRego:
    @pytest.mark.parametrize(
        ("policy", "value", "allowed"),
        [
            (BOOLEAN, {"predicate": {"builder": {"id": "x"}}}, True),
            (BOOLEAN, {"predicate": {"builder": {"id": "y"}}}, False),
            (BOOLEAN, {}, False),
            (ENTRIES, {"a": 1}, True),
            (ENTRIES, {"a": 2}, False),
            (ENTRIES, {}, False),
            (NEW, {"a": 1}, True),
            (NEW, {"a": 2}, False),
            (ENTRIES.replace('"warning": ""', '"warning": "careful"'), {"a": 1}, False),
            ('package sigstore\nisCompliant = "true"', {}, False),
            ('package sigstore\nisCompliant = [{"result": true}]', {}, False),
            ("package sigstore\nisCompliant { time.parse_rfc3339_ns(input.t) > 0 }", {"t": "nonsense"}, False),
        ],
    )
    def test_only_a_plain_yes_allows(self, policy: str, value: object, *, allowed: bool) -> None:
        """`true`, or a set of entries that are all good and warn of nothing; in the old syntax and the new."""
        rego = Rego()
        rego.check(policy)

        assert (rego.failure(policy, json.dumps(value)) is None) is allowed

    def test_it_says_why(self) -> None:
        """In the policy's own words."""
        assert Rego().failure(ENTRIES, '{"a": 2}') == "a is wrong"

    @pytest.mark.parametrize(
        ("policy", "said"),
        [
            ("package other\nisCompliant = true", "package sigstore"),
            ("package sigstore\nallow = true", "no rule isCompliant"),
            ("package sigstore\nisCompliant = {", "Rego: "),
        ],
    )
    def test_what_could_never_hold_is_refused(self, policy: str, said: str) -> None:
        """When the policy is loaded."""
        with pytest.raises(BadPolicyError, match=said):
            Rego().check(policy)

    def test_a_policy_that_does_not_end_is_ended(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its process, and nobody else's."""
        monkeypatch.setattr("argocd_provenance.cli.languages._SECONDS", 1.0)
        pairs = "x := numbers.range(1, 100000)[_]; y := numbers.range(1, 100000)[_]; x + y > 0"
        endless = f"package sigstore\nisCompliant {{ count([1 | {pairs}]) > 1 }}"

        said = str(Rego().failure(endless, "{}"))
        assert "no answer" in said or "ended with" in said
