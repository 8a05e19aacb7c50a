"""References, for any text."""

from hypothesis import given
from hypothesis import strategies as st

from argocd_provenance.errors import InvalidReference
from argocd_provenance.oci.reference import Digest, Reference, registry_host

hosts = st.sampled_from(
    ["docker.io", "ghcr.io", "localhost", "localhost:5000", "[::1]:5000", "Example.COM", "10.0.0.1:80"]
)
paths = st.from_regex(r"[a-z0-9]{1,8}((\.|_|__|-{1,3})[a-z0-9]{1,4}){0,2}(/[a-z0-9]{1,8}){1,3}", fullmatch=True)
tags = st.none() | st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", fullmatch=True)
digests = st.none() | st.binary().flatmap(
    lambda b: st.sampled_from(["sha256", "sha384", "sha512"]).map(lambda a: Digest.of(b, a))
)


class TestReadAndPrint:
    """Reading what was printed gives what was printed."""

    @given(hosts, paths, tags, digests)
    def test_printing_is_the_inverse_of_reading(
        self, host: str, path: str, tag: str | None, digest: Digest | None
    ) -> None:
        """Path, tag and digest come back as they went in, and the host in its one spelling."""
        rest = f"/{path}" + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
        text = f"{host}{rest}"

        found = Reference.parse(text)

        assert str(found) == f"{registry_host(host)}{rest}"
        assert (found.repository.host, found.repository.path, found.tag, found.digest) == (
            registry_host(host),
            path,
            tag,
            digest,
        )

    @given(st.text() | st.text(alphabet="aA0._-:/@[]%\n ", max_size=40))
    def test_any_text_is_a_reference_or_invalid(self, text: str) -> None:
        """Nothing else is raised, and what is read can be read again."""
        try:
            found = Reference.parse(text)
        except InvalidReference:
            return

        assert Reference.parse(str(found)).repository == found.repository
        assert found.written == text
