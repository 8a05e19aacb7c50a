"""A real docker-registry, as people run it: TLS of a private CA, client certificates, htpasswd, tokens."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from argocd_provenance.demo.registry import Registry
from argocd_provenance.errors import RegistryError, Unauthorized
from argocd_provenance.oci.credential import Credential
from argocd_provenance.oci.credentials import Credentials
from argocd_provenance.oci.gathered import Place
from argocd_provenance.oci.reference import Digest, Reference
from argocd_provenance.oci.settings import HostSettings
from support.certificates import Authority
from support.registries import DockerRegistry, client, copy
from support.tokens import TokenServer

pytestmark = pytest.mark.peers

LOGIN = ("user", "hunter2")
HASH = "$2b$05$abcdefghijklmnopqrstuuoXuKqgZXLiJqzfmMXDDhSFPIvxV7t8."
"""bcrypt of hunter2, for no other use."""


@contextmanager
def served(folder: Path, **sections: Any) -> Iterator[tuple[str, Digest]]:
    """A registry with an image and a bundle on it, started again with these sections; its host, and the digest."""
    with Registry() as made, DockerRegistry(folder) as plain:
        image = made.push_image("acme/app", "v1")
        made.attach_bundle("acme/app", image, b"{}", "x")
        copy(made.contents, plain.host)
    with DockerRegistry(folder, **sections) as real:
        yield real.host, Digest(image["digest"])


def asked(host: str, *hosts: HostSettings, credentials: Credentials | None = None) -> tuple[Digest, bytes]:
    """The image's digest, and what hangs on it."""
    with client(host, hosts=hosts, credentials=credentials) as asking:
        reference = Reference.parse(f"{host}/acme/app:v1")
        digest = asking.resolve(reference)
        found = asking.gather(reference.repository, digest, Place.REFERRERS)
    assert found.faults == ()
    return digest, found.attachments[0].content


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """A private CA."""
    return Authority(tmp_path)


def test_tls_with_a_private_ca_and_client_certificates(tmp_path: Path, authority: Authority) -> None:
    """Both sides show who they are; neither is optional."""
    pem = str(authority.issue("127.0.0.1"))
    tls = {"certificate": pem, "key": pem, "clientcas": [str(authority.ca)]}
    with served(tmp_path, http={"tls": tls}) as (host, digest):
        ca, ours = str(authority.ca), str(authority.issue("us.test", client=True))

        assert asked(host, HostSettings(host, ca_file=ca, client_cert=ours)) == (digest, b"{}")
        with pytest.raises(RegistryError):
            asked(host, HostSettings(host, ca_file=ca))
        with pytest.raises(RegistryError, match="TLS"):
            asked(host, HostSettings(host, tls=True, client_cert=ours))


def test_htpasswd(tmp_path: Path) -> None:
    """The right password, a wrong one, none."""
    (tmp_path / "htpasswd").write_text(f"user:{HASH}\n")
    auth = {"htpasswd": {"realm": "test", "path": str(tmp_path / "htpasswd")}}
    with served(tmp_path, auth=auth) as (host, digest):
        assert asked(host, credentials=Credentials.for_host(host, Credential(*LOGIN))) == (digest, b"{}")
        for wrong in (None, Credentials.for_host(host, Credential("user", "other"))):
            with pytest.raises(Unauthorized):
                asked(host, credentials=wrong)


def test_tokens(tmp_path: Path, authority: Authority) -> None:
    """A token server of its own, whose tokens are good for one repository and for pull."""
    with TokenServer(authority, LOGIN, issuer="tests", service="registry") as server:
        token = {"realm": server.url, "service": "registry", "issuer": "tests", "rootcertbundle": str(authority.ca)}
        with served(tmp_path, auth={"token": token}) as (host, digest):
            assert asked(host, credentials=Credentials.for_host(host, Credential(*LOGIN))) == (digest, b"{}")
            assert server.scopes == ["repository:acme/app:pull"]
            with pytest.raises(Unauthorized):
                asked(host)
