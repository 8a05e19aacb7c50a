"""With what TLS is spoken: verification that nothing turns off, the operator's CA or the public ones."""

import contextlib
import ssl
from pathlib import Path

import certifi
import pytest

from argocd_provenance.oci.settings import HostSettings
from argocd_provenance.oci.tls import SharedContext, context
from support.certificates import Authority


def roots(file: str) -> int:
    """How many CAs a file holds."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(cafile=file)
    return made.cert_store_stats()["x509_ca"]


def test_certificates_are_verified_and_belong_to_the_host() -> None:
    """By default, without a word in the config; and nothing older than TLS 1.2."""
    made = context(HostSettings("ghcr.io"))

    assert made.verify_mode is ssl.CERT_REQUIRED
    assert made.check_hostname
    assert not made.hostname_checks_common_name
    assert made.minimum_version >= ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_without_a_ca_file_the_public_cas_of_certifi_are_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """All of them, and no other: not what the environment names."""
    monkeypatch.setenv(name, str(Authority(tmp_path).ca))

    assert context(HostSettings("ghcr.io")).cert_store_stats()["x509_ca"] == roots(certifi.where()) > 100


def test_with_a_ca_file_no_other_ca_is_trusted(tmp_path: Path) -> None:
    """A private registry's certificate comes from a private CA; a public one could be an attacker's."""
    assert context(HostSettings("corp.test", ca_file=str(Authority(tmp_path).ca))).cert_store_stats()["x509_ca"] == 1


def test_a_context_that_is_in_use_is_not_changed(tmp_path: Path) -> None:
    """SSL_CTX_new(3): no change once connections were made from it; urllib3 would name the protocols for each."""
    authority = Authority(tmp_path)
    server = authority.server("registry.test")
    server.set_alpn_protocols(["h2", "http/1.1"])
    made = context(HostSettings("registry.test", ca_file=str(authority.ca)))
    made.set_alpn_protocols(["h2"])

    assert isinstance(made, SharedContext)
    assert spoken(made, server) == "http/1.1"


def spoken(client: ssl.SSLContext, server: ssl.SSLContext) -> str | None:
    """The protocol that both agree on, in memory."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    there = server.wrap_bio(to_server, to_client, server_side=True)
    here = client.wrap_bio(to_client, to_server, server_hostname="registry.test")
    for _ in range(4):
        for one in (here, there):
            with contextlib.suppress(ssl.SSLWantReadError):
                one.do_handshake()
    return here.selected_alpn_protocol()
