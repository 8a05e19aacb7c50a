"""What `generate` hands to the check at sync time: one line of text in the Pod's arguments.

The law: all that the decision rests on, and nothing secret. Images by digest, the policies that covered them with the
key files they read, the trusted roots they name, and what is said about the registries: CA certificates, never client
certificates, never credentials. The same decisions give the same text; what cannot be read whole is a `HookError`.

The form: JSON with sorted keys, compressed (RFC 1950), base64.
"""

import base64
import binascii
import json
import zlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from argocd_provenance.config import ClusterObjects
from argocd_provenance.errors import HookError, InvalidReference, OperatorError
from argocd_provenance.evidence.trust import TrustDomain, trust_domain
from argocd_provenance.oci.reference import Digest, Reference
from argocd_provenance.oci.settings import HostSettings
from argocd_provenance.oci.strictjson import NotJSONError, read_object
from argocd_provenance.records import dataclass, field

LIMIT = 64 * 1024
"""Bytes, compressed. Linux takes 128 KiB in one argument (``MAX_ARG_STRLEN``), of which base64 leaves 96."""
_PLAIN_LIMIT = 4 * 1024 * 1024
_VERSION = 1
_LONGEST = 3600.0
_Made = TypeVar("_Made")
_OBJECTS = ("secrets", "config_maps", "kms", "remotes")

_SETTINGS = ("host", "mirrors", "fallback", "realm", "plain_http", "tls")
"""What is carried of `HostSettings`, as it stands there."""
NEVER_CARRIED = ("client_cert", "ca_file", "username", "password_file")
"""Paths of files: keys and passwords stay behind, and whose they are; a CA's certificates are carried by their content."""


@dataclass(frozen=True, slots=True)
class CarriedPlace:
    """Where an image stands."""

    kind: str
    namespace: str
    name: str
    container: str


@dataclass(frozen=True, slots=True)
class CarriedImage:
    """An image that was verified: as written, what it stood for then, and the names of the policies that covered it."""

    reference: str
    digest: Digest
    policies: tuple[str, ...]
    where: tuple[CarriedPlace, ...] = ()


@dataclass(frozen=True, slots=True)
class Payload:
    """Everything the check needs. `files` are what the policies read beside themselves, by path.

    `authorities` are the PEM certificates that stand for a host's `ca_file`.
    """

    application: str
    images: tuple[CarriedImage, ...]
    policies: tuple[tuple[str, str], ...]
    trust: tuple[TrustDomain, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    registries: tuple[HostSettings, ...] = ()
    authorities: Mapping[str, str] = field(default_factory=dict)
    enforce: bool = False
    deadline: float = 40.0
    cluster: ClusterObjects = field(default_factory=ClusterObjects)
    """Which of the `files` stand for a cluster's objects; never a program."""


def pack(payload: Payload) -> str:
    """`payload` as text; raises `HookError` (``hook-too-large``) where it does not fit."""
    counts = f"{len(payload.images)} images, {len(payload.policies)} policies and {len(payload.trust)} trusted roots"
    return write(_data(payload), counts)


def write(data: Mapping[str, Any], counts: str) -> str:
    """`data` as text, with the version; raises `HookError`, which says the `counts` that made it too large."""
    whole = {"version": _VERSION, **data}
    plain = json.dumps(whole, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    packed = zlib.compress(plain, 9)
    if len(packed) > LIMIT or len(plain) > _PLAIN_LIMIT:
        raise HookError(
            f"what the check at sync time needs is too large for a Pod: {len(packed)} bytes compressed of {LIMIT}, for "
            f"{counts}. Fix: split the Application, or shorten what its policies carry; without the hook it renders",
            code="hook-too-large",
        )
    return base64.b64encode(packed).decode()


def unpack(packed: str) -> Payload:
    """The payload that `packed` spells; raises `HookError` for anything that `pack` would not have written."""
    return parsed(packed, _payload)


def parsed(packed: str, parse: Callable[[dict[str, Any]], _Made]) -> _Made:
    """What `parse` makes of the fields that `write` wrote; raises `HookError` for whatever `parse` stumbles over."""
    value = read(packed)
    try:
        if value.pop("version", None) != _VERSION:
            raise HookError(
                f"this program reads version {_VERSION}, and this is another. "
                "Fix: let `hook.image` in the config be the image of the plugin's sidecar"
            )
        return parse(value)
    except (KeyError, TypeError, ValueError, AttributeError, InvalidReference, OperatorError) as error:
        raise _malformed(f"{type(error).__name__}: {error}") from error


def read(text: str) -> dict[str, Any]:
    """The JSON object in `text`, inflated no further than any payload reaches; raises `HookError`."""
    if len(text) > (LIMIT + 2) // 3 * 4:
        raise _malformed(f"it is longer than {LIMIT} bytes can be")
    try:
        packed = base64.b64decode(text, validate=True)
        inflater = zlib.decompressobj()
        plain = inflater.decompress(packed, _PLAIN_LIMIT + 1)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise _malformed(str(error)) from None
    if len(plain) > _PLAIN_LIMIT:
        raise _malformed(f"it inflates to more than {_PLAIN_LIMIT} bytes")
    if not inflater.eof or inflater.unused_data:
        raise _malformed("it is cut short, or something follows it")
    try:
        return read_object(plain)
    except NotJSONError as error:
        raise _malformed(str(error)) from None


def _data(payload: Payload) -> dict[str, Any]:
    return {
        "application": payload.application,
        "cluster": {
            **{kind: dict(getattr(payload.cluster, kind)) for kind in _OBJECTS},
            "cue_missing": payload.cluster.cue_missing,
        },
        "enforce": payload.enforce,
        "deadline": payload.deadline,
        "images": [
            {
                "reference": image.reference,
                "digest": image.digest.text,
                "policies": list(image.policies),
                "where": [[place.kind, place.namespace, place.name, place.container] for place in image.where],
            }
            for image in payload.images
        ],
        "policies": [list(policy) for policy in payload.policies],
        "files": {path: base64.b64encode(content).decode() for path, content in payload.files.items()},
        "trust": [
            {"name": domain.name, "root": domain.root.decode(), "requires": sorted(domain.requires)}
            for domain in payload.trust
        ],
        "registries": [settings(host) for host in payload.registries],
        "authorities": dict(payload.authorities),
    }


def _payload(value: dict[str, Any]) -> Payload:
    unknown = value.keys() - _KNOWN
    if unknown:
        raise ValueError(f"there is no such field: {min(unknown)!r:.60}")
    payload = Payload(
        application=text(value["application"]),
        images=tuple(_image(image) for image in value["images"]),
        policies=tuple((text(file), text(content)) for file, content in value["policies"]),
        trust=tuple(
            trust_domain(text(one["name"]), text(one["root"]).encode(), one["requires"]) for one in value["trust"]
        ),
        files={path: base64.b64decode(text(content), validate=True) for path, content in value["files"].items()},
        registries=tuple(host_settings(host) for host in value["registries"]),
        authorities={host: text(pem) for host, pem in value["authorities"].items()},
        enforce=boolean(value["enforce"]),
        deadline=seconds(value["deadline"]),
        cluster=_cluster(value["cluster"]),
    )
    references = [image.reference for image in payload.images]
    if not references or len(set(references)) != len(references):
        raise ValueError("no image, or one that stands twice")
    return payload


_KNOWN = frozenset(
    {
        "application",
        "cluster",
        "enforce",
        "deadline",
        "images",
        "policies",
        "files",
        "trust",
        "registries",
        "authorities",
    }
)


def _cluster(value: dict[str, Any]) -> ClusterObjects:
    if value.keys() != {*_OBJECTS, "cue_missing"} or value["cue_missing"] not in ("deny", "allow"):
        raise ValueError("the objects of a cluster are others than are carried")

    def files(kind: str) -> dict[str, str]:
        return {name: text(path) for name, path in value[kind].items()}

    return ClusterObjects(
        files("secrets"), files("config_maps"), files("kms"), files("remotes"), cue_missing=value["cue_missing"]
    )


def _image(value: dict[str, Any]) -> CarriedImage:
    image = CarriedImage(
        text(value["reference"]),
        Digest(text(value["digest"])),
        tuple(text(name) for name in value["policies"]),
        tuple(CarriedPlace(*(text(part) for part in place)) for place in value["where"]),
    )
    if not image.policies:
        raise ValueError(f"{image.reference}: no policy covers it")
    if Reference.parse(image.reference).digest not in (None, image.digest):
        raise ValueError(f"{image.reference}: another digest than {image.digest}")
    return image


def settings(host: HostSettings) -> dict[str, Any]:
    """What is carried of the settings of a host."""
    return {name: getattr(host, name) for name in _SETTINGS}


def host_settings(value: dict[str, Any]) -> HostSettings:
    """The settings that `settings` gave; raises ValueError, TypeError or KeyError for anything else."""
    if value.keys() != set(_SETTINGS):
        raise ValueError("a registry has other settings than are carried")
    return HostSettings(
        host=text(value["host"]),
        mirrors=tuple(text(url) for url in value["mirrors"]),
        fallback=boolean(value["fallback"]),
        realm=None if value["realm"] is None else text(value["realm"]),
        plain_http=boolean(value["plain_http"]),
        tls=boolean(value["tls"]),
    )


def text(value: Any) -> str:
    """`value`, if it is a text; raises TypeError."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.60} is no text")
    return value


def boolean(value: Any) -> bool:
    """`value`, if it is true or false; raises TypeError."""
    if not isinstance(value, bool):
        raise TypeError(f"{value!r:.60} is neither true nor false")
    return value


def seconds(value: Any) -> float:
    """`value`, if it is a number of seconds up to an hour; raises TypeError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _LONGEST:
        raise TypeError(f"{value!r:.60} is no number of seconds")
    return float(value)


def _malformed(why: str) -> HookError:
    return HookError(
        f"what this Pod was given to check cannot be read: {why}. Fix: sync again; if it stays, let `hook.image` in the config be the image of the plugin's sidecar"
    )
