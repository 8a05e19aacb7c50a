"""Argo CD's own plugin server, started by ``serve -- argocd-cmp-server`` as in the image: who does the plugin's work.

`tests/e2e/test_in_argocd.py` holds it to what is expected without a resident process.
"""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.argocd import PLUGIN, ArgoCD, Reply
from support.processes import wait_for
from support.registries import silent
from support.resident import alive, answers, children, resident, state
from support.shop import API, WEB, pod, policy, shop

pytestmark = pytest.mark.peers
KIND = "apiVersion: argocd-provenance.io/v1alpha1\nkind: Config\n"


def keeper(argo: ArgoCD) -> int:
    """Who keeps somebody serving: the first child of the plugin's server."""
    return children(argo.processes[f"cmp-{PLUGIN}"].pid)[0]


def forks(argo: ArgoCD) -> list[int]:
    """Those that work for a client in a folder of Argo CD's."""
    (serving,) = children(keeper(argo))
    return [pid for pid in children(serving) if Path(f"/proc/{pid}/cwd").readlink().is_relative_to(argo.work)]


def test_the_servers_process_is_argo_cds_own(served_servers: ArgoCD) -> None:
    """Not a wrapper: its process id, its program, its log."""
    process = served_servers.processes[f"cmp-{PLUGIN}"]

    assert b"argocd-cmp-server" in Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0")[1]
    assert any("serving" in str(line.get("msg")) for line in served_servers.log(f"cmp-{PLUGIN}"))


def test_a_request_is_done_by_a_fork_of_the_resident_process(served_servers: ArgoCD, tmp_path: Path) -> None:
    """While a registry is waited for, the plugin's own process has only asked."""
    (tmp_path / "operator").mkdir()
    with silent() as host:
        (tmp_path / "operator" / "config.yaml").write_text(f"{KIND}policies: [policy.yaml]\ndeadline: 3s\n")
        (tmp_path / "operator" / "policy.yaml").write_text(
            policy().replace("domain: test", "").replace("REGISTRY", host)
        )
        served_servers.operator(tmp_path / "operator")
        repository = served_servers.repository(tmp_path / "git")
        repository.commit({"web/pod.yaml": pod("acme/web:v1").replace("REGISTRY", host)})

        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(served_servers.manifests, repository, "web", deadline=30)
            wait_for("a fork that works", lambda: forks(served_servers), seconds=20)
            reply = asked.result()

    assert "[deadline]" in reply.error
    assert forks(served_servers) == []


def test_the_same_bytes_and_verdicts_arrive(served_servers: ArgoCD, servers: ArgoCD, tmp_path: Path) -> None:
    """Manifests with digests and annotations, and the words of a refusal."""
    files = {"web/pod.yaml": pod("acme/web:v1"), "bad/pod.yaml": pod("acme/web:v1", "acme/api:v1")}
    with shop(tmp_path, images=[WEB, API], source=files) as scenario:
        repository = servers.repository(tmp_path / "git")
        repository.commit_folder(scenario.folder / "source")
        replies = []
        for argo in (servers, served_servers):
            argo.operator(scenario.folder)
            replies.append([argo.manifests(repository, path, hard=True) for path in ("web", "bad")])

    (good, bad), (served, refused) = replies
    assert good.objects == served.objects != []
    assert (bad.objects, refused.objects) == ([], [])
    assert refused.error.replace(f" --socket {served_servers.socket}", "") == bad.error


def test_when_it_is_killed_the_next_request_is_answered_all_the_same(served_servers: ArgoCD, tmp_path: Path) -> None:
    """By the plugin itself, and then by the next resident process; no zombie is left to a server that waits for none."""
    assert served_servers.socket is not None
    place = served_servers.socket
    with shop(tmp_path, images=[WEB], source={"web/pod.yaml": pod("acme/web:v1")}) as scenario:
        served_servers.operator(scenario.folder)
        repository = served_servers.repository(tmp_path / "git")
        repository.commit_folder(scenario.folder / "source")
        server = served_servers.processes[f"cmp-{PLUGIN}"].pid
        first = resident(server)

        os.kill(first, signal.SIGKILL)
        reply = served_servers.manifests(repository, "web", hard=True)
        wait_for("another resident process", lambda: answers(place))
        again = served_servers.manifests(repository, "web", hard=True)

    assert (reply.code, again.code) == ("OK", "OK")
    assert reply.objects == again.objects != []
    assert state(first) == ""
    assert all(alive(pid) for pid in children(server))


def test_twenty_requests_at_once_are_all_answered(served_servers: ArgoCD, tmp_path: Path) -> None:
    """Each by a fork, in its turn; where there are too many, the plugin does its own work."""
    with shop(tmp_path, images=[WEB], source={"web/pod.yaml": pod("acme/web:v1")}) as scenario:
        served_servers.operator(scenario.folder)
        repository = served_servers.repository(tmp_path / "git")
        repository.commit_folder(scenario.folder / "source")

        def ask(number: int) -> Reply:
            return served_servers.manifests(repository, "web", app=f"web-{number}", deadline=60)

        with ThreadPoolExecutor(20) as pool:
            replies = list(pool.map(ask, range(20)))

    assert {reply.code for reply in replies} == {"OK"}
    assert {tuple(reply.images()) for reply in replies} == {tuple(replies[0].images())}
