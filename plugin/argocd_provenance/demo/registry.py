"""An OCI registry in this process, on loopback: what the demo shows and the tests check runs against it.

One law: it speaks the distribution specification 1.1 as real registries do, and lies only where `answers` says so.

    with Registry(referrers=True) as registry:
        image = registry.push_image("acme/app", "v1", layers=[b"the program"])
        registry.attach_bundle("acme/app", image, bundle, "https://slsa.dev/provenance/v1")
        ...                       # ask for f"{registry.host}/acme/app:v1"
        registry.requests         # what was asked, in order

A descriptor is the JSON object itself. Without the Referrers API (`referrers=False`) that path is a 404, and what is
attached is listed under the fallback tag, as clients do for registries that lack it.
"""

import hashlib
import ssl
import threading
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from argocd_provenance.demo.contents import (
    OCI_CONFIG,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    Contents,
    describe,
    encode,
)
from argocd_provenance.demo.registryserver import Answer, Request, Server, refusal

__all__ = ["Answer", "Registry", "Request", "refusal"]

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"


class Registry:
    """A registry, its contents, the log of its `requests`, and `answers`: path (with query) → what to send instead.

    A list of answers is used up one by one; then the truth is told. `login` demands a user and password: as HTTP Basic,
    or with `bearer` by tokens from ``/token`` (`realm` names another token server in the challenge). With `tls` it speaks https.
    """

    def __init__(
        self,
        *,
        referrers: bool = False,
        address: str = "127.0.0.1",
        login: tuple[str, str] | None = None,
        bearer: bool = False,
        realm: str | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.referrers = referrers
        self.login = login
        self.bearer = bearer
        self.realm = realm
        self.tokens: dict[str, str] = {}
        """The tokens that are good, and the scope of each."""
        self.requests: list[Request] = []
        self.answers: dict[str, Answer | list[Answer]] = {}
        self.contents = Contents()
        self._lock = threading.Lock()
        self._server = Server(address, self, tls)

    @property
    def host(self) -> str:
        """Address and port, as they stand in a reference."""
        return self._server.host

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()

    # -- what the server asks ------------------------------------------------------------------------------------------

    def note(self, request: Request) -> Answer | None:
        """Log `request`; the answer that replaces the truth, if there is one."""
        with self._lock:
            self.requests.append(request)
            planned = self.answers.get(request.path)
            if isinstance(planned, list):
                return planned.pop(0) if planned else None
            return planned

    def grant(self, scope: str) -> str:
        """A new token that is good for `scope`."""
        with self._lock:
            token = f"demo-{len(self.requests)}-{len(self.tokens)}"
            self.tokens[token] = scope
            return token

    # -- builders ------------------------------------------------------------------------------------------------------

    def push_blob(
        self, repository: str, content: bytes, media_type: str = "application/octet-stream"
    ) -> dict[str, Any]:
        """Store a blob; its descriptor."""
        self.contents.blobs[repository, describe(content, media_type)["digest"]] = content
        return describe(content, media_type)

    def push_manifest(
        self,
        repository: str,
        manifest: Mapping[str, Any] | bytes,
        tag: str | None = None,
        media_type: str = OCI_MANIFEST,
    ) -> dict[str, Any]:
        """Store a manifest under its digest and `tag`; its descriptor. Bytes are stored as they are."""
        if isinstance(manifest, bytes):
            return self.contents.store(repository, manifest, media_type, tag)
        return self.contents.store(repository, encode(manifest), manifest.get("mediaType", media_type), tag)

    def push_image(
        self, repository: str, tag: str | None, layers: Sequence[bytes] = (b"layer",), platform: str = "linux/amd64"
    ) -> dict[str, Any]:
        """Store an image of these layers; its descriptor."""
        system, _, architecture = platform.partition("/")
        config = encode(
            {
                "architecture": architecture,
                "os": system,
                "rootfs": {"type": "layers", "diff_ids": [_sha256(layer) for layer in layers]},
            }
        )
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self.push_blob(repository, config, OCI_CONFIG),
            "layers": [self.push_blob(repository, layer, OCI_LAYER) for layer in layers],
        }
        return self.push_manifest(repository, manifest, tag)

    def push_index(self, repository: str, tag: str | None, manifests: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Store an index of these descriptors (each with its ``platform``); its descriptor."""
        return self.push_manifest(
            repository, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(manifests)}, tag
        )

    def attach(
        self,
        repository: str,
        subject: Mapping[str, Any],
        layers: Sequence[Mapping[str, Any]],
        artifact_type: str,
        annotations: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Store a manifest that refers to `subject`, with these layers (their blobs are there already), and list it."""
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": artifact_type,
            "config": self.push_blob(repository, b"{}", OCI_EMPTY),
            "layers": list(layers),
            "subject": {name: subject[name] for name in ("mediaType", "digest", "size")},
            "annotations": dict(annotations or {}),
        }
        descriptor = self.push_manifest(repository, manifest) | {
            "artifactType": artifact_type,
            "annotations": manifest["annotations"],
        }
        if not self.referrers:
            self.list_referrer(repository, subject["digest"], descriptor)
        return descriptor

    def attach_bundle(
        self, repository: str, subject: Mapping[str, Any], bundle: bytes, predicate_type: str
    ) -> dict[str, Any]:
        """Attach a Sigstore bundle as cosign 3 and GitHub's attest action do; the descriptor of the referrer.

        cosign: specs/BUNDLE_SPEC.md; the annotations are hints that nothing signs.
        """
        hints = {"dev.sigstore.bundle.content": "dsse-envelope", "dev.sigstore.bundle.predicateType": predicate_type}
        return self.attach(repository, subject, [self.push_blob(repository, bundle, BUNDLE)], BUNDLE, hints)

    def list_referrer(self, repository: str, digest: str, descriptor: Mapping[str, Any]) -> None:
        """Add `descriptor` to the index under the fallback tag of `digest` (distribution-spec 1.1, "Referrers Tag Schema")."""
        tag = digest.replace(":", "-")
        known = self.contents.tagged(repository, tag)
        index = known or {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
        self.push_manifest(repository, index | {"manifests": [*index["manifests"], dict(descriptor)]}, tag)

    def attach_layer(
        self, repository: str, digest: str, suffix: str, descriptor: Mapping[str, Any], blob: bytes
    ) -> dict[str, Any]:
        """Add a layer to the tag ``sha256-<hex>.sig`` or ``.att``, as cosign did before bundles; that manifest's descriptor."""
        tag = f"{digest.replace(':', '-')}.{suffix}"
        self.push_blob(repository, blob)
        known = self.contents.tagged(repository, tag)
        layers = [*(known["layers"] if known else []), dict(descriptor)]
        config = encode(
            {
                "architecture": "",
                "os": "",
                "config": {},
                "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]},
            }
        )
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self.push_blob(repository, config, OCI_CONFIG),
            "layers": layers,
        }
        return self.push_manifest(repository, manifest, tag)

    def asked(self, *parts: str) -> list[str]:
        """The logged requests as ``GET /v2/…``, those that contain all of `parts`."""
        lines = [f"{request.method} {request.path}" for request in self.requests]
        return [line for line in lines if all(part in line for part in parts)]


def _sha256(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()
