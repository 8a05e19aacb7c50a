# ruff: noqa: SLF001 - naming sigstore's private parts is what this file is for
"""The one file that imports sigstore, private names included: what its `Verifier` does, piece by piece.

sigstore 4.5 verifies one family of bundles; registries hold many more. So its steps are called one by one: timestamps, certificate path, SCT, log entry. Nothing of the cryptography is ours. What
is added are the checks that 4.5 leaves out: every key and authority must be the one that is named, and must have been
valid, by the trusted root, at the time it was used (protobuf-specs: protos/sigstore_trustroot.proto, ``valid_for``).

The names leaned on are listed in `surface`; a test fails when the installed sigstore lacks one.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from rfc3161_client import TimeStampResponse, decode_timestamp_response
from sigstore import errors
from sigstore._internal import sct as upstream_sct
from sigstore._internal.timestamp import TimestampSource, TimestampVerificationResult
from sigstore._internal.trust import CTKeyring, Key, Keyring, RekorKeyring
from sigstore.models import TransparencyLogEntry
from sigstore.verify import Verifier
from sigstore_models.common import v1 as common
from sigstore_models.rekor import v1 as rekor

from argocd_provenance.evidence.certificate import X509_FAULTS
from argocd_provenance.evidence.log_entry import check_checkpoint
from argocd_provenance.evidence.parts import Candidate, LogEntry
from argocd_provenance.evidence.rejections import Refused
from argocd_provenance.evidence.trust import Authority, Log, TrustedRoot, Window
from argocd_provenance.records import dataclass


class Instance:
    """One trusted root with sigstore's machinery around it. Immutable after it was made, so threads may share it."""

    def __init__(self, root: TrustedRoot) -> None:
        self._root = root
        self._authorities = [
            (a.window, [x509.load_der_x509_certificate(c) for c in a.certificates]) for a in root.authorities
        ]
        self._timestamps = [_TimestampAuthority.of(a) for a in root.timestamp_authorities]

    def timestamps(self, candidate: Candidate) -> list[datetime]:
        """The times at which the trusted timestamp authorities saw the signature. Tokens of others prove nothing."""
        found = []
        for raw in candidate.timestamps if self._timestamps else ():
            try:
                token = decode_timestamp_response(raw)
                time, signers = token.tst_info.gen_time, len(token.signed_data.signer_infos)
            except ValueError as fault:
                raise Refused("malformed", f"a timestamp cannot be read: {fault}") from None
            if signers != 1:
                # RFC 3161, 2.4.2: no signatures other than the authority's. rfc3161-client sees to it only where
                # certificates are embedded.
                raise Refused("malformed", f"a timestamp has exactly one signature, this one has {signers}")
            if any(self._stamped(token, time, message) for message in _stamped_messages(candidate)):
                found.append(time)
        return found

    def _stamped(self, token: TimeStampResponse, time: datetime, message: bytes) -> bool:
        # The time is not proved yet; it only saves trying authorities that would be refused for it afterwards.
        verifier = _Borrowed([], [authority for authority in self._timestamps if time in authority.window])
        return verifier._verify_signed_timestamp(token, message) is not None

    def path(self, certificate: x509.Certificate, time: datetime) -> list[x509.Certificate]:
        """The path from `certificate` to an authority that was trusted at `time`; raises `Refused`."""
        trusted = [c for window, chain in self._authorities if time in window for c in chain]
        if not trusted:
            raise Refused("verification", f"no certificate authority of the trust domain was valid at {time}")
        at = TimestampVerificationResult(source=TimestampSource.TIMESTAMP_AUTHORITY, time=time)
        try:
            return _Borrowed(trusted, [])._verify_chain_at_time(certificate, at)
        except errors.Error as fault:
            raise Refused(
                "verification", f"the certificate is not from this trust domain, or not of this time: {fault}"
            ) from None

    def check_sct(self, certificate: x509.Certificate, path: list[x509.Certificate]) -> None:
        """Check that a trusted CT log promised to publish `certificate`; raises `Refused`."""
        try:
            listed = certificate.extensions.get_extension_for_class(
                x509.PrecertificateSignedCertificateTimestamps
            ).value
            (promise,) = listed
        except X509_FAULTS:
            raise Refused("verification", "the certificate has no SCT, or several") from None
        time = promise.timestamp.replace(tzinfo=UTC)
        key = _key(self._root.ct_logs, promise.log_id, [time], "CT log")
        try:
            upstream_sct.verify_sct(certificate, path, CTKeyring(_keyring(key)))
        except errors.Error as fault:
            raise Refused("verification", f"the certificate's SCT does not verify: {fault}") from None

    def check_entry(self, entry: LogEntry, times: Iterable[datetime]) -> None:
        """Check promise and proof of `entry`, by a key that its log had at all of `times`; raises `Refused`."""
        log = _key(self._root.logs, entry.log_id, times, "transparency log")
        keyring = RekorKeyring(_keyring(log))
        upstream = _Entry(_model(entry))
        try:
            if entry.proof is not None:
                check_checkpoint(entry.proof, log, entry.log_id)
                upstream._verify(keyring)
            else:
                upstream._verify_set(keyring)
        except errors.Error as fault:
            raise Refused("verification", f"the log entry does not verify: {fault}") from None


class _Borrowed(Verifier):
    """sigstore's verifier with the certificates and authorities of one check.

    Its own constructor wants a transparency log and opens a session to it, so it is not called.
    """

    def __init__(self, trusted: list[x509.Certificate], timestamps: "list[_TimestampAuthority]") -> None:
        self._fulcio_certificate_chain = trusted
        self._trusted_root: Any = self
        self._timestamps = timestamps

    def get_timestamp_authorities(self) -> "list[_TimestampAuthority]":
        """What the verifier asks its trusted root for."""
        return self._timestamps


@dataclass(frozen=True, slots=True)
class _TimestampAuthority:
    """What sigstore asks of a timestamp authority."""

    chain: list[x509.Certificate]
    window: Window

    @classmethod
    def of(cls, authority: Authority) -> "_TimestampAuthority":
        return cls([x509.load_der_x509_certificate(c) for c in authority.certificates], authority.window)

    def certificates(self, *, allow_expired: bool) -> list[x509.Certificate]:  # noqa: ARG002 - as sigstore calls it
        return self.chain

    @property
    def validity_period_start(self) -> datetime | None:
        return self.window.start

    @property
    def validity_period_end(self) -> datetime | None:
        # sigstore tests ``time < end``, the window is closed: times have whole microseconds.
        return self.window.end + timedelta(microseconds=1) if self.window.end is not None else None


class _Entry(TransparencyLogEntry):
    """An entry that may have a promise alone: cosign 2 kept nothing else. The parsers have seen to its shape."""

    def _validate(self) -> None:
        pass


def _model(entry: LogEntry) -> rekor.TransparencyLogEntry:
    """`entry` in sigstore's model, without its validation: that insists on a proof."""
    proof = None
    if entry.proof is not None:
        proof = rekor.InclusionProof.model_construct(
            log_index=entry.proof.log_index,
            root_hash=entry.proof.root_hash,
            tree_size=entry.proof.tree_size,
            hashes=list(entry.proof.hashes),
            checkpoint=rekor.Checkpoint.model_construct(envelope=entry.proof.checkpoint),
        )
    promise = rekor.InclusionPromise.model_construct(signed_entry_timestamp=entry.promise) if entry.promise else None
    return rekor.TransparencyLogEntry.model_construct(
        log_index=entry.log_index,
        log_id=common.LogId.model_construct(key_id=entry.log_id),
        kind_version=rekor.KindVersion.model_construct(kind=entry.kind, version=entry.version),
        integrated_time=entry.integrated_time,
        inclusion_promise=promise,
        inclusion_proof=proof,
        canonicalized_body=entry.body,
    )


def _stamped_messages(candidate: Candidate) -> list[bytes]:
    """What a timestamp may be over: the signature; for ``.att`` cosign 2 took the whole envelope, which contains it."""
    return [candidate.signature, candidate.content] if candidate.form == "cosign-att" else [candidate.signature]


def _key(logs: Iterable[Log], log_id: bytes, times: Iterable[datetime], what: str) -> Log:
    """The key of the log `log_id` that was valid at all of `times`; sigstore would try every key it has."""
    named = [log for log in logs if log_id in log.log_ids]
    if not named:
        raise Refused("verification", f"the {what} {log_id.hex()[:64]} is not of this trust domain")
    moments = list(times)
    for log in named:
        if all(time in log.window for time in moments):
            return log
    raise Refused("verification", f"the key of the {what} was not valid at {', '.join(map(str, moments))}")


def _keyring(log: Log) -> Keyring:
    """A keyring of one key."""
    try:
        details = common.PublicKeyDetails(log.key_details)
    except ValueError:
        raise Refused("verification", f"keys of type {log.key_details[:80]} are not supported") from None
    key = Key(common.PublicKey.model_construct(raw_bytes=log.key, key_details=details, valid_for=None))
    keyring = Keyring([])
    keyring._keyring[key.key_id] = key
    return keyring


def surface() -> list[str]:
    """The names this module leans on that the installed sigstore lacks; empty, or the bridge must be looked at."""
    needed: dict[Any, str] = {
        Verifier: "_verify_signed_timestamp _verify_chain_at_time",
        TransparencyLogEntry: "_validate _verify _verify_set _encode_canonical",
        upstream_sct: "verify_sct",
        Keyring: "verify",
        Key: "verify",
        rekor.TransparencyLogEntry: "model_construct",
        TimestampSource: "TIMESTAMP_AUTHORITY",
    }
    fields: dict[Any, str] = {
        rekor.TransparencyLogEntry: "log_index log_id kind_version integrated_time inclusion_promise inclusion_proof "
        "canonicalized_body",
        rekor.InclusionProof: "log_index root_hash tree_size hashes checkpoint",
        common.PublicKey: "raw_bytes key_details valid_for",
    }
    gone = [
        f"{owner.__name__}.{name}"
        for owner, names in needed.items()
        for name in names.split()
        if not hasattr(owner, name)
    ]
    gone += [f"{m.__name__}.{n}" for m, names in fields.items() for n in names.split() if n not in m.model_fields]
    return gone + ([] if hasattr(Keyring([]), "_keyring") else ["Keyring._keyring"])
