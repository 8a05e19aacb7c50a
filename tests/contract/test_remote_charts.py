"""Charts that a chart needs come from where the operator permits, and those of registries are judged as images are.

helm is a stand-in that prints what lies in ``charts/``; the real one is asked in tests/peers.
"""

import gzip
import hashlib
import io
import json
import stat
import sys
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from argocd_provenance.cli.operator import load
from argocd_provenance.cli.remotes import remotes
from argocd_provenance.deadline import Deadline
from argocd_provenance.oci.reference import Digest
from argocd_provenance.pipeline import Decided
from argocd_provenance.policy.decision import Decision
from argocd_provenance.verdict import Outcome
from support.scenario import Scenario
from support.shop import PROVENANCE, SIGNATURE, attach, policy, shop
from support.web import web

CHART = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
CONFIG_TYPE = "application/vnd.cncf.helm.config.v1+json"
HELM = """\
import hashlib, json, os, sys
found = {name: hashlib.sha256(open(f"charts/{name}", "rb").read()).hexdigest() for name in sorted(os.listdir("charts"))}
print(json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "charts"}, "data": found}))
"""


def packed(
    name: str = "web", version: str = "1.2.3", extra: Mapping[str, bytes] | None = None, link: str = ""
) -> bytes:
    """The archive of a chart."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        chart = f"apiVersion: v2\nname: {name}\nversion: {version}\n".encode()
        for path, content in {f"{name}/Chart.yaml": chart, **(extra or {})}.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        if link:
            member = tarfile.TarInfo(f"{name}/link")
            member.type, member.linkname = tarfile.SYMTYPE, link
            archive.addfile(member)
    return out.getvalue()


def push(scenario: Scenario, content: bytes, tag: str = "1.2.3", media_type: str = CHART) -> Any:
    """Push a chart to acme/charts/web; its descriptor."""
    registry = scenario.registry
    config = registry.push_blob("acme/charts/web", b"{}", CONFIG_TYPE)
    layer = registry.push_blob("acme/charts/web", content, media_type)
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config,
        "layers": [layer],
    }
    return registry.push_manifest("acme/charts/web", manifest, tag)


def needs(repository: str, version: str = "1.2.3", name: str = "web") -> str:
    listed = json.dumps([{"name": name, "version": version, "repository": repository}])
    return f"apiVersion: v2\nname: app\nversion: 0.1.0\ndependencies: {listed}\n"


@contextmanager
def chart(
    folder: Path,
    repository: str = "oci://REGISTRY/acme/charts",
    *,
    rules: str = "",
    config: str = "",
    version: str = "1.2.3",
) -> Iterator[Scenario]:
    """An application whose chart needs `web` from `repository`."""
    permitted = config or 'render: {remotes: ["oci://REGISTRY/acme/**", "http://127.0.0.1:*/**"]}\n'
    with shop(folder, source={"Chart.yaml": needs(repository, version)}, rules=rules, config=permitted) as scenario:
        (folder / "bin").mkdir()
        (folder / "bin" / "helm").write_text(f"#!{sys.executable} -ISE\n{HELM}")
        (folder / "bin" / "helm").chmod(stat.S_IRWXU)
        yield scenario


def generate(folder: Path, scenario: Scenario, *arguments: str, **variables: str) -> tuple[int, str, str]:
    return scenario.generate(*arguments, environment={"PATH": str(folder / "bin"), **variables})


def index(content: bytes, url: str = "web-1.2.3.tgz", **fields: str) -> bytes:
    entry = {"name": "web", "version": "1.2.3", "urls": [url], "digest": hashlib.sha256(content).hexdigest(), **fields}
    other = {**entry, "version": "9.0.0", "urls": ["other.tgz"]}
    return json.dumps({"apiVersion": "v1", "entries": {"web": [other, entry]}}).encode()


class TestRegistries:
    @pytest.mark.parametrize(("require", "what"), [(SIGNATURE, "signature"), (PROVENANCE, "provenance")])
    def test_a_signed_chart_is_rendered(self, tmp_path: Path, require: str, what: str) -> None:
        """The very bytes that were judged, and the report names chart and digest."""
        content = packed()
        with chart(tmp_path, rules=policy(require)) as scenario:
            pushed = push(scenario, content)
            attach(scenario, pushed, "acme/charts/web", what=what)

            code, manifests, report = generate(tmp_path, scenario, "--output", "json")

        assert code == 0
        assert json.loads(manifests)["data"] == {"web-1.2.3.tgz": hashlib.sha256(content).hexdigest()}
        (judged,) = json.loads(report)["images"]
        assert (judged["reference"], judged["digest"], judged["verdict"]) == (
            "REGISTRY/acme/charts/web:1.2.3",
            pushed["digest"],
            "allowed",
        )
        assert judged["where"][0]["kind"] == "Chart"

    def test_an_unsigned_chart_is_denied(self, tmp_path: Path) -> None:
        """It is never fetched, let alone rendered."""
        with chart(tmp_path) as scenario:
            push(scenario, packed())

            code, manifests, report = generate(tmp_path, scenario)

            assert scenario.registry.asked("blobs") == []
        assert (code, manifests) == (4, "")
        assert "[unsigned]" in report
        assert "REGISTRY/acme/charts/web:1.2.3" in report

    def test_a_moved_tag_is_denied(self, tmp_path: Path) -> None:
        """What was signed under this tag before says nothing about what it names now."""
        with chart(tmp_path, rules=policy(SIGNATURE)) as scenario:
            attach(scenario, push(scenario, packed()), "acme/charts/web", what="signature")
            push(scenario, packed(extra={"web/templates/evil.yaml": b"a: 1\n"}))

            code, manifests, _ = generate(tmp_path, scenario)

        assert (code, manifests) == (4, "")

    def test_what_is_fetched_is_what_was_judged(self, tmp_path: Path) -> None:
        """A tag that moves between the two changes nothing."""
        with chart(tmp_path) as scenario:
            reference = f"{scenario.registry.host}/acme/charts/web:1.2.3"
            judged = Digest(push(scenario, packed())["digest"])
            push(scenario, packed(extra={"web/templates/evil.yaml": b"a: 1\n"}))
            decided = {reference: Decided(reference, Decision(Outcome.ALLOWED), judged)}

            with remotes(load(scenario.folder / "config.yaml"), decided, Deadline(20)) as opened:
                assert opened.chart(reference, 1 << 20) == packed()

    @pytest.mark.parametrize(("unmatched", "expected"), [("deny", 4), ("pin", 0), ("allow", 0)])
    def test_a_chart_that_no_policy_covers_follows_unmatched(
        self, tmp_path: Path, unmatched: str, expected: int
    ) -> None:
        """As an image does."""
        config = f'render: {{remotes: ["oci://REGISTRY/acme/**"]}}\nunmatched: {unmatched}\n'
        with chart(tmp_path, rules=policy(images='["REGISTRY/other/**"]'), config=config) as scenario:
            push(scenario, packed())

            code, manifests, _ = generate(tmp_path, scenario)

        assert (code, bool(manifests)) == (expected, not expected)

    def test_a_chart_from_a_place_that_is_not_permitted_is_not_asked_for(self, tmp_path: Path) -> None:
        """Whatever the policies name."""
        with chart(tmp_path, config='render: {remotes: ["oci://REGISTRY/other/**"]}\n') as scenario:
            push(scenario, packed())

            code, _, report = generate(tmp_path, scenario)

            assert scenario.registry.asked() == []
        assert code == 3
        assert "[registry-forbidden]" in report
        assert "`render.remotes`" in report

    def test_what_is_no_chart_is_an_error(self, tmp_path: Path) -> None:
        """An image is none, though it is signed."""
        with chart(tmp_path, rules=policy(SIGNATURE)) as scenario:
            pushed = push(scenario, packed(), media_type="application/vnd.oci.image.layer.v1.tar+gzip")
            attach(scenario, pushed, "acme/charts/web", what="signature")

            code, manifests, report = generate(tmp_path, scenario)

        assert (code, manifests) == (3, "")
        assert "is no chart of helm" in report


class TestRepositories:
    def test_a_chart_of_a_repository_is_rendered(self, tmp_path: Path) -> None:
        """By the entry of its version in the index, whatever newer one is there."""
        content = packed()
        files = {"/charts/index.yaml": index(content), "/charts/web-1.2.3.tgz": content}
        with web(files) as (address, asked), chart(tmp_path, f"{address}/charts") as scenario:
            code, manifests, _ = generate(tmp_path, scenario)

        assert code == 0
        assert json.loads(manifests)["data"] == {"web-1.2.3.tgz": hashlib.sha256(content).hexdigest()}
        assert asked == ["/charts/index.yaml", "/charts/web-1.2.3.tgz"]

    def test_the_source_keeps_its_files(self, tmp_path: Path) -> None:
        """Charts are put into a copy."""
        content = packed()
        with (
            web({"/index.yaml": index(content), "/web-1.2.3.tgz": content}) as (address, _),
            chart(tmp_path, address) as scenario,
        ):
            generate(tmp_path, scenario)

            assert [path.name for path in (scenario.folder / "source").iterdir()] == ["Chart.yaml"]

    def test_credentials_go_to_their_host(self, tmp_path: Path) -> None:
        """Those of the docker config.json, by the host."""
        content = packed()
        with web({"/index.yaml": index(content), "/web-1.2.3.tgz": content}) as (address, asked):
            auths = {"auths": {address.removeprefix("http://"): {"username": "u", "password": "p"}}}
            (tmp_path / "config.json").write_text(json.dumps(auths))
            with chart(tmp_path, address) as scenario:
                code, _, _ = generate(tmp_path, scenario, DOCKER_CONFIG=str(tmp_path))

        assert code == 0
        assert asked == ["/index.yaml Basic dTpw", "/web-1.2.3.tgz Basic dTpw"]

    @pytest.mark.parametrize(
        ("url", "fields", "content", "why"),
        [
            pytest.param(
                "web-1.2.3.tgz", {"digest": "0" * 64}, packed(), "is not what the index says", id="other bytes"
            ),
            pytest.param("web-1.2.3.tgz", {}, packed("other"), "not what was asked for", id="another chart"),
            pytest.param("web-1.2.3.tgz", {}, packed(version="1.2.4"), "not what was asked for", id="another version"),
            pytest.param("web-1.2.3.tgz", {}, packed(link="/etc/passwd"), "holds a link", id="a link"),
            pytest.param(
                "web-1.2.3.tgz", {}, packed(extra={"web/../../x": b""}), "holds a link, or a file", id="zip slip"
            ),
            pytest.param("web-1.2.3.tgz", {}, b"no archive", "cannot be read as an archive", id="no archive"),
            pytest.param("web-1.2.3.tgz", {}, gzip.compress(bytes(101 << 20), 1), "", id="a bomb"),
            pytest.param(
                "web-1.2.3.tgz",
                {},
                packed(extra={"web/values.schema.json": b'{"$ref": "file:///etc/passwd"}'}),
                "nothing is fetched",
                id="a schema that refers elsewhere",
            ),
            pytest.param(
                "http://127.0.0.2:1/web.tgz", {}, packed(), "`render.remotes`", id="a host that is not permitted"
            ),
            pytest.param("file:///etc/passwd", {}, packed(), "", id="a file"),
            pytest.param("http://u:p@127.0.0.1/web.tgz", {}, packed(), "no address", id="credentials"),
            pytest.param("../../web.tgz", {}, packed(), "", id="upwards"),
        ],
    )
    def test_what_is_not_what_was_asked_for_is_an_error(
        self, tmp_path: Path, url: str, fields: dict[str, str], content: bytes, why: str
    ) -> None:
        """Nothing is rendered, and nothing else is asked for."""
        files = {"/index.yaml": index(content, url, **fields), "/web-1.2.3.tgz": content}
        with web(files) as (address, asked), chart(tmp_path, address) as scenario:
            code, manifests, report = generate(tmp_path, scenario)

        assert (code, manifests) == (3, "")
        assert why in report
        assert set(asked) <= {"/index.yaml", "/web-1.2.3.tgz", "/web.tgz"}

    @pytest.mark.parametrize(
        ("repository", "version", "why"),
        [
            ("http://127.0.0.1:1", "^1.0.0", "a range gives other charts on other days; commit Chart.lock"),
            ("oci://REGISTRY/acme/charts", "1.2", "a range"),
            ("@acme", "1.2.3", "is known to Argo CD only"),
            ("alias:acme", "1.2.3", "is known to Argo CD only"),
            ("", "1.2.3", "has no repository"),
            ("http://charts.example.com", "1.2.3", "only https is spoken"),
            ("https://charts.example.com", "1.2.3", "`render.remotes` in the config does not name it"),
            ("file://../outside", "1.2.3", "no chart in this source"),
        ],
    )
    def test_what_cannot_be_brought_is_refused_by_name(
        self, tmp_path: Path, repository: str, version: str, why: str
    ) -> None:
        """With what to do."""
        with chart(tmp_path, repository, version=version) as scenario:
            code, manifests, report = generate(tmp_path, scenario)

            assert scenario.registry.asked() == []
        assert (code, manifests) == (3, "")
        assert why in report

    def test_without_remotes_nothing_is_fetched(self, tmp_path: Path) -> None:
        """The default."""
        with chart(tmp_path, "http://127.0.0.1:1", config="# none\n") as scenario:
            code, _, report = generate(tmp_path, scenario)

        assert code == 3
        assert "name the place under `render.remotes`" in report


class TestLocks:
    def test_a_lock_of_other_dependencies_is_refused(self, tmp_path: Path) -> None:
        """As helm refuses it."""
        with chart(tmp_path, "http://127.0.0.1:1") as scenario:
            lock = 'dependencies: [{name: web, version: 1.2.3, repository: "http://127.0.0.1:1"}]\ndigest: sha256:0\n'
            (scenario.folder / "source" / "Chart.lock").write_text(lock)

            code, _, report = generate(tmp_path, scenario)

        assert code == 3
        assert "Chart.lock is out of sync" in report

    def test_what_is_vendored_is_not_fetched(self, tmp_path: Path) -> None:
        """As a folder, or as an archive."""
        with chart(tmp_path, "http://127.0.0.1:1") as scenario:
            (scenario.folder / "source" / "charts").mkdir()
            (scenario.folder / "source" / "charts" / "any.tgz").write_bytes(packed())

            code, manifests, _ = generate(tmp_path, scenario)

        assert code == 0
        assert list(json.loads(manifests)["data"]) == ["any.tgz"]
