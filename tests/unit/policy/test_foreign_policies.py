"""What a ClusterImagePolicy takes from elsewhere: files instead of a cluster's objects, policies in other languages."""

import hashlib
from typing import Any

import pytest

from argocd_provenance.errors import FileFaults
from argocd_provenance.evidence.values import Evidence, KeyAnchor
from argocd_provenance.policy.cluster import BadPolicyError, Cluster
from argocd_provenance.policy.judge import judge
from argocd_provenance.policy.load import load_files
from argocd_provenance.policy.model import Policy
from unit.policy.builders import ISSUER, SAN, TODAY, certificate, codes, evidence, image, predicate_v1
from unit.policy.test_cluster_image_policy import PEM, text

PROVENANCE = "https://slsa.dev/provenance/v1"
KEYLESS = f"keyless: {{identities: [{{issuer: '{ISSUER}', subject: '{SAN}'}}]}}"
CUE = "predicate: runDetails: builder: id: string\n"
FILES = {"key.pem": PEM.encode(), "rule.cue": CUE.encode(), "bad.cue": b"\xff"}
MAPPED = Cluster(
    secrets={"cosign": "key.pem", "cosign-system/named": "key.pem"},
    kms={"gcpkms://k": "key.pem"},
    config_maps={"rules/rule.cue": "rule.cue", "rules/bad": "bad.cue"},
    remotes={"https://rules.example/rule.cue": "rule.cue"},
)


def load(written: str, cluster: Cluster = MAPPED) -> Policy:
    """The one policy of a file."""
    return load_files([("p.yaml", written)], FILES.__getitem__, cluster).policies[0]


def faults(written: str, cluster: Cluster = MAPPED) -> str:
    """Its faults."""
    with pytest.raises(FileFaults) as caught:
        load(written, cluster)
    return str(caught.value)


def attested(policy: str) -> str:
    """A policy about GitHub's provenance with this policy inside."""
    return text(f"{KEYLESS}, attestations: [{{name: p, predicateType: '{PROVENANCE}', policy: {policy}}}]")


def provenance(**more: Any) -> Evidence:
    """Provenance as actions/attest writes it today, its whole statement."""
    return evidence("provenance", predicate={**predicate_v1(), **more})


class Answering:
    """An evaluator that says what it was made with."""

    def __init__(self, fault: str = "", answer: str | None = None) -> None:
        self.fault, self.answer, self.asked = fault, answer, ""

    def check(self, policy: str) -> None:  # noqa: ARG002 - the fault is the same for all
        """Raise the fault, if there is one."""
        if self.fault:
            raise BadPolicyError(self.fault)

    def failure(self, policy: str, value: str) -> str | None:  # noqa: ARG002 - as above
        """The answer."""
        self.asked = value
        return self.answer


class TestFiles:
    @pytest.mark.parametrize(
        "key",
        ["secretRef: {name: cosign}", "secretRef: {name: named, namespace: cosign-system}", "kms: 'gcpkms://k'"],
    )
    def test_a_key_comes_from_the_file_that_the_config_names(self, key: str) -> None:
        """Instead of the Secret or the KMS."""
        (anchor,) = load(text(f"key: {{{key}}}")).anchors()

        assert isinstance(anchor, KeyAnchor)
        assert anchor == load(text(f"key: {{data: {PEM!r}}}".replace("'", '"'))).anchors()[0]

    @pytest.mark.parametrize(
        "source",
        [
            "configMapRef: {name: rules, namespace: any, key: rule.cue}",
            f"remote: {{url: 'https://rules.example/rule.cue', sha256sum: {hashlib.sha256(CUE.encode()).hexdigest()}}}",
        ],
    )
    def test_a_policy_comes_from_the_file_that_the_config_names(self, source: str) -> None:
        """Instead of the ConfigMap or the URL."""
        policy = load(attested(f"{{type: cue, {source}}}"))

        assert judge(image(), policy, [provenance()], today=TODAY).allowed

    @pytest.mark.parametrize(
        ("policy", "said"),
        [
            ("{type: cue, configMapRef: {name: rules, key: other}}", "rules/other is not asked here"),
            ("{type: cue, configMapRef: {name: rules, key: bad}}", "not UTF-8"),
            ("{type: cue, remote: {url: 'https://rules.example/rule.cue', sha256sum: 'aa'}}", "is not the checksum"),
            ("{type: cue, remote: {url: 'https://other', sha256sum: 'aa'}}", "clusterImagePolicy.remotes"),
            ("{type: cue}", "must have one of data, configMapRef, remote"),
            ("{type: cue, data: 'a: 1', remote: {url: u, sha256sum: s}}", "must have one of data"),
            ("{type: cue, data: 'a: 1', includeSpec: true}", "stands in spec.policy only"),
            ("{type: opa, data: x}", "it must be cue, rego or cel"),
            ("{type: cue, data: 'a: [1'}", "line 1"),
            ("{type: cue, data: 'a: b'}", "or name a cue binary in the config (clusterImagePolicy.cue)"),
            ("{type: rego, data: 'package sigstore'}", "install argocd-provenance[rego]"),
            ("{type: cel, data: 'nonsense('}", "is no CEL expression"),
        ],
    )
    def test_what_cannot_be_had_is_refused_by_name(self, policy: str, said: str) -> None:
        """When the file is loaded."""
        assert said in faults(attested(policy))


class TestLanguages:
    def test_cue_sees_the_whole_statement(self) -> None:
        """Not the predicate alone."""
        fits = load(attested(f"{{type: cue, data: 'predicateType: \"{PROVENANCE}\"'}}"))
        other = load(attested("{type: cue, data: 'predicateType: \"x\"'}"))

        assert judge(image(), fits, [provenance()], today=TODAY).allowed
        assert codes(judge(image(), other, [provenance()], today=TODAY)) == ["where-failed"]

    def test_cel_may_stand_in_its_place(self) -> None:
        """As in an ImagePolicy."""
        policy = load(attested("{type: cel, data: 'size(predicate.runDetails.builder.id) > 3'}"))

        assert judge(image(), policy, [provenance()], today=TODAY).allowed
        assert not judge(image(), policy, [provenance(runDetails={})], today=TODAY).allowed

    def test_missing_fields_pass_where_the_operator_says_so(self) -> None:
        """`cueMissing: allow` is upstream's reading."""
        written = attested("{type: cue, data: 'predicate: bulder: id: \"x\"'}")

        assert not judge(image(), load(written), [provenance()], today=TODAY).allowed
        assert judge(image(), load(written, Cluster(cue_missing=True)), [provenance()], today=TODAY).allowed

    def test_other_cue_is_for_the_operators_cue(self) -> None:
        """Which must be able to read it; its answer decides."""
        written = attested("{type: cue, data: '#D: {}'}")
        yes, no = Answering(), Answering(answer="no")

        assert judge(image(), load(written, Cluster(cue=yes)), [provenance()], today=TODAY).allowed
        assert '"predicateType"' in yes.asked
        assert not judge(image(), load(written, Cluster(cue=no)), [provenance()], today=TODAY).allowed
        assert "not good" in faults(written, Cluster(cue=Answering("not good")))

    def test_rego_is_for_the_extra(self) -> None:
        """Its answer decides, too."""
        written = attested("{type: rego, data: 'package sigstore'}")

        assert judge(image(), load(written, Cluster(rego=Answering())), [provenance()], today=TODAY).allowed
        assert not judge(
            image(), load(written, Cluster(rego=Answering(answer="n"))), [provenance()], today=TODAY
        ).allowed

    @pytest.mark.parametrize(
        "said", ["https://github.com/actions/runner", "https://github.com/actions/runner/github-hosted"]
    )
    def test_the_copied_example_matches_nothing_and_says_what_to_write(self, said: str) -> None:
        """builder.id is the workflow that signed, since June 2024."""
        policy = load(attested(f"{{type: cue, data: 'predicate: runDetails: builder: id: \"{said}\"'}}"))

        (finding,) = judge(image(), policy, [provenance()], today=TODAY).findings

        assert finding.code == "where-failed"
        assert SAN in finding.found
        assert "the workflow that signed" in finding.fix
        assert "runner_environment" in finding.fix
        assert "the workflow that signed" in policy.warnings[0]


class TestOverAll:
    """`spec.policy`, over what the authorities found."""

    SIGNED = f"name: signed, {KEYLESS}"
    SBOM = f"name: sbom, {KEYLESS}, attestations: [{{name: spdx, predicateType: spdx}}]"

    def policy(self, written: str) -> Policy:
        """Two authorities, and a policy over both."""
        data = "\n".join(f"      {line}" for line in written.split("\n"))
        return load(text(self.SIGNED, self.SBOM, more=f"  policy:\n    type: cue\n    data: |\n{data}\n"))

    def allowed(self, written: str, *pieces: Evidence) -> bool:
        """Whether it lets the image through."""
        return judge(image(), self.policy(written), pieces, today=TODAY).allowed

    def test_it_may_demand_several_authorities(self) -> None:
        """Which are alternatives otherwise."""
        both = "authorityMatches: {signed: signatures: [...], sbom: attestations: spdx: [...]}"
        sbom = evidence("attestation", predicate_type="https://spdx.dev/Document", predicate={})

        assert self.allowed(both, evidence(), sbom)
        assert not self.allowed(both, evidence())
        assert not self.allowed(both)

    def test_it_sees_who_signed(self) -> None:
        """And what the certificate's old fields say."""
        who = f'authorityMatches: signed: signatures: [{{subject: "{SAN}", githubWorkflowRepo: "acme/shop", githubWorkflowTrigger: "push"}}, ...]'

        assert self.allowed(who, evidence())
        assert not self.allowed(who.replace('"push"', '"schedule"'), evidence())

    def test_it_counts_signatures(self) -> None:
        """All that fit, not the one that is enough."""
        two = 'import "list"\nauthorityMatches: signed: signatures: list.MinItems(2)'

        assert not self.allowed(two, evidence())
        assert self.allowed(two, evidence(), evidence(signer=certificate(buildTrigger="schedule")))

    def test_a_copy_of_a_signature_does_not_count(self) -> None:
        """Who can write to the registry can put one signature in as many places, and forms, as they like."""
        two = 'import "list"\nauthorityMatches: signed: signatures: list.MinItems(2)'
        sboms = 'import "list"\nauthorityMatches: sbom: attestations: spdx: list.MinItems(2)'
        places = ("referrers", "sha256-1a.sig")
        copies = [evidence("attestation", predicate_type="https://spdx.dev/Document", source=p) for p in places]

        assert not self.allowed(two, *(evidence(source=place) for place in places))
        assert not self.allowed(sboms, *copies)

    def test_a_guard_reads_what_was_found(self) -> None:
        """As in upstream's own test."""
        guard = 'authorityMatches: {\n  signed: _\n  if (len(authorityMatches.signed.signatures) < 2) {\n    few: 2\n    few: "Error"\n  }\n}'

        assert not self.allowed(guard, evidence())
        assert self.allowed(guard, evidence(), evidence(signer=certificate(buildTrigger="schedule")))

    def test_an_answer_stays_open_until_all_places_were_asked(self) -> None:
        """More evidence could exceed an upper limit."""
        assert judge(image(), self.policy("authorityMatches: signed: _"), [evidence()], today=TODAY).open

    def test_a_static_pass_is_in_it(self) -> None:
        """And proves nothing."""
        more = "  policy: {type: cue, data: 'authorityMatches: a: static: true'}\n"
        judged = judge(image(), load(text("name: a, static: {action: pass}", more=more)), [], today=TODAY)

        assert (judged.allowed, judged.weak) == (True, True)

    @pytest.mark.parametrize("name", ["fetchConfigFile", "includeSpec", "includeObjectMeta", "includeTypeMeta"])
    def test_what_is_not_in_manifest_and_evidence_is_refused(self, name: str) -> None:
        """By name; false asks for nothing."""
        more = f"  policy: {{type: cue, data: 'authorityMatches: _', {name}: true}}\n"

        assert f"spec.policy.{name}: asks for" in faults(text(KEYLESS, more=more))
        assert load(text(KEYLESS, more=more.replace("true", "false"))).over is not None

    def test_authorities_need_names_of_their_own(self) -> None:
        """Else nobody knows which is meant."""
        more = "  policy: {type: cue, data: 'authorityMatches: _'}\n"

        assert "two authorities are called a" in faults(text(f"name: a, {KEYLESS}", f"name: a, {KEYLESS}", more=more))
        assert "cel sees one attestation" in faults(text(KEYLESS, more="  policy: {type: cel, data: 'true'}\n"))
