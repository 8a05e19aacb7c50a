"""Trust domains: Sigstore instances by name, each with its trusted root and the proof it demands.

Law: the operator chooses the domain, never the image. protobuf-specs: protos/sigstore_trustroot.proto; what that file
calls optional may be absent (real roots leave out ``baseUrl`` and names of authorities, GitHub's has no logs).
sigstore's own models refuse such roots, so that the root is read here; the import of sigstore is not needed for it.
"""

import importlib.util
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import quote

from argocd_provenance.errors import OperatorError
from argocd_provenance.evidence import strict_json
from argocd_provenance.evidence.limits import MAX_CONTENT
from argocd_provenance.evidence.rejections import Refused
from argocd_provenance.records import dataclass

Requirement = Literal["sct", "log", "timestamp"]
PUBLIC_GOOD = "public-good"
USUAL: frozenset[Requirement] = frozenset({"sct", "log"})
"""What a domain proves beside a certificate, unless the operator says otherwise."""
_V01 = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"
_V02 = "application/vnd.dev.sigstore.trustedroot.v0.2+json"
_REPOSITORY = "https://tuf-repo-cdn.sigstore.dev"


@dataclass(frozen=True, slots=True)
class TrustDomain:
    """A Sigstore instance, and what it must prove beside a certificate."""

    name: str
    root: bytes
    requires: frozenset[Requirement]


@dataclass(frozen=True, slots=True)
class Window:
    """When something was valid; closed at both ends, open where None."""

    start: datetime | None = None
    end: datetime | None = None

    def __contains__(self, time: datetime) -> bool:
        return (self.start is None or self.start <= time) and (self.end is None or time <= self.end)


@dataclass(frozen=True, slots=True)
class Log:
    """A transparency log or a CT log: one key of it."""

    log_ids: frozenset[bytes]
    key: bytes
    key_details: str
    window: Window
    host: str = ""
    """Host and path of its base URL; empty where the root does not say."""


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate or timestamp authority: DER certificates, leaf first."""

    certificates: tuple[bytes, ...]
    window: Window


@dataclass(frozen=True, slots=True)
class TrustedRoot:
    """All that one Sigstore instance asks to be trusted."""

    authorities: tuple[Authority, ...]
    logs: tuple[Log, ...]
    ct_logs: tuple[Log, ...]
    timestamp_authorities: tuple[Authority, ...]


def trust_domain(
    name: str, raw: bytes, requires: Iterable[str] | None = None, check: Callable[[bytes], None] | None = None
) -> TrustDomain:
    """The domain `name` with the trusted root `raw`, demanding an SCT and a log entry unless `requires` says otherwise.

    `check` stands in for `check_keys`, of the root as read. Raises `OperatorError` where the root is malformed, or has nothing that could prove what is required.
    """
    root = parse(raw)
    if check is None:
        check_keys(root)
    else:
        check(raw)
    wanted = USUAL if requires is None else frozenset(requires)
    if unknown := wanted - set(get_args(Requirement)):
        raise OperatorError(f"trust domain {name}: requires knows sct, log and timestamp, not {min(unknown)}")
    offers = {"sct": root.ct_logs, "log": root.logs, "timestamp": root.timestamp_authorities}
    for requirement in sorted(wanted):
        if not offers[requirement]:
            raise OperatorError(f"trust domain {name}: {requirement} is required, but its trusted root has none")
    if not wanted & {"log", "timestamp"}:
        raise OperatorError(
            f"trust domain {name}: requires must name log or timestamp, or no time of signing is proved"
        )
    return TrustDomain(name, raw, wanted)  # type: ignore[arg-type] # narrowed by the check of `unknown`


def mixed(name: str, base: bytes, log: bytes, stamps: bytes) -> bytes:
    """A trusted root with certificate authorities and CT logs of `base`, logs of `log`, timestamp authorities of `stamps`.

    Each is a trusted root that can be parsed; `name` is only for the message of an `OperatorError`.
    """
    roots = {"certificateAuthorities": base, "ctlogs": base, "tlogs": log, "timestampAuthorities": stamps}
    try:
        read = {raw: strict_json.read(raw, name, MAX_CONTENT) for raw in roots.values()}
    except Refused as refused:
        raise OperatorError(f"trust domain {name}: {refused.reason}") from None
    import json  # noqa: PLC0415 - for policies that put roots together

    return json.dumps(
        {"mediaType": _V01} | {member: read[raw].get(member, []) for member, raw in roots.items()}
    ).encode()


def offered(raw: bytes) -> frozenset[Requirement]:
    """What a root can prove: a log entry if it has logs, an SCT if it has CT logs; a timestamp where it has no logs."""
    root = parse(raw)
    found: set[Requirement] = {"log"} if root.logs else {"timestamp"}
    return frozenset(found | ({"sct"} if root.ct_logs else set()))


def public_good() -> TrustDomain:
    """The public instance at sigstore.dev, by the root that the sigstore package ships.

    Read as a file: sigstore's own way goes through a cache in the home directory, which it trusts unseen.
    """
    spec = importlib.util.find_spec("sigstore")
    if spec is None or not spec.submodule_search_locations:
        raise OperatorError("the sigstore package is not installed")
    path = Path(next(iter(spec.submodule_search_locations)), "_store", quote(_REPOSITORY, safe=""), "trusted_root.json")
    try:
        return TrustDomain(PUBLIC_GOOD, path.read_bytes(), USUAL)
    except OSError as fault:
        raise OperatorError(f"the trusted root in the sigstore package cannot be read: {fault}") from fault


def parse(raw: bytes) -> TrustedRoot:
    """The trusted root that `raw` spells; raises `OperatorError`."""
    try:
        root = _root(strict_json.mapping(strict_json.read(raw, "the trusted root", MAX_CONTENT), "the trusted root"))
    except Refused as refused:
        raise OperatorError(f"the trusted root is malformed: {refused.reason}") from None
    if not root.logs and not root.timestamp_authorities:
        raise OperatorError("the trusted root is malformed: it has neither transparency logs nor timestamp authorities")
    return root


def _root(document: dict[str, Any]) -> TrustedRoot:
    media_type = document.get("mediaType")
    if media_type == _V02:
        raise Refused("unknown-form", f"media type {_V02} (v0.2) is not supported yet, only {_V01}")
    if media_type != _V01:
        raise Refused("unknown-form", f"media type {str(media_type)[:120]!r} is not that of a trusted root ({_V01})")

    def items(name: str) -> list[dict[str, Any]]:
        return [strict_json.mapping(item, name) for item in strict_json.sequence(document.get(name, []), name)]

    return TrustedRoot(
        tuple(_authority(item, "a certificate authority") for item in items("certificateAuthorities")),
        tuple(_log(item, "a transparency log") for item in items("tlogs")),
        tuple(_log(item, "a CT log") for item in items("ctlogs")),
        tuple(_authority(item, "a timestamp authority") for item in items("timestampAuthorities")),
    )


def _log(item: dict[str, Any], what: str) -> Log:
    key = strict_json.mapping(item.get("publicKey"), f"the public key of {what}")
    ids = [item[name] for name in ("logId", "checkpointKeyId") if item.get(name) is not None]
    log_ids = frozenset(
        strict_json.decoded(strict_json.mapping(log_id, what).get("keyId"), f"the id of {what}") for log_id in ids
    )
    if not log_ids:
        raise Refused("malformed", f"{what} has no id")
    return Log(
        log_ids,
        strict_json.decoded(key.get("rawBytes"), f"the public key of {what}"),
        strict_json.text(key.get("keyDetails"), f"the keyDetails of {what}"),
        _window(key["validFor"], what) if "validFor" in key else Window(),
        strict_json.text(item.get("baseUrl", ""), f"the baseUrl of {what}").partition("://")[2].rstrip("/"),
    )


def _authority(item: dict[str, Any], what: str) -> Authority:
    chain = strict_json.mapping(item.get("certChain"), f"the chain of {what}")
    listed = strict_json.sequence(chain.get("certificates", []), f"the certificates of {what}")
    certificates = tuple(
        strict_json.decoded(strict_json.mapping(c, what).get("rawBytes"), f"a certificate of {what}") for c in listed
    )
    if not certificates:
        raise Refused("malformed", f"{what} has no certificate")
    return Authority(certificates, _window(item.get("validFor"), what))


def _window(value: Any, what: str) -> Window:
    members = strict_json.mapping(value, f"validFor of {what}")
    start = _time(members.get("start"), f"the start of {what}")
    return Window(start, _time(members["end"], f"the end of {what}") if "end" in members else None)


def _time(value: Any, what: str) -> datetime:
    try:
        time = datetime.fromisoformat(strict_json.text(value, what))
    except ValueError as fault:
        raise Refused("malformed", f"{what}: {fault}") from None
    if time.tzinfo is None:
        raise Refused("malformed", f"{what} has no time zone")
    return time


def check_keys(root: TrustedRoot) -> None:
    """Check that keys and certificates can be read at all, so that a broken file is found when it is loaded.

    Raises `OperatorError`.
    """
    # Only an operator's root needs them, not the packaged one.
    from argocd_provenance.imports import one_at_a_time  # noqa: PLC0415 - a run without images has no threads

    with one_at_a_time:
        from cryptography.hazmat.primitives.serialization import load_der_public_key  # noqa: PLC0415

        from argocd_provenance.evidence.certificate import X509_FAULTS, load  # noqa: PLC0415

    try:
        for authority in (*root.authorities, *root.timestamp_authorities):
            for certificate in authority.certificates:
                load(certificate)
        for log in (*root.logs, *root.ct_logs):
            load_der_public_key(log.key)
    except Refused as refused:
        raise OperatorError(f"the trusted root is malformed: {refused.reason}") from None
    except X509_FAULTS as fault:
        raise OperatorError(f"the trusted root is malformed: a key cannot be read: {fault}") from None
