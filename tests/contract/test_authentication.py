"""Who we say we are, to whom, and for how long: challenges, tokens, several credentials, helpers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from argocd_provenance.demo.contents import encode
from argocd_provenance.demo.registry import Answer, Registry, refusal
from argocd_provenance.errors import RegistryError, Unauthorized
from argocd_provenance.oci.credential import Credential
from argocd_provenance.oci.credentials import Credentials, parse
from argocd_provenance.oci.gathered import Place
from argocd_provenance.oci.reference import Digest, Reference, Repository
from support.registries import Clock, client

LOGIN = ("user", "hunter2")
TAG = "/v2/acme/app/manifests/v1"


@pytest.fixture(params=[True, False], ids=["bearer", "basic"])
def private(request: pytest.FixtureRequest) -> Iterator[Registry]:
    """A registry that wants to know who asks, each way."""
    with Registry(login=LOGIN, bearer=request.param) as registry:
        registry.push_image("acme/app", "v1")
        yield registry


@pytest.fixture
def tokens() -> Iterator[Registry]:
    """One with tokens."""
    with Registry(login=LOGIN, bearer=True) as registry:
        registry.push_image("acme/app", "v1")
        registry.push_image("acme/two", "v1")
        yield registry


def reference(registry: Registry, name: str = "acme/app") -> Reference:
    """An image there."""
    return Reference.parse(f"{registry.host}/{name}:v1")


def login(registry: Registry) -> Credentials:
    """The good credential."""
    return Credentials.for_host(registry.host, Credential(*LOGIN))


def several(registry: Registry, *keys: tuple[str, str]) -> Credentials:
    """Credentials of these keys (behind the host) and passwords."""
    auths = {f"{registry.host}{key}": {"username": LOGIN[0], "password": password} for key, password in keys}
    return Credentials(parse(encode({"auths": auths})))


class TestWhoAsks:
    def test_a_credential_is_shown_when_it_is_asked_for(self, private: Registry) -> None:
        """The first request is anonymous: most images are public."""
        with client(private.host, credentials=login(private)) as asking:
            asking.resolve(reference(private))

        assert "authorization" not in private.requests[0].headers
        assert "authorization" in private.requests[-1].headers

    def test_what_was_asked_for_once_is_answered_before_it_is_asked_again(self, private: Registry) -> None:
        """The second repository costs no refusal, and its token is its own."""
        private.push_image("acme/two", "v1")
        with client(private.host, credentials=login(private)) as asking:
            asking.resolve(reference(private))
            before = len(private.requests)
            asking.resolve(reference(private, "acme/two"))

        assert len(private.requests) - before == (2 if private.bearer else 1)
        assert len(set(private.tokens.values())) == len(private.tokens)

    def test_the_next_credential_is_tried_when_one_is_refused(self, private: Registry) -> None:
        """As kubelet: the closest first, then the others, each once."""
        found = several(private, ("/acme/app", "old"), ("/acme", "older"), ("", "hunter2"))

        with client(private.host, credentials=found) as asking:
            digest = asking.resolve(reference(private))

        assert digest == Digest(private.contents.tags["acme/app", "v1"])

    def test_no_credential_is_good_enough(self, private: Registry) -> None:
        """It ends, and says what the registry said."""
        found = several(private, ("/acme", "a"), ("", "b"))

        with client(private.host, credentials=found) as asking, pytest.raises(Unauthorized) as error:
            asking.resolve(reference(private))

        assert error.value.code == "registry-unauthorized"
        assert len(private.requests) <= 5

    def test_a_credential_of_another_path_is_not_shown(self, private: Registry) -> None:
        """A token never leaves its scope: not even its user's name."""
        found = several(private, ("/other", "hunter2"))

        with client(private.host, credentials=found) as asking, pytest.raises(Unauthorized):
            asking.resolve(reference(private))

        assert not [r for r in private.requests if r.headers.get("authorization", "").startswith("Basic")]

    def test_a_refusal_for_who_asks_moves_on_also_when_it_is_403(self, tokens: Registry) -> None:
        """GitHub's registry says 403 to a token that may not."""
        tokens.answers[TAG] = [refusal(401, "X", ""), refusal(403, "DENIED", "")]
        challenge = {"WWW-Authenticate": f'Bearer realm="http://{tokens.host}/token",service="s"'}
        tokens.answers[TAG][0] = Answer(401, challenge)

        with client(tokens.host, credentials=several(tokens, ("/acme", "hunter2"), ("", "hunter2"))) as asking:
            asking.resolve(reference(tokens))

        assert len(tokens.asked("/token")) == 2

    def test_a_helper_answers_for_its_host(
        self, private: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is asked once, however many images there are."""
        program = tmp_path / "docker-credential-demo"
        program.write_text(
            f"#!/bin/sh\nread host\necho $host >> {tmp_path}/asked\n"
            'echo \'{"ServerURL":"","Username":"user","Secret":"hunter2"}\'\n'
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        private.push_image("acme/two", "v1")
        found = Credentials(parse(encode({"credHelpers": {private.host: "demo"}})))

        with client(private.host, credentials=found) as asking:
            for name in ("acme/app", "acme/two"):
                asking.resolve(reference(private, name))

        assert (tmp_path / "asked").read_text() == f"{private.host}\n"


class TestTokens:
    def test_a_token_is_asked_for_reading_one_repository(self, tokens: Registry) -> None:
        """Whatever the challenge wants: the scope is ours."""
        greedy = f'Bearer realm="http://{tokens.host}/token",service="s",scope="repository:other:pull,push,delete"'
        tokens.answers[TAG] = [Answer(401, {"WWW-Authenticate": greedy})]

        with client(tokens.host, credentials=login(tokens)) as asking:
            asking.resolve(reference(tokens))

        assert tokens.asked("/token") == ["GET /token?service=s&scope=repository%3Aacme%2Fapp%3Apull"]

    def test_a_token_that_the_registry_forgot_is_fetched_anew(self, tokens: Registry) -> None:
        """In the middle of a run, with the same credential."""
        with client(tokens.host, credentials=login(tokens)) as asking:
            asking.resolve(reference(tokens))
            for content in (b"a", b"b"):
                tokens.tokens.clear()
                found = asking.gather(Repository(tokens.host, "acme/app"), Digest.of(content), Place.SIGNATURES)
                assert found.faults == ()

        assert len(tokens.asked("/token")) == 3

    def test_a_token_is_not_sent_when_it_is_over(self, tokens: Registry) -> None:
        """`expires_in` counts from when it was asked for."""
        clock = Clock()
        with client(tokens.host, credentials=login(tokens), clock=clock, seconds=3600) as asking:
            asking.resolve(reference(tokens))
            clock.now += 296
            seen = len(tokens.requests)
            asking.gather(Repository(tokens.host, "acme/app"), Digest.of(b"a"), Place.SIGNATURES)

        token, tag = (request.path for request in tokens.requests[seen:])
        assert (token.partition("?")[0], tag[-4:]) == ("/token", ".sig")

    def test_a_registry_that_refuses_every_token_is_not_asked_for_ever(self, tokens: Registry) -> None:
        """Each credential gets one."""
        challenge = f'Bearer realm="http://{tokens.host}/token",service="s"'
        tokens.answers[TAG] = Answer(401, {"WWW-Authenticate": challenge})

        with client(tokens.host, credentials=login(tokens)) as asking, pytest.raises(Unauthorized):
            asking.resolve(reference(tokens))

        assert len(tokens.asked("/token")) == 1

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"[]",
            b"{}",
            b'{"token": 1}',
            b'{"token": "a\\r\\nX: y"}',
            b'{"token": ""}',
            b'{"token": "a", "token": "b"}',
        ],
    )
    def test_an_answer_without_a_token_is_a_fault(self, tokens: Registry, body: bytes) -> None:
        """It decides nothing, and never reaches a header."""
        path = "/token?service=s&scope=repository%3Aacme%2Fapp%3Apull"
        tokens.answers[TAG] = Answer(
            401, {"WWW-Authenticate": f'Bearer realm="http://{tokens.host}/token",service="s"'}
        )
        tokens.answers[path] = Answer(200, {}, body)

        with client(tokens.host, credentials=login(tokens)) as asking, pytest.raises(RegistryError) as error:
            asking.resolve(reference(tokens))

        assert error.value.code == "registry-misbehaved"

    def test_an_identity_token_is_traded_by_post(self, tokens: Registry) -> None:
        """It stands in the body, never in a URL, and the answer's `access_token` is used."""
        tokens.answers["/token"] = Answer(200, {}, encode({"access_token": tokens.grant("repository:acme/app:pull")}))
        found = Credentials.for_host(tokens.host, Credential(identity_token="hunter2"))

        with client(tokens.host, credentials=found) as asking:
            asking.resolve(reference(tokens))

        (posted,) = [request for request in tokens.requests if request.method == "POST"]
        assert posted.path == "/token"
        assert "hunter2" not in "".join(tokens.asked())
