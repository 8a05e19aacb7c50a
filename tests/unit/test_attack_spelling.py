"""Attacks by spelling: the same registry, repository, field or file under a name that the rules do not know."""

import io
import json
import tarfile
from pathlib import Path

import pytest

from argocd_provenance.cli import edges, operator
from argocd_provenance.cli.gate import _templated
from argocd_provenance.config import Config
from argocd_provenance.deadline import Deadline
from argocd_provenance.documents import read
from argocd_provenance.errors import InvalidReference, RenderError, UsageError
from argocd_provenance.oci.credentials import Credentials, parse
from argocd_provenance.oci.reference import Reference
from argocd_provenance.policy.foreignglob import foreign_pattern
from argocd_provenance.policy.giturl import normalised
from argocd_provenance.policy.imagepatterns import Image, ImagePattern
from argocd_provenance.render.helm import check_schemas
from argocd_provenance.render.kustomization import check_local


class TestRegistryHosts:
    """A node asks the same registry whichever way its host is spelled."""

    @pytest.mark.parametrize(
        ("written", "pattern"),
        [
            ("GHCR.io/acme/shop:v1", "ghcr.io/acme/**"),
            ("ghcr.io:443/acme/shop:v1", "ghcr.io/acme/**"),
            ("ghcr.io:0443/acme/shop:v1", "ghcr.io:443/acme/**"),
            ("Index.Docker.io/acme/shop:v1", "docker.io/acme/**"),
            ("registry-1.docker.io/acme/shop:v1", "acme/**"),
        ],
    )
    @pytest.mark.parametrize("parse", [ImagePattern.parse, foreign_pattern])
    def test_no_spelling_of_a_host_evades_a_pattern(self, written: str, pattern: str, parse: type) -> None:
        """Case, the port of https and the aliases of Docker Hub are one registry."""
        if parse is foreign_pattern and pattern == "acme/**":
            pattern = "docker.io/acme/**"

        found = parse(pattern)  # type: ignore[call-arg]

        assert found.matches(Image(Reference.parse(written), None))

    def test_the_text_itself_stays_as_written(self) -> None:
        """Only rules see the one spelling; the manifest keeps its own."""
        assert Reference.parse("GHCR.io/acme/shop").written == "GHCR.io/acme/shop"

    def test_a_loopback_port_is_a_port(self) -> None:
        """Loopback registries speak http, where 443 is not the default."""
        assert Reference.parse("localhost:443/a").repository.host == "localhost:443"

    def test_credentials_follow_the_host(self) -> None:
        """What docker calls ``ghcr.io:443`` is ghcr.io."""
        found = Credentials(parse(json.dumps({"auths": {"https://ghcr.io:443": {"auth": "YTpi"}}}).encode()))

        assert found.matching("ghcr.io", "acme/app")


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/acme/../mallory/deploy",
        "https://github.com/acme/%2E%2e/mallory/deploy",
        "https://github.com/acme/deploy/..",
        "git@github.com:../mallory",
    ],
)
def test_a_repository_url_with_dots_is_none(url: str) -> None:
    """Git's HTTP client resolves them, and asks for another repository than a glob saw."""
    assert normalised(url) == ""


@pytest.mark.parametrize("image", ["a_b.mallory.example/x:1", "a_b.mallory.example/x@sha256:" + "0" * 64])
def test_a_host_that_we_refuse_is_no_hole_of_a_template(image: str) -> None:
    """In a kind we do not know, what a node might pull is never left as it is."""
    rendered = read([("f.yaml", f"apiVersion: x/v1\nkind: CloneSet\nspec: {{containers: [{{image: '{image}'}}]}}\n")])

    assert not _templated(rendered)


class TestPathsOfTheEnvironment:
    """The working folder is the Application's repository."""

    def test_a_relative_config_is_refused(self) -> None:
        """The repository would name its own policies."""
        with pytest.raises(UsageError, match="absolute"):
            operator.config_path(None, {"ARGOCD_PROVENANCE_CONFIG": "config.yaml"})

    @pytest.mark.parametrize("name", ["DOCKER_CONFIG", "HOME"])
    def test_relative_credentials_are_refused(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """The repository would say as whom we speak to a registry."""
        monkeypatch.delenv("DOCKER_CONFIG", raising=False)
        monkeypatch.setenv(name, "here")

        with (
            pytest.raises(UsageError, match="absolute"),
            edges.registry(Config("-"), frozenset(), Deadline(1, lambda: 0.0)),
        ):
            pass


@pytest.mark.parametrize(
    "text",
    ["Resources: [../../other]", "RESOURCES: [../../other]", "re\u017fources: [../../other]", "helmcharts: [{}]"],
)
def test_a_field_of_a_kustomization_in_other_case_is_refused(tmp_path: Path, text: str) -> None:
    """Kustomize's reader takes it for the field, and would build on a folder that nobody checked."""
    (tmp_path / "kustomization.yaml").write_text(text)

    with pytest.raises(RenderError, match=r"write (resources|helmCharts)"):
        check_local(tmp_path, tmp_path, Deadline(60, clock=lambda: 0.0))


class TestSchemasOfCharts:
    """Helm fetches or opens what a schema refers to, wherever the schema lies."""

    evil = json.dumps({"properties": {"a": {"$ref": "file:///etc/passwd"}}}).encode()

    def test_a_schema_in_an_archive(self, tmp_path: Path) -> None:
        """Dependencies are often committed as archives."""
        (tmp_path / "charts").mkdir()
        (tmp_path / "charts" / "sub-1.0.0.tgz").write_bytes(_packed("sub/values.schema.json", self.evil))

        with pytest.raises(RenderError, match="nothing is fetched"):
            check_schemas(tmp_path)

    def test_a_schema_in_an_archive_in_an_archive(self, tmp_path: Path) -> None:
        """Helm reads those as well."""
        inner = _packed("deep/values.schema.json", self.evil)
        (tmp_path / "charts").mkdir()
        (tmp_path / "charts" / "sub-1.0.0.tgz").write_bytes(_packed("sub/charts/deep-1.0.0.tgz", inner))

        with pytest.raises(RenderError, match="nothing is fetched"):
            check_schemas(tmp_path)

    def test_a_schema_behind_a_link(self, tmp_path: Path) -> None:
        """Helm follows links to folders."""
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "elsewhere" / "values.schema.json").write_bytes(self.evil)
        (tmp_path / "chart" / "charts").mkdir(parents=True)
        (tmp_path / "chart" / "charts" / "sub").symlink_to(tmp_path / "elsewhere")

        with pytest.raises(RenderError, match="nothing is fetched"):
            check_schemas(tmp_path / "chart")

    @pytest.mark.parametrize(
        "place",
        ["file:///etc/passwd", "http://127.0.0.1:8084/metrics", "https://json-schema.org.mallory.example/schema"],
    )
    def test_a_meta_schema_of_ones_own(self, tmp_path: Path, place: str) -> None:
        """``$schema`` names a place to fetch too, unless it is a draft that is built in."""
        (tmp_path / "values.schema.json").write_text(json.dumps({"$schema": place}))

        with pytest.raises(RenderError, match=r"\$schema"):
            check_schemas(tmp_path)

    @pytest.mark.parametrize(
        "draft",
        [
            "http://json-schema.org/schema#",
            "http://json-schema.org/draft-07/schema",
            "https://json-schema.org/draft/2020-12/schema",
        ],
    )
    def test_a_draft_is_fine(self, tmp_path: Path, draft: str) -> None:
        """Most schemas name one."""
        (tmp_path / "values.schema.json").write_text(json.dumps({"$schema": draft}))

        check_schemas(tmp_path)


def _packed(name: str, content: bytes) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return written.getvalue()


@pytest.mark.parametrize(
    ("text", "hint"), [("user:pw@ghcr.io/a/b:1", "names no user"), ("Nginx", "lower case"), ("x y", "'x y'")]
)
def test_a_refusal_names_the_text_as_written(text: str, hint: str) -> None:
    """Not what defaults made of it."""
    with pytest.raises(InvalidReference, match=hint) as refused:
        Reference.parse(text)

    assert repr(text) in str(refused.value)
