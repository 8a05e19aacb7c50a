"""Policy files: what is legal, and every fault by file, line, path and remedy."""

import pytest

from argocd_provenance.errors import FileFaults
from argocd_provenance.policy.load import load_policies
from unit.policy.builders import BY, no_files, policy, policy_text

SIGNED = f"signature: {{by: {BY}}}"


def faults(text: str) -> tuple[str, ...]:
    """The faults of a policy file."""
    with pytest.raises(FileFaults) as caught:
        load_policies([("p.yaml", text)], no_files)
    return caught.value.faults


class TestFaults:
    @pytest.mark.parametrize(
        ("entry", "spec", "said"),
        [
            ("signatur: {}", {}, "p.yaml:7: spec.require[0].signatur: there is no such field; did you mean signature?"),
            ("signature: {by: []}", {}, "spec.require[0].signature.by: is an empty list"),
            ("signature: {}", {}, "spec.require[0].signature: by is missing"),
            ("attestation: {by: [{identity: {issuer: https://i, subject: s}}]}", {}, "type is missing"),
            (SIGNED.replace("{by", "{level: 2, by"), {}, "signature.level: there is no such field"),
            (SIGNED.replace("}}]}", "}}], atLeast: 2}"), {}, "atLeast: is 2, and `by` has 1"),
            ("signature: {by: [{identity: {subject: s}}]}", {}, "identity: issuer is missing"),
            ("signature: {by: [{identity: {issuer: '', subject: s}}]}", {}, "issuer: is an empty text"),
            ("signature: {by: [{identity: {issuer: https://i}}]}", {}, "needs one of subject"),
            ("signature: {by: [{identity: {issuer: i, subjectPattern: '('}}]}", {}, "is no RE2 expression"),
            ("signature: {by: [{identity: {issuer: i, subjectPattern: '(?=a)'}}]}", {}, "is no RE2 expression"),
            ("signature: {by: [{github: {repository: shop}}]}", {}, "it must be owner/name"),
            ("signature: {by: [{github: {repository: '*/shop'}}]}", {}, "it must be owner/name"),
            ("signature: {by: [{github: {repository: a/b, ref: main}}]}", {}, "it must be a full ref"),
            (
                "signature: {by: [{github: {repository: a/b, signer: a/b}}]}",
                {},
                "it must be owner/name/.github/workflows/",
            ),
            ("signature: {by: [{github: {repository: a/b, issuer: https://i}}]}", {}, "no issuer of GitHub Actions"),
            (
                "signature: {by: [{key: {file: a.pub}}]}",
                {},
                "key.file: a.pub cannot be read: No such file or directory",
            ),
            ("signature: {by: [{key: {}}]}", {}, "needs one of file"),
            (f"provenance: {{by: {BY}, level: 4}}", {}, "level: is 4; it must be a whole number from 1 to 3"),
            (f"provenance: {{by: {BY}, maxAge: 25h}}", {}, "maxAge: must be whole days"),
            (f"provenance: {{by: {BY}, source: {{commit: '{{tags}}'}}}}", {}, "{tag} or {tag:short}"),
            (f"provenance: {{by: {BY}, where: 'predicat.x == 1'}}", {}, "where: knows no predicat"),
            (f"provenance: {{by: {BY}, where: 'size('}}", {}, "where: is no CEL expression"),
            (f"provenance: {{by: {BY}, where: ''}}", {}, "where: is an empty text"),
            (f"attestation: {{by: {BY}, type: sbom}}", {}, "it must be a predicate type (a URI) or one of"),
            (
                SIGNED,
                {"mode": "enforced"},
                "spec.mode: is 'enforced'; it must be enforce, warn or pin; did you mean enforce?",
            ),
            (SIGNED, {"mode": "pin"}, "mode: pin proves nothing and takes no `require`"),
            (SIGNED, {"images": "[]"}, "spec.images: is an empty list"),
            (SIGNED, {"images": '["a b"]'}, "spec.images[0]: holds characters"),
            (SIGNED, {"platforms": "some"}, "it must be index or all"),
            (SIGNED, {"platforms": "[amd64]"}, "a platform is written as linux/amd64"),
            (
                SIGNED,
                {"exceptions": "[{images: ['a:v1'], owner: o, reason: r, expires: 2026-01-01}]"},
                "names no digest",
            ),
            (SIGNED, {"exceptions": "[{images: ['a:v1'], owner: o, reason: r, expires: 2026-02-30}]"}, "must be a day"),
            (SIGNED, {"applications": "{}"}, "applications: is empty"),
            (SIGNED, {"applications": "{projects: []}"}, "projects: is an empty list"),
        ],
    )
    def test_a_fault_names_its_place_and_the_remedy(self, entry: str, spec: dict[str, str], said: str) -> None:
        """``FILE:LINE: path: what is wrong and what is right``."""
        found = faults(policy_text(entry, **spec))

        assert any(said in fault for fault in found), found
        assert all(fault.startswith("p.yaml:") for fault in found)

    def test_a_policy_that_demands_nothing_is_a_fault(self) -> None:
        """Only `mode: pin` has no `require`."""
        assert "require is missing" in faults(policy_text(""))[0]
        assert "require: is an empty list" in faults(policy_text("").rstrip() + "\n  require: []\n")[0]
        assert policy("", mode="pin").require == ()

    def test_all_faults_come_at_once(self) -> None:
        """Every fault of every file, in the order of their lines."""
        text = policy_text("signature: {by: [{github: {}}]}", mode="x", images="[]")

        with pytest.raises(FileFaults) as caught:
            load_policies([("a.yaml", text), ("b.yaml", "")], no_files)

        assert [fault.split(": ")[0] for fault in caught.value.faults] == [
            "a.yaml:5",
            "a.yaml:6",
            "a.yaml:8",
            "b.yaml:1",
        ]

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("kind: ImagePolicy\nmetadata: {name: a}\nspec: {}\n", "apiVersion is missing"),
            (
                "apiVersion: argocd-provenance.io/v1\nkind: ImagePolicy\nmetadata: {name: a}\nspec: {}\n",
                "apiVersion: is",
            ),
            (
                "apiVersion: argocd-provenance.io/v1alpha1\nkind: Policy\nmetadata: {name: a}\nspec: {}\n",
                "kind: is 'Policy'",
            ),
            ("[]\n", "must be a mapping"),
        ],
    )
    def test_a_document_that_is_no_policy_is_a_fault(self, text: str, said: str) -> None:
        """Nothing in a policy file is passed over."""
        assert any(said in fault for fault in faults(text))

    def test_two_policies_of_one_name_are_a_fault(self) -> None:
        """A report names policies by their names."""
        text = policy_text(SIGNED)

        assert "is the name of the policy at p.yaml:1 too" in faults(f"{text}---\n{text}")[0]


class TestPolicy:
    def test_several_documents_are_several_policies(self) -> None:
        """And a null document is none."""
        text = policy_text(SIGNED) + "---\n---\n" + policy_text(SIGNED).replace("name: shop", "name: web")

        assert [p.name for p in load_policies([("p.yaml", text)], no_files)] == ["shop", "web"]

    def test_a_policy_names_its_hosts_and_anchors(self) -> None:
        """What the pipeline asks it."""
        mine = policy(SIGNED, images='["ghcr.io/a", "**", "nginx"]')

        assert mine.hosts() == {"ghcr.io", "docker.io"}
        assert [anchor.name for anchor in mine.anchors()] == ["public-good"]
        assert mine.sources() == ()
