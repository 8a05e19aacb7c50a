"""An oracle that is not ours: real cosign judges what our virtual Sigstore signs, and we judge what real cosign signs.

Every image lies in a real docker-registry. A case names what each side must say; where they differ, the reason stands
beside it. A referee that accepts everything proves nothing, so a good part of the cases must be refused by both.
"""

import copy as copies
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from argocd_provenance.cli.group import group
from argocd_provenance.demo.contents import Contents
from argocd_provenance.demo.registry import Registry
from argocd_provenance.demo.sigstore import Signer, VirtualSigstore, encode, simple_signing, statement
from support.registries import DockerRegistry, copy
from support.services import Services

pytestmark = pytest.mark.peers

WORKFLOW = "https://github.com/acme/app/.github/workflows/release.yml@refs/heads/main"
GITHUB = "https://token.actions.githubusercontent.com"
PERSON, ACCOUNTS = "release@acme.example", "https://accounts.example"
SIGN, SLSA = "https://sigstore.dev/cosign/sign/v1", "https://slsa.dev/provenance/v1"
OTHER = "sha256:" + "0b" * 32
PREDICATE = {"buildDefinition": {"buildType": "https://example.com/build"}, "runDetails": {"builder": {"id": WORKFLOW}}}

OLD = ("--new-bundle-format=false",)
STAMPED = ("--use-signed-timestamps",)
UNLOGGED = ("--insecure-ignore-tlog", "--use-signed-timestamps", "--insecure-ignore-sct")
TLOGLESS = ("--insecure-ignore-tlog",)


class Stand:
    """A docker-registry, the virtual Sigstore with its services, and cosign with a home of its own."""

    def __init__(self, folder: Path, host: str, fake: Registry) -> None:
        found = shutil.which("cosign")
        assert found, "cosign is missing: `make tools` builds it"
        self.cosign, self.folder, self.host = found, folder, host
        self.sigstore = VirtualSigstore(datetime.now(UTC))
        self.fake = fake
        self.count = 0
        roots = {
            "full": self.sigstore.trusted_root(),
            "stamps": self.sigstore.trusted_root(logs=False, ct_logs=False),
            "foreign": VirtualSigstore(self.sigstore.now).trusted_root(),
        }
        self.roots = {name: str(folder / f"{name}.json") for name in roots}
        for name, root in roots.items():
            Path(self.roots[name]).write_bytes(encode(root))
        (folder / "predicate.json").write_text(json.dumps(PREDICATE))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run cosign; nothing of this machine's settings reaches it."""
        told = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "TUF_ROOT": str(self.folder / "tuf"),
            "COSIGN_PASSWORD": "",
        }
        return subprocess.run(
            [self.cosign, *arguments],
            env=told,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def image(self) -> tuple[str, dict[str, Any]]:
        """A new image; its repository and descriptor."""
        self.count += 1
        repository = f"oracle/case-{self.count:03d}"
        return repository, self.fake.push_image(repository, "v1", [repository.encode()])

    def signer(self, **shape: Any) -> Signer:
        """A certificate for the workflow."""
        return self.sigstore.issue(WORKFLOW, GITHUB, **shape)

    def public_key(self, signer: Signer) -> str:
        """The file of a signer's public key."""
        path = self.folder / f"key-{self.count}.pub"
        path.write_bytes(signer.public_pem)
        return str(path)

    def we(self, reference: str, *demands: str) -> bool:
        """Whether our `verify` allows; anything but a clear yes or no is an error of the test."""
        done = CliRunner().invoke(group, ["verify", reference, *demands], env={"ARGOCD_PROVENANCE_CONFIG": None})
        assert done.exit_code in (0, 4), done.output
        return done.exit_code == 0


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """The stand of this module; the registry ends with it."""
    folder = tmp_path_factory.mktemp("oracle")
    with DockerRegistry(folder) as registry, Registry() as fake:
        yield Stand(folder, registry.host, fake)


Publish = Callable[[Stand], tuple[str, Signer | None]]


@dataclass(frozen=True)
class Case:
    """What is published, what cosign is told, and what each side must say."""

    name: str
    publish: Publish
    kind: str = "signature"
    flags: tuple[str, ...] = ()
    root: str = "full"
    cosign: bool = True
    ours: bool = True
    identity: str = WORKFLOW
    no_log: bool = False


def layer(
    suffix: str = "sig",
    change: Callable[[Stand, dict[str, Any]], None] | None = None,
    shape: dict[str, Any] | None = None,
    key: Any = None,
    **how: Any,
) -> Publish:
    """Publish a legacy layer: ``.sig``, or with `suffix` ``.att``; `key` makes a key for it."""

    def publish(stand: Stand) -> tuple[str, Signer | None]:
        repository, image = stand.image()
        signer = Signer.by_key(key()) if key else stand.signer(**(shape or {}))
        given = dict(how)
        if "at" in given:
            given["at"] = stand.sigstore.now + given["at"]
        if suffix == "sig":
            made = stand.sigstore.sign_layer(image["digest"], signer, **given)
        else:
            signed = statement(
                image["digest"], SLSA, PREDICATE, statement_type=given.pop("typ", "https://in-toto.io/Statement/v0.1")
            )
            made = stand.sigstore.attest_layer(signed, signer, predicate_type=SLSA, **given)
        descriptor = copies.deepcopy(made.descriptor)
        if change:
            change(stand, descriptor)
        stand.fake.attach_layer(repository, image["digest"], suffix, descriptor, made.content)
        return repository, signer if key else None

    return publish


def bundle(
    content: str = SLSA,
    change: Callable[[Stand, dict[str, Any]], None] | None = None,
    shape: dict[str, Any] | None = None,
    key: Any = None,
    digest: str = "",
    **how: Any,
) -> Publish:
    """Publish a bundle as a referrer under the fallback tag."""

    def publish(stand: Stand) -> tuple[str, Signer | None]:
        repository, image = stand.image()
        signer = (
            Signer.by_key(key())
            if key
            else stand.signer(**{k: v() if callable(v) else v for k, v in (shape or {}).items()})
        )
        signed = statement(
            digest or image["digest"],
            content,
            {} if content == SIGN else PREDICATE,
            name=None if content == SIGN else "registry.example/acme/app",
        )
        made = stand.sigstore.bundle(signer, signed, **how)
        if change:
            change(stand, made)
        stand.fake.attach_bundle(repository, image, encode(made), content)
        return repository, signer if key else None

    return publish


def p256() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def p384() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP384R1())


def other_entry(stand: Stand, descriptor: dict[str, Any]) -> None:
    """Put a log entry of another signature beside this one."""
    made = stand.sigstore.sign_layer(OTHER, stand.signer())
    descriptor["annotations"]["dev.sigstore.cosign/bundle"] = made.descriptor["annotations"][
        "dev.sigstore.cosign/bundle"
    ]


def other_bundle_entry(stand: Stand, made: dict[str, Any]) -> None:
    foreign = stand.sigstore.bundle(stand.signer(), statement(OTHER, SLSA, {}))
    made["verificationMaterial"]["tlogEntries"] = foreign["verificationMaterial"]["tlogEntries"]


def disturbed_proof(stand: Stand, made: dict[str, Any]) -> None:  # noqa: ARG001 - the shape of all changes
    made["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]["hashes"].reverse()


LATE = timedelta(minutes=-5)
SHA384 = ("--signature-digest-algorithm=sha384",)
CASES = [
    Case(".sig keyless, SET, default flags", layer()),
    Case(".sig keyless, SET, old format", layer(), flags=OLD),
    Case(".sig keyless, SET and timestamp", layer(timestamp=True), flags=(*OLD, *STAMPED)),
    Case(
        ".sig keyless, timestamp only, no SCT",
        layer(shape={"sct": False}, log=False, timestamp=True),
        flags=(*OLD, *UNLOGGED),
        root="stamps",
    ),
    Case(".sig keyless, annotations", layer(annotations={"env": "prod"}), flags=(*OLD, "-a", "env=prod")),
    *(
        Case(f".att keyless, {kind}, {name}", layer("att", kind=kind), "slsaprovenance1", flags)
        for kind in ("dsse/0.0.1", "intoto/0.0.1", "intoto/0.0.2")
        for name, flags in (("default flags", ()), ("old format", OLD))
    ),
    Case(".att keyless, Statement v1", layer("att", typ="https://in-toto.io/Statement/v1"), "slsaprovenance1", OLD),
    Case(
        ".att keyless, timestamp over the envelope",
        layer("att", timestamp="envelope"),
        "slsaprovenance1",
        (*OLD, *STAMPED),
    ),
    # cosign 3's writer stamps the raw signature while its verifier checks the envelope; both bind the signature
    Case(
        ".att keyless, timestamp over the signature",
        layer("att", timestamp="signature"),
        "slsaprovenance1",
        (*OLD, *STAMPED),
        cosign=False,
    ),
    Case(
        ".att keyless, timestamp only, no SCT",
        layer("att", shape={"sct": False}, log=False, timestamp="envelope"),
        "slsaprovenance1",
        (*OLD, *UNLOGGED),
        "stamps",
    ),
    *(
        Case(f"bundle {what}, {name}", bundle(kind, **how), what, flags)
        for kind, what in ((SIGN, "signature"), (SLSA, "slsaprovenance1"))
        for name, how, flags in (
            ("Rekor v1", {}, ()),
            ("Rekor v1 and timestamp", {"timestamp": True}, STAMPED),
            ("Rekor v2 and timestamp", {"log": "v2", "timestamp": True}, STAMPED),
            ("Rekor v1 without SET, timestamp", {"promise": False, "timestamp": True}, STAMPED),
        )
    ),
    Case("bundle, intoto 0.0.2 entry", bundle(kind="intoto/0.0.2"), "slsaprovenance1"),
    Case("bundle, P-384 leaf", bundle(shape={"key": p384}), "slsaprovenance1"),
    Case(
        "bundle, P-384 leaf, Rekor v2",
        bundle(shape={"key": p384}, log="v2", timestamp=True),
        "slsaprovenance1",
        STAMPED,
    ),
    Case(
        "bundle, timestamp only, as GitHub-internal",
        bundle(shape={"sct": False}, log=None, timestamp=True),
        "slsaprovenance1",
        UNLOGGED,
        "stamps",
    ),
    # its known laxity: cosign verify takes provenance for a signature, and we do not
    Case("bundle of provenance where a signature is asked for", bundle(), ours=False),
    Case(".sig by P-256 key", layer(key=p256), flags=OLD),
    Case(".sig by P-256 key, no log", layer(key=p256, log=False), flags=(*OLD, *TLOGLESS), no_log=True),
    Case(".sig by P-384 key, hashed with SHA-256", layer(key=p384, algorithm="sha256"), flags=OLD),
    Case(".att by P-256 key", layer("att", key=p256), "slsaprovenance1", OLD),
    # cosign attests with SHA-256 whatever the curve; the virtual Sigstore uses the curve's hash
    Case(".att by P-384 key", layer("att", key=p384), "slsaprovenance1", OLD, cosign=False),
    Case("bundle by P-256 key, Rekor v1", bundle(key=p256), "slsaprovenance1"),
    Case("bundle by P-256 key, Rekor v2", bundle(key=p256, log="v2", timestamp=True), "slsaprovenance1", STAMPED),
    Case("bundle by P-256 key, no log", bundle(key=p256, log=None), "slsaprovenance1", TLOGLESS, no_log=True),
    Case("bundle by P-384 key, Rekor v1", bundle(key=p384), "slsaprovenance1", SHA384),
    Case(
        "bundle by Ed25519 key, no log",
        bundle(key=ed25519.Ed25519PrivateKey.generate, log=None),
        "slsaprovenance1",
        TLOGLESS,
        no_log=True,
    ),
    Case(
        ".sig, another identity", layer(), flags=OLD, identity="https://github.com/evil/app", cosign=False, ours=False
    ),
    Case(".sig, foreign trusted root", layer(), flags=OLD, root="foreign", cosign=False, ours=False),
    Case(".sig over another digest", layer(payload=simple_signing(OTHER)), flags=OLD, cosign=False, ours=False),
    Case(".sig without SCT", layer(shape={"sct": False}), flags=OLD, cosign=False, ours=False),
    Case(
        ".sig without log entry",
        layer(log=False),
        flags=(*OLD, "--rekor-url=http://127.0.0.1:1"),
        cosign=False,
        ours=False,
    ),
    Case(".sig made after the certificate expired", layer(at=LATE), flags=OLD, cosign=False, ours=False),
    Case(".sig with the log entry of another", layer(change=other_entry), flags=OLD, cosign=False, ours=False),
    Case(
        "bundle, another identity",
        bundle(),
        "slsaprovenance1",
        identity="https://github.com/evil/app",
        cosign=False,
        ours=False,
    ),
    Case("bundle, foreign trusted root", bundle(), "slsaprovenance1", root="foreign", cosign=False, ours=False),
    Case("bundle, another predicate type asked for", bundle(), "spdxjson", cosign=False, ours=False),
    Case("bundle about another digest", bundle(digest=OTHER), "slsaprovenance1", cosign=False, ours=False),
    Case("bundle, Rekor v2 without a timestamp", bundle(log="v2"), "slsaprovenance1", cosign=False, ours=False),
    Case("bundle, certificate without SCT", bundle(shape={"sct": False}), "slsaprovenance1", cosign=False, ours=False),
    Case(
        "bundle with the log entry of another",
        bundle(change=other_bundle_entry),
        "slsaprovenance1",
        cosign=False,
        ours=False,
    ),
    Case(
        "bundle, inclusion proof disturbed", bundle(change=disturbed_proof), "slsaprovenance1", cosign=False, ours=False
    ),
]


class TestWeSign:
    @pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
    def test_cosign_and_we_say_what_the_case_says(self, stand: Stand, case: Case) -> None:
        """What the virtual Sigstore signs is judged alike by real cosign and by us, but for the differences named."""
        repository, signer = case.publish(stand)
        copy(stand.fake.contents, stand.host)
        stand.fake.contents = Contents()  # each case pushes its own things only
        reference = f"{stand.host}/{repository}:v1"
        who = (
            ["--key", stand.public_key(signer)]
            if signer
            else ["--certificate-identity", case.identity, "--certificate-oidc-issuer", GITHUB]
        )
        verb = ["verify"] if case.kind == "signature" else ["verify-attestation", "--type", case.kind]

        judged = stand.run(*verb, "--trusted-root", stand.roots[case.root], *who, *case.flags, reference)
        ours = stand.we(
            reference,
            *who,
            "--trusted-root",
            stand.roots[case.root],
            "--type",
            case.kind,
            *(["--no-log"] if case.no_log else []),
        )

        assert (judged.returncode == 0, ours) == (case.cosign, case.ours), judged.stderr[-600:]


KEYS: dict[str, Callable[[], Any]] = {
    "P-256": p256,
    "P-384": p384,
    "P-521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "RSA-2048": lambda: rsa.generate_private_key(65537, 2048),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
}
LOGS: dict[str, dict[str, Any]] = {
    "Rekor v1": {"log": "v1"},
    "Rekor v1 and timestamp": {"log": "v1", "timestamp": True},
    "Rekor v2 and timestamp": {"log": "v2", "timestamp": True},
    "timestamp only": {"log": None, "timestamp": True},
    "no log": {"log": None},
}
LEGACY = ("--new-bundle-format=false", "--use-signing-config=false")


@pytest.fixture(scope="module")
def services(stand: Stand) -> Iterator[Services]:
    """The virtual Sigstore behind HTTP."""
    with Services(stand.sigstore) as services:
        yield services


class TestCosignSigns:
    @pytest.mark.parametrize("verb", ["sign", "attest"])
    @pytest.mark.parametrize(
        "log", ["Rekor v1", "Rekor v1 and timestamp", "Rekor v2 and timestamp", "timestamp only", "legacy"]
    )
    def test_we_accept_what_cosign_signs_keyless(self, stand: Stand, services: Services, verb: str, log: str) -> None:
        """Certificates, both formats, each kind of log: what cosign signs for a person we accept, for others we do not."""
        if log == "legacy":
            how = [*LEGACY, f"--rekor-url={services.url}", f"--fulcio-url={services.url}"]
        else:
            how = ["--signing-config", config(stand, services, log, certificates=True)]
        reference = self._sign(stand, verb, ["--identity-token", services.token(PERSON, ACCOUNTS), *how])
        root = stand.roots["stamps" if log == "timestamp only" else "full"]
        about = ["--certificate-oidc-issuer", ACCOUNTS, "--trusted-root", root, "--type", kind(verb)]

        assert stand.we(reference, "--certificate-identity", PERSON, *about)
        assert not stand.we(reference, "--certificate-identity", "eve@acme.example", *about)

    @pytest.mark.parametrize("verb", ["sign", "attest"])
    @pytest.mark.parametrize("form", ["bundle", "legacy"])
    @pytest.mark.parametrize("name", ["P-256", "P-384", "P-521", "RSA-2048"])
    def test_we_accept_what_cosign_signs_with_a_key(
        self, stand: Stand, services: Services, verb: str, form: str, name: str
    ) -> None:
        """Keys without a log: accepted with --no-log, refused without it, and refused for another key."""
        private, public = self._key(stand, name)
        how = (
            [*LEGACY, "--tlog-upload=false"]
            if form == "legacy"
            else ["--signing-config", config(stand, services, "no log")]
        )
        reference = self._sign(stand, verb, ["--key", private, *how])
        about = ["--trusted-root", stand.roots["full"], "--type", kind(verb)]

        assert stand.we(reference, "--key", public, "--no-log", *about)
        assert not stand.we(reference, "--key", public, *about)
        assert not stand.we(reference, "--key", self._key(stand, "P-256")[1], "--no-log", *about)

    @pytest.mark.parametrize("verb", ["sign", "attest"])
    @pytest.mark.parametrize("log", ["Rekor v1", "Rekor v2 and timestamp", "legacy"])
    def test_we_accept_logged_signatures_by_key(self, stand: Stand, services: Services, verb: str, log: str) -> None:
        """Keys with a log entry: accepted as they are."""
        private, public = self._key(stand, "P-256")
        how = (
            [*LEGACY, f"--rekor-url={services.url}"]
            if log == "legacy"
            else ["--signing-config", config(stand, services, log)]
        )
        reference = self._sign(stand, verb, ["--key", private, *how])

        assert stand.we(reference, "--key", public, "--trusted-root", stand.roots["full"], "--type", kind(verb))

    def test_ed25519ph_is_refused_and_named(self, stand: Stand, services: Services) -> None:
        """Cosign signs Ed25519ph with Ed25519 keys, which neither its own verify nor we take; the report says so."""
        private, public = self._key(stand, "Ed25519")
        reference = self._sign(stand, "sign", ["--key", private, "--signing-config", config(stand, services, "no log")])

        done = CliRunner().invoke(
            group, ["verify", reference, "--key", public, "--no-log", "--trusted-root", stand.roots["full"]]
        )

        assert done.exit_code == 4
        assert "Ed25519ph" in done.output

    @staticmethod
    def _key(stand: Stand, name: str) -> tuple[str, str]:
        """A key pair as cosign keeps it: the paths of both halves."""
        stand.count += 1
        prefix = stand.folder / f"own-{stand.count}"
        pem = KEYS[name]().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        prefix.with_suffix(".pem").write_bytes(pem)
        done = stand.run(
            "import-key-pair", "--key", str(prefix.with_suffix(".pem")), "--output-key-prefix", prefix.name
        )
        assert done.returncode == 0, done.stderr
        return str(prefix.with_suffix(".key")), str(prefix.with_suffix(".pub"))

    @staticmethod
    def _sign(stand: Stand, verb: str, how: list[str]) -> str:
        """Push an image and let cosign sign it; the reference."""
        repository, image = stand.image()
        copy(stand.fake.contents, stand.host)
        stand.fake.contents = Contents()  # each case pushes its own things only
        what = ["--predicate", "predicate.json", "--type", "slsaprovenance1"] if verb == "attest" else []
        done = stand.run(verb, "--yes", *how, *what, f"{stand.host}/{repository}@{image['digest']}")
        assert done.returncode == 0, done.stderr[-800:]
        return f"{stand.host}/{repository}:v1"


def config(stand: Stand, services: Services, log: str, *, certificates: bool = False) -> str:
    """The file of a signing config."""
    path = stand.folder / f"signing-{log.replace(' ', '-')}-{certificates}.json"
    path.write_text(json.dumps(services.signing_config(certificates=certificates, **LOGS[log])))
    return str(path)


def kind(verb: str) -> str:
    """What `verify --type` calls what cosign's `verb` makes."""
    return "slsaprovenance1" if verb == "attest" else "signature"
