"""Where requests, credentials and redirects may go; all pure."""

import pytest

from argocd_provenance.errors import OperatorError, RegistryError, Unauthorized
from argocd_provenance.oci.bearer import parse_challenges, realm_allowed
from argocd_provenance.oci.credentials import Credential, Credentials
from argocd_provenance.oci.redirects import target
from argocd_provenance.oci.reference import Repository
from argocd_provenance.oci.replies import Reply, shown
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
            pytest.param("reg.example", {"mirror": "http://m.example"}, "http://m.example", False, id="plain mirror"),
            pytest.param("reg.example", {"mirror": "https://m.example/"}, "https://m.example", True, id="mirror"),
        ],
    )
    def test_scheme_and_credentials_follow_the_host(
        self, host: str, settings: dict[str, str], base: str, may: object
    ) -> None:
        """Https but for this machine, and credentials over https or on this machine only."""
        found = endpoints(Repository(host, "a"), [HostSettings(host, **settings)])  # type: ignore[arg-type]

        assert [(one.base, one.may_authenticate) for one in found] == [(base, may)]

    def test_every_host_goes_to_the_mirror_and_nowhere_else(self) -> None:
        """`*` stands for the hosts that have no entry."""
        hosts = [HostSettings("*", mirror="https://m.example"), HostSettings("own.example")]

        assert [one.base for one in endpoints(Repository("ghcr.io", "a"), hosts)] == ["https://m.example"]
        assert [one.base for one in endpoints(Repository("own.example", "a"), hosts)] == ["https://own.example"]

    @pytest.mark.parametrize(
        "settings",
        [{}, {"mirror": "https://m.example", "fallback": True}, {"mirror": "ftp://m"}, {"mirror": "https://u:p@m"}],
    )
    def test_every_host_needs_a_mirror_without_fallback(self, settings: dict[str, str]) -> None:
        """Anything else is a mistake in the config."""
        with pytest.raises(OperatorError):
            HostSettings("*", **settings)  # type: ignore[arg-type]


class TestRedirects:
    @pytest.mark.parametrize(
        ("here", "location"),
        [
            ("https://public.example/v2/", "http://public.example/"),
            ("https://public.example/v2/", "https://inner.example/"),
            ("https://public.example/v2/", "https://both.example/"),
            ("https://public.example/v2/", "https://127.0.0.1/"),
            ("https://public.example/v2/", "https://[::ffff:10.0.0.1]/"),
            ("https://public.example/v2/", "https://169.254.169.254/"),
            ("https://inner.example/v2/", "https://169.254.169.254/"),
            ("https://inner.example/v2/", "https://localhost/"),
            ("https://both.example/v2/", "https://169.254.169.254/"),
        ],
    )
    def test_never_lead_inwards(self, here: str, location: str) -> None:
        """Nor from https to http."""
        with pytest.raises(RegistryError) as error:
            target(Reply(302, {"location": location}, b"", here), lookup)

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
        assert target(Reply(302, {"location": location}, b"", here), lookup) == there


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


class TestCredentials:
    CONFIG = b"""{"auths": {"https://index.docker.io/v1/": {"auth": "dXNlcjpodW50ZXIy"}, "ghcr.io": {},
        "quay.io": {"identitytoken": "hunter2"}}, "credsStore": "pass", "credHelpers": {"gcr.io": "gcloud"}}"""

    def test_are_found_by_host(self) -> None:
        """Docker Hub's old key is docker.io."""
        found = Credentials.parse(self.CONFIG)

        assert found.of("docker.io") == Credential("user", "hunter2")
        assert found.of("quay.io") == Credential(identity_token="hunter2")
        assert found.of("evil.example") is None

    @pytest.mark.parametrize("host", ["gcr.io", "ghcr.io"])
    def test_in_a_helper_are_an_error_of_that_host(self, host: str) -> None:
        """Only who needs them hears of it."""
        with pytest.raises(Unauthorized, match="helper"):
            Credentials.parse(self.CONFIG).of(host)

    def test_are_never_shown(self) -> None:
        """Neither by repr, nor in a URL."""
        found = Credentials.parse(self.CONFIG)

        assert "hunter2" not in repr(found) + repr(found.of("docker.io"))
        assert shown("https://u:hunter2@a/b?token=hunter2#c") == "https://a/b"

    @pytest.mark.parametrize("text", [b"[]", b'{"auths": [1]}', b'{"auths": {"a": {"auth": "hunter2"}}}'])
    def test_that_cannot_be_read_are_the_operators_mistake(self, text: bytes) -> None:
        """And the message holds none of them."""
        with pytest.raises(OperatorError) as error:
            Credentials.parse(text)

        assert "hunter2" not in str(error.value)
