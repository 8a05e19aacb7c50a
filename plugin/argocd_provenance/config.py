"""The operator's config file as a value: everything it may say, with its defaults, and nothing it may not.

Paths are relative to the file. Unknown fields are faults, and all faults are raised at once.
"""

import posixpath
import re
from collections.abc import Callable, Mapping
from typing import Literal, TypeVar
from urllib.parse import urlsplit

from argocd_provenance.errors import InvalidReference
from argocd_provenance.oci.reference import Reference, registry_host
from argocd_provenance.oci.settings import HostSettings, is_loopback
from argocd_provenance.operatorfile import Faults, Field, documents
from argocd_provenance.records import dataclass, field, replace
from argocd_provenance.regex import regex

API_VERSION = "argocd-provenance.io/v1alpha1"
KIND = "Config"

Unmatched = Literal["deny", "pin", "allow"]
Requirement = Literal["sct", "log", "timestamp"]
Signal = Literal["traces", "metrics"]

_TOP = (
    "apiVersion", "kind", "policies", "unmatched", "trust", "publicGood", "registries", "images", "templated", "suspects",
    "allowEmpty", "hook", "render", "deadline", "cache", "clusterImagePolicy", "metrics", "log", "otel",
)  # fmt: skip
_Read = TypeVar("_Read")

_DOMAIN = regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_HOST = regex(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)(:[0-9]{1,5})?")
_REALM = regex(r"(https://)?[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[^\s?#]*)?")
_OBJECT_NAME = regex(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_CONTAINER_GLOB = regex(r"(?!\*+$)[a-z0-9*-]{1,63}")
_UNMATCHED: tuple[Unmatched, ...] = ("deny", "pin", "allow")
_DENY_FIRST: tuple[Literal["deny", "report"], ...] = ("deny", "report")
_DENY_ALLOW: tuple[Literal["deny", "allow"], ...] = ("deny", "allow")
_SIGNALS: tuple[Signal, ...] = ("traces", "metrics")
_REQUIREMENTS: tuple[Requirement, ...] = ("sct", "log", "timestamp")
# Argo CD's caller kills at 60 s or 90 s; a limit beyond an hour is a typing error.
_DEADLINE = (1.0, 3600.0)
_LONGEST_TAGS = 3600.0
# Argo CD waits for a run to end, and so for a collector that does not answer.
_OTEL_TIMEOUT = (0.1, 10.0)
_CACHE_SIZE = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Trust:
    """A trust domain: its name, the file of its TrustedRoot, and the proof it needs (None: what is usual)."""

    name: str
    trusted_root: str
    requires: frozenset[Requirement] | None = None


@dataclass(frozen=True, slots=True)
class ImageRow:
    """A row for the table of places where images stand."""

    api_version: str
    kind: str
    path: str


@dataclass(frozen=True, slots=True)
class Hook:
    """The check at sync time, and the proof after it.

    `image` is this program's own, by digest; `pull_secret` names a dockerconfigjson Secret in the destination namespace.
    `rollout` is how many seconds the proof waits for what was applied to run; `injected` are globs for the names of
    containers that others put into Pods (a service mesh), which it leaves alone.
    """

    enabled: bool = False
    proof: bool = False
    image: str | None = None
    pull_secret: str | None = None
    rollout: float = 300.0
    injected: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Redis:
    """A cache that replicas share."""

    url: str
    password_file: str | None = None


@dataclass(frozen=True, slots=True)
class Cache:
    """Where evidence is kept, and for how many seconds a tag stands for its digest."""

    path: str | None = None
    tags: float = 30.0
    key_file: str | None = None
    redis: Redis | None = None
    size: int = _CACHE_SIZE
    """Bytes that it may take on the volume."""


@dataclass(frozen=True, slots=True)
class ClusterObjects:
    """What only a cluster could resolve for a ClusterImagePolicy: files by the names that policies use."""

    secrets: Mapping[str, str] = field(default_factory=dict)
    config_maps: Mapping[str, str] = field(default_factory=dict)
    kms: Mapping[str, str] = field(default_factory=dict)
    remotes: Mapping[str, str] = field(default_factory=dict)
    cue_missing: Literal["deny", "allow"] = "deny"
    """Whether fields that a CUE policy constrains may be missing, as upstream."""
    cue: str | None = None
    """The cue binary for what is not read here."""


@dataclass(frozen=True, slots=True)
class Otel:
    """An OpenTelemetry collector that speaks OTLP over HTTP below the URL `endpoint`.

    `headers_file` holds lines ``Name: value`` that are sent along, `timeout` is how many seconds a run waits for it, and
    `signals` is what it gets.
    """

    endpoint: str
    headers_file: str | None = None
    ca_file: str | None = None
    client_cert: str | None = None
    timeout: float = 1.0
    signals: tuple[Signal, ...] = ("traces",)


@dataclass(frozen=True, slots=True)
class Operations:
    """Where runs are counted (Prometheus text), where each writes a line (JSON), who is told of them; None: nowhere."""

    metrics: str | None = None
    log: str | None = None
    otel: Otel | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """The operator's decisions. `file` is the path it was read from."""

    file: str
    policies: tuple[str, ...] = ()
    unmatched: Unmatched = "deny"
    trust: tuple[Trust, ...] = ()
    public_good: str | None = None
    """A trusted root for ``public-good``, newer than the one that the sigstore package ships (`publicGood`)."""
    registries: tuple[HostSettings, ...] = ()
    images: tuple[ImageRow, ...] = ()
    templated: Literal["deny", "report"] = "deny"
    suspects: Literal["report", "deny"] = "report"
    allow_empty: bool = False
    hook: Hook = Hook()
    remotes: tuple[str, ...] = ()
    """Where chart dependencies and remote bases may come from (`render.remotes`)."""
    deadline: float = 40.0
    cache: Cache = Cache()
    operations: Operations = Operations()
    cluster: ClusterObjects = field(default_factory=ClusterObjects)
    offline: bool = False
    """Nobody is asked for anything (``--offline``); it does not stand in the file."""

    def without_network(self) -> "Config":
        """The same decisions where not one packet may leave."""
        cache, operations = replace(self.cache, redis=None), replace(self.operations, otel=None)
        return replace(self, offline=True, remotes=(), cache=cache, operations=operations)


def load_config(file: str, text: str) -> Config:
    """The config that `text` holds, which was read from `file`; raises `FileFaults` with all its faults."""
    faults = Faults()
    config = read_config(file, text, faults)
    faults.raise_any()
    if config is None:
        raise AssertionError("a file without a document has a fault")
    return config


def read_config(file: str, text: str, faults: Faults) -> Config | None:
    """The config that `text` holds as far as it can be read; it decides nothing where something was added to `faults`."""
    roots = documents(file, text, faults)
    config = _config(roots[0]) if roots else None
    for extra in roots[1:]:
        extra.fault("a config file holds one document; remove this one")
    return config


def _config(root: Field) -> Config:
    fields = root.mapping(_TOP, ("apiVersion", "kind", "policies"))
    if "apiVersion" in fields:
        fields["apiVersion"].choice((API_VERSION,))
    if "kind" in fields:
        fields["kind"].choice((KIND,))
    unmatched: Unmatched = "deny"
    if "unmatched" in fields:
        unmatched = fields["unmatched"].choice(_UNMATCHED)
    templated: Literal["deny", "report"] = "deny" if unmatched == "deny" else "report"
    if "templated" in fields:
        templated = fields["templated"].choice(_DENY_FIRST)
    return Config(
        file=root.file,
        policies=tuple(_path(item) for item in fields["policies"].sequence()) if "policies" in fields else (),
        unmatched=unmatched,
        trust=_trust(fields["trust"]) if "trust" in fields else (),
        public_good=_given(fields, "publicGood", _path),
        registries=_registries(fields["registries"]) if "registries" in fields else (),
        images=tuple(_row(item) for item in fields["images"].sequence()) if "images" in fields else (),
        templated=templated,
        suspects=fields["suspects"].choice(_DENY_FIRST) if "suspects" in fields else "report",
        allow_empty=fields["allowEmpty"].boolean() if "allowEmpty" in fields else False,
        hook=_hook(fields["hook"]) if "hook" in fields else Hook(),
        remotes=_remotes(fields["render"]) if "render" in fields else (),
        deadline=_deadline(fields["deadline"]) if "deadline" in fields else 40.0,
        cache=_cache(fields["cache"]) if "cache" in fields else Cache(),
        cluster=_cluster(fields["clusterImagePolicy"]) if "clusterImagePolicy" in fields else ClusterObjects(),
        operations=Operations(
            metrics=_file(fields["metrics"]) if "metrics" in fields else None,
            log=_file(fields["log"]) if "log" in fields else None,
            otel=_given(fields, "otel", _otel),
        ),
    )


def _path(field: Field) -> str:
    """A path, relative to the config file."""
    written = field.text()
    return posixpath.normpath(posixpath.join(posixpath.dirname(field.file), written)) if written else ""


def _given(fields: Mapping[str, Field], name: str, read: Callable[[Field], _Read]) -> _Read | None:
    """What `read` makes of a field; None where it is absent or null."""
    return read(fields[name]) if name in fields and not fields[name].is_null else None


def _trust(field: Field) -> tuple[Trust, ...]:
    found: dict[str, Trust] = {}
    for item in field.sequence():
        parts = item.mapping(("name", "trustedRoot", "requires"), ("name", "trustedRoot"))
        name = parts["name"].text() if "name" in parts else ""
        if name and not _DOMAIN.fullmatch(name):
            parts["name"].fault(f"is {name!r}; a name is made of letters, digits, '.', '_' and '-'")
        if name == "public-good":
            parts["name"].fault("public-good is built in, and is not replaced here; give your domain another name")
        if name in found:
            parts["name"].fault(f"{name} stands twice; a domain has one trust root")
        root = _path(parts["trustedRoot"]) if "trustedRoot" in parts else ""
        found.setdefault(name, Trust(name, root, _given(parts, "requires", _requires)))
    return tuple(found.values())


def _requires(field: Field) -> frozenset[Requirement]:
    found = frozenset(item.choice(_REQUIREMENTS) for item in field.sequence(empty=False))
    if found and not found & {"log", "timestamp"}:
        field.fault("needs a proof of time: log or timestamp")
    return found


def _registries(field: Field) -> tuple[HostSettings, ...]:
    found: dict[str, HostSettings] = {}
    for item in field.sequence():
        settings = _registry(item)
        if settings is None:
            continue
        if settings.host in found:
            item.fault(f"{settings.host} stands twice; write its settings in one entry")
        found.setdefault(settings.host, settings)
    return tuple(found.values())


def _registry(item: Field) -> HostSettings | None:
    known = (
        "host", "mirror", "fallback", "caFile", "clientCert", "realm", "plainHttp", "tls", "username", "passwordFile",
    )  # fmt: skip
    parts = item.mapping(known, ("host",))
    host = registry_host(parts["host"].text().lower()) if "host" in parts else ""
    if host and host != "*" and not _HOST.fullmatch(host):
        parts["host"].fault(
            f"is {host!r}; it must be a host such as registry.example.com:5000, without https:// and path"
        )
    mirrors = _given(parts, "mirror", _urls) or ()
    fallback = parts["fallback"].boolean() if "fallback" in parts else False
    plain, tls = (parts[name].boolean() if name in parts else False for name in ("plainHttp", "tls"))
    if host == "*" and (not mirrors or fallback):
        item.fault('host: "*" is only for a mirror without fallback; anything else would permit every host')
    if fallback and not mirrors:
        parts["fallback"].fault("means nothing without a mirror")
    if plain and (tls or "caFile" in parts or "clientCert" in parts):
        parts["plainHttp"].fault("goes without tls, caFile and clientCert; keep one of the two")
    if ("username" in parts) != ("passwordFile" in parts):
        item.fault("username and passwordFile go together")
    elif plain and "passwordFile" in parts:
        parts["passwordFile"].fault("is of no use with plainHttp: plain http carries no credentials")
    realm = _given(parts, "realm", Field.text)
    if realm is not None and not _REALM.fullmatch(realm):
        parts["realm"].fault(f"is {realm!r}; it must be a host, or an https URL")
    if not host or (host == "*" and (not mirrors or fallback)) or "" in mirrors:
        return None
    return HostSettings(
        host=host,
        mirrors=mirrors,
        fallback=fallback,
        ca_file=_given(parts, "caFile", _path),
        client_cert=_given(parts, "clientCert", _path),
        realm=realm,
        plain_http=plain,
        tls=tls,
        username=_given(parts, "username", Field.text) or "",
        password_file=_given(parts, "passwordFile", _path),
    )


def _urls(field: Field) -> tuple[str, ...]:
    """One URL, or several in the order in which they are asked."""
    if isinstance(field.value, tuple):
        return tuple(_url(item) for item in field.sequence(empty=False))
    return (_url(field),)


def _url(field: Field) -> str:
    written = field.text()
    try:
        parts = urlsplit(written)
        if parts.scheme == "file" and parts.path.startswith("/") and not parts.netloc:
            return written
        broken = (
            parts.scheme not in {"http", "https"}
            or not parts.hostname
            or "@" in parts.netloc
            or parts.query
            or parts.port == 0
        )
    except ValueError:
        broken = True
    if written and (broken or parts.fragment):
        field.fault(
            f"is {written!r}; it must be a URL such as https://mirror.example.com, without a user and a query, or file:///FOLDER"
        )
        return ""
    return written


def _row(item: Field) -> ImageRow:
    names = ("apiVersion", "kind", "path")
    parts = item.mapping(names, names)
    row = ImageRow(*(parts[name].text() if name in parts else "" for name in names))
    if row.path and not row.path.startswith("$"):
        parts["path"].fault(f"is {row.path!r}; a JSONPath begins with $, such as $.spec.image")
    return row


def _hook(field: Field) -> Hook:
    parts = field.mapping(("enabled", "proof", "image", "pullSecret", "rollout", "injected"))
    enabled = parts["enabled"].boolean() if "enabled" in parts else False
    proof = parts["proof"].boolean() if "proof" in parts else False
    image = _given(parts, "image", Field.text)
    if image:
        _refuse_unpinned(parts["image"], image)
    if (enabled or proof) and not image:
        field.fault("is enabled without an image; name the image of this program by its digest")
    return Hook(
        enabled,
        proof,
        image,
        _given(parts, "pullSecret", _secret_name),
        _deadline(parts["rollout"]) if "rollout" in parts else 300.0,
        tuple(_container_glob(item) for item in parts["injected"].sequence()) if "injected" in parts else (),
    )


def _secret_name(field: Field) -> str:
    written = field.text()
    if written and not _OBJECT_NAME.fullmatch(written):
        field.fault(f"is {written!r}; it must be the name of a Secret, such as registry-credentials")
    return written


def _container_glob(field: Field) -> str:
    written = field.text()
    if written and not _CONTAINER_GLOB.fullmatch(written):
        field.fault(f"is {written!r}; it must be the name of a container, in which * stands for any part")
    return written


def _refuse_unpinned(field: Field, image: str) -> None:
    try:
        pinned = Reference.parse(image).digest is not None
    except InvalidReference as error:
        field.fault(str(error))
        return
    if not pinned:
        field.fault(f"{image} has no digest; the hook must be the program that was meant: …@sha256:…")


def _remotes(field: Field) -> tuple[str, ...]:
    parts = field.mapping(("remotes",))
    return parts["remotes"].texts() if "remotes" in parts else ()


def _deadline(field: Field) -> float:
    seconds = field.duration()
    low, high = _DEADLINE
    if seconds and not low <= seconds <= high:
        field.fault("must be from 1s to 1h")
    return seconds


def _file(field: Field) -> str | None:
    parts = field.mapping(("file",), ("file",))
    return _path(parts["file"]) if "file" in parts else None


def _otel(field: Field) -> Otel:
    parts = field.mapping(("endpoint", "headersFile", "caFile", "clientCert", "timeout", "signals"), ("endpoint",))
    endpoint = _url(parts["endpoint"]).rstrip("/") if "endpoint" in parts else ""
    if endpoint.startswith("file:"):
        parts["endpoint"].fault(
            "must be a URL such as http://127.0.0.1:4318, of a collector that speaks OTLP over HTTP"
        )
    files = {name: _given(parts, name, _path) for name in ("headersFile", "caFile", "clientCert")}
    if endpoint.startswith("http:"):
        for name in ("caFile", "clientCert"):
            if files[name]:
                parts[name].fault("goes with https; correct the endpoint, or leave this out")
        if files["headersFile"] and not is_loopback(urlsplit(endpoint).netloc):
            parts["headersFile"].fault(
                "goes with https, or a collector on this machine: plain http carries no credentials"
            )
    low, high = _OTEL_TIMEOUT
    timeout = parts["timeout"].duration() if "timeout" in parts else 1.0
    if timeout and not low <= timeout <= high:
        parts["timeout"].fault("must be from 100ms to 10s: Argo CD waits for it where the collector does not answer")
    given = _given(parts, "signals", lambda item: item.sequence(empty=False))
    signals = tuple(dict.fromkeys(item.choice(_SIGNALS) for item in given)) if given else ("traces",)
    return Otel(endpoint, files["headersFile"], files["caFile"], files["clientCert"], timeout, signals)


def _cache(field: Field) -> Cache:
    parts = field.mapping(("path", "tags", "keyFile", "redis", "size"))
    redis = _given(parts, "redis", _redis)
    tags = parts["tags"].duration() if "tags" in parts else 30.0
    if tags > _LONGEST_TAGS:
        parts["tags"].fault("must be at most 1h: a moved tag is noticed only after this time")
    path, key_file = _given(parts, "path", _path), _given(parts, "keyFile", _path)
    if path and key_file and key_file.startswith(f"{path}/"):
        parts["keyFile"].fault(
            f"lies in the cache {path}; keep it elsewhere, or who can write the cache can seal what they write"
        )
    size = _size(parts["size"]) if "size" in parts else _CACHE_SIZE
    return Cache(path, tags, key_file, redis, size)


def _size(field: Field) -> int:
    """A number of bytes, as Kubernetes writes quantities."""
    written = field.text()
    match = re.fullmatch(r"([1-9][0-9]{0,5})(Mi|Gi)", written)
    if written and match is None:
        field.fault(f"is {written!r}; it must be a quantity such as 256Mi or 1Gi")
    return int(match[1]) * (2**20 if match[2] == "Mi" else 2**30) if match is not None else 0


def _cluster(field: Field) -> ClusterObjects:
    parts = field.mapping(("secrets", "configMaps", "kms", "remotes", "cueMissing", "cue"))

    def files(name: str) -> Mapping[str, str]:
        given = parts[name].mapping(None) if name in parts else {}
        return {key: _path(item) for key, item in given.items()}

    return ClusterObjects(
        secrets=files("secrets"),
        config_maps=files("configMaps"),
        kms=files("kms"),
        remotes=files("remotes"),
        cue_missing=parts["cueMissing"].choice(_DENY_ALLOW) if "cueMissing" in parts else "deny",
        cue=_given(parts, "cue", _path),
    )


def _redis(field: Field) -> Redis:
    parts = field.mapping(("url", "passwordFile"), ("url",))
    url = parts["url"].text() if "url" in parts else ""
    if url and not re.fullmatch(r"(rediss?|unix)://[^\s@]+", url):
        parts["url"].fault(
            "must be redis://host:port, rediss://host:port or unix:///path; the password has its own file"
        )
    return Redis(url, _given(parts, "passwordFile", _path))
