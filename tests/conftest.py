"""What all tests share."""

import json
import os
import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from support.argocd import PLUGIN, ArgoCD, Cluster, StandIn, plugin_file
from support.processes import wait_for
from support.resident import answers, serving

# The same examples every time, and no opinion about a busy machine; HYPOTHESIS_PROFILE=explore looks for new ones.
settings.register_profile("house", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("explore", deadline=None, max_examples=2000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--update-golden`` rewrites what the golden folders expect."""
    parser.addoption("--update-golden", action="store_true", help="rewrite expected files of tests/golden")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With ``--dist loadgroup``: all that asks Argo CD's servers in one process, which starts them, and each file in one."""
    if not config.getoption("loadgroup", default=False):
        return
    for item in items:
        used = {"argo", "servers", "served_servers"}.intersection(getattr(item, "fixturenames", ()))
        item.add_marker(pytest.mark.xdist_group("servers" if used else item.nodeid.partition("::")[0]))


# What a plugin sees, told as an object: the same questions to Argo CD's servers and to the stand-in.
PROBE = """
import json, os, stat, sys
seen = {"environment": dict(os.environ), "stdin": sys.stdin.read(), "files": {}}
for folder, _, names in os.walk("."):
    for name in names:
        path = os.path.join(folder, name)
        seen["files"][path] = os.readlink(path) if os.path.islink(path) else oct(stat.S_IMODE(os.stat(path).st_mode))
print(json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "seen"}, "data": {"seen": json.dumps(seen)}}))
"""


def stub(name: str, script: str) -> str:
    """The plugin.yaml of a plugin that runs a Python script."""
    command = [sys.executable, "-I", "-c", script]
    kind = {"apiVersion": "argoproj.io/v1alpha1", "kind": "ConfigManagementPlugin", "metadata": {"name": name}}
    return json.dumps(kind | {"spec": {"generate": {"command": command}}})


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArgoCD]:
    """Argo CD's plugin server and repo-server with our plugin and `probe`; only tests marked ``peers`` ask for it."""
    plugins = {PLUGIN: plugin_file(sys.executable), "probe": stub("probe", PROBE)}
    with ArgoCD(tmp_path_factory.mktemp("argo"), plugins=plugins) as argo:
        yield argo


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> StandIn:
    """The same, played in Python."""
    plugins = {PLUGIN: plugin_file(sys.executable), "probe": stub("probe", PROBE)}
    return StandIn(tmp_path_factory.mktemp("argo"), plugins=plugins)


@pytest.fixture(scope="session")
def served_stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """`stand_in` with a resident process that does the plugin's work."""
    folder = tmp_path_factory.mktemp("argo")
    with serving(folder / "serve") as (path, _):
        yield StandIn(folder, plugins={PLUGIN: plugin_file(sys.executable, path), "probe": stub("probe", PROBE)})


@pytest.fixture(scope="session")
def served_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArgoCD]:
    """`servers` of which our plugin's is started by ``serve -- argocd-cmp-server``, as in the image."""
    folder = tmp_path_factory.mktemp("argo")
    plugins = {PLUGIN: plugin_file(sys.executable, folder / "serve" / "socket"), "probe": stub("probe", PROBE)}
    with ArgoCD(folder, plugins=plugins, served=True) as argo:
        assert argo.socket is not None
        place = argo.socket
        wait_for("the resident process", lambda: answers(place))
        yield argo


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A whole Argo CD on a Kubernetes API, with the plugins of `servers`; only tests marked ``cluster`` ask for it."""
    plugins = {PLUGIN: plugin_file(sys.executable), "probe": stub("probe", PROBE)}
    with Cluster(tmp_path_factory.mktemp("argo"), plugins=plugins) as cluster:
        yield cluster


@pytest.fixture(params=["stand-in", pytest.param("servers", marks=pytest.mark.peers)])
def argo(request: pytest.FixtureRequest) -> ArgoCD | StandIn:
    """Either of them: what a test expects of this must hold in both."""
    answering: ArgoCD | StandIn = request.getfixturevalue(request.param.replace("-", "_"))
    return answering
