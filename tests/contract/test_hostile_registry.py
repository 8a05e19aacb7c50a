"""A registry that lies, stalls, floods or leads astray: each way ends in an error with its own code, never in a pass."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from argocd_provenance.demo.contents import OCI_INDEX, OCI_MANIFEST, describe, encode
from argocd_provenance.demo.registry import Answer, Registry, refusal
from argocd_provenance.errors import DeadlineExceeded, DigestMismatch, RegistryError, Unauthorized
from argocd_provenance.oci.attached import UNSIGNED, Place
from argocd_provenance.oci.credential import Credential
from argocd_provenance.oci.credentials import Credentials
from argocd_provenance.oci.descriptor import SIMPLE_SIGNING, Descriptor
from argocd_provenance.oci.network import Network
from argocd_provenance.oci.reference import Digest, Reference, Repository
from argocd_provenance.oci.settings import HostSettings
from support.registries import Clock, client

TAG = "/v2/acme/app/manifests/v1"
LOGIN = ("user", "hunter2")


@pytest.fixture
def fake() -> Iterator[Registry]:
    """A registry that holds acme/app:v1, without Referrers API."""
    with Registry() as registry:
        registry.push_image("acme/app", "v1")
        yield registry


@pytest.fixture
def api() -> Iterator[Registry]:
    """The same with Referrers API."""
    with Registry(referrers=True) as registry:
        registry.push_image("acme/app", "v1")
        yield registry


def reference(registry: Registry) -> Reference:
    """The image, by tag."""
    return Reference.parse(f"{registry.host}/acme/app:v1")


def repository(registry: Registry) -> Repository:
    """Its repository."""
    return Repository(registry.host, "acme/app")


def image(registry: Registry) -> dict[str, Any]:
    """The descriptor of acme/app:v1."""
    digest = registry.contents.tags["acme/app", "v1"]
    media_type, content = registry.contents.manifests["acme/app", digest]
    return describe(content, media_type)


def code_of(registry: Registry, clock: Clock | None = None) -> str:
    """The finding code when the image is resolved."""
    with client(registry.host, clock=clock) as asking, pytest.raises(RegistryError) as error:
        asking.resolve(reference(registry))
    return error.value.code


def login(registry: Registry) -> Credentials:
    """Credentials for `registry` alone."""
    return Credentials.for_host(registry.host, Credential(*LOGIN))


class TestBytes:
    def test_other_bytes_than_the_digest_are_refused(self, fake: Registry) -> None:
        """A manifest by digest is that digest's, or an attack."""
        digest = image(fake)["digest"]
        fake.answers[f"/v2/acme/app/manifests/{digest}"] = Answer(200, {}, b'{"schemaVersion":2}')

        with client(fake.host) as asking, pytest.raises(DigestMismatch):
            asking.manifest(repository(fake), Digest(digest))

    def test_a_header_that_names_another_digest_is_refused(self, fake: Registry) -> None:
        """`Docker-Content-Digest` must say what the bytes say."""
        content = fake.contents.manifests["acme/app", image(fake)["digest"]][1]
        fake.answers[TAG] = Answer(200, {"Docker-Content-Digest": str(Digest.of(b"else"))}, content)

        assert code_of(fake) == "digest-mismatch"

    def test_a_header_that_is_no_digest_is_refused(self, fake: Registry) -> None:
        """A malformed digest is not skipped."""
        content = fake.contents.manifests["acme/app", image(fake)["digest"]][1]
        fake.answers[TAG] = Answer(200, {"Docker-Content-Digest": "sha256:../"}, content)

        assert code_of(fake) == "registry-misbehaved"

    @pytest.mark.parametrize("content", [b"other", b"the content and more", b"the"])
    def test_a_blob_is_what_its_descriptor_says(self, fake: Registry, content: bytes) -> None:
        """Neither other bytes, nor more, nor fewer."""
        blob = Descriptor("", Digest.of(b"right"), 5)
        fake.answers[f"/v2/acme/app/blobs/{blob.digest}"] = Answer(200, {}, content)

        with client(fake.host) as asking, pytest.raises(RegistryError) as error:
            asking.blob(repository(fake), blob)

        assert error.value.code in ("digest-mismatch", "registry-misbehaved")

    def test_an_endless_body_is_cut(self, fake: Registry) -> None:
        """No more is read than a manifest may have."""
        sent = itertools.count()
        fake.answers[TAG] = Answer(200, {}, (b"x" * 65536 for _ in sent))

        assert code_of(fake) == "registry-misbehaved"
        assert next(sent) < 500  # 64 pieces are the limit; the rest lies in socket buffers

    def test_a_dripping_body_ends_with_the_deadline(self, fake: Registry) -> None:
        """The time is looked at between two pieces."""
        fake.answers[TAG] = Answer(200, {}, itertools.repeat(b"x", 3000))

        with client(fake.host, clock=Clock(step=0.1)) as asking, pytest.raises(DeadlineExceeded):
            asking.resolve(reference(fake))

    def test_a_compressed_body_is_refused(self, fake: Registry) -> None:
        """Nobody asked for one, so it is never unpacked."""
        content = fake.contents.manifests["acme/app", image(fake)["digest"]][1]
        fake.answers[TAG] = Answer(200, {"Content-Encoding": "gzip"}, content)

        assert code_of(fake) == "registry-misbehaved"
        assert fake.requests[0].headers["accept-encoding"] == "identity"

    @pytest.mark.parametrize(
        "content",
        [
            pytest.param(b"<html>log in</html>", id="a page"),
            pytest.param(b'{"schemaVersion":2,"layers":[],"layers":[]}', id="duplicate keys"),
            pytest.param(b'{"schemaVersion":2,"layers":[],"manifests":[]}', id="manifest and index"),
            pytest.param(b"[" * 100_000, id="deep"),
            pytest.param(b'{"schemaVersion":2,"layers":[{"digest":"sha256:../","size":1}]}', id="malformed digest"),
            pytest.param(b'{"schemaVersion":1,"layers":[]}', id="schema 1"),
        ],
    )
    def test_what_is_no_manifest_is_never_pinned(self, fake: Registry, content: bytes) -> None:
        """A tag that names anything else does not resolve."""
        fake.answers[TAG] = Answer(200, {"Content-Type": OCI_MANIFEST}, content)

        assert code_of(fake) == "registry-misbehaved"


class TestAnswers:
    @pytest.mark.parametrize(
        ("status", "code"),
        [
            (401, "registry-unauthorized"),
            (403, "registry-unauthorized"),
            (404, "image-not-found"),
            (429, "registry-throttled"),
            (500, "registry-unavailable"),
            (503, "registry-unavailable"),
        ],
    )
    def test_a_refusal_has_its_code(self, fake: Registry, status: int, code: str) -> None:
        """Refused, throttled, absent and broken are told apart."""
        fake.answers[TAG] = refusal(status, "SOMETHING", "said")

        assert code_of(fake) == code

    def test_a_busy_registry_is_asked_again_when_it_says(self, fake: Registry) -> None:
        """`Retry-After` is honoured within the deadline."""
        clock = Clock()
        fake.answers[TAG] = [Answer(429, {"Retry-After": "3"}), Answer(503)]

        with client(fake.host, clock=clock) as asking:
            found = asking.resolve(reference(fake))

        assert found.text == image(fake)["digest"]
        assert clock.now >= 3

    def test_nobody_waits_beyond_the_deadline(self, fake: Registry) -> None:
        """A pause longer than what is left is not begun."""
        clock = Clock()
        fake.answers[TAG] = Answer(429, {"Retry-After": "3600"})

        assert code_of(fake, clock) == "registry-throttled"
        assert clock.now == 0

    def test_a_dropped_connection_is_tried_again(self, fake: Registry) -> None:
        """And given up after a few times, as unavailable."""
        fake.answers[TAG] = [Answer(drop=True)]
        with client(fake.host) as asking:
            assert asking.resolve(reference(fake)).text == image(fake)["digest"]

        fake.answers[TAG] = Answer(drop=True)
        assert code_of(fake) == "registry-unavailable"

    def test_a_truncated_body_is_no_body(self, fake: Registry) -> None:
        """Fewer bytes than announced are a broken connection."""
        fake.answers[TAG] = Answer(200, {"Content-Length": "1000"}, b"{}")

        assert code_of(fake) == "registry-unavailable"

    def test_a_tag_is_resolved_once(self, fake: Registry) -> None:
        """A tag that moves during the run stays what it was."""
        with client(fake.host) as asking:
            first = asking.resolve(reference(fake))
            fake.push_image("acme/app", "v1", [b"moved"])
            second = asking.resolve(reference(fake))

        assert first == second
        assert len(fake.requests) == 1

    def test_messages_hold_no_query_and_no_control_characters(self, fake: Registry) -> None:
        """What a stranger writes cannot rewrite a terminal."""
        fake.answers[TAG] = refusal(404, "X", "\x1b[2Jok")

        with client(fake.host) as asking, pytest.raises(RegistryError) as error:
            asking.resolve(reference(fake))

        assert "\x1b" not in str(error.value)


class TestPlaces:
    def test_no_packet_goes_to_a_host_that_is_not_permitted(self, fake: Registry) -> None:
        """The operator's list is asked first."""
        with client("elsewhere.example") as asking, pytest.raises(RegistryError) as error:
            asking.resolve(reference(fake))

        assert error.value.code == "registry-forbidden"
        assert fake.requests == []

    def test_credentials_do_not_follow_a_redirect_to_another_host(self, fake: Registry) -> None:
        """127.0.0.2 is somebody else."""
        fake.login = LOGIN
        content = fake.contents.manifests["acme/app", image(fake)["digest"]][1]
        with Registry(address="127.0.0.2") as foreign, client(fake.host, credentials=login(fake)) as asking:
            foreign.answers["/blob"] = Answer(200, {}, content)
            asked = Answer(401, {"WWW-Authenticate": "Basic"})
            fake.answers[TAG] = [asked, Answer(307, {"Location": f"http://{foreign.host}/blob"})]
            asking.resolve(reference(fake))

            assert "authorization" in fake.requests[-1].headers
            assert "authorization" not in foreign.requests[0].headers

    @pytest.mark.parametrize(
        "location",
        [
            "http://10.0.0.1/",
            "http://169.254.10.20/",
            "http://registry.example/",
            "file:///etc/passwd",
            "http://a@127.0.0.2/",
            "",
        ],
    )
    def test_a_redirect_out_of_its_network_is_refused(self, fake: Registry, location: str) -> None:
        """From this machine a redirect leads to this machine only."""
        fake.answers[TAG] = Answer(302, {"Location": location})

        with (
            client(fake.host, network=Network(lambda _: ["93.184.216.34"])) as asking,
            pytest.raises(RegistryError) as error,
        ):
            asking.resolve(reference(fake))

        assert error.value.code == "registry-misbehaved"

    def test_redirects_end(self, fake: Registry) -> None:
        """Five are followed."""
        fake.answers[TAG] = Answer(302, {"Location": TAG})

        assert code_of(fake) == "registry-misbehaved"
        assert len(fake.requests) == 6

    def test_a_token_server_on_another_host_gets_nothing(self) -> None:
        """The realm is the registry's word, so it must be the registry's host."""
        with Registry(address="127.0.0.2") as thief, Registry(login=LOGIN, bearer=True) as fake:
            fake.realm = f"http://{thief.host}/token"
            with client(fake.host, credentials=login(fake)) as asking, pytest.raises(Unauthorized) as error:
                asking.resolve(reference(fake))

            assert thief.requests == []
            assert "realm" in str(error.value)

    def test_a_token_is_fetched_once_for_a_repository(self) -> None:
        """Later requests bring it along."""
        with Registry(login=LOGIN, bearer=True) as fake, client(fake.host, credentials=login(fake)) as asking:
            fake.push_image("acme/app", "v1")
            digest = asking.resolve(reference(fake))
            for place in Place:
                assert asking.gather(repository(fake), digest, place).faults == ()

            assert len(fake.asked("/token")) == 1

    def test_a_plain_http_host_gets_no_credentials(self, fake: Registry) -> None:
        """What everybody on the way can read is not sent."""
        fake.login = LOGIN
        hosts = [HostSettings(fake.host, plain_http=True)]

        with client(fake.host, hosts=hosts, credentials=login(fake)) as asking, pytest.raises(Unauthorized):
            asking.resolve(reference(fake))

        assert all("authorization" not in request.headers for request in fake.requests)

    def test_a_mirror_is_asked_instead(self, fake: Registry) -> None:
        """With fallback the host itself is asked for what the mirror lacks."""
        with Registry(address="127.0.0.2") as mirror:
            hosts = [HostSettings(fake.host, mirrors=(f"http://{mirror.host}",), fallback=True)]
            with client(fake.host, hosts=hosts) as asking:
                assert asking.resolve(reference(fake)).text == image(fake)["digest"]

            assert mirror.asked() == fake.asked() == [f"GET {TAG}"]


class TestReferrers:
    def many(self, registry: Registry, count: int) -> bytes:
        """An index of that many referrers."""
        entries = [image(registry) | {"digest": str(Digest.of(b"%d" % n))} for n in range(count)]
        return encode({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries})

    def listing(self, registry: Registry) -> str:
        """The path of the Referrers API."""
        return f"/v2/acme/app/referrers/{image(registry)['digest']}"

    def faults(self, registry: Registry, place: Place = Place.REFERRERS) -> list[str]:
        """The codes of what could not be gathered."""
        with client(registry.host) as asking:
            found = asking.gather(repository(registry), Digest(image(registry)["digest"]), place)
        return [fault.code for fault in found.faults]

    def test_ten_thousand_are_too_many(self, api: Registry) -> None:
        """What is beyond the limit is not looked at, and that is said."""
        api.answers[self.listing(api)] = Answer(200, {"Content-Type": OCI_INDEX}, self.many(api, 10_000))

        found = self.faults(api)

        assert "too-many" in found
        assert len(api.requests) == 65

    def test_too_many_layers_are_a_fault(self, fake: Registry) -> None:
        """No silent partial pass under cosign's tags either."""
        for n in range(65):
            blob = b"%d" % n
            fake.attach_layer(
                "acme/app", image(fake)["digest"], "sig", fake.push_blob("acme/app", blob, SIMPLE_SIGNING), blob
            )

        assert self.faults(fake, Place.SIGNATURES) == ["too-many"]

    def test_pages_are_followed(self, api: Registry) -> None:
        """A bundle on the second page is found."""
        api.attach_bundle("acme/app", image(api), b"{}", "x")
        first, second = self.listing(api), self.listing(api) + "?n=2"
        content = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": OCI_INDEX,
                "manifests": api.contents.referrers("acme/app", image(api)["digest"]),
            }
        )
        api.answers[first] = Answer(
            200, {"Content-Type": OCI_INDEX, "Link": f'<{second}>; rel="next"'}, self.many(api, 0)
        )
        api.answers[second] = Answer(200, {"Content-Type": OCI_INDEX}, content.encode())

        with client(api.host) as asking:
            found = asking.gather(repository(api), Digest(image(api)["digest"]), Place.REFERRERS)

        assert [one.content for one in found.attachments] == [b"{}"]

    def test_pages_that_go_in_a_circle_are_a_fault(self, api: Registry) -> None:
        """Each page is read once."""
        link = {"Content-Type": OCI_INDEX, "Link": f'<{self.listing(api)}>; rel="next"'}
        api.answers[self.listing(api)] = Answer(200, link, self.many(api, 0))

        assert self.faults(api) == ["registry-misbehaved"]

    def test_pages_on_another_host_are_a_fault(self, api: Registry) -> None:
        """Nobody leads the list elsewhere."""
        link = {"Content-Type": OCI_INDEX, "Link": '<http://127.0.0.2:1/x>; rel="next"'}
        api.answers[self.listing(api)] = Answer(200, link, self.many(api, 0))

        assert self.faults(api) == ["registry-misbehaved"]

    @pytest.mark.parametrize("api_or_tag", [True, False])
    def test_a_referrer_of_another_subject_is_skipped(self, api_or_tag: bool) -> None:  # noqa: FBT001 - a parameter
        """Its `subject` must be the digest asked for, whoever lists it."""
        with Registry(referrers=api_or_tag) as registry:
            registry.push_image("acme/app", "v1")
            other = registry.push_image("acme/app", "v2", [b"other"])
            stolen = registry.attach_bundle("acme/app", other, b"{}", "x")
            index = encode({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [stolen]})
            if api_or_tag:
                registry.answers[self.listing(registry)] = Answer(200, {"Content-Type": OCI_INDEX}, index)
            else:
                registry.list_referrer("acme/app", image(registry)["digest"], stolen)
            with client(registry.host) as asking:
                found = asking.gather(repository(registry), Digest(image(registry)["digest"]), Place.REFERRERS)

        assert found.attachments == ()
        assert "subject" in found.notes[-1]

    @pytest.mark.parametrize("status", [403, 429, 500])
    def test_what_could_not_be_fetched_is_a_fault(self, fake: Registry, status: int) -> None:
        """It is not the same as unsigned."""
        tag = image(fake)["digest"].replace(":", "-")
        for suffix in ("", ".sig", ".att"):
            fake.answers[f"/v2/acme/app/manifests/{tag}{suffix}"] = refusal(status, "X", "")

        assert [len(self.faults(fake, place)) for place in Place] == [1, 1, 1]

    def test_a_listed_manifest_that_is_missing_is_a_fault(self, fake: Registry) -> None:
        """Evidence that was announced and withheld is not absence."""
        gone = image(fake) | {"digest": str(Digest.of(b"gone"))}
        fake.list_referrer("acme/app", image(fake)["digest"], gone)

        assert self.faults(fake) == ["registry-misbehaved"]

    def test_a_huge_layer_is_not_fetched(self, fake: Registry) -> None:
        """Its size alone is enough."""
        layer = fake.push_blob("acme/app", b"x", SIMPLE_SIGNING) | {"size": 17 * 2**20}
        fake.attach_layer("acme/app", image(fake)["digest"], "sig", layer, b"x")

        assert self.faults(fake, Place.SIGNATURES) == ["too-many"]
        assert fake.asked("/blobs/") == []

    def test_the_missing_api_is_asked_for_once(self, fake: Registry) -> None:
        """The host is remembered, not the image."""
        with client(fake.host) as asking:
            for n in range(3):
                asking.gather(repository(fake), Digest.of(b"%d" % n), Place.REFERRERS)

        assert len(fake.asked("/referrers/")) == 1

    def test_an_answer_of_another_type_is_no_referrers_api(self, fake: Registry) -> None:
        """A page with status 200 leads to the fallback tag."""
        fake.attach_bundle("acme/app", image(fake), b"{}", "x")
        fake.answers[self.listing(fake)] = Answer(200, {"Content-Type": "text/html"}, b"<html>")

        with client(fake.host) as asking:
            found = asking.gather(repository(fake), Digest(image(fake)["digest"]), Place.REFERRERS)

        assert len(found.attachments) == 1

    def test_buildkit_attestations_are_named_as_unsigned(self, fake: Registry) -> None:
        """People who see provenance there learn why it does not count."""
        child = image(fake) | {
            "platform": {"os": "unknown", "architecture": "unknown"},
            "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
        }
        fake.push_index("acme/app", "v1", [child])

        with client(fake.host) as asking:
            digest = asking.resolve(reference(fake))
            found = asking.gather(repository(fake), digest, Place.REFERRERS)
            children = asking.children(repository(fake), digest)

        assert UNSIGNED in found.notes
        assert children == {}


class TestCost:
    def test_requests_of_a_cold_image(self, fake: Registry) -> None:
        """Provenance takes four with the tag, a signature two more; the host's probe is extra, and once."""
        fake.attach_bundle("acme/app", image(fake), b"{}", "x")
        fake.attach_layer(
            "acme/app", image(fake)["digest"], "sig", fake.push_blob("acme/app", b"s", SIMPLE_SIGNING), b"s"
        )

        with client(fake.host) as asking:
            digest = asking.resolve(reference(fake))
            asking.gather(repository(fake), digest, Place.REFERRERS)
            provenance = len(fake.requests) - len(fake.asked("/referrers/"))
            asking.gather(repository(fake), digest, Place.SIGNATURES)

        assert provenance == 4
        assert len(fake.requests) - len(fake.asked("/referrers/")) == 6
