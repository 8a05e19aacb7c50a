"""The real helm and kustomize read nothing outside of the source, and reach nobody: by our checks, and without them.

Each thing is tried twice: through `render`, which refuses it by name, and with the program alone behind its fences.
"""

import os
import shutil
import socket
from collections.abc import Sequence
from pathlib import Path

import pytest

from argocd_provenance.deadline import Deadline
from argocd_provenance.errors import RenderError
from argocd_provenance.render import HelmOptions, Settings, helm, render
from argocd_provenance.render.process import run

pytestmark = pytest.mark.peers

CHART = "apiVersion: v2\nname: c\nversion: 0.1.0\n"


def program(name: str) -> str:
    found = os.environ.get(name.upper()) or shutil.which(name)
    assert found, f"set {name.upper()} to the path of {name}, or put it on PATH"
    return str(Path(found).resolve())


@pytest.fixture(scope="module")
def search_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("bin")
    for name in ("kustomize", "helm"):
        (folder / name).symlink_to(program(name))
    return str(folder)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A source, with a secret of somebody else's beside it."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key.yaml").write_text("password: hunter2\n")
    (tmp_path / "source" / "app" / "templates").mkdir(parents=True)
    return tmp_path / "source" / "app"


def chart(source: Path, template: str) -> None:
    (source / "Chart.yaml").write_text(CHART)
    (source / "templates" / "a.yaml").write_text(
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata:\n  said: {template}\n"
    )


def rendered(source: Path, search_path: str, **options: Sequence[str]) -> str:
    settings = Settings(name="a", root=source.parent, search_path=search_path, helm=HelmOptions(**options))  # type: ignore[arg-type]
    return "".join(text for _, text in render(source, settings, Deadline(60)))


def alone(source: Path, *arguments: str) -> str:
    """The program behind its fences, with arguments that we never give."""
    name, *others = arguments
    return run([program(name), *others], source, helm.environment, [source.parent], Deadline(60))


class TestHelm:
    @pytest.mark.parametrize(
        "template",
        [
            "'{{ .Files.Get \"../../secret/key.yaml\" }}'",
            "'{{ .Files.Get \"SECRET\" }}'",
            "'{{ range $name, $_ := .Files.Glob \"../../secret/*\" }}{{ $name }}{{ end }}'",
            "'{{ range $name, $_ := .Files.Glob \"SECRET\" }}{{ $name }}{{ end }}'",
            '\'{{ lookup "v1" "Secret" "kube-system" "" | toJson | trunc 2 | replace "{}" "" }}\'',
            "'{{ getHostByName \"localhost\" }}'",
        ],
    )
    def test_templates_reach_nothing(self, source: Path, search_path: str, template: str) -> None:
        """No file outside of the chart, no cluster, no name that is looked up: each of them is empty."""
        chart(source, template.replace("SECRET", str(source.parents[1] / "secret" / "key.yaml")))

        assert "said: ''" in rendered(source, search_path)

    @pytest.mark.parametrize("function", ["env", "expandenv"])
    def test_templates_see_no_environment(self, source: Path, search_path: str, function: str) -> None:
        """The functions that read it are gone in helm."""
        chart(source, f"'{{{{ {function} \"HOME\" }}}}'")

        with pytest.raises(RenderError, match="not defined"):
            rendered(source, search_path)

    @pytest.mark.parametrize("place", ["templates/b.yaml", "values.yaml", "files/b", "charts/sub"])
    def test_links_out_of_the_source(self, source: Path, search_path: str, place: str) -> None:
        """They are followed by helm and refused by us, and behind the fence there is nothing to follow."""
        chart(source, "'{{ .Files.Get \"files/b\" }}{{ .Values.password }}'")
        link = source / place
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(source.parents[1] / "secret" / ("" if place.startswith("charts") else "key.yaml"))

        with pytest.raises(RenderError, match="a symlink that leads out of the source"):
            rendered(source, search_path)
        with pytest.raises(RenderError, match="permission denied") as caught:
            alone(source, "helm", "template", ".")
        assert "hunter2" not in str(caught.value)

    @pytest.mark.parametrize("place", ["../../secret/key.yaml", "../../../secret/*", "/../secret/key.yaml"])
    def test_value_files_out_of_the_source(self, source: Path, search_path: str, place: str) -> None:
        """By a path or a pattern."""
        chart(source, "'{{ .Values.password }}'")

        with pytest.raises(RenderError, match=r"outside of the source|matches no file"):
            rendered(source, search_path, value_files=(place,))

    @pytest.mark.parametrize("flag", ["--values={}", "--set-file=password={}"])
    def test_files_out_of_the_source_are_not_there(self, source: Path, flag: str) -> None:
        """Should a check of ours ever miss one, the kernel does not."""
        chart(source, "'{{ .Values.password }}'")

        with pytest.raises(RenderError, match="permission denied"):
            alone(source, "helm", "template", ".", flag.format(source.parents[1] / "secret" / "key.yaml"))

    @pytest.mark.parametrize("scheme", ["http", "oci"])
    def test_no_request_leaves(self, source: Path, scheme: str) -> None:
        """Not even to loopback, where Argo CD's own servers listen."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = f"{scheme}://127.0.0.1:{server.getsockname()[1]}/c"
            with pytest.raises(RenderError, match=r"operation not permitted|permission denied"):
                alone(source, "helm", "template", "a", address, "--plain-http" if scheme == "oci" else "--debug")

    def test_no_post_renderer_and_no_plugin_of_the_source_runs(self, source: Path) -> None:
        """What the repository brought is not executed, and helm looks for plugins in a home that is empty."""
        chart(source, "'a'")
        (source / "evil").write_text("#!/bin/sh\necho ran\n")
        (source / "evil").chmod(0o755)

        with pytest.raises(RenderError) as caught:
            alone(source, "helm", "template", ".", "--post-renderer", "./evil")
        assert "ran" not in str(caught.value).split()


class TestKustomize:
    FILES = "configMapGenerator: [{{name: a, files: [{}]}}]\n"

    @pytest.mark.parametrize("place", ["../../secret/key.yaml", "SECRET"])
    def test_files_out_of_the_source(self, source: Path, search_path: str, place: str) -> None:
        """The restriction of kustomize is never lifted; were it lifted, the fence would stand."""
        place = place.replace("SECRET", str(source.parents[1] / "secret" / "key.yaml"))
        (source / "kustomization.yaml").write_text(self.FILES.format(place))

        with pytest.raises(RenderError, match=r"security|not in or below|outside"):
            rendered(source, search_path)
        with pytest.raises(RenderError, match="permission denied"):
            alone(source, "kustomize", "build", ".", "--load-restrictor", "LoadRestrictionsNone")

    def test_bases_out_of_the_source(self, source: Path, search_path: str) -> None:
        """A base is a folder of the source."""
        (source.parents[1] / "secret" / "kustomization.yaml").write_text("resources: []\n")
        (source / "kustomization.yaml").write_text("resources: [../../secret]\n")

        with pytest.raises(RenderError, match="outside of the source"):
            rendered(source, search_path)
        with pytest.raises(RenderError):
            alone(source, "kustomize", "build", ".")

    def test_no_program_runs(self, source: Path, search_path: str) -> None:
        """An exec function of the repository is refused by us, and is no program behind the fence."""
        (source / "evil").write_text("#!/bin/sh\necho ran >&2\n")
        (source / "evil").chmod(0o755)
        (source / "gen.yaml").write_text(
            "apiVersion: a/v1\nkind: G\nmetadata:\n  name: g\n  annotations:\n    config.kubernetes.io/function: |\n      exec: {path: ./evil}\n"
        )
        (source / "kustomization.yaml").write_text("generators: [gen.yaml]\n")

        with pytest.raises(RenderError, match="only kustomize's own generators"):
            rendered(source, search_path)
        with pytest.raises(RenderError, match=r"permission denied|fork/exec|not permitted") as caught:
            alone(source, "kustomize", "build", ".", "--enable-alpha-plugins", "--enable-exec")
        assert "ran" not in str(caught.value).split()

    def test_no_request_leaves(self, source: Path) -> None:
        """Neither by HTTP nor by git."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            host = f"127.0.0.1:{server.getsockname()[1]}"
            for address in (f"http://{host}/a.yaml", f"git::http://{host}/a?ref=b"):
                (source / "kustomization.yaml").write_text(f"resources: ['{address}']\n")

                with pytest.raises(RenderError, match="kustomize failed"):
                    alone(source, "kustomize", "build", ".")
            server.setblocking(False)
            with pytest.raises(BlockingIOError):
                server.accept()
