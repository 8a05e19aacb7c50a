"""What Argo CD hands over is read strictly, and can only tighten."""

import json
from pathlib import Path

import pytest

from argocd_provenance.argocd.environment import read_application, source_root
from argocd_provenance.argocd.parameters import Parameters, parse_parameters
from argocd_provenance.errors import UsageError
from argocd_provenance.render import DirectoryOptions


def parameter(name: str, value: str) -> str:
    return json.dumps([{"name": name, "string": value}])


class TestApplication:
    def test_is_what_argo_cd_says(self) -> None:
        """Each value from its variable; the namespace is the destination's."""
        application = read_application(
            {
                "ARGOCD_APP_NAME": "shop",
                "ARGOCD_APP_NAMESPACE": "prod",
                "ARGOCD_APP_PROJECT_NAME": "retail",
                "ARGOCD_APP_SOURCE_REPO_URL": "https://github.com/acme/deploy",
                "ARGOCD_APP_SOURCE_PATH": "shop",
                "ARGOCD_APP_REVISION": "abc",
                "ARGOCD_APP_PARAMETERS": "null",
                "KUBE_VERSION": "1.33.0",
                "KUBE_API_VERSIONS": "v1,apps/v1",
                "REGISTRY_PASSWORD": "hunter2",
            }
        )

        settings = application.settings(Path("/nowhere/shop"), "/usr/bin")

        assert (application.name, application.project, application.repository) == (
            "shop",
            "retail",
            "https://github.com/acme/deploy",
        )
        assert (settings.namespace, settings.kube_version, settings.api_versions) == (
            "prod",
            "1.33.0",
            ("v1", "apps/v1"),
        )
        assert settings.root == Path("/nowhere")
        assert "REGISTRY_PASSWORD" not in settings.variables

    def test_is_empty_without_argo_cd(self) -> None:
        """A person runs the same command."""
        application = read_application({})

        assert (application.name, application.api_versions, application.parameters) == ("", (), Parameters())


class TestParameters:
    @pytest.mark.parametrize("text", ["", "null", "[]"])
    def test_none(self, text: str) -> None:
        """Argo CD says `null` when there are none."""
        assert parse_parameters(text) == Parameters()

    def test_all_texts(self) -> None:
        """As an Application has them."""
        values = {
            "policy.mode": "enforce",
            "policy.unmatched": "deny",
            "directory.recurse": "true",
            "directory.include": "*.yaml",
            "directory.exclude": "x*",
        }

        parameters = parse_parameters(json.dumps([{"name": name, "string": value} for name, value in values.items()]))

        assert parameters == Parameters(
            enforce=True,
            deny_unmatched=True,
            kind="directory",
            directory=DirectoryOptions(recurse=True, include="*.yaml", exclude="x*"),
        )

    @pytest.mark.parametrize(
        ("name", "value"),
        [("policy.mode", "warn"), ("policy.mode", ""), ("policy.unmatched", "allow"), ("policy.unmatched", "pin")],
    )
    def test_loosen_nothing(self, name: str, value: str) -> None:
        """A Git commit can replace them."""
        with pytest.raises(UsageError, match="never loosen"):
            parse_parameters(parameter(name, value))

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            pytest.param(
                parameter("policy.mod", "enforce"),
                r"did you mean 'policy\.mode'.*known are policy\.mode, ",
                id="unknown",
            ),
            pytest.param(parameter("hook", "false"), "can only be 'true'", id="hook"),
            pytest.param(parameter("directory.recurse", "yes"), "true", id="no boolean"),
            pytest.param('[{"name": "directory.include", "array": ["a"]}]', "takes `string", id="a list"),
            pytest.param('[{"name": "directory.include", "string": "a", "map": {}}]', "takes `string", id="two forms"),
            pytest.param('[{"name": "directory.include", "string": 1}]', "takes `string", id="a number"),
            pytest.param('[{"string": "a"}]', "without a name", id="no name"),
            pytest.param("[1]", "without a name", id="no mapping"),
            pytest.param("{}", "not a list", id="no list"),
            pytest.param("[", "not JSON", id="no JSON"),
            pytest.param("[" * 100_000, "not JSON", id="nested deeply"),
            pytest.param(
                '[{"name": "directory.include", "string": "a"}, {"name": "directory.include", "string": "b"}]',
                "twice",
                id="twice",
            ),
        ],
    )
    def test_what_is_not_understood_is_an_error(self, text: str, why: str) -> None:
        """With the names that are known."""
        with pytest.raises(UsageError, match=why):
            parse_parameters(text)


class TestSourceRoot:
    @pytest.mark.parametrize("path", ["apps/shop", "./apps/shop", "apps/shop/"])
    def test_is_where_the_path_begins(self, tmp_path: Path, path: str) -> None:
        """Argo CD says where the folder lies in the repository."""
        assert source_root(tmp_path / "apps" / "shop", path) == tmp_path

    def test_is_the_folder_itself_for_a_dot(self, tmp_path: Path) -> None:
        """The source is the whole repository, whatever lies above."""
        (tmp_path / ".git").mkdir()

        assert source_root(tmp_path / "x", ".") == tmp_path / "x"

    def test_is_the_checkout_for_a_person(self, tmp_path: Path) -> None:
        """The nearest folder with a .git."""
        (tmp_path / ".git").mkdir()

        assert source_root(tmp_path / "a" / "b", "") == tmp_path

    def test_without_a_checkout_the_working_folder_is_the_root_if_it_holds_the_source(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A person renders an overlay with its base beside it; elsewhere the folder itself is the root."""
        (tmp_path / "overlays" / "dev").mkdir(parents=True)
        (tmp_path / "other").mkdir()
        monkeypatch.chdir(tmp_path)

        assert source_root(Path("overlays/dev"), "") == tmp_path
        monkeypatch.chdir(tmp_path / "other")
        assert source_root(tmp_path / "overlays", "") == tmp_path / "overlays"

    @pytest.mark.parametrize("path", ["", "other", "../a"])
    def test_is_the_folder_itself_otherwise(self, tmp_path: Path, path: str) -> None:
        """Nothing above is guessed to belong to the source."""
        assert source_root(tmp_path / "a", path) == tmp_path / "a"
