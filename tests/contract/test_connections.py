"""Whom we speak to, and how: TLS, client certificates, proxies, mirrors, and addresses that a name must not lead to."""

import contextlib
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from argocd_provenance.deadline import Deadline
from argocd_provenance.demo.registry import Answer, Registry, refusal
from argocd_provenance.errors import DeadlineExceeded, OperatorError, RegistryError
from argocd_provenance.oci.credential import Credential
from argocd_provenance.oci.credentials import Credentials
from argocd_provenance.oci.gathered import Place
from argocd_provenance.oci.network import Network, Zone
from argocd_provenance.oci.reference import Digest, Reference, Repository
from argocd_provenance.oci.registry import Registry as Client
from argocd_provenance.oci.settings import HostSettings
from argocd_provenance.oci.transport import Transport
from support.certificates import Authority
from support.proxy import Proxy
from support.registries import client

ZONES = {"127.0.0.1": Zone.PUBLIC, "127.0.0.2": Zone.LINK_LOCAL, "127.0.0.3": Zone.PRIVATE}
TAG = "/v2/acme/app/manifests/v1"


def filled(registry: Registry) -> Registry:
    """The registry with acme/app:v1."""
    registry.push_image("acme/app", "v1")
    return registry


def resolved(host: str, *hosts: HostSettings, **more: Any) -> Digest:
    """What acme/app:v1 of `host` is."""
    with client(host, hosts=hosts, **more) as asking:
        return asking.resolve(Reference.parse(f"{host}/acme/app:v1"))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """A private CA."""
    return Authority(tmp_path)


class TestTLS:
    def test_a_private_ca_is_trusted_for_its_host(self, authority: Authority) -> None:
        """`caFile` is all that it takes."""
        with filled(Registry(tls=authority.server("127.0.0.1"))) as registry:
            settings = HostSettings(registry.host, ca_file=str(authority.ca))

            assert resolved(registry.host, settings).text == registry.contents.tags["acme/app", "v1"]

    def test_a_certificate_of_nobody_we_know_is_refused_before_anything_is_sent(
        self, authority: Authority, tmp_path: Path
    ) -> None:
        """Neither the public CAs nor another private one vouch for it; asking again is no help."""
        other = Authority(tmp_path, "other")
        with filled(Registry(tls=authority.server("127.0.0.1"))) as registry:
            for settings in (
                HostSettings(registry.host, tls=True),
                HostSettings(registry.host, ca_file=str(other.ca)),
            ):
                with pytest.raises(RegistryError, match="TLS: ") as error:
                    resolved(registry.host, settings)
                assert error.value.code == "registry-unavailable"

            assert registry.requests == []

    @pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
    def test_the_environment_does_not_say_whom_we_trust(
        self, authority: Authority, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        """The operator's config does; and without it the public CAs."""
        monkeypatch.setenv(name, str(authority.ca))
        with filled(Registry(tls=authority.server("127.0.0.1"))) as registry:
            with pytest.raises(RegistryError, match="TLS: "):
                resolved(registry.host, HostSettings(registry.host, tls=True))
            assert registry.requests == []

    def test_a_new_ca_is_read_by_the_next_run(self, authority: Authority, tmp_path: Path) -> None:
        """CAs and client certificates are renewed while a resident process lives."""
        file = tmp_path / "renewed.pem"
        file.write_bytes(Authority(tmp_path, "other").ca.read_bytes())
        with filled(Registry(tls=authority.server("127.0.0.1"))) as registry:
            settings = HostSettings(registry.host, ca_file=str(file))
            with pytest.raises(RegistryError, match="TLS: "):
                resolved(registry.host, settings)
            file.write_bytes(authority.ca.read_bytes())

            assert resolved(registry.host, settings)

    def test_a_certificate_for_another_name_is_refused(self, authority: Authority) -> None:
        """The right CA, the wrong host."""
        with (
            filled(Registry(tls=authority.server("127.0.0.2"))) as registry,
            pytest.raises(RegistryError, match=r"TLS: .*127\.0\.0\.1"),
        ):
            resolved(registry.host, HostSettings(registry.host, ca_file=str(authority.ca)))

    def test_a_client_certificate_is_shown_to_its_host(self, authority: Authority) -> None:
        """Without one the door stays shut."""
        certificate = str(authority.issue("us.test", client=True))
        with filled(Registry(tls=authority.server("127.0.0.1", client_ca=authority.ca))) as registry:
            ca = str(authority.ca)

            assert resolved(registry.host, HostSettings(registry.host, ca_file=ca, client_cert=certificate))
            with pytest.raises(RegistryError):
                resolved(registry.host, HostSettings(registry.host, ca_file=ca))

    def test_a_client_certificate_is_shown_to_no_other_host(self, authority: Authority) -> None:
        """Of the same CA or not."""
        certificate = str(authority.issue("us.test", client=True))
        ca = str(authority.ca)
        with (
            filled(Registry(tls=authority.server("127.0.0.1", client_ca=authority.ca))) as ours,
            filled(Registry(tls=authority.server("127.0.0.1", client_ca=authority.ca))) as other,
        ):
            settings = [
                HostSettings(ours.host, ca_file=ca, client_cert=certificate),
                HostSettings(other.host, ca_file=ca),
            ]
            with client(ours.host, other.host, hosts=settings) as asking:
                assert asking.resolve(Reference.parse(f"{ours.host}/acme/app:v1"))
                with pytest.raises(RegistryError):
                    asking.resolve(Reference.parse(f"{other.host}/acme/app:v1"))

            assert other.requests == []

    @pytest.mark.parametrize("field", ["ca_file", "client_cert"])
    @pytest.mark.parametrize("content", [None, "", "hunter2"])
    def test_a_file_that_is_none_is_the_operators_mistake(
        self, tmp_path: Path, field: str, content: str | None
    ) -> None:
        """It is named, with its host and without its content."""
        file = tmp_path / "file.pem"
        if content is not None:
            file.write_text(content)
        settings: Any = {field: str(file), "tls": True}
        with filled(Registry()) as registry, pytest.raises(OperatorError) as error:
            resolved(registry.host, HostSettings(registry.host, **settings))

        assert str(file) in str(error.value)
        assert registry.host in str(error.value)
        assert "hunter2" not in str(error.value)


class TestProxies:
    @pytest.fixture
    def behind(self, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Registry, Proxy]]:
        """registry.test, which only the proxy knows the way to."""
        for name in ("NO_PROXY", "no_proxy", "https_proxy", "http_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
        with (
            filled(Registry(tls=authority.server("registry.test"))) as registry,
            Proxy({"registry.test:443": registry.host}) as proxy,
        ):
            monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("://", "://user:word@"))
            yield registry, proxy

    def test_https_goes_through_the_proxy_and_stays_unread(
        self, behind: tuple[Registry, Proxy], authority: Authority
    ) -> None:
        """The proxy gets its own credential, and sees neither ours nor what is asked."""
        registry, proxy = behind
        registry.login = ("user", "hunter2")
        found = Credentials.for_host("registry.test", Credential("user", "hunter2"))

        digest = resolved("registry.test", HostSettings("registry.test", ca_file=str(authority.ca)), credentials=found)

        assert digest.text == registry.contents.tags["acme/app", "v1"]
        assert set(proxy.asked) == {"CONNECT registry.test:443 HTTP/1.0"}
        assert set(proxy.authorizations) == {"Proxy-Authorization: Basic dXNlcjp3b3Jk"}

    def test_plain_http_is_forwarded_by_the_proxy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is told the whole address, and its credential goes no further."""
        for name in ("NO_PROXY", "no_proxy", "http_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
        with filled(Registry()) as registry, Proxy({"registry.test": registry.host}) as proxy:
            monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("://", "://user:word@"))
            assert resolved("registry.test", HostSettings("registry.test", plain_http=True))

            assert proxy.asked == [f"GET http://registry.test{TAG} HTTP/1.1"]
            assert proxy.authorizations == ["Proxy-Authorization: Basic dXNlcjp3b3Jk"]
            assert registry.asked() == [f"GET {TAG}"]

    def test_a_proxy_that_speaks_tls_shows_a_certificate_and_sees_none_of_ours(
        self, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Ours is for the registry behind it."""
        for name in ("NO_PROXY", "no_proxy", "https_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
        certificate = str(authority.issue("us.test", client=True))
        curious = authority.server("127.0.0.1", client_ca=authority.ca)
        curious.verify_mode = ssl.CERT_OPTIONAL
        strange = Authority(tmp_path, "strange").server("127.0.0.1")
        settings = HostSettings("registry.test", ca_file=str(authority.ca), client_cert=certificate)
        with filled(Registry(tls=authority.server("registry.test", client_ca=authority.ca))) as registry:
            ways = {"registry.test:443": registry.host}
            with Proxy(ways, tls=curious) as proxy, Proxy(ways, tls=strange) as stranger:
                monkeypatch.setenv("HTTPS_PROXY", proxy.url)
                assert resolved("registry.test", settings)
                monkeypatch.setenv("HTTPS_PROXY", stranger.url)
                with pytest.raises(RegistryError, match="TLS: "):
                    resolved("registry.test", settings)

                assert set(proxy.asked) == {"CONNECT registry.test:443 HTTP/1.0"}
                assert not any(proxy.certificates)
                assert stranger.asked == []

    @pytest.mark.parametrize("proxy", ["http://", "ftp://127.0.0.1:9", "socks9://127.0.0.1:9"])
    def test_a_proxy_that_is_none_is_named_as_the_reason(
        self, authority: Authority, monkeypatch: pytest.MonkeyPatch, proxy: str
    ) -> None:
        """Nobody is asked directly instead."""
        for name in ("NO_PROXY", "no_proxy", "https_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        with filled(Registry(tls=authority.server("registry.test"))) as registry:
            host = f"registry.test:{registry.host.rpartition(':')[2]}"
            settings = HostSettings(host, ca_file=str(authority.ca))
            with pytest.raises(RegistryError, match="the proxy that the environment names cannot be used"):
                resolved(host, settings, network=Network(lambda _: ["127.0.0.1"]))

            assert registry.requests == []

    def test_no_proxy_names_who_is_asked_directly(
        self, behind: tuple[Registry, Proxy], authority: Authority, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As for every other program."""
        registry, proxy = behind
        monkeypatch.setenv("NO_PROXY", ".test")
        host = f"registry.test:{registry.host.rpartition(':')[2]}"

        assert resolved(host, HostSettings(host, ca_file=str(authority.ca)), network=Network(lambda _: ["127.0.0.1"]))
        assert proxy.asked == []

    def test_this_machine_is_never_asked_for_through_a_proxy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Loopback is here, not there."""
        with Proxy({}) as proxy, filled(Registry()) as registry:
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            resolved(registry.host)

            assert proxy.asked == []

    def test_a_proxy_that_refuses_is_named_as_the_reason(
        self, behind: tuple[Registry, Proxy], authority: Authority
    ) -> None:
        """Nothing is known to be wrong with the registry."""
        with pytest.raises(RegistryError, match="the proxy refuses") as error:
            resolved("other.test", HostSettings("other.test", ca_file=str(authority.ca)))

        assert "word" not in str(error.value)
        assert behind[0].requests == []


class TestMirrors:
    def test_mirrors_are_asked_in_order_and_then_the_host(self) -> None:
        """Each for what the one before does not have, or cannot give."""
        with Registry() as first, Registry() as second, filled(Registry()) as host:
            first.answers[TAG] = refusal(500, "UNKNOWN", "broken")
            settings = HostSettings(host.host, mirrors=(f"http://{first.host}", f"http://{second.host}"), fallback=True)
            digest = resolved(host.host, settings)

            assert digest.text == host.contents.tags["acme/app", "v1"]
            assert (set(first.asked()), second.asked(), host.asked()) == (
                {f"GET {TAG}"},
                [f"GET {TAG}"],
                [f"GET {TAG}"],
            )

    def test_without_fallback_the_host_hears_nothing(self) -> None:
        """An air gap stays one."""
        with Registry() as mirror, filled(Registry()) as host:
            with pytest.raises(RegistryError):
                resolved(host.host, HostSettings(host.host, mirrors=(f"http://{mirror.host}",)))

            assert host.requests == []

    @pytest.mark.parametrize(
        ("path", "asked"),
        [
            ("", "/v2/acme/app/manifests/v1"),
            ("/", "/v2/acme/app/manifests/v1"),
            ("/hub-proxy", "/v2/hub-proxy/acme/app/manifests/v1"),
            ("/v2/hub-proxy", "/v2/hub-proxy/acme/app/manifests/v1"),
            ("/artifactory/api/docker/hub/v2", "/artifactory/api/docker/hub/v2/acme/app/manifests/v1"),
        ],
    )
    def test_a_mirrors_path_is_where_its_project_is(self, path: str, asked: str) -> None:
        """Harbor's proxy projects, and Artifactory's repositories."""
        with Registry() as mirror:
            with pytest.raises(RegistryError):
                resolved("docker.io", HostSettings("docker.io", mirrors=(f"http://{mirror.host}{path}",)))

            assert mirror.asked() == [f"GET {asked}"]

    def test_a_mirror_gets_its_own_credential(self) -> None:
        """Never the host's; and its token is for the path there."""
        with Registry(login=("m", "m"), bearer=True) as mirror, filled(Registry()) as host:
            mirror.push_image("proxy/acme/app", "v1")
            found = Credentials(
                (
                    *Credentials.for_host(host.host, Credential("h", "hunter2")).entries,
                    *Credentials.for_host(mirror.host, Credential("m", "m")).entries,
                )
            )
            settings = HostSettings(host.host, mirrors=(f"http://{mirror.host}/proxy",))
            resolved(host.host, settings, credentials=found)

            assert set(mirror.tokens.values()) == {"repository:proxy/acme/app:pull"}
            assert all(r.headers.get("authorization", "") != "Basic aDpodW50ZXIy" for r in mirror.requests)

    def test_a_mirror_that_lies_is_not_made_good_by_the_host(self) -> None:
        """Other bytes than asked for are an attack, whoever else has the right ones."""
        with Registry() as mirror, filled(Registry()) as host:
            digest = host.contents.tags["acme/app", "v1"]
            mirror.answers[f"/v2/acme/app/manifests/{digest}"] = Answer(200, {}, b"{}")
            settings = HostSettings(host.host, mirrors=(f"http://{mirror.host}",), fallback=True)
            with client(host.host, hosts=[settings]) as asking, pytest.raises(RegistryError) as error:
                asking.manifest(Repository(host.host, "acme/app"), Digest(digest))

            assert error.value.code == "digest-mismatch"

    def test_signatures_that_a_pull_through_cache_lacks_come_from_the_host(self) -> None:
        """A cache keeps images; what hangs on them it may not know."""
        with filled(Registry()) as mirror, filled(Registry()) as host:
            image = host.push_image("acme/app", "v1")
            host.attach_bundle("acme/app", image, b"{}", "x")
            settings = HostSettings(host.host, mirrors=(f"http://{mirror.host}",), fallback=True)
            with client(host.host, hosts=[settings]) as asking:
                found = asking.gather(Repository(host.host, "acme/app"), Digest(image["digest"]), Place.REFERRERS)

            assert [one.content for one in found.attachments] == [b"{}"]


class TestAddresses:
    """127.0.0.1 plays the internet here, 127.0.0.2 what is link-local, 127.0.0.3 the inner network."""

    def network(self, **names: list[str]) -> Network:
        """Each name has its addresses one after the other, the last one for good."""

        def lookup(host: str) -> list[str]:
            found = names[host.partition(".")[0]]
            return [found.pop(0) if len(found) > 1 else found[0]]

        return Network(lookup, ZONES.__getitem__)

    def followed(self, location: str, network: Network, foreign: Registry) -> str:
        """The code when the internet redirects to `location` of `foreign`; empty when it was followed."""
        with filled(Registry()) as here:
            content = here.contents.manifests["acme/app", here.contents.tags["acme/app", "v1"]][1]
            foreign.answers["/blob"] = Answer(200, {}, content)
            port = foreign.host.rpartition(":")[2]
            here.answers[TAG] = Answer(307, {"Location": f"http://{location}:{port}/blob"})
            try:
                resolved(here.host, network=network)
            except RegistryError as error:
                return error.code
        return ""

    @pytest.mark.parametrize("address", ["127.0.0.2", "127.0.0.3"])
    def test_the_internet_leads_nobody_inwards(self, address: str) -> None:
        """Neither by an address, nor by a name that has it."""
        with Registry(address=address) as foreign:
            assert self.followed(address, self.network(), foreign) == "registry-misbehaved"
            assert self.followed("name.test", self.network(name=[address]), foreign) == "registry-misbehaved"
            assert foreign.requests == []

    @pytest.mark.parametrize("address", ["127.0.0.2", "127.0.0.3"])
    def test_a_name_that_means_another_machine_the_second_time_leads_nowhere(self, address: str) -> None:
        """DNS rebinding: what counts is the address that is connected to."""
        with Registry(address=address) as foreign:
            network = self.network(name=["127.0.0.1", address])

            assert self.followed("name.test", network, foreign) == "registry-misbehaved"
            assert foreign.requests == []

    def test_the_internet_leads_to_the_internet(self) -> None:
        """Blobs lie elsewhere."""
        with Registry() as foreign:
            assert self.followed("name.test", self.network(name=["127.0.0.1"]), foreign) == ""
            assert "authorization" not in foreign.requests[0].headers

    def test_a_registrys_own_name_may_lead_inwards_but_not_to_link_local_addresses(self) -> None:
        """A private registry is the operator's; the metadata service is nobody's registry."""
        with filled(Registry(address="127.0.0.3")) as inner, filled(Registry(address="127.0.0.2")) as metadata:
            for registry, works in ((inner, True), (metadata, False)):
                host = f"name.test:{registry.host.rpartition(':')[2]}"
                network = self.network(name=[registry.host.partition(":")[0]])
                settings = HostSettings(host, plain_http=True)
                if works:
                    assert resolved(host, settings, network=network)
                else:
                    with pytest.raises(RegistryError, match="must not lead"):
                        resolved(host, settings, network=network)

            assert metadata.requests == []

    def test_where_redirects_lead_is_judged_by_one_look_at_each_name(self) -> None:
        """Every blob of a registry is redirected to the same few hosts; what is connected to is judged each time."""
        looked: list[str] = []

        def lookup(host: str) -> list[str]:
            looked.append(host)
            return ["127.0.0.1"]

        with Registry() as foreign, Registry() as here:
            for number in range(5):
                foreign.answers[f"/{number}"] = Answer(200, {}, b"{}")
                port = foreign.host.rpartition(":")[2]
                here.answers[f"/{number}"] = Answer(307, {"Location": f"http://blobs.test:{port}/{number}"})
            asking = Transport({}, Deadline(20), network=Network(lookup, ZONES.__getitem__))
            for number in range(5):
                url = f"http://here.test:{here.host.rpartition(':')[2]}/{number}"
                assert asking.send(url, {}, 100).body == b"{}"
            asking.close()

            assert sorted(looked) == ["blobs.test"] * 2 + ["here.test"] * 2

    def test_a_connection_that_is_open_for_us_is_not_open_for_who_is_led_there(self) -> None:
        """What the operator may reach, a registry must not lead to, whatever connections there are already."""
        with Registry(address="127.0.0.3") as inner, filled(Registry()) as here:
            url = f"http://name.test:{inner.host.rpartition(':')[2]}/blob"
            inner.answers["/blob"] = Answer(200, {}, b"{}")
            here.answers[TAG] = Answer(307, {"Location": url})
            network = self.network(name=["127.0.0.3", "127.0.0.1", "127.0.0.3"])
            asking = Transport({}, Deadline(20), network=network)
            assert asking.send(url, {}, 100).status == 200
            with pytest.raises(RegistryError, match="must not lead"):
                asking.send(f"http://{here.host}{TAG}", {}, 100)
            asking.close()

            assert len(inner.requests) == 1


class TestReuse:
    """A connection is kept for the next question when its answer was read whole, and only then."""

    def counted(self, registry: Registry) -> tuple[Transport, list[str], str]:
        """A client, a list that grows by one for each connection, and the registry's URL by a name."""
        port, opened = registry.host.rpartition(":")[2], list[str]()

        def lookup(host: str) -> list[str]:
            opened.append(host)
            return ["127.0.0.1"]

        return Transport({}, Deadline(20), network=Network(lookup)), opened, f"http://name.test:{port}"

    def test_whole_answers_of_every_kind_leave_it_open(self) -> None:
        """To HEAD as well, whose headers announce a body; and to what does not exist."""
        with filled(Registry()) as registry:
            registry.answers["/leads"] = Answer(307, {"Location": TAG}, b"look there")
            asking, opened, base = self.counted(registry)
            for method, path, status in (
                ("HEAD", TAG, 200),
                ("GET", TAG, 200),
                ("HEAD", TAG, 200),
                ("HEAD", "/v2/acme/app/manifests/none", 404),
                ("GET", "/v2/acme/app/manifests/none", 404),
                ("GET", "/leads", 200),
                ("GET", TAG, 200),
            ):
                assert asking.send(f"{base}{path}", {}, 1 << 20, method=method).status == status
            asking.close()

            assert opened == ["name.test"]

    def test_an_answer_that_was_not_read_whole_closes_it(self) -> None:
        """What is left of it is never taken for the next answer."""
        with filled(Registry()) as registry:
            registry.answers["/long"] = Answer(200, {}, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" * 100)
            asking, opened, base = self.counted(registry)
            with pytest.raises(RegistryError, match="more than 100 bytes"):
                asking.send(f"{base}/long", {}, 100)
            reply = asking.send(f"{base}{TAG}", {}, 1 << 20)
            asking.close()

            assert reply.body == registry.contents.manifests["acme/app", registry.contents.tags["acme/app", "v1"]][1]
            assert len(opened) == 2

    def test_only_as_many_hosts_are_kept_as_a_run_needs(self) -> None:
        """A registry may lead to ever new hosts; their connections do not pile up."""
        with filled(Registry()) as registry:
            asking, opened, _ = self.counted(registry)
            port = registry.host.rpartition(":")[2]
            for name in (*(f"h{number}.test" for number in range(40)), "h39.test", "h0.test"):
                assert asking.send(f"http://{name}:{port}{TAG}", {}, 1 << 20).status == 200
            asking.close()

            assert opened.count("h39.test") == 1
            assert opened.count("h0.test") == 2


class TestHeaders:
    def test_of_a_header_that_stands_twice_all_values_are_read(self) -> None:
        """RFC 9110, 5.3: as one list; challenges often come so."""
        lines = (
            "HTTP/1.1 401 No",
            "WWW-Authenticate: Basic realm=x",
            "www-authenticate: Bearer realm=y",
            "Content-Length: 0",
        )
        with answering("\r\n".join((*lines, "", ""))) as (host, _):
            reply = Transport({}, Deadline(20)).send(f"http://{host}/", {}, 100)

        assert reply.headers["www-authenticate"] == "Basic realm=x, Bearer realm=y"

    def test_what_is_sent_is_what_is_needed(self) -> None:
        """No cookie, no compression, no name of a library."""
        with answering("HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n", times=2) as (host, heard):
            asking = Transport({}, Deadline(20))
            asking.send(f"http://{host}/a b?c=d e#f", {"Accept": "x/y"}, 100)
            asking.send(f"http://{host}/token", {}, 100, form={"scope": "a b", "x": "&"})
            asking.close()

        assert heard == [
            f"GET /a%20b?c=d%20e HTTP/1.1\r\nHost: {host}\r\nAccept: x/y\r\nAccept-Encoding: identity\r\n"
            "User-Agent: argocd-provenance\r\n\r\n",
            f"POST /token HTTP/1.1\r\nHost: {host}\r\nContent-Length: 15\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\nAccept-Encoding: identity\r\n"
            "User-Agent: argocd-provenance\r\n\r\nscope=a+b&x=%26",
        ]


@contextlib.contextmanager
def answering(answer: str, times: int = 1) -> Iterator[tuple[str, list[str]]]:
    """A host that answers so, and what it was asked."""
    heard: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answers() -> None:
            connection, _ = listening.accept()
            with connection:
                for _ in range(times):
                    heard.append(connection.recv(65536).decode())
                    length = re.search(r"Content-Length: (\d+)", heard[-1])
                    while length and len(heard[-1].partition("\r\n\r\n")[2]) < int(length[1]):
                        heard[-1] += connection.recv(65536).decode()
                    connection.sendall(answer.encode())

        thread = threading.Thread(target=answers, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}", heard
        thread.join(10)


class TestSlowness:
    @pytest.mark.parametrize("way", ["direct", "forwarded", "tunnelled"])
    def test_headers_that_drip_end_with_the_deadline(self, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
        """A byte now and then keeps a socket alive, but not beyond the time that the run has; a proxy's no longer."""
        cut = threading.Event()
        with socket.create_server(("127.0.0.1", 0)) as listening:

            def drip() -> None:
                connection, _ = listening.accept()
                with connection:
                    try:
                        connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                        for _ in range(60):
                            cut.wait(0.05)
                            connection.sendall(b"x")
                        connection.sendall(b"\r\nContent-Length: 0\r\n\r\n")
                    except OSError:
                        cut.set()

            thread = threading.Thread(target=drip, daemon=True)
            thread.start()
            host = f"127.0.0.1:{listening.getsockname()[1]}"
            if way != "direct":
                for name in ("HTTP_PROXY", "HTTPS_PROXY"):
                    monkeypatch.setenv(name, f"http://{host}")
                host = "registry.test"
            settings = HostSettings(host, plain_http=way != "tunnelled")
            registry = Client([settings], lambda _: True, Credentials(), Deadline(0.4))
            try:
                with pytest.raises((RegistryError, DeadlineExceeded)):
                    registry.resolve(Reference.parse(f"{host}/acme/app:v1"))
            finally:
                registry.close()
            thread.join(10)
            assert cut.is_set()
