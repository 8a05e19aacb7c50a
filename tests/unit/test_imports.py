"""What a run without images does not import: Argo CD starts one for every Application, again and again."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from argocd_provenance.cli.sources import speaks_of_images

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain}\n"
CONFIG = "apiVersion: argocd-provenance.io/v1alpha1\nkind: Config\npolicies: [policy.yaml]\n"
POLICY = (
    "apiVersion: argocd-provenance.io/v1alpha1\nkind: ImagePolicy\nmetadata: {name: shop}\n"
    "spec: {images: [registry.example/**], require: [{provenance: {by: [{github: {repository: acme/shop}}]}}]}\n"
)
# Each takes milliseconds, itself or by what it imports.
NEVER = {
    "_hashlib", "asyncio", "click", "concurrent.futures", "cryptography", "dataclasses", "difflib", "email", "inspect",
    "json", "jsonpath_ng", "locale", "logging", "pydantic", "random", "re2", "requests", "ruamel.yaml", "selectors",
    "shutil", "sigstore", "socket", "sqlite3", "subprocess", "tempfile", "threading", "traceback", "urllib3",
    "argocd_provenance.pipeline", "argocd_provenance.policy.cel", "argocd_provenance.policy.cue",
    "argocd_provenance.render.bases", "argocd_provenance.render.helm", "argocd_provenance.render.jsonnet",
}  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A config, a policy, and a folder without images."""
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "plain.yaml").write_text(CONFIG_MAP)
    return tmp_path


def imported(place: Path) -> list[str]:
    """The modules that Argo CD's line imports in the folder, in their order."""
    command = [sys.executable, "-I", "-X", "importtime", "-m", "argocd_provenance", "generate", "."]
    told = {"PATH": str(place / "bin"), "ARGOCD_PROVENANCE_CONFIG": str(place / "config.yaml")}
    done = subprocess.run(command, cwd=place / "app", env=told, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, CONFIG_MAP), done.stderr
    return [line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")]


def kustomized(place: Path) -> None:
    """Make a kustomization of the folder, and a program that renders it."""
    (place / "app" / "kustomization.yaml").write_text("resources: [plain.yaml]\n")
    (place / "bin").mkdir()
    (place / "bin" / "kustomize").write_text('#!/bin/sh\nexec /bin/cat "$2/plain.yaml"\n')
    (place / "bin" / "kustomize").chmod(0o755)


def test_a_folder_without_images_imports_nothing_heavy(place: Path) -> None:
    """Nothing is imported before it is needed, of the standard library neither."""
    assert not NEVER.intersection(imported(place))


def test_a_kustomization_without_images_imports_nothing_heavy(place: Path) -> None:
    """Its program is started behind its fences by means of our own."""
    kustomized(place)
    assert not NEVER.intersection(imported(place))


def test_what_reads_documents_is_imported_while_the_renderer_works(place: Path) -> None:
    """The program is started before what comes after it is imported."""
    kustomized(place)
    names = imported(place)
    assert names.index("argocd_provenance.render.launch") < names.index("argocd_provenance.documents")


def test_what_decides_is_imported_while_the_renderer_works_where_images_are_expected(place: Path) -> None:
    """A file of the source speaks of them; and where nothing is remembered yet, the verifier's process is begun."""
    kustomized(place)
    (place / "app" / "README.md").write_text("These are the images of the shop.\n")
    names = imported(place)
    assert names.index("argocd_provenance.render.launch") < names.index("argocd_provenance.pipeline")
    assert names.index("argocd_provenance.evidence.aside") < names.index("argocd_provenance.pipeline")
    assert not {"sigstore", "cryptography", "requests", "sqlite3"}.intersection(names)


@pytest.mark.parametrize(
    ("name", "text", "speaks"),
    [
        ("web.yaml", "image: web\n", True),
        ("templates/web.yaml", "image: {{ .Values.web }}\n", True),
        ("values.yaml", "a: b\n", False),
        ("deep/er/web.yaml", "image: web\n", False),
        ("large.yaml", " " * 20_000 + "image: web\n", False),
    ],
)
def test_images_are_expected_where_a_file_speaks_of_them(tmp_path: Path, name: str, text: str, *, speaks: bool) -> None:
    """A glance at the beginnings of a few files: a guess, by which nothing is decided."""
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(text)
    assert speaks_of_images(tmp_path) is speaks


def test_what_is_no_file_of_the_source_is_not_glanced_at(tmp_path: Path) -> None:
    """A pipe would hold the run up, and a link may lead out of the repository."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "web.yaml").write_text("image: web\n")
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "link.yaml").symlink_to(tmp_path / "outside" / "web.yaml")
    os.mkfifo(tmp_path / "source" / "pipe.yaml")

    assert not speaks_of_images(tmp_path / "source")
    assert not speaks_of_images(tmp_path / "nowhere")


def test_who_only_asks_the_resident_process_imports_next_to_nothing(place: Path) -> None:
    """What hands a run over is there before regular expressions, enumerations and sockets are."""
    names = imported(place)
    before = names[: names.index("argocd_provenance.resident.client")]
    assert not {"enum", "pathlib", "re", "selectors", "socket", "typing"}.intersection(before)


def test_a_chart_without_images_imports_nothing_heavy(place: Path) -> None:
    """As a kustomization; what is fetched for charts is read by who fetches it."""
    (place / "app" / "Chart.yaml").write_text("apiVersion: v2\nname: shop\nversion: 1.0.0\n")
    (place / "bin").mkdir()
    (place / "bin" / "helm").write_text("#!/bin/sh\nexec /bin/cat plain.yaml\n")
    (place / "bin" / "helm").chmod(0o755)
    names = imported(place)
    assert not (NEVER - {"argocd_provenance.render.helm"}).intersection(names)
    assert names.index("argocd_provenance.render.launch") < names.index("argocd_provenance.documents")
