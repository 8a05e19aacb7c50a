"""References: the grammar, the defaults and the refusals."""

import pytest

from argocd_provenance.errors import InvalidReference
from argocd_provenance.oci.reference import Digest, Reference, Repository, split

D = "sha256:" + "a" * 64
D512 = "sha512:" + "b" * 128


class TestReference:
    @pytest.mark.parametrize(
        ("text", "name", "tag", "digest"),
        [
            pytest.param("nginx", "docker.io/library/nginx", None, None, id="one word"),
            pytest.param("nginx:1.27", "docker.io/library/nginx", "1.27", None, id="tag"),
            pytest.param("acme/app", "docker.io/acme/app", None, None, id="namespace"),
            pytest.param("index.docker.io/nginx", "docker.io/library/nginx", None, None, id="legacy host"),
            pytest.param("ghcr.io/acme/app:v1@" + D, "ghcr.io/acme/app", "v1", D, id="tag and digest"),
            pytest.param("localhost/app", "localhost/app", None, None, id="localhost"),
            pytest.param("localhost:5000/app@" + D512, "localhost:5000/app", None, D512, id="port and sha512"),
            pytest.param("[::1]:5000/app", "[::1]:5000/app", None, None, id="IPv6"),
            pytest.param("Acme/app", "Acme/app", None, None, id="a capital makes it a host"),
            pytest.param("127.0.0.1:5000", "docker.io/library/127.0.0.1", "5000", None, id="a port is a tag"),
        ],
    )
    def test_is_read_as_a_cluster_reads_it(self, text: str, name: str, tag: str | None, digest: str | None) -> None:
        """Host, path, tag and digest are those that the kubelet finds."""
        found = Reference.parse(text)

        assert (found.repository.name, found.tag, found.digest and found.digest.text) == (name, tag, digest)
        assert found.written == text

    @pytest.mark.parametrize(
        "text",
        [
            "",
            " nginx",
            "nginx\n",
            "nginx:",
            "nginx@",
            "Nginx",
            "acme/App",
            "a" * 64,
            "https://ghcr.io/acme/app",
            "foo_bar.com/app",
            "INDEX.docker.io/app",
            "registry-1.docker.io/app",
            "ghcr.io/acme/app@" + D.upper(),
            "ghcr.io/acme/app@sha256:abc",
            "ghcr.io/acme/app@md5:" + "a" * 32,
            "ghcr.io/acme/app@" + D + "\n",
            "ghcr.io//app",
            "ghcr.io/../app",
            "user@ghcr.io/app",
            "ghcr.io/" + "a" * 256,
            "app:" + "t" * 129,
            "{{ .Values.image }}",
        ],
    )
    def test_anything_else_is_refused(self, text: str) -> None:
        """What no cluster could pull is no reference."""
        with pytest.raises(InvalidReference):
            Reference.parse(text)

    def test_a_pin_keeps_what_was_written(self) -> None:
        """The tag stays for people; a digest that stands there already is left alone."""
        assert Reference.parse("nginx:1.27").pinned(Digest(D)) == f"nginx:1.27@{D}"
        assert Reference.parse(f"nginx@{D}").pinned(Digest(D)) == f"nginx@{D}"

    def test_a_pin_never_replaces_a_digest(self) -> None:
        """Another digest than the one written is a mistake of ours."""
        with pytest.raises(ValueError, match="another digest"):
            Reference.parse(f"nginx@{D}").pinned(Digest(D512))

    def test_without_tag_and_digest_it_is_latest(self) -> None:
        """Beside a digest no tag is assumed."""
        assert Reference.parse("nginx").effective_tag == "latest"
        assert Reference.parse(f"nginx@{D}").effective_tag is None

    def test_its_canonical_form_has_the_digest_alone(self) -> None:
        """Beside a digest the tag says nothing."""
        assert Reference.parse(f"nginx:1@{D}").canonical == f"docker.io/library/nginx@{D}"


class TestRepository:
    def test_has_neither_tag_nor_digest(self) -> None:
        """A repository is named by host and path."""
        with pytest.raises(InvalidReference):
            Repository.parse("ghcr.io/acme/app:v1")

    def test_is_familiar_without_the_defaults(self) -> None:
        """Only Docker Hub's own prefix is left out."""
        found = [Repository.parse(text).familiar for text in ("nginx", "acme/app", "ghcr.io/library/a", "library/a/b")]

        assert found == ["nginx", "acme/app", "ghcr.io/library/a", "library/a/b"]

    def test_cannot_exist_invalid(self) -> None:
        """No path of ours leaves the repository it names."""
        with pytest.raises(InvalidReference):
            Repository("ghcr.io", "acme/../other")


class TestSplit:
    def test_knows_no_defaults(self) -> None:
        """The grammar alone gives no host to one word."""
        assert (split("nginx").host, split("test:5000/repo").host) == ("", "test:5000")
