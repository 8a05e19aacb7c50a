"""Twenty Applications refreshed at once, in Argo CD's own servers."""

import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.argocd import ArgoCD
from support.argocd.asking import Reply
from support.shop import WEB, pod, policy, shop

pytestmark = pytest.mark.peers


def test_twenty_requests_at_once_are_all_answered_within_the_deadline(servers: ArgoCD, tmp_path: Path) -> None:
    """Each gets its manifests: a few are worked on at a time, the others wait in turn, nobody is killed by his caller."""
    config = f"cache: {{path: {tmp_path / 'cache'}}}\n"
    with shop(tmp_path, images=[WEB], source={"web/pod.yaml": pod("acme/web:v1")}, config=config) as scenario:
        servers.operator(scenario.folder)
        repository = servers.repository(tmp_path / "git")
        repository.commit_folder(scenario.folder / "source")

        def ask(number: int) -> Reply:
            return servers.manifests(repository, "web", app=f"web-{number}", deadline=60)

        with ThreadPoolExecutor(20) as pool:
            replies = list(pool.map(ask, range(20)))

    assert [reply.error for reply in replies if reply.code != "OK"] == []
    assert {len(reply.objects) for reply in replies} == {1}
    assert not [path for path in (tmp_path / "cache" / "turns").iterdir() if path.name[0].isdecimal()]


def test_behind_a_registry_that_hangs_everybody_is_told_why(servers: ArgoCD, tmp_path: Path) -> None:
    """Those who are worked on reach the deadline, the others wait in vain and say so; nobody is left without an answer."""
    kind = "apiVersion: argocd-provenance.io/v1alpha1\nkind: Config\n"
    (tmp_path / "operator").mkdir()
    with socket.create_server(("127.0.0.1", 0), backlog=128) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        (tmp_path / "operator" / "config.yaml").write_text(
            f"{kind}policies: [policy.yaml]\ndeadline: 10s\ncache: {{path: {tmp_path / 'cache'}}}\n"
        )
        (tmp_path / "operator" / "policy.yaml").write_text(
            policy().replace("domain: test", "").replace("REGISTRY", host)
        )
        servers.operator(tmp_path / "operator")
        repository = servers.repository(tmp_path / "git")
        repository.commit({"web/pod.yaml": pod("acme/web:v1").replace("REGISTRY", host)})

        def ask(number: int) -> Reply:
            return servers.manifests(repository, "web", app=f"web-{number}", deadline=60)

        with ThreadPoolExecutor(20) as pool:
            replies = list(pool.map(ask, range(20)))

    told = [next((code for code in ("[deadline]", "[busy]") if code in reply.error), reply.error) for reply in replies]
    assert set(told) == {"[deadline]", "[busy]"}
    assert all("waited" in reply.error for reply in replies if "[busy]" in reply.error)
