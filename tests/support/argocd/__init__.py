"""Argo CD around our plugin: its own servers, or a stand-in for them, asked as the application controller asks.

    def test_…(argo, tmp_path):                 # `argo`: both, one test each; `servers`: the real ones, marked `peers`
        with shop(tmp_path, images=[WEB], source={"web/pod.yaml": pod("acme/web:v1")}) as scenario:
            argo.operator(scenario.folder)                          # its config.yaml, policies and trust from now on
            repository = argo.repository(tmp_path / "git")
            repository.commit_folder(scenario.folder / "source")    # or commit({"web/pod.yaml": text})
            reply = argo.manifests(repository, "web", parameters=[{"name": "policy.mode", "string": "enforce"}])
            reply.objects, reply.images(), reply.error, reply.code, reply.seconds

- `asking`: `Request` (all that an Application can say; `plugin=None, source={"helm": {…}}` is Argo CD's own rendering),
  `Reply`, the repositories, and `plugin_file`: ``argocd/plugin.yaml`` with this environment's Python in it.
- `repo_server.ArgoCD`: redis-server, an argocd-cmp-server for each plugin, argocd-repo-server. One for the whole session
  (2 s to start), so tests take repositories of their own: the repo-server caches by repository, revision and source.
- `stand_in.StandIn`: the same answers without anything but Python.
- `cluster.Cluster`: both and a whole Argo CD on a Kubernetes API; run by ``make cluster``, or behind ``tests/argocd/loopback``.
- `argo.programs`: the first folder on the plugins' PATH, for a kustomize or helm that is not.
- `leftovers(argo.work)`: processes that a run left behind.

`make peers` builds the servers (``tests/argocd``, a Go module) and installs the rest. By hand, after `make tools`:
``PATH=~/.cache/argocd-provenance/bin:$PATH .venv/bin/python -m pytest -m peers tests/e2e/test_in_argocd.py``.
"""

from support.argocd.asking import PLUGIN, GitRepository, Reply, Repository, Request, plugin_file
from support.argocd.cluster import Cluster
from support.argocd.repo_server import ArgoCD
from support.argocd.stand_in import StandIn
from support.processes import leftovers

__all__ = [
    "PLUGIN",
    "ArgoCD",
    "Cluster",
    "GitRepository",
    "Reply",
    "Repository",
    "Request",
    "StandIn",
    "leftovers",
    "plugin_file",
]
