"""``verify``: what it refuses to answer, what it answers, and how it says so."""

import contextlib
import hashlib
import json
import os
import socket
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest

from argocd_provenance.demo.sigstore import encode, statement
from argocd_provenance.demo.world import provenance
from support.scenario import IDENTITY, SLSA, Scenario
from support.shop import API, PROVENANCE, WEB, copy_bundle, policy, shop

ISSUER = "https://token.actions.githubusercontent.com"
BY = ("--certificate-identity", IDENTITY, "--certificate-oidc-issuer", ISSUER)
ARTIFACT = b"a release\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scenario]:
    """A shop with good and unsigned images; its folder is the working folder, and holds bundles, keys and roots."""
    signature = {"image": "acme/signed:v1", "attach": [{"what": "signature"}]}
    with shop(tmp_path, images=[WEB, API, signature]) as scenario:
        folder = scenario.folder
        signer = scenario.sigstore.issue(IDENTITY, ISSUER)
        signed = statement("sha256:" + hashlib.sha256(ARTIFACT).hexdigest(), SLSA, provenance(IDENTITY))
        (folder / "artifact").write_bytes(ARTIFACT)
        (folder / "provenance.json").write_bytes(encode(scenario.sigstore.bundle(signer, signed)))
        (folder / "message.json").write_bytes(encode(scenario.sigstore.bundle(signer, ARTIFACT, message=True)))
        (folder / "cosign.pub").write_bytes(signer.verifier_pem if not signer.certificate else _public(signer))
        monkeypatch.chdir(folder)
        yield scenario


def _public(signer: object) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = signer.key.public_key()  # type: ignore[attr-defined]
    return bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def verify(here: Scenario, *arguments: str, config: bool = False) -> tuple[int, str, str]:
    """``verify`` with these arguments; the operator's config counts only with `config`."""
    path = str(here.folder / "config.yaml") if config else ""
    told = {"ARGOCD_PROVENANCE_CONFIG": path} if config else {"ARGOCD_PROVENANCE_CONFIG": None}
    return here.run("verify", *arguments, environment=told)  # type: ignore[arg-type]


class TestRefused:
    """A question that proves nothing, or that is wrong, is exit 2 and says nothing on standard output."""

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            pytest.param((), "name an image", id="no reference"),
            pytest.param(("REGISTRY/acme/web:v1",), "nothing says what to trust", id="no trust"),
            pytest.param(
                ("REGISTRY/acme/web:v1", "--certificate-identity", "x"), "--certificate-oidc-issuer", id="issuer"
            ),
            pytest.param(
                ("REGISTRY/acme/web:v1", "--certificate-oidc-issuer", "x"), "--certificate-identity", id="identity"
            ),
            pytest.param(("REGISTRY/acme/web:v1", "--type", "signature"), "--certificate-identity", id="type alone"),
            pytest.param(("x", *BY, "--certificate-identity-regexp", "."), "give one of", id="identity twice"),
            pytest.param(("x", *BY, "--key", "cosign.pub"), "--key and --certificate", id="key and identity"),
            pytest.param(("x", *BY, "--policy", "policy.yaml"), "give one of them", id="policy and demands"),
            pytest.param(("x", *BY, "--no-log"), "--no-log", id="no-log with a certificate"),
            pytest.param(("x", "--no-log"), "--no-log", id="no-log alone"),
            pytest.param(("x", "--policy", "policy.yaml", "--no-log"), "--no-log", id="no-log with a policy"),
            pytest.param(("x", "--policy", "policy.yaml", "--domain", "test"), "--domain", id="domain with a policy"),
            pytest.param(
                ("x", *BY, "--domain", "tets"), ": command line: there is no trust domain 'tets'", id="unknown domain"
            ),
            pytest.param(("x", "--policy", "policy.yaml"), "there is no trust domain 'test'", id="policy's domain"),
            pytest.param(("Not An Image", *BY), "Not An Image", id="no reference"),
            pytest.param(("x", *BY, "--type", "no-such"), "--type 'no-such'", id="type"),
            pytest.param(("x", "--certificate-identity-regexp", "(", *BY[2:]), "regexp", id="expression"),
            pytest.param(("x", *BY, "--source-ref", ""), "--source-ref is empty", id="empty demand"),
            pytest.param(("x", *BY, "--source-repository", "acme"), "is no URL", id="source"),
            pytest.param(("x", *BY, "--trusted-root", "none"), "--trusted-root: cannot read none", id="no root"),
            pytest.param(("x", *BY, "--trusted-root", "artifact"), "artifact: ", id="malformed root"),
            pytest.param(("x", *BY, "--trusted-root", "bare.json"), "bare.json: ", id="root without logs"),
            pytest.param(("x", "--key", "artifact"), "--key: artifact: ", id="malformed key"),
            pytest.param(("x", "--key", "none"), "--key: cannot read none", id="no key"),
            pytest.param(("x", "--policy", "artifact"), "artifact:1", id="malformed policy"),
            pytest.param(("x", "--policy", "typo.yaml"), "typo.yaml:5: spec.imges: ", id="policy with a typo"),
            pytest.param(("x", "--policy", "empty.yaml"), "empty.yaml", id="empty policy"),
            pytest.param(("x", "--config", "none.yaml"), "none.yaml", id="no config"),
            pytest.param(("artifact", "x", *BY, "--bundle", "message.json"), "one artifact", id="two artifacts"),
            pytest.param(("none", *BY, "--bundle", "message.json"), "ARTIFACT: cannot read none", id="no artifact"),
            pytest.param(("artifact", *BY, "--bundle", "none"), "--bundle: cannot read none", id="no bundle"),
            pytest.param(("sha256:abc", *BY, "--bundle", "message.json"), "is no digest", id="short digest"),
            pytest.param(("artifact", "--bundle", "message.json"), "nothing says what to trust", id="bundle, no trust"),
            pytest.param(("x", "--nonsense"), "No such option", id="unknown option"),
        ],
    )
    def test_a_question_that_proves_nothing(self, here: Scenario, arguments: tuple[str, ...], said: str) -> None:
        """Exit 2, the reason on standard error, and no request."""
        (here.folder / "typo.yaml").write_text(policy().replace("images:", "imges:"))
        (here.folder / "empty.yaml").write_text("")
        (here.folder / "bare.json").write_bytes(encode(here.sigstore.trusted_root(logs=False, timestamps=False)))

        code, out, err = verify(here, *arguments)

        assert (code, out) == (2, "")
        assert said in err
        assert here.registry.requests == []

    def test_all_faults_of_all_policies_come_at_once(self, here: Scenario) -> None:
        """Each with its file, line and path."""
        (here.folder / "a.yaml").write_text(
            policy().replace("images:", "imges:").replace("spec:", "spec:\n  mod: warn")
        )
        (here.folder / "b.yaml").write_text("kind: Secret")

        code, _, err = verify(here, "x", "--policy", "a.yaml", "--policy", "b.yaml")

        assert code == 2
        assert all(place in err for place in ("a.yaml:5: spec.mod: ", "a.yaml:6: spec.imges: ", "b.yaml:1"))


class TestAnswers:
    """By demands, by policies, by the operator's policies: the same decision as `generate`."""

    @pytest.mark.parametrize(
        ("arguments", "code"),
        [
            pytest.param(("REGISTRY/acme/signed:v1", *BY), 0, id="a signature is demanded by default"),
            pytest.param(("REGISTRY/acme/web:v1", *BY), 4, id="provenance is no signature"),
            pytest.param(("REGISTRY/acme/web:v1", *BY, "--type", "signature"), 4, id="nor when asked in words"),
            pytest.param(("REGISTRY/acme/web:v1", *BY, "--type", "slsaprovenance1"), 0, id="short name"),
            pytest.param(("REGISTRY/acme/web:v1", *BY, "--type", SLSA), 0, id="type"),
            pytest.param(("REGISTRY/acme/web:v1", *BY, "--type", "spdxjson"), 4, id="another type"),
            pytest.param(("REGISTRY/acme/api:v1", *BY), 4, id="unsigned"),
            pytest.param(("REGISTRY/acme/none:v1", *BY), 3, id="not there"),
            pytest.param(("REGISTRY/acme/web:v1", "REGISTRY/acme/none:v1", "REGISTRY/acme/api:v1", *BY), 4, id="worst denied"),
            pytest.param(("REGISTRY/acme/signed:v1", "REGISTRY/acme/none:v1", *BY), 3, id="then error"),
            pytest.param(
                ("REGISTRY/acme/web:v1", *BY, "--type", SLSA, "--source-repository", "https://github.com/acme/shop",
                 "--source-ref", "refs/heads/main"), 0, id="source",
            ),
            pytest.param(
                ("REGISTRY/acme/web:v1", *BY, "--type", SLSA, "--source-ref", "refs/heads/dev"), 4, id="other ref"
            ),
            pytest.param(("REGISTRY/acme/web:v1", *BY, "--type", SLSA, "--builder-id", "x"), 4, id="other builder"),
            pytest.param(("REGISTRY/acme/signed:v1", "--certificate-identity", "x", *BY[2:]), 4, id="other identity"),
            pytest.param(
                ("REGISTRY/acme/signed:v1", "--certificate-identity-regexp", "https://github.com/acme/", *BY[2:]), 4,
                id="an expression is a full match",
            ),
            pytest.param(
                ("REGISTRY/acme/signed:v1", "--certificate-identity-regexp", "https://github.com/acme/.*", *BY[2:]), 0,
                id="expression",
            ),
        ],
    )  # fmt: skip
    def test_by_demands_on_the_command_line(self, here: Scenario, arguments: tuple[str, ...], code: int) -> None:
        """A host typed by hand needs no permission, and the worst answer is the exit code."""
        given, out, _ = verify(here, *arguments, "--trusted-root", "trusted_root.json")

        assert given == code
        assert out.startswith("image policy: ")

    def test_a_domain_of_the_config_can_be_named(self, here: Scenario) -> None:
        """`--domain` picks it; without it the built-in one is asked, which knows nothing of our signer."""
        named, *_ = verify(here, "REGISTRY/acme/signed:v1", *BY, "--domain", "test", config=True)
        builtin, *_ = verify(here, "REGISTRY/acme/signed:v1", *BY, config=True)

        assert (named, builtin) == (0, 4)

    def test_by_policies(self, here: Scenario) -> None:
        """By the operator's, or by the given ones only, while the rest of the config holds."""
        (here.folder / "other.yaml").write_text(policy(images='["other.example/**"]'))

        operators = verify(here, "REGISTRY/acme/web:v1", config=True)
        others = verify(here, "REGISTRY/acme/web:v1", "--policy", "other.yaml", config=True)

        assert (operators[0], others[0]) == (0, 4)
        assert "[unmatched]" in others[1]

    def test_a_policy_for_some_applications_is_taken_as_matching(self, here: Scenario) -> None:
        """And the report says so."""
        (here.folder / "policy.yaml").write_text(
            policy(applications="{names: [payments]}").replace("REGISTRY", here.registry.host)
        )

        code, out, _ = verify(here, "REGISTRY/acme/web:v1", config=True)

        assert code == 0
        assert "note: policy shop is for some Applications" in out

    def test_trusted_root_wins_over_every_other_choice(self, here: Scenario) -> None:
        """A policy that names another domain is judged by the root on the command line."""
        code, *_ = verify(
            here, "REGISTRY/acme/web:v1", "--policy", "policy.yaml", "--trusted-root", "trusted_root.json"
        )

        assert code == 0

    def test_no_fix_speaks_of_an_application(self, here: Scenario) -> None:
        """Whoever runs it has none to refresh: they try again."""
        code, said, _ = verify(here, "REGISTRY/acme/api:v1", config=True)

        assert code == 4
        assert "refresh" not in said
        assert "after signing, try again" in said

    def test_explain_shows_every_field_and_where_it_was_read(self, here: Scenario) -> None:
        """OIDs of the certificate, the log entry and the decoded predicate."""
        _, out, _ = verify(here, "REGISTRY/acme/web:v1", "--explain", config=True)

        assert "1.3.6.1.4.1.57264.1.12" in out
        assert "log entry = " in out
        assert '"buildType": "https://actions.github.io/buildtypes/workflow/v1"' in out

    def test_every_output_can_be_read_by_programs(self, here: Scenario) -> None:
        """json, sarif and junit parse, and agree about what is refused."""
        asked = ("REGISTRY/acme/web:v1", "REGISTRY/acme/api:v1", "REGISTRY/acme/none:v1")

        said = {form: verify(here, *asked, "--output", form, config=True)[1] for form in ("json", "sarif", "junit")}

        report = json.loads(said["json"])
        assert [i["verdict"] for i in report["images"]] == ["denied", "error", "allowed"]
        assert report["images"][2]["evidence"][0]["source"]["repository"] == "https://github.com/acme/shop"
        results = json.loads(said["sarif"])["runs"][0]["results"]
        assert [(r["ruleId"], r["level"]) for r in results] == [("unsigned", "error"), ("image-not-found", "error")]
        suite = ET.fromstring(said["junit"])[0]  # noqa: S314 - our own output
        assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "1", "1")


class TestBundles:
    """One bundle, one artifact, no network."""

    @pytest.mark.parametrize(
        ("artifact", "bundle", "more", "code"),
        [
            pytest.param("artifact", "provenance.json", (), 0, id="file"),
            pytest.param("sha256:GOOD", "provenance.json", (), 0, id="digest"),
            pytest.param("artifact", "message.json", (), 0, id="message signature of a file"),
            pytest.param("sha256:GOOD", "message.json", (), 0, id="message signature of a digest"),
            pytest.param("artifact", "message.json", ("--type", "signature"), 0, id="it is a signature"),
            pytest.param("artifact", "provenance.json", ("--type", "signature"), 4, id="provenance is no signature"),
            pytest.param("artifact", "provenance.json", ("--type", "slsaprovenance1"), 0, id="provenance"),
            pytest.param("artifact", "message.json", ("--type", "slsaprovenance1"), 4, id="a signature is none"),
            pytest.param("cosign.pub", "provenance.json", (), 4, id="another file"),
            pytest.param("cosign.pub", "message.json", (), 4, id="another file, message"),
            pytest.param("sha256:" + "0" * 64, "provenance.json", (), 4, id="another digest"),
            pytest.param("sha512:" + "0" * 128, "provenance.json", (), 4, id="another algorithm"),
            pytest.param("artifact", "artifact", (), 4, id="malformed bundle"),
            pytest.param("artifact", "cut.json", (), 4, id="cut bundle"),
            pytest.param("artifact", "bytes", (), 4, id="any bytes"),
        ],
    )
    def test_a_bundle_is_judged_offline(
        self,
        here: Scenario,
        monkeypatch: pytest.MonkeyPatch,
        artifact: str,
        bundle: str,
        more: tuple[str, ...],
        code: int,
    ) -> None:
        """Denied or allowed, never undecided; no socket is made, and the report names the artifact as typed."""
        (here.folder / "cut.json").write_bytes((here.folder / "provenance.json").read_bytes()[:-20])
        (here.folder / "bytes").write_bytes(bytes(range(256)) * 4)
        typed = artifact.replace("GOOD", hashlib.sha256(ARTIFACT).hexdigest())

        with _no_sockets(monkeypatch):
            given, out, _ = verify(
                here, typed, "--bundle", bundle, *BY, *more, "--trusted-root", "trusted_root.json", "--output", "json"
            )

        report = json.loads(out)
        assert given == code
        assert report["images"][0]["reference"] == typed
        assert [f["fix"] for f in report["images"][0]["findings"] if not f["fix"]] == []

    def test_a_refused_bundle_is_spoken_of_as_a_file(self, here: Scenario) -> None:
        """No advice that fits images and Applications only; what is no JSON is said once."""
        (here.folder / "cut.json").write_bytes((here.folder / "provenance.json").read_bytes()[:-20])
        asked = (*BY, "--trusted-root", "trusted_root.json", "--bundle")

        said = [
            verify(here, *case)[1]
            for case in (("cosign.pub", *asked, "message.json"), ("artifact", *asked, "cut.json"))
        ]

        assert all("[rejected]" in one for one in said)
        assert [word for one in said for word in ("refresh", "pipeline", "at at") if word in one] == []

    def test_a_subject_may_have_another_algorithm(self, here: Scenario) -> None:
        """A file is matched under every digest algorithm of the subjects, and sha512:HEX works too."""
        hexdigest = hashlib.sha512(ARTIFACT).hexdigest()
        signed = statement("sha512:" + hexdigest, SLSA, provenance(IDENTITY))
        signer = here.sigstore.issue(IDENTITY, ISSUER)
        (here.folder / "long.json").write_bytes(encode(here.sigstore.bundle(signer, signed)))
        asked = ("--bundle", "long.json", *BY, "--trusted-root", "trusted_root.json")

        codes = [verify(here, typed, *asked)[0] for typed in ("artifact", f"sha512:{hexdigest}")]

        assert codes == [0, 0]

    @pytest.mark.parametrize("mode", ["warn", "pin"])
    def test_a_malformed_bundle_is_denied_whatever_the_mode(self, here: Scenario, mode: str) -> None:
        """`warn` and `pin` let images through, never a bundle that is none."""
        require = "" if mode == "pin" else "- signature: {by: [{key: {file: cosign.pub}}]}"
        (here.folder / "lax.yaml").write_text(policy(require, '["**"]', mode=mode))

        code, out, _ = verify(here, "artifact", "--bundle", "artifact", "--policy", "lax.yaml")

        assert code == 4
        assert "[rejected]" in out

    def test_a_key_needs_a_log_entry_unless_told_otherwise(self, here: Scenario) -> None:
        """`--no-log` is the user's word that no transparency is wanted."""
        from cryptography.hazmat.primitives.asymmetric import ec

        from argocd_provenance.demo.sigstore import Signer

        signer = Signer(ec.generate_private_key(ec.SECP256R1()))
        (here.folder / "key.pub").write_bytes(signer.verifier_pem)
        (here.folder / "key.json").write_bytes(encode(here.sigstore.bundle(signer, ARTIFACT, message=True, log=None)))

        logged = verify(here, "artifact", "--bundle", "key.json", "--key", "key.pub")
        unlogged = verify(here, "artifact", "--bundle", "key.json", "--key", "key.pub", "--no-log")

        assert (logged[0], unlogged[0]) == (4, 0)

    def test_a_file_name_of_any_bytes_can_be_reported(self, here: Scenario) -> None:
        """What is no UTF-8 is escaped, in every output."""
        name = os.fsdecode(b"\xff")
        (here.folder / name).write_bytes(b"another file")

        said = [
            verify(here, name, "--bundle", "message.json", *BY, "--trusted-root", "trusted_root.json", "--output", form)
            for form in ("text", "json", "sarif", "junit")
        ]

        assert [code for code, *_ in said] == [4] * 4
        assert json.loads(said[1][1])["images"][0]["reference"] == name


@contextlib.contextmanager
def _no_sockets(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Making a socket fails the test."""

    def refuse(*_arguments: object, **_options: object) -> None:
        raise AssertionError("a socket was made")

    with monkeypatch.context() as patched:
        patched.setattr(socket.socket, "connect", refuse)
        patched.setattr(socket, "getaddrinfo", refuse)
        yield


class TestTree:
    """``--explain`` prints how the decision came about, of a denial too."""

    def test_a_denial_shows_every_check_and_the_predicate(self, here: Scenario) -> None:
        """What held and what did not, with the place it was read from."""
        asked = PROVENANCE.replace("}]}", '}], trigger: release, where: predicate.runDetails.builder.id == "x"}')
        (here.folder / "strict.yaml").write_text(policy(asked, name="strict").replace("REGISTRY", here.registry.host))
        code, told, _ = verify(here, "REGISTRY/acme/web:v1", "--policy", "strict.yaml", "--explain", config=True)

        assert code == 4
        for line in (
            "policy strict (strict.yaml:1), mode enforce",
            "NO spec.require[0].provenance: SLSA provenance by github.com/acme/shop",
            "ok signed by github.com/acme/shop/.github/workflows/build.yml@refs/heads/main",
            "ok certificate and predicate agree",
            "NO [wrong-trigger] trigger release: push (1.3.6.1.4.1.57264.1.20)",
            'NO [where-failed] predicate.runDetails.builder.id == "x": it is false',
            'predicate = {"buildDefinition"',
        ):
            assert line in told, line

    def test_a_denial_shows_what_did_not_verify(self, here: Scenario) -> None:
        """And where was looked."""
        copy_bundle(here, "acme/web:v1", here.registry.push_image("acme/copied", "v1", [b"another"]), "acme/copied")
        code, told, _ = verify(here, "REGISTRY/acme/copied:v1", "--explain", config=True)

        assert code == 4
        assert "nothing of this kind verifies" in told
        assert "[other-subject]" in told
        assert "looked at:" in told


class TestSummaries:
    """``--vsa`` writes the decision for others: an in-toto statement, unsigned."""

    def test_what_passed_is_summarised(self, here: Scenario) -> None:
        """Subject, policy and evidence by digest, result and level: as slsa.dev's specification has them."""
        code, _, _ = verify(here, "REGISTRY/acme/web:v1", "--vsa", "out.json", config=True)
        said = json.loads((here.folder / "out.json").read_text())
        predicate, policy_file = said["predicate"], here.folder / "policy.yaml"

        assert code == 0
        assert said["_type"] == "https://in-toto.io/Statement/v1"
        assert said["predicateType"] == "https://slsa.dev/verification_summary/v1"
        assert predicate["resourceUri"].endswith(f"@sha256:{said['subject'][0]['digest']['sha256']}")
        assert predicate["verificationResult"] == "PASSED"
        assert predicate["verifiedLevels"] == ["SLSA_BUILD_LEVEL_2"]
        assert predicate["policy"]["digest"]["sha256"] == hashlib.sha256(policy_file.read_bytes()).hexdigest()
        assert [len(item["digest"]["sha256"]) for item in predicate["inputAttestations"]] == [64]
        assert predicate["verifier"]["id"] == "https://argocd-provenance.io/verify"

    def test_what_is_denied_is_summarised_as_failed(self, here: Scenario) -> None:
        """Nobody can take it for a pass."""
        arguments = ("--vsa", "out.json", "--verifier-id", "https://verifier.acme.example")
        code, _, _ = verify(here, "REGISTRY/acme/api:v1", *arguments, config=True)
        predicate = json.loads((here.folder / "out.json").read_text())["predicate"]

        assert code == 4
        assert (predicate["verificationResult"], predicate["verifiedLevels"]) == ("FAILED", ["FAILED"])
        assert predicate["verifier"]["id"] == "https://verifier.acme.example"

    def test_what_could_not_be_checked_is_no_result(self, here: Scenario) -> None:
        """No file is written, and the report says so."""
        code, told, _ = verify(here, "REGISTRY/acme/nowhere:v1", "--vsa", "out.json", config=True)

        assert code == 3
        assert not (here.folder / "out.json").exists()
        assert "out.json is not written: the image could not be checked" in told

    def test_what_was_only_pinned_is_not_summarised(self, here: Scenario) -> None:
        """Nothing was verified."""
        (here.folder / "pin.yaml").write_text(
            policy("", name="pin", mode="pin").replace("REGISTRY", here.registry.host)
        )
        code, told, _ = verify(here, "REGISTRY/acme/api:v1", "--policy", "pin.yaml", "--vsa", "out.json", config=True)

        assert code == 0
        assert not (here.folder / "out.json").exists()
        assert "nothing was verified" in told

    def test_a_summary_is_about_one_image(self, here: Scenario) -> None:
        """Of several, or of a file, it is refused."""
        assert verify(here, "REGISTRY/acme/web:v1", "REGISTRY/acme/api:v1", "--vsa", "o", config=True)[0] == 2
        assert verify(here, "artifact", "--bundle", "provenance.json", "--vsa", "o", *BY, config=True)[0] == 2
