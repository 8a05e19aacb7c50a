"""Remote bases come from where the operator permits, and are checked as the source's own are.

kustomize is a stand-in that prints the files that it is given; the real one is asked in tests/peers.
"""

import json
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from argocd_provenance.errors import RenderError
from argocd_provenance.render.bases import parse
from support.gitserver import Served, git_server
from support.scenario import Scenario
from support.shop import shop

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n"
BASE = {"kustomization.yaml": "resources: [map.yaml]\n", "map.yaml": MAP % "one"}
KUSTOMIZE = """\
import json, os, sys
data = {}
def read(folder):
    text = open(os.path.join(folder, "kustomization.yaml")).read()
    for entry in text.partition("[")[2].partition("]")[0].replace('"', "").split(", "):
        path = os.path.normpath(os.path.join(folder, entry))
        if os.path.isdir(path): read(path)
        else: data[str(len(data))] = open(path).read()
read(sys.argv[2])
print(json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "built"}, "data": data}))
"""


@contextmanager
def overlay(folder: Path, resources: str, *, config: str = "", extra: str = "") -> Iterator[Scenario]:
    """An application whose kustomization has these resources."""
    permitted = config or 'render: {remotes: ["http://127.0.0.1:*/acme/**"]}\n'
    source = {"kustomization.yaml": f"resources: [{resources}]\n{extra}", "own.yaml": MAP % "own"}
    with shop(folder, source=source, config=permitted) as scenario:
        (folder / "bin").mkdir()
        (folder / "bin" / "kustomize").write_text(f"#!{sys.executable} -ISE\n{KUSTOMIZE}")
        (folder / "bin" / "kustomize").chmod(stat.S_IRWXU)
        yield scenario


def generate(folder: Path, scenario: Scenario, **variables: str) -> tuple[int, str, str]:
    return scenario.generate(environment={"PATH": str(folder / "bin"), **variables})


def built(folder: Path, served: Served, entry: str) -> list[str]:
    """The names of the objects that are built from the own one and this remote base."""
    with overlay(folder, f"own.yaml, {served.address}{entry}") as scenario:
        code, manifests, report = generate(folder, scenario)
        kept = (scenario.folder / "source" / "kustomization.yaml").read_text()
    assert (code, kept) == (0, f"resources: [own.yaml, {served.address}{entry}]\n"), report
    return [text.split("name: ")[1].rstrip("}\n") for text in json.loads(manifests)["data"].values()]


class TestBases:
    def test_by_a_tag_a_branch_and_a_commit(self, tmp_path: Path) -> None:
        """Each gives the commit that it names."""
        with git_server({"acme/base": [BASE, {**BASE, "map.yaml": MAP % "two"}]}) as served:
            first = served.commits["acme/base"][0]
            names = [built(tmp_path / ref, served, f"/acme/base?ref={ref}") for ref in ("v1", "main", first)]

        assert names == [["own", "one"], ["own", "two"], ["own", "one"]]

    def test_a_folder_of_a_repository_and_its_own_bases(self, tmp_path: Path) -> None:
        """A base of a base is fetched as well, if its place is permitted."""
        files = {"app/kustomization.yaml": "resources: [../common, ADDRESS/acme/other.git?ref=v1]\n"}
        files |= {f"common/{name}": text for name, text in BASE.items()}
        other = {"kustomization.yaml": "resources: [map.yaml]\n", "map.yaml": MAP % "other"}
        with git_server({"acme/base": [files], "acme/other.git": [other]}) as served:
            names = built(tmp_path, served, "/acme/base//app?ref=v1")

        assert sorted(names) == ["one", "other", "own"]

    def test_credentials_go_to_their_host(self, tmp_path: Path) -> None:
        """Those of the docker config.json."""
        with (
            git_server({"acme/base": [BASE]}) as served,
            overlay(tmp_path, f"{served.address}/acme/base?ref=v1") as here,
        ):
            auths = {"auths": {served.address.removeprefix("http://"): {"username": "u", "password": "p"}}}
            (tmp_path / "config.json").write_text(json.dumps(auths))

            code, _, _ = generate(tmp_path, here, DOCKER_CONFIG=str(tmp_path))

        assert code == 0
        assert {line.partition(" ")[2] for line in served.asked} == {"Basic dTpw"}

    @pytest.mark.parametrize(
        ("files", "why"),
        [
            ({"kustomization.yaml": "resources: [ADDRESS/mallory/base?ref=v1]\n"}, "`render.remotes`"),
            ({"kustomization.yaml": "resources: [../own.yaml]\n"}, "lies outside of the source"),
            (
                {"kustomization.yaml": "resources: ['https://127.0.0.1:1/acme/x.yaml']\n"},
                "only folders of Git repositories",
            ),
            ({"kustomization.yaml": "patches: [{path: 'https://127.0.0.1:1/acme/x.yaml'}]\n"}, "nothing is fetched"),
            ({"kustomization.yaml": "helmCharts: [{name: x}]\n"}, "helmCharts"),
            ({**BASE, "link": "-> ../../../../etc/passwd"}, "a symlink that leads out"),
            ({**BASE, "link": "-> /etc/passwd"}, "a symlink that leads out"),
            ({**BASE, ".gitmodules": "[submodule]\n"}, "has submodules"),
        ],
    )
    def test_what_they_bring_is_checked_as_the_source_is(self, tmp_path: Path, files: dict[str, str], why: str) -> None:
        """Nothing is built."""
        repositories = {"acme/base": [files], "mallory/base": [BASE]}
        with git_server(repositories) as served, overlay(tmp_path, f"{served.address}/acme/base?ref=v1") as here:
            code, manifests, report = generate(tmp_path, here)

        assert (code, manifests) == (3, "")
        assert why in report
        assert not any("mallory" in path for path in served.asked)

    @pytest.mark.parametrize(
        ("entry", "why"),
        [
            ("/mallory/base?ref=v1", "`render.remotes`"),
            ("/acme/base?ref=none", "there is no tag, branch or full commit"),
            ("/acme/none?ref=v1", "/acme/none"),
            ("/acme/base//none?ref=v1", "has no such folder"),
            ("/acme/base", "say which version"),
        ],
    )
    def test_what_cannot_be_had_is_an_error(self, tmp_path: Path, entry: str, why: str) -> None:
        """It names the entry."""
        repositories = {"acme/base": [BASE], "mallory/base": [BASE]}
        with git_server(repositories) as served, overlay(tmp_path, served.address + entry) as here:
            code, manifests, report = generate(tmp_path, here)

        assert (code, manifests) == (3, "")
        assert why in report
        assert not any("mallory" in path for path in served.asked)

    def test_without_remotes_nothing_is_fetched(self, tmp_path: Path) -> None:
        """The default."""
        entry = "/acme/base?ref=v1"
        with git_server({"acme/base": [BASE]}) as at, overlay(tmp_path, at.address + entry, config="# none\n") as here:
            code, _, report = generate(tmp_path, here)

        assert (code, at.asked) == (3, [])
        assert "name the place under `render.remotes`" in report

    def test_build_metadata_would_name_our_copy(self, tmp_path: Path) -> None:
        """So it is refused, beside a remote base."""
        with git_server({"acme/base": [BASE]}) as served:
            resources = f"{served.address}/acme/base?ref=v1"
            with overlay(tmp_path, resources, extra="buildMetadata: [originAnnotations]\n") as here:
                code, _, report = generate(tmp_path, here)

        assert code == 3
        assert "buildMetadata" in report


class TestAddresses:
    @pytest.mark.parametrize(
        ("entry", "expected"),
        [
            ("https://github.com/acme/base?ref=v1", ("https://github.com/acme/base", "v1", "")),
            ("github.com/acme/base/apps/web?ref=v1", ("https://github.com/acme/base", "v1", "apps/web")),
            ("https://git.example/a/b/c.git/apps?ref=v1", ("https://git.example/a/b/c.git", "v1", "apps")),
            ("https://git.example/a/b/c//apps/?version=v1", ("https://git.example/a/b/c", "v1", "apps")),
            ("git::https://git.example/a/b?ref=release/1&timeout=60s", ("https://git.example/a/b", "release/1", "")),
        ],
    )
    def test_are_divided_as_kustomize_divides_them(self, entry: str, expected: tuple[str, str, str]) -> None:
        """Behind ``//``, after ``.git``, or behind the first two names."""
        address = parse(entry)

        assert (address.repository, address.ref, address.folder) == expected

    @pytest.mark.parametrize(
        "entry",
        [
            "git@github.com:acme/base?ref=v1",
            "ssh://git@github.com/acme/base?ref=v1",
            "file:///srv/base?ref=v1",
            "https://u:p@github.com/acme/base?ref=v1",
            "https://github.com/acme/base",
            "https://github.com/acme/base?ref=",
            "https://github.com/acme/base?ref=--upload-pack=x",
            "https://github.com/acme/base?ref=v1&ref=v2",
            "https://github.com/acme/base?ref=v1&depth=1",
            "https://github.com/acme/../base?ref=v1",
            "https://github.com/acme?ref=v1",
            "https://example.com/all.yaml",
            "https://dev.azure.com/o/p/_git/r?ref=v1",
        ],
    )
    def test_others_are_refused(self, entry: str) -> None:
        """By name, with the way to do it."""
        with pytest.raises(RenderError, match=r"https only|only folders|say which version|names no repository"):
            parse(entry)
