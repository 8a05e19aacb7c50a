"""What an attacker may try against the proof itself. Numbers N1 to N17 are those of the design's list of attacks."""

import base64
import copy
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from argocd_provenance.demo.sigstore import (
    CertificateAuthority,
    CTLog,
    Layer,
    Rekor,
    Signer,
    TimestampAuthority,
    VirtualSigstore,
    encode,
    simple_signing,
)
from argocd_provenance.demo.sigstore.authority import key_usage
from argocd_provenance.demo.sigstore.bodies import Signed
from argocd_provenance.demo.sigstore.wire import b64
from argocd_provenance.errors import OperatorError
from argocd_provenance.evidence.candidate import parse_bundle
from argocd_provenance.evidence.values import DomainAnchor, KeyAnchor, Rejected
from support.signing import (
    BARE_FORMS,
    FORMS,
    IMAGE,
    NOW,
    OTHER,
    SIGSTORE,
    VERIFIER,
    WORKFLOW,
    Maker,
    annotated,
    bundle_candidate,
    by_key,
    code,
    entry_note,
    entry_of,
    evidence,
    layer_candidate,
    provenance,
    signature_of,
    trusting,
    verify,
    with_entry,
    with_token,
)

BARE = DomainAnchor("bare")
LATE = SIGSTORE.now - timedelta(minutes=5)
ENTRY = "dev.sigstore.cosign/bundle"
KINDS = ["dsse/0.0.1", "intoto/0.0.1", "intoto/0.0.2"]


def bundle(signer: Signer | None = None, **how: Any) -> dict[str, Any]:
    """A bundle about the image, good unless `how` says otherwise."""
    return SIGSTORE.bundle(signer or SIGSTORE.issue(), provenance(), **how)


def bare_bundle() -> dict[str, Any]:
    """What GitHub's internal instance makes: timestamped, without log and SCT."""
    return bundle(SIGSTORE.issue(sct=False), log=None, timestamp=True)


class TestLogEntryOfAnotherSignature:
    """N1: a valid entry proves something about one signature, and nothing about any other."""

    def test_of_a_signature_layer(self) -> None:
        """N1: another payload, another signer, another signature of the same signer (CVE-2022-36056, CVE-2026-22703)."""
        signer = SIGSTORE.issue()
        layer = SIGSTORE.sign_layer(IMAGE.text, signer)
        others = [
            SIGSTORE.sign_layer(OTHER.text, signer),
            SIGSTORE.sign_layer(IMAGE.text, SIGSTORE.issue()),
            SIGSTORE.sign_layer(IMAGE.text, signer),
        ]

        found = [verify(layer_candidate(with_entry(layer, entry_note(other)))) for other in others]

        assert [code(each) for each in found] == ["verification"] * 3

    @pytest.mark.parametrize("kind", KINDS)
    def test_of_an_attestation_layer(self, kind: str) -> None:
        """N1: the same for each kind of entry; intoto 0.0.1 holds no signature, there the hash of the layer binds."""
        signer = SIGSTORE.issue()
        layer = SIGSTORE.attest_layer(provenance(), signer, kind=kind)
        others = [
            SIGSTORE.attest_layer(provenance(OTHER), signer, kind=kind),
            SIGSTORE.attest_layer(provenance(), SIGSTORE.issue(), kind=kind),
            SIGSTORE.attest_layer(provenance(), signer, kind=kind),
        ]

        found = [verify(layer_candidate(with_entry(layer, entry_note(other)))) for other in others]

        assert [code(each) for each in found] == ["verification"] * 3

    @pytest.mark.parametrize(
        "how",
        [
            pytest.param({}, id="dsse 0.0.1"),
            pytest.param({"kind": "intoto/0.0.2"}, id="intoto 0.0.2"),
            pytest.param({"log": "v2", "timestamp": True}, id="hashedrekord 0.0.2"),
        ],
    )
    def test_of_a_bundle(self, how: dict[str, Any]) -> None:
        """N1: the same for bundles."""
        signer = SIGSTORE.issue()
        good = bundle(signer, **how)
        others = [SIGSTORE.bundle(signer, provenance(OTHER), **how), bundle(**how), bundle(signer, **how)]

        found = []
        for other in others:
            changed = copy.deepcopy(good)
            changed["verificationMaterial"]["tlogEntries"] = other["verificationMaterial"]["tlogEntries"]
            found.append(verify(bundle_candidate(changed)))

        assert [code(each) for each in found] == ["verification"] * 3

    @pytest.mark.parametrize("how", [{"log": "v1"}, {"log": "v2"}])
    def test_by_key(self, how: dict[str, Any]) -> None:
        """N1, N15: with a key the entry must be of that very key and signature too."""
        signer, stranger = Signer.by_key(), Signer.by_key()
        good, others = bundle(signer, **how), [bundle(stranger, **how), bundle(signer, **how)]

        found = []
        for other in others:
            changed = copy.deepcopy(good)
            changed["verificationMaterial"]["tlogEntries"] = other["verificationMaterial"]["tlogEntries"]
            found.append(verify(bundle_candidate(changed), by_key(signer)))

        assert [code(each) for each in found] == ["verification"] * 2

    def test_an_intoto_entry_binds_the_stored_envelope(self) -> None:
        """N1: an intoto 0.0.1 entry of the same payload and signer does not vouch for a signature it never saw."""
        signer = SIGSTORE.issue()
        seen = SIGSTORE.attest_layer(provenance(), signer, kind="intoto/0.0.1")
        unseen = SIGSTORE.attest_layer(provenance(), signer, kind="intoto/0.0.1")

        assert code(verify(layer_candidate(with_entry(unseen, entry_note(seen))))) == "verification"

    @pytest.mark.parametrize(
        ("kind", "path", "value"),
        [
            ("dsse/0.0.1", ("payloadHash", "value"), "00" * 32),
            ("dsse/0.0.1", ("payloadHash", "algorithm"), "sha512"),
            ("dsse/0.0.1", ("signatures", 0, "signature"), "AAAA"),
            ("dsse/0.0.1", ("signatures", 0, "verifier"), b64(SIGSTORE.issue().verifier_pem)),
            ("dsse/0.0.1", ("signatures",), []),
            ("intoto/0.0.2", ("content", "payloadHash", "value"), "00" * 32),
            ("intoto/0.0.2", ("content", "envelope", "payloadType"), "text/plain"),
            ("intoto/0.0.2", ("content", "envelope", "signatures", 0, "sig"), b64(b"AAAA")),
            ("intoto/0.0.2", ("content", "envelope", "signatures", 0, "publicKey"), b64(SIGSTORE.issue().verifier_pem)),
            ("intoto/0.0.2", ("content", "envelope", "signatures"), []),
            ("hashedrekord/0.0.2", ("hashedRekordV002", "data", "digest"), "AAAA"),
            ("hashedrekord/0.0.2", ("hashedRekordV002", "data", "algorithm"), "SHA2_512"),
            ("hashedrekord/0.0.2", ("hashedRekordV002", "data", "algorithm"), "MD5"),
            ("hashedrekord/0.0.2", ("hashedRekordV002", "signature", "content"), "AAAA"),
            (
                "hashedrekord/0.0.2",
                ("hashedRekordV002", "signature", "verifier", "x509Certificate", "rawBytes"),
                "AAAA",
            ),
        ],
    )
    def test_that_differs_in_one_member(self, kind: str, path: tuple[Any, ...], value: Any) -> None:
        """N1: each member of the body is compared, though the signature alone would bind most of them."""
        rekor = SIGSTORE.rekor_v2 if kind.endswith("2") and kind.startswith("hashed") else SIGSTORE.rekor
        made = bundle(log="v2" if rekor is SIGSTORE.rekor_v2 else "v1", kind=kind, timestamp=True)
        assert evidence(verify(bundle_candidate(made))).logged
        body = json.loads(base64.b64decode(entry_of(made)["canonicalizedBody"]))
        *way, last = path
        holder = body["spec"]
        for name in way:
            holder = holder[name]
        holder[last] = value
        made["verificationMaterial"]["tlogEntries"] = [rekor.add(body, SIGSTORE.signed)]

        assert code(verify(bundle_candidate(made))) == "verification"

    @pytest.mark.parametrize(
        "make",
        [
            pytest.param(lambda signer: SIGSTORE.sign_layer(IMAGE.text, signer), id="hashedrekord 0.0.1"),
            pytest.param(lambda signer: SIGSTORE.attest_layer(provenance(), signer), id="dsse 0.0.1"),
            pytest.param(
                lambda signer: SIGSTORE.attest_layer(provenance(), signer, kind="intoto/0.0.1"), id="intoto 0.0.1"
            ),
        ],
    )
    def test_of_another_certificate_for_the_same_key(self, make: Callable[[Signer], Layer]) -> None:
        """N1: the log saw one identity; the same signature under another certificate is not what it saw."""
        logged = SIGSTORE.issue("https://github.com/evil/app/.github/workflows/x.yml@refs/heads/main")
        shown = SIGSTORE.issue(key=logged.key)
        layer = annotated(make(logged), {"dev.sigstore.cosign/certificate": shown.verifier_pem.decode()})

        assert code(verify(layer_candidate(layer))) == "verification"

    @pytest.mark.parametrize("kind", ["hashedrekord", "intoto"])
    def test_an_entry_relabelled(self, kind: str) -> None:
        """N1: the entry's kind is the one its signed body has, not the one written beside it."""
        changed = bundle()
        entry_of(changed)["kindVersion"] = {"kind": kind, "version": "0.0.2"}

        assert code(verify(bundle_candidate(changed))) in {"verification", "unknown-form"}

    def test_a_kind_for_another_content(self) -> None:
        """N1: a hashedrekord entry of an envelope's bytes is no entry of the envelope."""
        assert code(verify(bundle_candidate(bundle(kind="hashedrekord/0.0.1")))) == "verification"

    @pytest.mark.parametrize(("kind", "version"), [("rekord", "0.0.1"), ("dsse", "0.0.2"), ("cose", "0.0.1")])
    def test_kinds_nobody_should_use(self, kind: str, version: str) -> None:
        """Kinds that are withdrawn or never were for images are refused by name."""
        signer = SIGSTORE.issue()
        candidate = bundle_candidate(bundle_with_body(signer, {"kind": kind, "apiVersion": version, "spec": {}}))

        found = verify(candidate)

        assert code(found) == "unknown-form"
        assert isinstance(found, Rejected)
        assert kind in found.reason


def bundle_with_body(signer: Signer, body: dict[str, Any]) -> dict[str, Any]:
    """A bundle whose entry really is in the log, with that body."""
    made = bundle(signer)
    made["verificationMaterial"]["tlogEntries"] = [SIGSTORE.rekor.add(body, SIGSTORE.signed)]
    return made


class TestPromise:
    """N2: what the log promised was signed by the log, all of it."""

    @pytest.mark.parametrize(
        ("member", "value"), [("integratedTime", 1), ("logIndex", 1), ("logID", "00" * 32), ("body", None)]
    )
    def test_tampered(self, member: str, value: Any) -> None:
        """N2: time, index, log and body are covered by the promise."""
        layer = SIGSTORE.sign_layer(IMAGE.text, SIGSTORE.issue())
        note = entry_note(layer)
        old = note["Payload"][member]
        body = base64.b64encode(base64.b64decode(note["Payload"]["body"]).replace(b'"spec"', b'"spec" ')).decode()
        note["Payload"][member] = body if member == "body" else old - 1 if value == 1 else value

        assert code(verify(layer_candidate(with_entry(layer, note)))) == "verification"

    def test_what_sigstore_does_not_catch(self) -> None:
        """U10: sigstore lets exceptions of its libraries out, here about an index that JSON cannot hold; all reject."""
        layer = SIGSTORE.sign_layer(IMAGE.text, SIGSTORE.issue())
        note = entry_note(layer)
        note["Payload"]["logIndex"] = 2**60

        found = verify(layer_candidate(with_entry(layer, note)))

        assert code(found) == "malformed"
        assert isinstance(found, Rejected)
        assert "Error" in found.reason

    def test_empty(self) -> None:
        """N2: cosign 3 writes an empty promise when it logged to Rekor v2: refused, with the reason."""
        layer = SIGSTORE.sign_layer(IMAGE.text, SIGSTORE.issue())
        note = entry_note(layer)
        note["SignedEntryTimestamp"] = ""

        assert code(layer_candidate(with_entry(layer, note))) == "no-proof"

    def test_of_a_foreign_log(self) -> None:
        """N2, N17: an entry of somebody's own log."""
        foreign = VirtualSigstore(NOW)
        signer = SIGSTORE.issue()

        found = verify(layer_candidate(foreign.sign_layer(IMAGE.text, signer)))

        assert code(found) == "verification"

    def test_of_a_foreign_log_under_a_trusted_id(self) -> None:
        """N2: the id is only a name; the signature under it must be by that log's key."""
        foreign = VirtualSigstore(NOW)
        foreign.rekor.log_id = SIGSTORE.rekor.log_id

        assert code(verify(layer_candidate(foreign.sign_layer(IMAGE.text, SIGSTORE.issue())))) == "verification"

    def test_of_a_trusted_log_under_an_unknown_id(self) -> None:
        """N2, U3: no key is tried for a log that the trusted root does not name, though it would fit."""
        renamed = Rekor(1)
        root = SIGSTORE.trusted_root()
        root["tlogs"][0]["logId"]["keyId"] = b64(renamed.log_id)

        found = verify(layer_candidate(SIGSTORE.sign_layer(IMAGE.text, SIGSTORE.issue())), verifier=trusting(root))

        assert code(found) == "verification"


class TestTime:
    """N3, N5: a certificate lives for minutes, so that the time of signing must be proved."""

    @pytest.mark.parametrize(
        ("how", "expected"),
        [
            pytest.param({"promise": False}, "no-time", id="a time without the promise that signs it"),
            pytest.param({"log": "v2"}, "no-time", id="Rekor v2 without a timestamp"),
        ],
    )
    def test_unproved(self, how: dict[str, Any], expected: str) -> None:
        """N3: without a promised time or a timestamp nothing says when it was signed (CVE-2024-55655)."""
        assert code(verify(bundle_candidate(bundle(**how)))) == expected

    def test_a_timestamp_that_the_domain_demands(self) -> None:
        """N3: where timestamps are required the log's promised time does not stand in for one."""
        verifier = trusting(SIGSTORE.trusted_root(), {"sct", "log", "timestamp"})

        assert code(verify(bundle_candidate(bundle()), verifier=verifier)) == "no-time"
        assert evidence(verify(bundle_candidate(bundle(timestamp=True)), verifier=verifier)).logged

    def test_rekor_v2_promises_nothing(self) -> None:
        """N3: a time and a promise beside a Rekor v2 entry are nobody's word."""
        changed = bundle(log="v2", timestamp=True)
        entry_of(changed).update(
            integratedTime=str(int(SIGSTORE.signed.timestamp())), inclusionPromise={"signedEntryTimestamp": "AAAA"}
        )

        assert code(verify(bundle_candidate(changed))) == "unknown-form"

    def test_no_time_at_all(self) -> None:
        """N3: a domain without a log demands a timestamp."""
        signer = SIGSTORE.issue(sct=False)

        assert code(verify(bundle_candidate(bundle(signer, log=None)), BARE)) == "no-time"

    @pytest.mark.parametrize(
        ("how", "anchor"),
        [
            pytest.param({}, DomainAnchor("test"), id="promise"),
            pytest.param({"log": "v2", "timestamp": True}, DomainAnchor("test"), id="Rekor v2"),
            pytest.param({"log": None, "timestamp": True}, BARE, id="timestamp only"),
        ],
    )
    @pytest.mark.parametrize("at", [LATE, SIGSTORE.issued - timedelta(minutes=1)])
    def test_outside_of_the_certificate(self, how: dict[str, Any], anchor: DomainAnchor, at: datetime) -> None:
        """N5: signed after the certificate had expired, or before it began."""
        assert code(verify(bundle_candidate(bundle(at=at, **how)), anchor)) == "verification"

    def test_one_good_time_does_not_heal_a_bad_one(self) -> None:
        """N5: every proved time must lie in the certificate's life."""
        late = bundle(at=LATE)
        changed = with_token(late, SIGSTORE.timestamps.stamp(signature_of(late), SIGSTORE.signed))

        assert code(verify(bundle_candidate(changed))) == "verification"

    def test_times_beyond_any_calendar(self) -> None:
        """N23: a time that no calendar holds is malformed, not a crash."""
        changed = bundle()
        entry_of(changed)["integratedTime"] = str(2**62)

        assert code(bundle_candidate(changed)) == "malformed"


class TestProof:
    """N4: the way from the entry to the signed root of the log."""

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param(lambda p: p["hashes"].__setitem__(0, b64(bytes(32))), id="another hash"),
            pytest.param(lambda p: p["hashes"].pop(), id="a hash missing"),
            pytest.param(lambda p: p.update(logIndex="0"), id="another index"),
            pytest.param(lambda p: p.update(treeSize=str(int(p["treeSize"]) + 1)), id="another size"),
            pytest.param(lambda p: p.update(rootHash=b64(bytes(32))), id="another root"),
            pytest.param(lambda p: p["checkpoint"].update(envelope="x"), id="no checkpoint to speak of"),
            pytest.param(
                lambda p: p["checkpoint"].update(envelope=p["checkpoint"]["envelope"].replace("example", "evil", 1)),
                id="another origin",
            ),
            pytest.param(
                lambda p: p["checkpoint"].update(envelope=p["checkpoint"]["envelope"].split("\n\n")[0] + "\n\n"),
                id="an unsigned checkpoint",
            ),
        ],
    )
    @pytest.mark.parametrize("how", [{}, {"log": "v2", "timestamp": True}])
    def test_tampered(self, change: Callable[[dict[str, Any]], Any], how: dict[str, Any]) -> None:
        """N4: nothing of proof and checkpoint can be changed."""
        changed = bundle(**how)
        change(entry_of(changed)["inclusionProof"])

        assert code(verify(bundle_candidate(changed))) in {"verification", "malformed"}

    @pytest.mark.parametrize(
        ("line", "value", "accepted"),
        [(1, "999", False), (0, "log.evil.example", False), (0, "", False), (0, SIGSTORE.rekor_v2.host, True)],
    )
    def test_a_checkpoint_about_another_tree(self, line: int, value: str, accepted: bool) -> None:  # noqa: FBT001
        """N4, U3: size and origin in a signed checkpoint must be those of proof and log; sigstore compares neither."""
        changed = bundle(log="v2", timestamp=True)
        proof = entry_of(changed)["inclusionProof"]
        lines = proof["checkpoint"]["envelope"].partition("\n\n")[0].split("\n")
        lines[line] = value
        forged = "\n".join(lines) + "\n"
        signature = b64(SIGSTORE.rekor_v2.log_id[:4] + SIGSTORE.rekor_v2._sign(forged.encode()))
        proof["checkpoint"]["envelope"] = f"{forged}\n\u2014 {SIGSTORE.rekor_v2.host} {signature}\n"

        found = verify(bundle_candidate(changed))

        assert isinstance(found, Rejected) != accepted
        assert accepted or code(found) == "verification"

    def test_reasons_bring_nothing_to_a_terminal(self) -> None:
        """What others wrote appears in reasons, without control characters."""
        changed = bundle_with_body(SIGSTORE.issue(), {"kind": "\x1b[2J\n", "apiVersion": "0", "spec": {}})

        found = verify(bundle_candidate(changed))

        assert isinstance(found, Rejected)
        assert found.reason.isprintable()

    @pytest.mark.parametrize("drop", ["inclusionProof", "checkpoint"])
    def test_missing_from_a_new_bundle(self, drop: str) -> None:
        """N4: since v0.2 a bundle must bring the proof, a promise is not enough."""
        changed = bundle()
        entry = entry_of(changed)
        (entry if drop in entry else entry["inclusionProof"]).pop(drop)

        assert code(bundle_candidate(changed)) == "no-proof"

    def test_several_entries(self) -> None:
        """N4: one entry is looked at; the same one twice, or two, are refused (GHSA-9vcr-p3rj-q5q6)."""
        twice = bundle()
        twice["verificationMaterial"]["tlogEntries"] *= 2

        assert code(bundle_candidate(twice)) == "malformed"

    def test_none(self) -> None:
        """N15, N17: where the domain has a log, an entry is required, timestamp or not."""
        assert code(verify(bundle_candidate(bundle(log=None, timestamp=True)))) == "no-log"


class TestAuthorities:
    """N6: whom the trusted root names, and for how long."""

    def test_an_issuing_authority_that_had_expired(self) -> None:
        """N6: the intermediate must have been valid at the time of signing (CVE-2026-24122)."""
        authority = CertificateAuthority("short", SIGSTORE.start, intermediate_lifetime=timedelta(days=100))
        verifier = trusting(SIGSTORE.trusted_root(authorities=[authority.trust()]))

        found = verify(bundle_candidate(bundle(SIGSTORE.issue(authority=authority))), verifier=verifier)

        assert code(found) == "verification"

    @pytest.mark.parametrize("which", ["authority", "log_end", "ct_end"])
    @pytest.mark.parametrize(("ended", "accepted"), [(True, False), (False, True)])
    def test_windows_of_the_trusted_root(self, which: str, ended: bool, accepted: bool) -> None:  # noqa: FBT001
        """N6, U1, U2: an authority or key counts inside its window only, the last second included."""
        end = SIGSTORE.issued - timedelta(days=30) if ended else SIGSTORE.signed
        if which == "authority":
            root = SIGSTORE.trusted_root(authorities=[SIGSTORE.authority.trust(end=end)])
        else:
            root = SIGSTORE.trusted_root(**{which: end})  # type: ignore[arg-type] # one of two names

        found = verify(bundle_candidate(bundle()), verifier=trusting(root))

        assert isinstance(found, Rejected) != accepted
        assert accepted or code(found) == "verification"

    def test_windows_that_have_not_begun(self) -> None:
        """N6, U1: nor does an authority count before its time."""
        root = SIGSTORE.trusted_root(authorities=[SIGSTORE.authority.trust(start=SIGSTORE.now)])

        assert code(verify(bundle_candidate(bundle()), verifier=trusting(root))) == "verification"

    @pytest.mark.parametrize(("seconds", "accepted"), [(0, True), (-1, False)])
    def test_the_end_of_a_timestamp_authority_is_its_last_second(self, seconds: int, accepted: bool) -> None:  # noqa: FBT001
        """N6, U4: windows are closed intervals."""
        end = SIGSTORE.signed + timedelta(seconds=seconds)
        root = SIGSTORE.trusted_root(logs=False, ct_logs=False, timestamp_end=end)

        found = verify(bundle_candidate(bare_bundle()), verifier=trusting(root, {"timestamp"}))

        assert isinstance(found, Rejected) != accepted

    def test_the_log_window_holds_for_keys_too(self) -> None:
        """N6, U2: a log entry of a retired log key proves nothing about a key's signature either."""
        signer = Signer.by_key()
        verifier = trusting(SIGSTORE.trusted_root(log_end=SIGSTORE.now - timedelta(days=30)))

        assert code(verify(bundle_candidate(bundle(signer)), by_key(signer), verifier=verifier)) == "verification"

    @pytest.mark.parametrize("make", [pytest.param(make, id=name) for name, make in FORMS.items()])
    def test_a_foreign_authority(self, make: Maker) -> None:
        """N6: anybody can run an authority that issues the right identity."""
        foreign = CertificateAuthority("sigstore.example", SIGSTORE.start)

        assert code(verify(make(SIGSTORE.issue(authority=foreign), IMAGE))) == "verification"

    def test_the_chain_beside_a_signature(self) -> None:
        """N6: a layer brings a chain; whom we trust is not its choice."""
        foreign = CertificateAuthority("sigstore.example", SIGSTORE.start)
        layer = SIGSTORE.sign_layer(IMAGE.text, SIGSTORE.issue(authority=foreign))
        layer = annotated(layer, {"dev.sigstore.cosign/chain": foreign.chain_pem})

        assert code(verify(layer_candidate(layer))) == "verification"


class TestTimestamps:
    """N7: RFC 3161 tokens."""

    def token(self, changed: dict[str, Any], *tokens: bytes) -> str:
        """The rejection of a bundle with `tokens` in the domain that needs one."""
        return code(verify(bundle_candidate(with_token(changed, *tokens)), BARE))

    def test_over_something_else(self) -> None:
        """N7: a token over other bytes."""
        assert self.token(bare_bundle(), SIGSTORE.timestamps.stamp(b"other", SIGSTORE.signed)) == "no-time"

    @pytest.mark.parametrize("embedded", [True, False])
    def test_of_a_foreign_authority(self, embedded: bool) -> None:  # noqa: FBT001
        """N7: nor does it help to embed one's certificate."""
        foreign, made = TimestampAuthority(SIGSTORE.start), bare_bundle()
        certificates = (foreign.leaf, foreign.root) if embedded else ()
        token = foreign.stamp(signature_of(made), SIGSTORE.signed, certificates=certificates)

        assert self.token(made, token) == "no-time"

    def test_with_a_foreign_certificate_before_the_right_one(self) -> None:
        """N7: the signer is looked up in the trusted root, not in the bag (CVE-2026-39984)."""
        foreign, made = TimestampAuthority(SIGSTORE.start), bare_bundle()
        token = foreign.stamp(
            signature_of(made), SIGSTORE.signed, certificates=(foreign.leaf, SIGSTORE.timestamps.leaf)
        )

        assert self.token(made, token) == "no-time"

    @pytest.mark.parametrize("purpose", [None, ExtendedKeyUsageOID.CODE_SIGNING])
    def test_by_a_certificate_that_is_not_for_timestamps(self, purpose: x509.ObjectIdentifier | None) -> None:
        """N7: the authority's certificate must be for timestamping."""
        odd, made = TimestampAuthority(SIGSTORE.start, purpose=purpose), bare_bundle()
        root = SIGSTORE.trusted_root(logs=False, ct_logs=False)
        root["timestampAuthorities"] = [odd.trust()]
        candidate = bundle_candidate(with_token(made, odd.stamp(signature_of(made), SIGSTORE.signed)))

        assert code(verify(candidate, verifier=trusting(root, {"timestamp"}))) in {"no-time", "malformed"}

    def test_by_two_signers(self) -> None:
        """N7: a token has one SignerInfo."""
        made = bare_bundle()
        token = SIGSTORE.timestamps.stamp(signature_of(made), SIGSTORE.signed, signers=2)

        assert self.token(made, token) in {"no-time", "malformed"}

    def test_after_the_authority_expired(self) -> None:
        """N7: the authority's own certificate must have been valid."""
        old, made = TimestampAuthority(SIGSTORE.start, lifetime=timedelta(days=10)), bare_bundle()
        root = SIGSTORE.trusted_root(logs=False, ct_logs=False)
        root["timestampAuthorities"] = [old.trust()]
        candidate = bundle_candidate(with_token(made, old.stamp(signature_of(made), SIGSTORE.signed)))

        assert code(verify(candidate, verifier=trusting(root, {"timestamp"}))) == "no-time"

    def test_too_many(self) -> None:
        """N7, N23: 32 tokens are read, as upstream does."""
        made = bare_bundle()
        tokens = [SIGSTORE.timestamps.stamp(signature_of(made), SIGSTORE.signed) for _ in range(33)]

        assert self.token(made, *tokens) == "too-large"

    def test_the_same_twice(self) -> None:
        """N7: a token is counted once."""
        made = bare_bundle()
        token = SIGSTORE.timestamps.stamp(signature_of(made), SIGSTORE.signed)

        assert self.token(made, token, token) == "malformed"

    def test_rubbish(self) -> None:
        """N7: bytes that are no token."""
        assert self.token(bare_bundle(), b"\x30\x03\x02\x01\x00") == "malformed"

    def test_an_envelope_stamp_is_for_layers_only(self) -> None:
        """N7: in a bundle the token is over the signature; only cosign 2's layers stamp the envelope."""
        made = bare_bundle()
        token = SIGSTORE.timestamps.stamp(encode(made["dsseEnvelope"]), SIGSTORE.signed)

        assert self.token(made, token) == "no-time"


class TestContent:
    """N11 to N13: what is signed, and how it is wrapped."""

    @pytest.mark.parametrize("count", [0, 2])
    def test_envelopes_have_one_signature(self, count: int) -> None:
        """N12: none and two are refused (sigstore-go#225)."""
        changed = bundle()
        changed["dsseEnvelope"]["signatures"] *= count

        assert code(bundle_candidate(changed)) == "malformed"

    def test_an_empty_signature(self) -> None:
        """N12: an empty signature is none."""
        changed = bundle()
        changed["dsseEnvelope"]["signatures"][0]["sig"] = ""

        assert code(bundle_candidate(changed)) == "malformed"

    @pytest.mark.parametrize("payload_type", ["application/json", "application/vnd.in-toto+json; charset=utf-8"])
    def test_another_payload_type(self, payload_type: str) -> None:
        """N12: an in-toto statement says that it is one, in what is signed."""
        assert code(verify(bundle_candidate(bundle(payload_type=payload_type)))) == "wrong-form"

    def test_a_payload_type_changed_afterwards(self) -> None:
        """N12: the payload type is signed."""
        changed = bundle()
        changed["dsseEnvelope"]["payloadType"] = "application/vnd.in-toto+json "

        assert code(verify(bundle_candidate(changed))) == "verification"

    def test_a_simple_signing_payload_in_an_envelope(self) -> None:
        """N12: wrapped as a statement it is none."""
        made = SIGSTORE.bundle(SIGSTORE.issue(), simple_signing(IMAGE.text))

        assert code(verify(bundle_candidate(made))) == "wrong-form"

    def test_a_statement_in_a_signature_layer(self) -> None:
        """N12: a signature over a bare statement is no attestation, and no signature of an image."""
        layer = SIGSTORE.sign_layer(IMAGE.text, SIGSTORE.issue(), payload=provenance())

        assert code(verify(layer_candidate(layer))) == "wrong-form"

    @pytest.mark.parametrize("change", [lambda c: c + b" ", lambda c: c[:-1]])
    def test_a_layer_that_is_not_what_its_descriptor_says(self, change: Callable[[bytes], bytes]) -> None:
        """N13: digest and size of the descriptor are those of the bytes."""
        layer = SIGSTORE.sign_layer(IMAGE.text, SIGSTORE.issue())

        assert code(layer_candidate(Layer(layer.descriptor, change(layer.content)))) == "digest-mismatch"

    def test_another_payload_under_the_signature(self) -> None:
        """N13: a payload exchanged together with its descriptor fails the signature."""
        layer = SIGSTORE.sign_layer(OTHER.text, SIGSTORE.issue())
        forged = Layer.of(layer.descriptor["mediaType"], simple_signing(IMAGE.text), layer.descriptor["annotations"])

        assert code(verify(layer_candidate(forged))) == "verification"


class TestKeysAndCertificates:
    """N15, N17: what is not trusted for this purpose."""

    @pytest.mark.parametrize("make", [pytest.param(make, id=name) for name, make in FORMS.items()])
    def test_a_certificate_where_a_key_is_trusted(self, make: Maker) -> None:
        """N15: the key in a certificate is not the key of a rule, even if it is the same."""
        signer = SIGSTORE.issue()

        assert code(verify(make(signer, IMAGE), by_key(signer))) == "has-certificate"

    @pytest.mark.parametrize("make", [pytest.param(FORMS[n], id=n) for n in ("cosign 2 signature", "Rekor v2")])
    def test_a_key_where_certificates_are_trusted(self, make: Maker) -> None:
        """N15: a bare key names nobody."""
        assert code(verify(make(Signer.by_key(), IMAGE))) == "no-certificate"

    @pytest.mark.parametrize("log", [True, False])
    def test_another_key(self, log: bool) -> None:  # noqa: FBT001
        """N15: by a key that the rule does not name, whatever the hint says."""
        layer = SIGSTORE.sign_layer(IMAGE.text, Signer.by_key())

        assert code(verify(layer_candidate(layer), by_key(Signer.by_key(), log=log))) == "verification"

    def test_a_key_without_the_log_entry_asked_for(self) -> None:
        """N15: a rule that does not waive the log gets an entry."""
        signer = Signer.by_key()

        found = verify(layer_candidate(SIGSTORE.sign_layer(IMAGE.text, signer, log=False)), by_key(signer))

        assert code(found) == "no-log"

    @pytest.mark.parametrize(
        "key",
        [
            pytest.param(ec.generate_private_key(ec.SECP256K1()), id="curve"),
            pytest.param(rsa.generate_private_key(65537, 1024), id="RSA"),  # noqa: S505 - weak on purpose
        ],
    )
    def test_weak_keys(self, key: ec.EllipticCurvePrivateKey) -> None:
        """N15: foreign curves and small RSA keys are refused even where a rule names them."""
        signer = Signer.by_key(key)
        layer = SIGSTORE.sign_layer(IMAGE.text, signer, log=False)

        assert code(verify(layer_candidate(layer), by_key(signer, log=False))) == "verification"

    @pytest.mark.parametrize(
        ("log", "expected"),
        [pytest.param(True, "ed25519ph", id="logged"), pytest.param(False, "verification", id="bare")],
    )
    def test_ed25519ph_is_named(self, log: bool, expected: str) -> None:  # noqa: FBT001
        """What cosign makes with an Ed25519 key is Ed25519ph; it is refused by name, and the reason says what to do."""
        signer = Signer.by_key(ed25519.Ed25519PrivateKey.generate())
        payload = simple_signing(IMAGE.text)
        signed = Signed(signer, payload, signer.sign(b"what cosign would have hashed"), algorithm="sha512")
        entry = SIGSTORE.rekor.add(signed.body("hashedrekord/0.0.1"), SIGSTORE.signed, proof=False) if log else None
        notes = SIGSTORE._beside(signer, entry, None) | {"dev.cosignproject.cosign/signature": b64(signed.signature)}
        layer = Layer.of("application/vnd.dev.cosign.simplesigning.v1+json", payload, notes)

        found = verify(layer_candidate(layer), by_key(signer, log=log))

        assert isinstance(found, Rejected)
        assert found.code == expected
        assert "Ed25519ph" in found.reason
        assert "ECDSA P-256" in found.reason

    def test_ed25519ph_in_a_bundle(self) -> None:
        """A bundle hints at its key: the right hint with a signature that does not verify is Ed25519ph."""
        signer = Signer.by_key(ed25519.Ed25519PrivateKey.generate())
        made = bundle(signer, log=None)
        made["dsseEnvelope"]["signatures"][0]["sig"] = b64(signer.sign(b"what cosign would have hashed"))

        assert code(verify(bundle_candidate(made), by_key(signer, log=False))) == "ed25519ph"

    @pytest.mark.parametrize(
        "how",
        [
            pytest.param({"purpose": ExtendedKeyUsageOID.CLIENT_AUTH}, id="extended key usage"),
            pytest.param({"usage": key_usage(agrees=True)}, id="key usage"),
        ],
    )
    def test_certificates_for_other_purposes(self, how: dict[str, Any]) -> None:
        """N17: a certificate must be for signing code."""
        assert code(verify(bundle_candidate(bundle(SIGSTORE.issue(**how))))) == "verification"

    @pytest.mark.parametrize("sct", [pytest.param(False, id="none"), pytest.param(CTLog(), id="of a foreign log")])
    def test_promises_of_publication(self, sct: CTLog | bool) -> None:  # noqa: FBT001
        """N17: the certificate must have been promised to a trusted CT log."""
        assert code(verify(bundle_candidate(bundle(SIGSTORE.issue(sct=sct))))) == "verification"

    def test_a_promise_under_a_trusted_name(self) -> None:
        """N17: naming the right CT log is not signing with its key."""
        foreign = CTLog()
        foreign.log_id = SIGSTORE.ct_log.log_id

        assert code(verify(bundle_candidate(bundle(SIGSTORE.issue(sct=foreign))))) == "verification"

    @pytest.mark.parametrize("make", [pytest.param(make, id=name) for name, make in BARE_FORMS.items()])
    def test_what_an_internal_instance_signs_is_nothing_to_the_public_one(self, make: Maker) -> None:
        """N17: a domain's demands are its own; evidence never picks the easier one."""
        assert code(verify(make(SIGSTORE.issue(), IMAGE), DomainAnchor("test"))) == "no-log"

    def test_a_public_entry_is_nothing_to_an_instance_without_logs(self) -> None:
        """N17: an entry of a log that the domain does not know is not waved through."""
        assert code(verify(bundle_candidate(bundle(timestamp=True)), BARE)) == "verification"

    def test_two_domains_do_not_vouch_for_each_other(self) -> None:
        """N17: the authorities of one domain prove nothing in another."""
        other = VirtualSigstore(NOW)
        verifier = trusting(other.trusted_root())

        assert code(verify(bundle_candidate(bundle()), verifier=verifier)) == "verification"

    def test_a_domain_that_there_is_not(self) -> None:
        """A rule that names an unknown domain is the operator's fault, not the image's."""
        candidate = bundle_candidate(bundle())

        with pytest.raises(OperatorError, match="no trust domain named 'elsewhere'"):
            verify(candidate, DomainAnchor("elsewhere"))
        with pytest.raises(OperatorError):
            verify(candidate, KeyAnchor(Signer.by_key().spki, log=True, domain="elsewhere"))


class TestAmount:
    """N23: hostile sizes end in a rejection, soon."""

    def test_deep_json(self) -> None:
        """N23: nesting is bounded."""
        assert code(parse_bundle(b'{"a":' * 100_000, "x")) == "too-large"
        assert code(parse_bundle(b'{"a":' + b"[" * 100 + b"]" * 100 + b"}", "x")) == "too-large"

    def test_a_large_bundle(self) -> None:
        """N23: what is too large is not parsed."""
        assert code(parse_bundle(b" " * (16 * 1024 * 1024 + 1), "x")) == "too-large"

    def test_a_large_annotation(self) -> None:
        """N23: nor is an annotation."""
        layer = SIGSTORE.sign_layer(IMAGE.text, SIGSTORE.issue())

        assert code(layer_candidate(annotated(layer, {"x": "a" * (256 * 1024 + 1)}))) == "too-large"

    def test_a_large_number(self) -> None:
        """N23: five million digits are not converted."""
        assert code(parse_bundle(b'{"a":' + b"1" * 5_000_000 + b"}", "x")) == "malformed"

    def test_many_hashes(self) -> None:
        """N23: a proof is as long as its tree is high."""
        changed = bundle()
        entry_of(changed)["inclusionProof"]["hashes"] = [b64(bytes(32))] * 300_000

        assert code(bundle_candidate(changed)) == "too-large"

    def test_many_subjects(self) -> None:
        """N23: 1,024 subjects are read."""
        document = json.loads(provenance())
        document["subject"] *= 1025

        made = SIGSTORE.bundle(SIGSTORE.issue(), encode(document))

        assert code(verify(bundle_candidate(made))) == "too-large"

    def test_threads_may_share_a_verifier(self) -> None:
        """One verifier serves all images of a run, from any thread."""
        from concurrent.futures import ThreadPoolExecutor

        candidates = [bundle_candidate(bundle()) for _ in range(8)]

        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda candidate: verify(candidate, verifier=VERIFIER), candidates))

        assert {evidence(each).certificate.identity for each in found if evidence(each).certificate} == {WORKFLOW}  # type: ignore[union-attr]
