"""What was signed: does it speak of this very artifact, and what does it say.

Law: only verified bytes come here. in-toto: spec/v1/statement.md, spec/v1/digest_set.md; cosign: specs/SIGNATURE_SPEC.md.
cosign still writes Statement v0.1 in attestations, and neither ``name`` nor (before 3.0.5) ``predicate`` in signatures.
"""

from collections.abc import Mapping
from typing import Any

from argocd_provenance.evidence import strict_json
from argocd_provenance.evidence.artifact import ALGORITHMS, Artifact
from argocd_provenance.evidence.limits import MAX_CONTENT, MAX_SUBJECTS
from argocd_provenance.evidence.parts import Candidate, Envelope
from argocd_provenance.evidence.rejections import Refused, printable
from argocd_provenance.evidence.values import PROVENANCE_V01, PROVENANCE_V02, PROVENANCE_V1, SIGN_PREDICATE, Kind
from argocd_provenance.oci.reference import Digest
from argocd_provenance.records import dataclass

IN_TOTO = "application/vnd.in-toto+json"
_STATEMENTS = frozenset({"https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"})
_KINDS: Mapping[str, Kind] = {
    SIGN_PREDICATE: "signature",
    PROVENANCE_V1: "provenance",
    PROVENANCE_V02: "provenance",
    PROVENANCE_V01: "provenance",
}


@dataclass(frozen=True, slots=True)
class Said:
    """What the signer says about `subject`."""

    subject: Digest
    kind: Kind
    predicate_type: str | None
    statement: Mapping[str, Any]
    annotations: Mapping[str, str]
    names: tuple[str, ...]


def read(candidate: Candidate, artifact: Artifact) -> Said:
    """What `candidate`, whose signature was checked, says about `artifact`; raises `Refused`."""
    if candidate.envelope is not None:
        return _statement(candidate.envelope, artifact)
    if candidate.payload is not None:
        return _simple_signing(candidate.payload, artifact)
    return Said(artifact.digests[0], "signature", None, {}, {}, ())


def claimed_predicate_type(envelope: Envelope | None) -> str:
    """What `envelope` claims to hold, for messages only; empty where that cannot be read."""
    try:
        said = strict_json.read(envelope.payload, "", MAX_CONTENT)["predicateType"] if envelope else ""
        return printable(str(said))
    except (Refused, TypeError, KeyError, IndexError):
        return ""


def _simple_signing(payload: bytes, artifact: Artifact) -> Said:
    what = "the simple signing payload"
    document = strict_json.read(payload, what, MAX_CONTENT)
    members = strict_json.mapping(document, what)
    if "critical" not in members:
        raise Refused("wrong-form", f"what is signed is no simple signing payload (it has {sorted(members)[:5]})")
    critical = strict_json.mapping(members["critical"], what)
    if critical.get("type") != "cosign container image signature":
        raise Refused(
            "wrong-form", f"critical.type is {str(critical.get('type'))[:80]!r}, not that of an image signature"
        )
    said = strict_json.mapping(critical.get("image"), what).get("docker-manifest-digest")
    subject = next((digest for digest in artifact.digests if digest.text == said), None)
    if subject is None:
        raise Refused("other-subject", f"the signature is about {str(said)[:80]}")
    reference = strict_json.mapping(critical.get("identity") or {}, what).get("docker-reference")
    optional = strict_json.mapping(members.get("optional") or {}, what)
    names = (reference,) if isinstance(reference, str) and reference else ()
    return Said(subject, "signature", None, document, _strings(optional), names)


def _statement(envelope: Envelope, artifact: Artifact) -> Said:
    if envelope.payload_type != IN_TOTO:
        raise Refused("wrong-form", f"the envelope holds {envelope.payload_type[:80]!r}, not an in-toto statement")
    what = "the in-toto statement"
    document = strict_json.read(envelope.payload, what, MAX_CONTENT)
    members = strict_json.mapping(document, what)
    if members.get("_type") not in _STATEMENTS:
        raise Refused("wrong-form", f"statements of type {str(members.get('_type'))[:80]!r} are not known")
    predicate_type = strict_json.text(members.get("predicateType"), "the predicate type")
    subjects = strict_json.sequence(members.get("subject"), "the statement's subjects")
    if len(subjects) > MAX_SUBJECTS:
        raise Refused("too-large", f"the statement has {len(subjects)} subjects, at most {MAX_SUBJECTS} are read")
    about = [(subject, digest) for subject in subjects if (digest := _match(subject, artifact)) is not None]
    if not about:
        raise Refused("other-subject", f"none of the statement's {len(subjects)} subjects is this artifact")
    annotations: dict[str, str] = {}
    for subject, _ in about:
        for name, value in _strings(subject.get("annotations") or {}).items():
            if annotations.setdefault(name, value) != value:
                raise Refused("malformed", f"the statement's subjects disagree about the annotation {name[:80]!r}")
    names = tuple(dict.fromkeys(s["name"] for s, _ in about if isinstance(s.get("name"), str) and s["name"]))
    return Said(about[0][1], _KINDS.get(predicate_type, "attestation"), predicate_type, document, annotations, names)


def _match(subject: Any, artifact: Artifact) -> Digest | None:
    """The digest under which `subject` is the artifact.

    Algorithms go by their exact names and digits are lower case. A subject that is right under one algorithm and wrong
    under another is somebody's trick, and about nothing.
    """
    if not isinstance(subject, dict) or not isinstance(subject.get("digest"), dict):
        return None
    known = [digest for digest in artifact.digests if digest.algorithm in ALGORITHMS]
    about = [digest for digest in known if digest.algorithm in subject["digest"]]
    if not about or any(subject["digest"][digest.algorithm] != digest.hex for digest in about):
        return None
    return about[0]


def _strings(members: Any) -> dict[str, str]:
    """The members that are strings; cosign's ``optional`` may hold a time as a number too."""
    return (
        {name: value for name, value in members.items() if isinstance(value, str)} if isinstance(members, dict) else {}
    )
