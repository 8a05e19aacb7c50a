"""Through which proxy a host is asked: requests' answer, had without requests where the environment names none."""

import os
import subprocess
import sys
from collections.abc import Mapping

import pytest
from requests.utils import get_environ_proxies, select_proxy

from argocd_provenance.oci.proxies import proxy_for

ASKED = (
    "registry.test",
    "registry.test:5000",
    "10.1.2.3",
    "10.1.2.3:5000",
    "192.0.2.1",
    "ghcr.io",
    "[2001:db8::1]:5000",
)
ENVIRONMENTS: tuple[Mapping[str, str], ...] = (
    {},
    {"HTTPS_PROXY": "http://proxy.test:3128"},
    {"https_proxy": "http://low.test:3128", "HTTPS_PROXY": "http://high.test:3128"},
    {"https_proxy": "", "HTTPS_PROXY": "http://high.test:3128"},
    {"HTTP_PROXY": "http://proxy.test:3128"},
    {"HTTP_PROXY": "http://proxy.test:3128", "REQUEST_METHOD": "GET"},
    {"all_proxy": "http://every.test:3128"},
    {"ALL_PROXY": "http://every.test:3128", "HTTPS_PROXY": "http://proxy.test:3128"},
    {"Https_Proxy": "http://mixed.test:3128"},
    {"HTTPS_PROXY": "http://proxy.test:3128", "NO_PROXY": "*"},
    {"HTTPS_PROXY": "http://proxy.test:3128", "NO_PROXY": ".test"},
    {"HTTPS_PROXY": "http://proxy.test:3128", "NO_PROXY": "registry.test:5000"},
    {"HTTPS_PROXY": "http://proxy.test:3128", "no_proxy": "10.0.0.0/8, ghcr.io"},
    {"HTTPS_PROXY": "http://proxy.test:3128", "no_proxy": "10.1.2.3"},
    {"HTTPS_PROXY": "http://proxy.test:3128", "no_proxy": "", "NO_PROXY": "ghcr.io"},
    {"NO_PROXY": "ghcr.io"},
    {"ftp_proxy": "http://proxy.test:3128", "GIT_PROXY": "x", "PROXY": "y"},
    {"https://ghcr.io_proxy": "http://one.test:3128"},
)


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the environment of the tests named none."""
    for name in (*os.environ,):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=str)
def test_the_proxy_is_the_one_that_requests_would_take(
    monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str]
) -> None:
    """For every host and scheme, whatever spelling names it and whoever is exempt."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for host in ASKED:
        for scheme in ("https", "http"):
            url = f"{scheme}://{host}"
            assert proxy_for(scheme, host) == (select_proxy(url, dict(get_environ_proxies(url))) or "")


def test_some_of_these_environments_name_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison is not one of nothing with nothing."""
    monkeypatch.setenv("HTTPS_PROXY", "proxy.test:3128")

    assert proxy_for("https", "ghcr.io") == "http://proxy.test:3128"
    assert proxy_for("http", "ghcr.io") == ""


@pytest.mark.parametrize("host", ["localhost", "localhost:5000", "127.0.0.1:5000", "127.9.9.9", "[::1]:5000"])
def test_this_machine_has_no_proxy(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """Loopback is here, not there."""
    monkeypatch.setenv("ALL_PROXY", "http://proxy.test:3128")

    assert proxy_for("https", host) == ""


@pytest.mark.parametrize(
    ("environment", "imported"),
    [
        ({}, "False"),
        ({"NO_PROXY": "ghcr.io", "HTTP_PROXY": "http://proxy.test:3128"}, "False"),
        ({"HTTPS_PROXY": "http://proxy.test:3128"}, "True"),
        ({"all_proxy": "http://proxy.test:3128"}, "True"),
    ],
    ids=str,
)
def test_requests_is_imported_where_a_proxy_is_named_and_nowhere_else(
    environment: Mapping[str, str], imported: str
) -> None:
    """Its import is slower than a question to a registry near by."""
    script = (
        "import sys; from argocd_provenance.oci.transport import Transport; import argocd_provenance.oci.bearer, "
        "argocd_provenance.oci.files; from argocd_provenance.oci.proxies import proxy_for; proxy_for('https', 'ghcr.io'); "
        "print('requests' in sys.modules, 'urllib3' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", script], env=environment, capture_output=True, text=True, check=True
    )

    assert done.stdout.split() == [imported, "True"]
