"""Which credential is whose, in every form in which people keep them; none is ever shown."""

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from argocd_provenance.errors import OperatorError, Unauthorized
from argocd_provenance.oci import credentialprogram
from argocd_provenance.oci.credential import Credential
from argocd_provenance.oci.credentials import Credentials, parse
from argocd_provenance.oci.reference import Repository
from argocd_provenance.oci.replies import shown
from argocd_provenance.oci.settings import HostSettings


def auth(user: str) -> dict[str, str]:
    """An entry of `auths`."""
    return {"auth": base64.b64encode(f"{user}:hunter2".encode()).decode()}


def read(**config: Any) -> Credentials:
    """The credentials of this config.json."""
    return Credentials(parse(json.dumps(config).encode()))


def users(found: Credentials, host: str, path: str = "acme/app") -> list[str]:
    """The users that are tried for a repository, in order."""
    return [entry.credential.username for entry in found.matching(host, path) if entry.credential is not None]


def program(folder: Path, name: str, *lines: str) -> None:
    """Put a credential helper of these shell lines into `folder`."""
    folder.mkdir(exist_ok=True)
    file = folder / f"docker-credential-{name}"
    file.write_text("\n".join(["#!/bin/sh", *lines]) + "\n")
    file.chmod(0o755)


class TestMatching:
    @pytest.mark.parametrize(
        ("key", "host", "path", "fits"),
        [
            ("ghcr.io", "ghcr.io", "acme/app", True),
            ("https://ghcr.io", "ghcr.io", "acme/app", True),
            ("https://ghcr.io/v2/", "ghcr.io", "acme/app", True),
            ("GHCR.io:443", "ghcr.io", "acme/app", True),
            ("ghcr.io/acme", "ghcr.io", "acme/app", True),
            ("ghcr.io/acme/app", "ghcr.io", "acme/app", True),
            ("ghcr.io/acme/ap", "ghcr.io", "acme/app", False),
            ("ghcr.io/other", "ghcr.io", "acme/app", False),
            ("ghcr.io:5000", "ghcr.io", "acme/app", False),
            ("ghcr.io", "ghcr.io:5000", "acme/app", False),
            ("ghcr.io", "xghcr.io", "acme/app", False),
            ("ghcr.io", "ghcr.io.evil.example", "acme/app", False),
            ("*.example.com", "a.example.com", "acme/app", True),
            ("*.example.com", "a.b.example.com", "acme/app", False),
            ("*.example.com", "example.com", "acme/app", False),
            ("*.example.com", "a.example.com:5000", "acme/app", False),
            ("*.example.com:5000/acme", "a.example.com:5000", "acme/app", True),
            ("*.dkr.ecr.*.amazonaws.com", "1.dkr.ecr.eu-west-1.amazonaws.com", "a", True),
            ("prefix-*.example.com", "prefix-a.example.com", "a", True),
            ("r?.example.com", "r1.example.com", "a", True),
            ("*", "a.example.com", "a", False),
            ("", "a.example.com", "a", False),
            ("not a host", "a.example.com", "a", False),
        ],
    )
    def test_an_entry_is_for_its_host_and_path_alone(self, key: str, host: str, path: str, fits: object) -> None:
        """As kubelet, but a path ends at a slash."""
        assert bool(users(read(auths={key: auth("u")}), host, path)) is fits

    @pytest.mark.parametrize(
        "key", ["docker.io", "index.docker.io", "registry-1.docker.io", "https://index.docker.io/v1/"]
    )
    @pytest.mark.parametrize("host", ["docker.io", "index.docker.io", "registry-1.docker.io"])
    def test_docker_hub_is_one_registry_however_it_is_spelled(self, key: str, host: str) -> None:
        """All its names are one host."""
        assert users(read(auths={key: auth("u")}), host, "library/nginx") == ["u"]

    def test_the_closest_is_tried_first(self) -> None:
        """Longest path, then the host, then globs: all that fit are tried in this order."""
        found = read(
            auths={
                "*.example.com": auth("glob"),
                "a.example.com": auth("host"),
                "a.example.com/acme/app": auth("app"),
                "a.example.com/acme": auth("acme"),
                "b.example.com": auth("other"),
            }
        )

        assert users(found, "a.example.com") == ["app", "acme", "host", "glob"]

    def test_a_helper_for_the_host_goes_before_its_entry_and_the_store_comes_last(self) -> None:
        """docker/cli asks the helper; the store is for whoever has no entry of its own."""
        found = read(
            auths={"a.example": auth("a"), "b.example": {}}, credHelpers={"a.example": "one"}, credsStore="all"
        )

        assert [e.program or "auths" for e in found.matching("a.example", "x")] == ["one", "auths", "all"]
        assert [e.program for e in found.matching("b.example", "x")] == ["all"]


class TestFiles:
    def test_pull_secrets_lie_in_folders_of_their_own(self, tmp_path: Path) -> None:
        """config.json, and both kinds of Secret as Kubernetes mounts them; its hidden versions are left out."""
        (tmp_path / "config.json").write_text(json.dumps({"auths": {"a.example": auth("a")}}))
        for folder, name, content in (
            ("team-b", ".dockerconfigjson", {"auths": {"b.example": auth("b")}}),
            ("team-c", ".dockercfg", {"c.example": auth("c")}),
            ("..data", ".dockerconfigjson", {"auths": {"d.example": auth("d")}}),
        ):
            (tmp_path / folder).mkdir()
            (tmp_path / folder / name).write_text(json.dumps(content))

        found = Credentials.load(tmp_path)

        assert [users(found, f"{host}.example") for host in "abcd"] == [["a"], ["b"], ["c"], []]

    def test_no_folder_is_no_credentials(self, tmp_path: Path) -> None:
        """Most images are public."""
        assert Credentials.load(tmp_path / "none") == Credentials()

    @pytest.mark.parametrize(
        "text",
        [
            b"[]",
            b'{"auths": [1]}',
            b'{"auths": {"a": {"auth": "hunter2"}}}',
            b'{"auths": {"a": {"auth": "aHVudGVyMg=="}}}',
            b'{"auths": {"a": {"password": 1}}}',
            b'{"credHelpers": {"a": 1}}',
            b'{"credsStore": 1}',
        ],
    )
    def test_what_cannot_be_read_is_the_operators_mistake(self, text: bytes) -> None:
        """And the message holds none of it."""
        with pytest.raises(OperatorError) as error:
            parse(text, "config.json")

        assert "hunter2" not in str(error.value)
        assert str(error.value).startswith("config.json: ")

    def test_a_password_file_is_read_when_it_is_needed(self, tmp_path: Path) -> None:
        """Who writes it renews it; the config says whose it is."""
        file = tmp_path / "token"
        found = Credentials().with_settings([HostSettings("a.example", username="sa", password_file=str(file))])
        (entry,) = found.matching("a.example", "x")
        file.write_text("first\n")
        first = entry.reveal("a.example", 1)
        file.write_text("second")

        assert (first, entry.reveal("a.example", 1)) == (Credential("sa", "first"), Credential("sa", "second"))
        file.write_text(" ")
        with pytest.raises(Unauthorized, match="holds no password"):
            entry.reveal("a.example", 1)
        file.unlink()
        with pytest.raises(Unauthorized, match="cannot be read"):
            entry.reveal("a.example", 1)


class TestPrograms:
    """The protocol of credential helpers."""

    def asked(self, folder: Path, name: str = "x", seconds: float = 5, **more: str) -> Credential | None:
        """What the helper says."""
        environment = {"PATH": f"{folder}:/usr/bin:/bin", **more}
        return credentialprogram.ask(name, "https://index.docker.io/v1/", seconds, environment)

    def test_a_helper_is_asked_by_its_server_on_standard_input(self, tmp_path: Path) -> None:
        """It answers with a user and a secret."""
        program(tmp_path, "x", 'test "$1" = get || exit 9', "read s", 'printf \'{"Username":"u","Secret":"%s"}\' "$s"')

        assert self.asked(tmp_path) == Credential("u", "https://index.docker.io/v1/")

    def test_a_user_token_marks_an_identity_token(self, tmp_path: Path) -> None:
        """ACR's helper gives one."""
        program(tmp_path, "x", 'echo \'{"Username":"<token>","Secret":"hunter2"}\'')

        assert self.asked(tmp_path) == Credential(identity_token="hunter2")

    def test_not_found_is_no_credential(self, tmp_path: Path) -> None:
        """Then the request is anonymous."""
        program(tmp_path, "x", "echo 'credentials not found in native keychain'", "exit 1")

        assert self.asked(tmp_path) is None

    @pytest.mark.parametrize(
        ("lines", "said"),
        [
            (["echo hunter2 >&2", "exit 3"], "ended with exit code 3"),
            (["echo hunter2"], "printed something that is no credential"),
            (['echo \'{"Username":1,"Secret":"hunter2"}\''], "printed something that is no credential"),
            (["head -c 70000 /dev/zero"], "printed too much"),
        ],
    )
    def test_a_helper_that_fails_is_named_and_not_quoted(self, tmp_path: Path, lines: list[str], said: str) -> None:
        """What it prints may be the secret."""
        program(tmp_path, "x", *lines)

        with pytest.raises(Unauthorized, match=said) as error:
            self.asked(tmp_path)

        assert "hunter2" not in str(error.value)
        assert "docker-credential-x" in str(error.value)

    def test_a_helper_that_hangs_ends_with_its_children(self, tmp_path: Path) -> None:
        """It has little time, and leaves nobody behind."""
        os.mkfifo(tmp_path / "life")
        life = os.open(tmp_path / "life", os.O_RDONLY | os.O_NONBLOCK)
        program(tmp_path, "x", f"(sleep 5; echo alive) >{tmp_path}/life &", "wait")

        with pytest.raises(Unauthorized, match="gave no answer in"):
            self.asked(tmp_path, seconds=0.3)

        os.set_blocking(life, True)
        with open(life, "rb") as child:  # noqa: PTH123 - a descriptor; it ends when the last writer is gone
            assert child.read() == b""

    @pytest.mark.parametrize("path", [".", "bin", "", "::"])
    def test_a_helper_of_the_working_folder_is_not_started(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
    ) -> None:
        """The working folder is the Application's repository."""
        for folder in (tmp_path, tmp_path / "bin"):
            program(folder, "x", "touch started")
        monkeypatch.chdir(tmp_path)

        with pytest.raises(Unauthorized, match="not installed"):
            credentialprogram.ask("x", "a.example", 1, {"PATH": path})

        assert not (tmp_path / "started").exists()

    @pytest.mark.parametrize("name", ["../x", "a/b", "", "-x", "x y"])
    def test_a_name_is_no_path(self, tmp_path: Path, name: str) -> None:
        """It is glued behind docker-credential-."""
        with pytest.raises(Unauthorized, match="is no name"):
            self.asked(tmp_path, name)

    def test_a_helper_sees_the_operators_environment_and_not_the_applications(self, tmp_path: Path) -> None:
        """Cloud helpers need AWS_* and its like; ARGOCD_ENV_* is what an Application's author wrote."""
        program(tmp_path, "x", 'printf \'{"Username":"%s","Secret":"%s"}\' "$AWS_PROFILE" "$ARGOCD_ENV_X$PWD"')

        assert self.asked(tmp_path, AWS_PROFILE="p", ARGOCD_ENV_X="evil") == Credential("p", "/")


class TestChoices:
    def test_the_choice_is_named_by_file_and_key_for_each_endpoint(self, tmp_path: Path) -> None:
        """What ``doctor`` shows, without what it is."""
        (tmp_path / "config.json").write_text(
            json.dumps({"auths": {"*.example.com/team": auth("u")}, "credHelpers": {"m.example": "ecr-login"}})
        )
        hosts = [HostSettings("a.example.com", mirrors=("https://m.example/cache", "http://p.example"), fallback=True)]

        found = Credentials.load(tmp_path).choices(Repository("a.example.com", "team/app"), hosts)

        file = tmp_path / "config.json"
        assert [str(choice) for choice in found] == [
            "https://m.example/v2/cache/team/app: credential helper docker-credential-ecr-login, "
            f"key 'm.example' of {file}",
            "http://p.example/v2/team/app: anonymous (plain http carries no credentials)",
            f"https://a.example.com/v2/team/app: password, key '*.example.com/team' of {file}",
        ]

    def test_nothing_secret_is_in_a_repr(self) -> None:
        """Neither of a credential, nor of what holds it, nor in a URL."""
        found = read(auths={"a.example": auth("user"), "b.example": {"identitytoken": "hunter2"}})
        entries = [found.matching(f"{host}.example", "x")[0] for host in "ab"]
        secrets = [entry.reveal("a.example", 1) for entry in entries]

        assert "hunter2" not in repr(found) + repr(entries) + repr(secrets) + str(
            found.choices(Repository("a.example", "x"), [])
        )
        assert [entry.kind for entry in entries] == ["password", "identity token"]
        assert shown("https://u:hunter2@a/b?token=hunter2#c") == "https://a/b"


def test_an_entry_for_every_host_is_only_the_store() -> None:
    """A key that is no host fits none, however empty it is."""
    odd = ["", "/", "https://", "*:*", "a b", "[", "é.example", "[!z]*.example"]

    assert [key for key in odd if read(auths={key: auth("u")}).matching("a.example", "x")] == []
