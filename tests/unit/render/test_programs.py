"""helm and kustomize are called as Argo CD calls them, and nothing of ours goes with them.

The programs are stand-ins that print how they were called; the real ones are called in tests/peers.
"""

import os
import stat
import sys
from pathlib import Path

import pytest

from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import RenderError
from argocd_provenance.render import Settings, render, renderer

ECHO = "import os, sys\nprint(sys.argv[1:])\nprint(os.getcwd())\nprint(sorted(os.environ.items()))\n"


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    folder = tmp_path / "source" / "chart"
    folder.mkdir(parents=True)
    (folder / "Chart.yaml").write_text("name: a\n")
    return folder


@pytest.fixture
def kustomization(tmp_path: Path) -> Path:
    folder = tmp_path / "source" / "app"
    folder.mkdir(parents=True)
    (folder / "kustomization.yaml").write_text("namePrefix: a-\n")
    return folder


def programs(folder: Path, body: str) -> str:
    """A search path on which helm and kustomize run the Python of `body`."""
    place = folder / "bin"
    place.mkdir(exist_ok=True)
    for name in ("helm", "kustomize"):
        (place / name).write_text(f"#!{sys.executable} -ISE\n{body}")
        (place / name).chmod(stat.S_IRWXU)
    return str(place)


def output(source: Path, settings: Settings) -> str:
    return render(source, settings, Deadline(60))[0][1]


class TestHowTheyAreCalled:
    def test_helm(self, tmp_path: Path, chart: Path) -> None:
        """In the chart's folder, with Argo CD's arguments in Argo CD's order."""
        settings = Settings(
            name="ns_shop",
            namespace="prod",
            kube_version="1.33.0",
            api_versions=("v1", "apps/v1/Deployment"),
            root=chart.parent,
            search_path=programs(tmp_path, ECHO),
        )

        said = output(chart, settings).splitlines()

        expected = ["template", ".", "--name-template", "shop", "--namespace", "prod", "--kube-version", "1.33.0"]
        assert said[0] == str(
            [*expected, "--api-versions", "v1", "--api-versions", "apps/v1/Deployment", "--include-crds"]
        )
        assert said[1] == str(chart)

    def test_kustomize(self, tmp_path: Path, kustomization: Path) -> None:
        """In the source's root, with the folder's absolute path and not one flag."""
        settings = Settings(root=kustomization.parent, search_path=programs(tmp_path, ECHO))

        said = output(kustomization, settings).splitlines()

        assert said[:2] == [str(["build", str(kustomization)]), str(kustomization.parent)]

    def test_a_nameless_release_is_called_as_helm_calls_it(self, tmp_path: Path, chart: Path) -> None:
        """A person at a laptop gets what `helm template .` gives; Argo CD always names the Application."""
        said = output(chart, Settings(search_path=programs(tmp_path, ECHO))).splitlines()

        assert said[0] == str(["template", ".", "--name-template", "release-name", "--include-crds"])


class TestVersions:
    def test_are_what_the_programs_say(self, tmp_path: Path, chart: Path, kustomization: Path) -> None:
        """A folder of manifests needs no program."""
        settings = Settings(search_path=programs(tmp_path, "import sys\nprint('v1.2.' + str(len(sys.argv)))\n"))

        assert renderer(chart, settings, Deadline(60)) == ("helm", "1.2.4")
        assert renderer(kustomization, settings, Deadline(60)) == ("kustomize", "1.2.2")
        assert renderer(chart.parent, settings, Deadline(60)) == ("directory", "")


class TestSchemas:
    @pytest.mark.parametrize("reference", ["http://127.0.0.1:8081/x", "file:///etc/passwd", "other.json"])
    def test_a_schema_that_refers_elsewhere_is_refused(self, tmp_path: Path, chart: Path, reference: str) -> None:
        """Also in a vendored chart: helm would fetch or open it."""
        (chart / "charts" / "sub").mkdir(parents=True)
        schema = f'{{"properties": {{"a": [{{"$ref": "{reference}"}}]}}}}'
        (chart / "charts" / "sub" / "values.schema.json").write_text(schema)

        with pytest.raises(RenderError, match=r"values\.schema\.json.*nothing is fetched"):
            output(chart, Settings(name="a", search_path=programs(tmp_path, ECHO)))

    def test_a_schema_that_refers_to_itself_is_fine(self, tmp_path: Path, chart: Path) -> None:
        """As most do."""
        (chart / "values.schema.json").write_text(
            '{"$schema": "http://json-schema.org/schema#", "$ref": "#/a", "a": {}}'
        )

        assert output(chart, Settings(name="a", search_path=programs(tmp_path, ECHO)))


class TestWhatTheySee:
    def test_nothing_of_our_environment(
        self, tmp_path: Path, kustomization: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Neither credentials nor homes of ours, and a PATH without programs."""
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
        settings = Settings(search_path=programs(tmp_path, ECHO), variables={"ARGOCD_APP_NAME": "shop"})

        said = output(kustomization, settings)

        assert "hunter2" not in said
        assert os.environ["HOME"] not in dict(eval(said.splitlines()[2]))["HOME"]  # noqa: S307 - our own stand-in printed it
        assert "('ARGOCD_APP_NAME', 'shop')" in said

    @pytest.mark.parametrize(
        "name", ["HELM_PLUGINS", "HELM_REGISTRY_CONFIG", "HELM_REPOSITORY_CONFIG", "KUBECONFIG", "XDG_CONFIG_HOME"]
    )
    def test_homes_that_are_gone_afterwards(self, tmp_path: Path, chart: Path, name: str) -> None:
        """Every folder that helm reads settings from lies in one that we made and delete."""
        said = output(chart, Settings(name="a", search_path=programs(tmp_path, ECHO)))

        place = Path(dict(eval(said.splitlines()[2]))[name])  # noqa: S307 - our own stand-in printed it
        assert "argocd-provenance-" in str(place)
        assert not place.parent.exists()

    def test_no_input(self, tmp_path: Path, chart: Path) -> None:
        """Standard input is empty: in filter mode it holds manifests."""
        body = "import sys\nprint(repr(sys.stdin.read()))\n"

        assert output(chart, Settings(name="a", search_path=programs(tmp_path, body))) == "''\n"


class TestHowTheyFail:
    def test_a_missing_program_is_named_with_its_version(self, chart: Path) -> None:
        """And where to get it."""
        with pytest.raises(RenderError, match=r"helm is not installed.*install helm 4\.2\.4"):
            output(chart, Settings(name="a", search_path="/nowhere"))

    def test_relative_entries_of_the_search_path_do_not_count(
        self, tmp_path: Path, chart: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Else the source could bring its own helm."""
        programs(tmp_path, ECHO)
        monkeypatch.chdir(tmp_path)

        with pytest.raises(RenderError, match="not installed"):
            output(chart, Settings(name="a", search_path="bin::."))

    def test_what_it_said_is_quoted_without_our_paths(self, tmp_path: Path, chart: Path) -> None:
        """The work folder's path is nobody's business, and control characters would reach a terminal."""
        body = f"import sys\nsys.exit('\\x1b[31mno values in {chart}/values.yaml')"

        with pytest.raises(RenderError) as caught:
            output(chart, Settings(name="a", search_path=programs(tmp_path, body)))

        assert str(caught.value) == "helm failed (exit 1): �[31mno values in values.yaml"

    def test_what_it_said_is_capped(self, tmp_path: Path, chart: Path) -> None:
        """A megabyte on stderr does not become a report."""
        body = "import sys\nsys.stderr.write('x' * 1000000)\nsys.exit(3)"

        with pytest.raises(RenderError) as caught:
            output(chart, Settings(name="a", search_path=programs(tmp_path, body)))

        assert len(str(caught.value)) < 2000

    def test_output_is_limited(self, tmp_path: Path, chart: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A program that never stops printing is ended."""
        monkeypatch.setattr("argocd_provenance.render.launch._OUTPUT_LIMIT", 1000)
        body = "while True: print('x' * 100)"

        with pytest.raises(RenderError, match="more than 1000 bytes"):
            output(chart, Settings(name="a", search_path=programs(tmp_path, body)))

    def test_other_encodings_are_refused(self, tmp_path: Path, chart: Path) -> None:
        """Nothing is guessed."""
        body = "import sys\nsys.stdout.buffer.write(b'\\xff')"

        with pytest.raises(RenderError, match="not UTF-8"):
            output(chart, Settings(name="a", search_path=programs(tmp_path, body)))
