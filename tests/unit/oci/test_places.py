"""Where requests, credentials and redirects may go; all pure."""

from typing import Any

import pytest

from argocd_provenance.errors import OperatorError, RegistryError
from argocd_provenance.oci.bearer import parse_challenges, realm_allowed
from argocd_provenance.oci.network import Network, addresses
from argocd_provenance.oci.redirects import target
from argocd_provenance.oci.reference import Repository
from argocd_provenance.oci.replies import Reply
from argocd_provenance.oci.settings import HostSettings, endpoints

ADDRESSES = {
    "public.example": ["93.184.216.34"],
    "inner.example": ["10.1.2.3"],
    "both.example": ["93.184.216.34", "127.0.0.1"],
}


def lookup(host: str) -> list[str]:
    """The addresses of the few hosts of these tests."""
    return ADDRESSES.get(host, [])


class TestEndpoints:
    @pytest.mark.parametrize(
        ("host", "settings", "base", "may"),
        [
            pytest.param("ghcr.io", {}, "https://ghcr.io", True, id="https"),
            pytest.param("docker.io", {}, "https://registry-1.docker.io", True, id="Docker Hub"),
            pytest.param("localhost:5000", {}, "http://localhost:5000", True, id="localhost"),
            pytest.param("[::1]:5000", {}, "http://[::1]:5000", True, id="IPv6 loopback"),
            pytest.param("127.9.9.9", {}, "http://127.9.9.9", True, id="127/8"),
            pytest.param("127.0.0.1", {"tls": True}, "https://127.0.0.1", True, id="tls"),
            pytest.param("127.0.0.1", {"ca_file": "ca.pem"}, "https://127.0.0.1", True, id="caFile"),
            pytest.param("localhost.example", {}, "https://localhost.example", True, id="no loopback"),
            pytest.param("reg.example", {"plain_http": True}, "http://reg.example", False, id="plainHttp"),
            pytest.param(
                "reg.example", {"mirrors": ("http://m.example",)}, "http://m.example", False, id="plain mirror"
            ),
            pytest.param("reg.example", {"mirrors": ("https://m.example/",)}, "https://m.example", True, id="mirror"),
        ],
    )
    def test_scheme_and_credentials_follow_the_host(
        self, host: str, settings: dict[str, Any], base: str, may: object
    ) -> None:
        """Https but for this machine, and credentials over https or on this machine only."""
        found = endpoints(Repository(host, "a"), [HostSettings(host, **settings)])

        assert [(one.base, one.may_authenticate) for one in found] == [(base, may)]

    def test_every_host_goes_to_the_mirror_and_nowhere_else(self) -> None:
        """`*` stands for the hosts that have no entry."""
        hosts = [HostSettings("*", mirrors=("https://m.example",)), HostSettings("own.example")]

        assert [one.base for one in endpoints(Repository("ghcr.io", "a"), hosts)] == ["https://m.example"]
        assert [one.base for one in endpoints(Repository("own.example", "a"), hosts)] == ["https://own.example"]

    @pytest.mark.parametrize(
        "settings",
        [
            {},
            {"mirrors": ("https://m.example",), "fallback": True},
            {"mirrors": ("ftp://m",)},
            {"mirrors": ("https://u:p@m",)},
        ],
    )
    def test_every_host_needs_a_mirror_without_fallback(self, settings: dict[str, Any]) -> None:
        """Anything else is a mistake in the config."""
        with pytest.raises(OperatorError):
            HostSettings("*", **settings)


class TestRedirects:
    @pytest.mark.parametrize(
        ("here", "location"),
        [
            ("https://public.example/v2/", "http://public.example/"),
            ("https://public.example/v2/", "https://inner.example/"),
            ("https://public.example/v2/", "https://both.example/"),
            ("https://public.example/v2/", "https://127.0.0.1/"),
            ("https://public.example/v2/", "https://[::ffff:10.0.0.1]/"),
            ("https://public.example/v2/", "https://169.254.10.20/"),
            ("https://inner.example/v2/", "https://169.254.10.20/"),
            ("https://inner.example/v2/", "https://localhost/"),
            ("https://both.example/v2/", "https://169.254.10.20/"),
        ],
    )
    def test_never_lead_inwards(self, here: str, location: str) -> None:
        """Nor from https to http."""
        with pytest.raises(RegistryError) as error:
            target(Reply(302, {"location": location}, b"", here), Network(lookup))

        assert error.value.code == "registry-misbehaved"

    @pytest.mark.parametrize(
        ("here", "location", "there"),
        [
            ("https://public.example/v2/a", "/b?sig=1", "https://public.example/b?sig=1"),
            ("https://public.example/", "https://93.184.216.35/b", "https://93.184.216.35/b"),
            ("https://inner.example/", "https://10.9.9.9/b", "https://10.9.9.9/b"),
            ("http://127.0.0.1:1/", "http://127.0.0.2:2/b", "http://127.0.0.2:2/b"),
        ],
    )
    def test_lead_outwards_and_sideways(self, here: str, location: str, there: str) -> None:
        """Blobs of public registries lie elsewhere in public."""
        assert target(Reply(302, {"location": location}, b"", here), Network(lookup)) == there


class TestRealms:
    @pytest.mark.parametrize(
        ("host", "realm", "allowed"),
        [
            ("ghcr.io", "https://ghcr.io/token", True),
            ("docker.io", "https://auth.docker.io/token", True),
            ("registry.gitlab.com", "https://gitlab.com/jwt/auth", True),
            ("ghcr.io", "https://auth.docker.io/token", False),
            ("ghcr.io", "http://ghcr.io/token", False),
            ("ghcr.io", "ftp://ghcr.io/token", False),
            ("ghcr.io", "https://ghcr.io.evil.example/token", False),
            ("ghcr.io", "https://ghcr.io@evil.example/token", False),
            ("ghcr.io", "https://127.0.0.1/token", False),
            ("ghcr.io", "", False),
            ("127.0.0.1:5000", "http://127.0.0.1:6000/token", True),
            ("127.0.0.1:5000", "http://127.0.0.2:6000/token", False),
            ("reg.example", "https://sso.example/token", True),
        ],
    )
    def test_belong_to_the_registry(self, host: str, realm: str, allowed: object) -> None:
        """Its own host, the built-in table, or the operator's word."""
        endpoint = endpoints(Repository(host, "a"), [HostSettings("reg.example", realm="sso.example")])[0]

        assert realm_allowed(realm, endpoint) is allowed

    def test_challenges_are_read_with_quotes_and_commas(self) -> None:
        """RFC 9110, 11.6.1."""
        found = parse_challenges(
            'Basic realm="a, b", Bearer realm="https://x/t",service=s,scope="repository:a:pull,push"'
        )

        assert [(one.scheme, one.parameters) for one in found] == [
            ("basic", {"realm": "a, b"}),
            ("bearer", {"realm": "https://x/t", "service": "s", "scope": "repository:a:pull,push"}),
        ]


@pytest.mark.parametrize("host", ["\u00fc..test", f"{'a' * 64}.test", ".", "a\0b"])
def test_what_cannot_be_a_name_has_no_address(host: str) -> None:
    """A redirect may name anything; the resolver refuses some of it in its own way."""
    assert addresses(host) == []
