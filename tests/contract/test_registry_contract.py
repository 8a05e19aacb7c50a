"""What any registry must do for us: on the in-process registry with and without Referrers API, and on a real one."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from argocd_provenance.demo.registry import Registry
from argocd_provenance.errors import NotFound
from argocd_provenance.oci.descriptor import DSSE, SIMPLE_SIGNING, Index, Manifest
from argocd_provenance.oci.gathered import Place
from argocd_provenance.oci.reference import Digest, Reference, Repository
from argocd_provenance.oci.registry import Registry as Client
from support.registries import DockerRegistry, client, copy

BUNDLE = b'{"a": "bundle"}'
SIGNATURE = b'{"a": "payload"}'
ENVELOPE = b'{"an": "envelope"}'


@dataclass
class Stand:
    """A registry that holds `image` (a bundle, a .sig and an .att hang on it), and `index` over it."""

    host: str
    image: dict[str, Any]
    index: dict[str, Any]

    @property
    def repository(self) -> Repository:
        """The repository of everything."""
        return Repository(self.host, "acme/app")

    @property
    def digest(self) -> Digest:
        """The digest of `image`."""
        return Digest(self.image["digest"])


def fill(registry: Registry) -> tuple[dict[str, Any], dict[str, Any]]:
    """Push everything; the descriptors of image and index."""
    image = registry.push_image("acme/app", "v1")
    arm = registry.push_image("acme/app", None, [b"arm"], platform="linux/arm64")
    amd64 = {"os": "linux", "architecture": "amd64"}
    arm64 = {"os": "linux", "architecture": "arm64", "variant": "v8"}
    index = registry.push_index("acme/app", "all", [image | {"platform": amd64}, arm | {"platform": arm64}])
    registry.attach_bundle("acme/app", image, BUNDLE, "https://slsa.dev/provenance/v1")
    for suffix, kind, content in (("sig", SIMPLE_SIGNING, SIGNATURE), ("att", DSSE, ENVELOPE)):
        layer = registry.push_blob("acme/app", content, kind) | {"annotations": {"a": "hint"}}
        registry.attach_layer("acme/app", image["digest"], suffix, layer, content)
    return image, index


@pytest.fixture(
    params=[
        pytest.param("api", id="with referrers API"),
        pytest.param("tags", id="without referrers API"),
        pytest.param("docker", id="docker-registry", marks=pytest.mark.peers),
    ]
)
def stand(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stand]:
    """Each kind of registry in turn."""
    with Registry(referrers=request.param == "api") as registry:
        image, index = fill(registry)
        if request.param != "docker":
            yield Stand(registry.host, image, index)
            return
        with DockerRegistry(tmp_path) as real:
            copy(registry.contents, real.host)
            yield Stand(real.host, image, index)


@pytest.fixture
def registry(stand: Stand) -> Iterator[Client]:
    """The client under test."""
    with client(stand.host) as registry:
        yield registry


class TestARegistry:
    """The expectations."""

    def test_a_tag_resolves_to_the_digest_of_its_manifest(self, stand: Stand, registry: Client) -> None:
        """The digest is that of the bytes under the tag."""
        found = registry.resolve(Reference.parse(f"{stand.host}/acme/app:v1"))

        assert found == stand.digest

    def test_a_missing_tag_is_not_found(self, stand: Stand, registry: Client) -> None:
        """What is not there is an error of its own."""
        with pytest.raises(NotFound) as error:
            registry.resolve(Reference.parse(f"{stand.host}/acme/app:nope"))

        assert (error.value.code, error.value.status) == ("image-not-found", 404)

    def test_manifests_and_blobs_are_read_by_digest(self, stand: Stand, registry: Client) -> None:
        """A manifest's layers are blobs of the same repository."""
        manifest = registry.manifest(stand.repository, stand.digest)

        assert isinstance(manifest, Manifest)
        assert registry.blob(stand.repository, manifest.layers[0]) == b"layer"

    def test_an_index_names_its_children_by_platform(self, stand: Stand, registry: Client) -> None:
        """The platform is written as containerd writes it."""
        index = Digest(stand.index["digest"])

        assert isinstance(registry.manifest(stand.repository, index), Index)
        assert list(registry.children(stand.repository, index)) == ["linux/amd64", "linux/arm64/v8"]
        assert registry.children(stand.repository, stand.digest) == {}

    @pytest.mark.parametrize(
        ("place", "kind", "content"),
        [
            pytest.param(Place.REFERRERS, "bundle", BUNDLE, id="referrers"),
            pytest.param(Place.SIGNATURES, "layer", SIGNATURE, id="sig"),
            pytest.param(Place.ATTESTATIONS, "layer", ENVELOPE, id="att"),
        ],
    )
    def test_what_hangs_on_a_digest_is_gathered(
        self, stand: Stand, registry: Client, place: Place, kind: str, content: bytes
    ) -> None:
        """Every place gives its content, without a fault."""
        found = registry.gather(stand.repository, stand.digest, place)

        assert found.faults == ()
        assert [(one.kind, one.content) for one in found.attachments] == [(kind, content)]

    def test_nothing_on_a_digest_is_no_fault(self, stand: Stand, registry: Client) -> None:
        """Absence is absence, and the notes say where it was looked for."""
        nobody = Digest.of(b"nobody")

        found = [registry.gather(stand.repository, nobody, place) for place in Place]

        assert [one.faults for one in found] == [(), (), ()]
        assert [one.attachments for one in found] == [(), (), ()]
        assert [one.notes[-1] for one in found] == [
            f"looked at: sha256-{nobody.hex[:12]}…{suffix} (404)" for suffix in ("", ".sig", ".att")
        ]
