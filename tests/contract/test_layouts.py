"""Mirrors in files: OCI image layouts answer as registries do, with nobody to ask."""

import json
from pathlib import Path
from typing import Any

import pytest

from argocd_provenance.demo.contents import Contents
from argocd_provenance.demo.registry import Registry
from argocd_provenance.errors import NotFound, RegistryError
from argocd_provenance.oci.descriptor import DSSE, SIMPLE_SIGNING
from argocd_provenance.oci.gathered import Place
from argocd_provenance.oci.reference import Digest, Reference, Repository
from argocd_provenance.oci.settings import HostSettings
from support.registries import client
from support.shop import BUILT, WEB, pod, shop


def write(contents: Contents, folder: Path, repository: str, *, named: bool = True) -> Path:
    """The layout of a repository below `folder`; with `named` its tags are there."""
    layout = folder / repository
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    for (name, digest), blob in contents.blobs.items():
        if name == repository:
            (blobs / digest.partition(":")[2]).write_bytes(blob)
    entries: list[dict[str, Any]] = []
    for (name, digest), (media_type, manifest) in contents.manifests.items():
        if name == repository:
            (blobs / digest.partition(":")[2]).write_bytes(manifest)
            tags = [tag for (where, tag), known in contents.tags.items() if (where, known) == (repository, digest)]
            entry = {"mediaType": media_type, "digest": digest, "size": len(manifest)}
            notes = [{"annotations": {"org.opencontainers.image.ref.name": tag}} for tag in tags] if named else [{}]
            entries += [entry | note for note in notes or [{}]]
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": entries}))
    return layout


@pytest.fixture
def layouts(tmp_path: Path) -> tuple[Path, dict[str, Any], Contents]:
    """The folder, and an image with a bundle, a .sig and an .att on it."""
    with Registry(referrers=True) as registry:
        image = registry.push_image("acme/app", "v1")
        registry.attach_bundle("acme/app", image, b'{"a": "bundle"}', "x")
        for suffix, kind in (("sig", SIMPLE_SIGNING), ("att", DSSE)):
            layer = registry.push_blob("acme/app", suffix.encode(), kind)
            registry.attach_layer("acme/app", image["digest"], suffix, layer, suffix.encode())
        write(registry.contents, tmp_path / "layouts", "acme/app")
        return tmp_path / "layouts", image, registry.contents


def settings(folder: Path) -> list[HostSettings]:
    """docker.io is in this folder."""
    return [HostSettings("docker.io", mirrors=(folder.as_uri(),))]


def test_tags_lists_and_blobs_are_found(layouts: tuple[Path, dict[str, Any], Contents]) -> None:
    """Every place, without a connection."""
    folder, image, _ = layouts
    with client("docker.io", hosts=settings(folder)) as asking:
        digest = asking.resolve(Reference.parse("acme/app:v1"))
        found = [asking.gather(Repository("docker.io", "acme/app"), digest, place) for place in Place]

        assert digest.text == image["digest"]
        assert [[one.content for one in each.attachments] for each in found] == [
            [b'{"a": "bundle"}'],
            [b"sig"],
            [b"att"],
        ]
        assert [each.faults for each in found] == [(), (), ()]
        for missing in ("acme/app:v2", "acme/other:v1"):
            with pytest.raises(NotFound):
                asking.resolve(Reference.parse(missing))


def test_what_cosign_save_writes_is_found_by_its_kind(layouts: tuple[Path, dict[str, Any], Contents]) -> None:
    """It names no tag for signatures."""
    folder, image, contents = layouts
    index = json.loads((folder / "acme/app/index.json").read_text())
    kinds = {".sig": "dev.cosignproject.cosign/sigs", ".att": "dev.cosignproject.cosign/atts"}
    for entry in index["manifests"]:
        tag = entry.get("annotations", {}).get("org.opencontainers.image.ref.name", "")
        if tag[-4:] in kinds:
            entry["annotations"] = {"kind": kinds[tag[-4:]]}
    (folder / "acme/app/index.json").write_text(json.dumps(index))

    with client("docker.io", hosts=settings(folder)) as asking:
        found = asking.gather(Repository("docker.io", "acme/app"), Digest(image["digest"]), Place.SIGNATURES)

    assert [one.content for one in found.attachments] == [b"sig"]
    assert contents.tags


@pytest.mark.parametrize("content", [b"", b"[]", b'{"manifests": 1}', b"[" * 1000, b'{"manifests": [1, {}]}'])
def test_a_broken_index_proves_nothing(layouts: tuple[Path, dict[str, Any], Contents], content: bytes) -> None:
    """It is no image, or a fault; never a crash."""
    folder, _, _ = layouts
    (folder / "acme/app/index.json").write_bytes(content)
    with client("docker.io", hosts=settings(folder)) as asking, pytest.raises(RegistryError):
        asking.resolve(Reference.parse("acme/app:v1"))


def test_other_bytes_than_the_digest_are_refused(layouts: tuple[Path, dict[str, Any], Contents]) -> None:
    """A file is believed no more than a registry."""
    folder, image, _ = layouts
    (folder / "acme/app/blobs/sha256" / image["digest"][7:]).write_bytes(b'{"schemaVersion":2,"layers":[]}')
    with client("docker.io", hosts=settings(folder)) as asking, pytest.raises(RegistryError) as error:
        asking.manifest(Repository("docker.io", "acme/app"), Digest(image["digest"]))

    assert error.value.code == "digest-mismatch"


def test_a_deployment_without_any_network(tmp_path: Path) -> None:
    """`generate --offline` verifies and pins from layouts; the registry hears nothing."""
    with shop(tmp_path, images=[{**WEB, "attach": [BUILT]}], source={"web.yaml": pod("acme/web:v1")}) as here:
        write(here.registry.contents, tmp_path / "layouts", "acme/web")
        config = here.folder / "config.yaml"
        host = f'{{host: "{here.registry.host}"'
        text = config.read_text()
        assert host in text
        config.write_text(text.replace(host, f'{host}, mirror: "{(tmp_path / "layouts").as_uri()}"'))
        code, out, err = here.generate("--offline")

        assert code == 0, err
        assert f"acme/web:v1@{here.registry.contents.tags['acme/web', 'v1']}" in out
        assert here.registry.requests == []
