"""Real kustomizations, charts and folders render to the objects that Argo CD's own renderers give.

Each folder is asked for twice from one repo-server: as Argo CD renders it, and through the plugin with a config that
changes nothing (no policy, `unmatched: allow`). What differs stands in `EXCEPTIONS`, with the reason.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from support.argocd import ArgoCD, GitRepository
from support.asapplication import both, operator
from support.corpus import CORPUS

pytestmark = [pytest.mark.peers, pytest.mark.corpus]

RENDER = CORPUS / "render"
ENDINGS = (".yaml", ".yml", ".json", ".jsonnet")
KUSTOMIZATION = "Kustomization"

# What Argo CD renders and we refuse: the folder, and a word of the refusal.
TESTDATA = "argo-cd-reposerver-testdata"
TWO_TYPES = "multiple application sources defined"  # `.argocd-source.yaml` says helm or kustomize beside `plugin`
EXCEPTIONS: Mapping[str, str] = {
    f"{TESTDATA}/app-parameters/multi": TWO_TYPES,
    f"{TESTDATA}/app-parameters/single-global": TWO_TYPES,
    f"{TESTDATA}/app-parameters/single-global-helm": TWO_TYPES,
    f"{TESTDATA}/app-parameters/single-global-helm/templates": "[invalid-reference]",  # a template taken for a manifest
}


def folders() -> list[str]:
    """Every folder with a file that some renderer may take."""
    files = (file for file in RENDER.rglob("*") if file.suffix in ENDINGS or file.name == KUSTOMIZATION)
    return sorted({str(file.parent.relative_to(RENDER)) for file in files})


@pytest.fixture(scope="module")
def repository(servers: ArgoCD, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitRepository]:
    repository = servers.repository(tmp_path_factory.mktemp("corpus"))
    repository.commit_folder(RENDER)
    return repository


@pytest.mark.parametrize("path", folders())
def test_renders_as_argo_cd_does(servers: ArgoCD, repository: GitRepository, path: str, tmp_path: Path) -> None:
    """The same objects in the same order, or an error where Argo CD has one."""
    servers.operator(operator(tmp_path))

    native, ours = both(servers, repository, path)

    if path in EXCEPTIONS:
        assert (native.code, ours.objects) == ("OK", [])
        assert EXCEPTIONS[path] in ours.error
    else:
        assert bool(ours.error) == bool(native.error), (native.error, ours.error)
        assert ours.objects == native.objects


def test_the_corpus_is_there() -> None:
    """An empty folder would pass."""
    assert len(folders()) >= 100
    assert set(EXCEPTIONS) <= set(folders())
