"""One Sigstore instance: it issues, signs in every form that registries hold, and says what to trust."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from argocd_provenance.demo.sigstore import content, wire
from argocd_provenance.demo.sigstore.authority import CertificateAuthority, Leaf, github_extensions
from argocd_provenance.demo.sigstore.bodies import Signed
from argocd_provenance.demo.sigstore.content import DSSE, IN_TOTO, SIMPLE_SIGNING, Layer
from argocd_provenance.demo.sigstore.ctlog import CTLog
from argocd_provenance.demo.sigstore.rekor import Rekor
from argocd_provenance.demo.sigstore.signer import Signer, SigningKey
from argocd_provenance.demo.sigstore.timestamp import TimestampAuthority
from argocd_provenance.demo.sigstore.wire import b64, encode, utf8

GITHUB = "https://token.actions.githubusercontent.com"
WORKFLOW = "https://github.com/acme/app/.github/workflows/release.yml@refs/heads/main"
_BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_TRUSTED_ROOT = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"


class VirtualSigstore:
    """Its authorities began 400 days before `now`; certificates are issued an hour ago, signatures two minutes later."""

    def __init__(self, now: datetime, organization: str = "sigstore.example") -> None:
        self.now = now.replace(microsecond=0)
        self.start = self.now - timedelta(days=400)
        self.issued, self.signed = self.now - timedelta(minutes=60), self.now - timedelta(minutes=58)
        self.authority = CertificateAuthority(organization, self.start)
        self.ct_log = CTLog()
        self.rekor, self.rekor_v2 = Rekor(1), Rekor(2)
        self.timestamps = TimestampAuthority(self.start)

    def issue(
        self,
        identity: str = WORKFLOW,
        issuer: str | None = GITHUB,
        *,
        key: SigningKey | None = None,
        at: datetime | None = None,
        sct: CTLog | bool = True,
        authority: CertificateAuthority | None = None,
        claims: Mapping[int, str | None] | None = None,
        names: Sequence[x509.GeneralName] | None = None,
        **leaf: Any,
    ) -> Signer:
        """A signer with a certificate for `identity`, as Fulcio would issue it.

        `claims` replaces extensions by the last arc of their OID (1 to 6 are written raw), and drops them where the
        value is None; `names` replaces the subject alternative names; `leaf` goes to `authority.Leaf`.
        """
        extensions = github_extensions(identity)
        said: dict[int, str | None] = {1: issuer, 8: issuer, **(claims or {})}
        for arc, value in said.items():
            extensions.pop(str(arc), None)
            if value is not None:
                extensions[str(arc)] = value.encode() if arc <= 6 else utf8(value)
        address = x509.UniformResourceIdentifier if "://" in identity else x509.RFC822Name
        shape = Leaf(
            key or ec.generate_private_key(ec.SECP256R1()),
            [address(identity)] if names is None else names,
            dict(sorted(extensions.items(), key=lambda item: int(item[0]))),
            at or self.issued,
            **leaf,
        )
        log = self.ct_log if sct is True else sct or None
        return Signer(shape.key, (authority or self.authority).issue(shape, log))

    def trusted_root(
        self,
        *,
        logs: bool = True,
        ct_logs: bool = True,
        timestamps: bool = True,
        authorities: Sequence[Mapping[str, Any]] | None = None,
        log_end: datetime | None = None,
        ct_end: datetime | None = None,
        timestamp_end: datetime | None = None,
    ) -> dict[str, Any]:
        """The trusted root of this instance; `encode` makes the file of it. The switches leave services out."""
        root: dict[str, Any] = {
            "mediaType": _TRUSTED_ROOT,
            "certificateAuthorities": [self.authority.trust()] if authorities is None else list(authorities),
        }
        if logs:
            root["tlogs"] = [self.rekor.trust(self.start, log_end), self.rekor_v2.trust(self.start, log_end)]
        if ct_logs:
            root["ctlogs"] = [self.ct_log.trust(self.start, ct_end)]
        if timestamps:
            root["timestampAuthorities"] = [self.timestamps.trust(end=timestamp_end)]
        return root

    def sign_layer(
        self,
        digest: str,
        signer: Signer,
        *,
        at: datetime | None = None,
        log: bool = True,
        timestamp: bool = False,
        payload: bytes | None = None,
        reference: str = content.REFERENCE,
        annotations: Mapping[str, Any] | None = None,
        algorithm: str = "",
    ) -> Layer:
        """What ``cosign sign`` 2 adds to ``sha256-….sig``: a signature over a simple signing payload."""
        at = at or self.signed
        payload = content.simple_signing(digest, reference, annotations) if payload is None else payload
        signed = Signed(signer, payload, signer.sign(payload, algorithm), algorithm=algorithm)
        entry = self.rekor.add(signed.body("hashedrekord/0.0.1"), at, proof=False) if log else None
        token = self.timestamps.stamp(signed.signature, at) if timestamp else None
        notes = {"dev.cosignproject.cosign/signature": b64(signed.signature), **self._beside(signer, entry, token)}
        return Layer.of(SIMPLE_SIGNING, payload, notes)

    def attest_layer(
        self,
        statement: bytes,
        signer: Signer,
        *,
        kind: str = "dsse/0.0.1",
        at: datetime | None = None,
        log: bool = True,
        timestamp: Literal["", "envelope", "signature"] = "",
        payload_type: str = IN_TOTO,
        predicate_type: str = "",
    ) -> Layer:
        """What ``cosign attest`` 2 adds to ``sha256-….att``; cosign 2 timestamps the envelope, cosign 3 the signature."""
        at = at or self.signed
        signed = self._enveloped(statement, payload_type, signer, keyid=True)
        entry = self.rekor.add(signed.body(kind), at, proof=False) if log else None
        stamped = signed.envelope if timestamp == "envelope" else signed.signature
        token = self.timestamps.stamp(stamped, at) if timestamp else None
        notes = {"dev.cosignproject.cosign/signature": "", "predicateType": predicate_type}
        return Layer.of(DSSE, signed.envelope, {**notes, **self._beside(signer, entry, token)})

    def bundle(
        self,
        signer: Signer,
        payload: bytes,
        *,
        message: bool = False,
        log: Literal["v1", "v2"] | None = "v1",
        timestamp: bool = False,
        at: datetime | None = None,
        kind: str = "",
        payload_type: str = IN_TOTO,
        promise: bool = True,
    ) -> dict[str, Any]:
        """A v0.3 bundle: an envelope around the statement `payload`, or with `message` a signature over that file.

        cosign 3 and actions/attest log to Rekor v1; ``log=None`` with `timestamp` is GitHub's internal instance.
        """
        at = at or self.signed
        if message:
            signed = Signed(signer, payload, signer.sign(payload))
            digest = {"algorithm": "SHA2_256", "digest": b64(wire.sha256(payload))}
            what: dict[str, Any] = {"messageSignature": {"messageDigest": digest, "signature": b64(signed.signature)}}
        else:
            signed = self._enveloped(payload, payload_type, signer)
            what = {"dsseEnvelope": content.envelope(payload, payload_type, signed.signature)}
        material = self._material(signer)
        if log:
            usual = "hashedrekord/0.0.2" if log == "v2" else "hashedrekord/0.0.1" if message else "dsse/0.0.1"
            rekor = self.rekor_v2 if log == "v2" else self.rekor
            material["tlogEntries"] = [rekor.add(signed.body(kind or usual), at, promise=promise)]
        if timestamp:
            token = b64(self.timestamps.stamp(signed.signature, at))
            material["timestampVerificationData"] = {"rfc3161Timestamps": [{"signedTimestamp": token}]}
        return {"mediaType": _BUNDLE, "verificationMaterial": material, **what}

    @staticmethod
    def _material(signer: Signer) -> dict[str, Any]:
        if signer.certificate:
            return {"certificate": {"rawBytes": b64(wire.der(signer.certificate))}}
        return {"publicKey": {"hint": b64(wire.sha256(signer.spki))}}

    @staticmethod
    def _enveloped(payload: bytes, payload_type: str, signer: Signer, *, keyid: bool = False) -> Signed:
        covered = content.pae(payload_type, payload)
        signature = signer.sign(covered)
        stored = encode(content.envelope(payload, payload_type, signature, keyid=keyid))
        return Signed(signer, covered, signature, payload, payload_type, stored)

    def _beside(self, signer: Signer, entry: Mapping[str, Any] | None, token: bytes | None) -> dict[str, str]:
        """The annotations of a legacy layer that carry certificate, log entry and timestamp."""
        notes: dict[str, str] = {}
        if signer.certificate:
            notes["dev.sigstore.cosign/certificate"] = signer.verifier_pem.decode()
            notes["dev.sigstore.cosign/chain"] = self.authority.chain_pem
        if entry:
            payload = {
                "body": entry["canonicalizedBody"],
                "integratedTime": int(entry["integratedTime"]),
                "logIndex": int(entry["logIndex"]),
                "logID": self.rekor.log_id.hex(),
            }
            promise = entry["inclusionPromise"]["signedEntryTimestamp"]
            notes["dev.sigstore.cosign/bundle"] = encode({"SignedEntryTimestamp": promise, "Payload": payload}).decode()
        if token:
            notes["dev.sigstore.cosign/rfc3161timestamp"] = encode({"SignedRFC3161Timestamp": b64(token)}).decode()
        return notes
