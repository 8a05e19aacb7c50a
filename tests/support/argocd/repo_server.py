"""Argo CD's own plugin server and repo-server on loopback, with redis-server; see the package's docstring."""

import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from support.argocd.asking import PLUGIN, GitRepository, Operated, Reply, Repository, Request, plugin_file
from support.processes import Bench, Process, answers, free_port, program, wait_for
from support.resident import SERVE

# Error texts travel in a header: Argo CD's Go clients take 16 MiB of it, Python's default is 16 KiB.
_CHANNEL = (
    ("grpc.max_receive_message_length", 1 << 30),
    ("grpc.max_metadata_size", 16 << 20),
    ("grpc.absolute_max_metadata_size", 16 << 20),
)


class ArgoCD(Operated, Bench):
    """redis-server, one argocd-cmp-server for each plugin and argocd-repo-server, while the context is open.

    `plugins` maps names to the text of a plugin.yaml; ours is there if it is not said otherwise. `sidecar` is added to
    the environment of the plugins' servers, `settings` to that of the repo-server. Where it is `served`, our plugin's
    server is started by ``serve -- argocd-cmp-server``, as in the image, and the plugin finds who serves at `socket`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        plugins: Mapping[str, str] | None = None,
        sidecar: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
        served: bool = False,
    ) -> None:
        super().__init__(folder)
        self.socket = folder / "serve" / "socket" if served else None
        self._plugins = {PLUGIN: plugin_file(sys.executable, self.socket)} if plugins is None else plugins
        self._sidecar, self._settings = sidecar or {}, settings or {}
        self.sockets = self.made("sock")
        assert len(str(self.sockets)) < 80, "a unix socket's path is short: set TMPDIR to a shorter folder"
        self.work = self.made("work")
        self.programs = self.made("programs")

    def __enter__(self) -> Self:
        try:
            self.redis = self._start_redis()
            for name, text in self._plugins.items():
                self.start_plugin(name, text)
            self.start_repo_server()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if hasattr(self, "_channel"):
            self._channel.close()
        super().__exit__(kind, error, trace)

    # -- what tests do ---------------------------------------------------------------------------------------------

    @staticmethod
    def repository(folder: Path) -> GitRepository:
        """A repository that these servers can read."""
        return GitRepository(folder)

    def manifests(self, repository: Repository, path: str = ".", **asked: Any) -> Reply:
        """What the repo-server answers to the Application of `asked` (see `Request`) at `path` of `repository`."""
        from google.protobuf import json_format
        from grpc import RpcError

        from support.argocd.messages import classes, wire

        request = Request(**asked)
        fields = {
            "repo": {"repo": repository.url},
            "revision": repository.branch,
            "noCache": request.hard,
            "noRevisionCache": True,
            "appLabelKey": "app.kubernetes.io/instance",
            "appName": request.app,
            "namespace": request.namespace,
            "applicationSource": wire(request.full_source(repository, path)),
            "kustomizeOptions": {"buildOptions": request.build_options},
            "kubeVersion": request.kube_version,
            "apiVersions": list(request.api_versions),
            "trackingMethod": "annotation",
            "projectName": request.project,
            "projectSourceRepos": ["*"],
        }
        message = json_format.ParseDict(fields, classes()["ManifestRequest"]())
        start = time.monotonic()
        try:
            reply = self._call(
                "repository.RepoServerService/GenerateManifest", message, "ManifestResponse", request.deadline
            )
        except RpcError as error:
            return Reply([], error.details() or "", error.code().name, time.monotonic() - start)
        taken = time.monotonic() - start
        return Reply([json.loads(text) for text in reply.manifests], "", "OK", taken, reply.sourceType)

    def forget(self) -> None:
        """Empty the cache that all of Argo CD shares."""
        with socket.create_connection(("127.0.0.1", self.redis)) as client:
            client.sendall(b"FLUSHALL\r\n")
            assert client.recv(64) == b"+OK\r\n"

    def runs(self, plugin: str = PLUGIN) -> int:
        """How many times the plugin's command was started so far, as the plugin's server has logged it."""
        return sum(str(line.get("msg")).startswith("Generating manifests with") for line in self.log(f"cmp-{plugin}"))

    def log(self, name: str) -> Iterator[dict[str, Any]]:
        """The lines that a server has logged: ``cmp-<plugin>``, ``repo-server``."""
        for line in self.processes[name].text().splitlines():
            with contextlib.suppress(ValueError):
                yield json.loads(line)

    # -- servers -----------------------------------------------------------------------------------------------------

    def server(self, name: str, *flags: str) -> list[str]:
        """The command line of one of Argo CD's servers."""
        return [
            program("argocd-servers", "tests/argocd/build"),
            name,
            "--loglevel",
            "info",
            "--logformat",
            "json",
            *flags,
        ]

    def _start_redis(self) -> int:
        port = free_port()
        where = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(self.folder)]
        argv = [program("redis-server", "tests/peers/install"), *where, "--save", "", "--appendonly", "no"]
        process = self.start("redis", argv)
        wait_for("redis-server", lambda: answers(port), process)
        return port

    def start_plugin(self, name: str, text: str) -> Process:
        """Start the plugin's server as the sidecar does (``argocd/repo-server-patch.yaml``), with a plugin.yaml."""
        folder = self.made("plugins", name)
        (folder / "plugin.yaml").write_text(text)
        environment = {
            "ARGOCD_PLUGINSOCKFILEPATH": str(self.sockets),
            "ARGOCD_CMP_WORKDIR": str(self.made("work", name)),
            "ARGOCD_PROVENANCE_CONFIG": str(self.folder / "operator" / "config.yaml"),
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "PYTHONDONTWRITEBYTECODE": "1",
            **self._sidecar,
        }
        argv = self.server("argocd-cmp-server", "--config-dir-path", str(folder))
        if self.socket is not None and name == PLUGIN:
            argv = [*SERVE, "--socket", str(self.socket), "--", *argv]
        process = self.start(f"cmp-{name}", argv, environment)
        wait_for(f"argocd-cmp-server of {name}", (self.sockets / f"{name}.sock").exists, process)
        return process

    def start_repo_server(self) -> Process:
        """Start the repo-server on a free port, and wait until it serves."""
        # Else it starts its threads again in each process that a test forks, which aborts as it closes what it inherits.
        os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "false"
        import grpc

        from support.argocd.messages import classes

        self.port = free_port()
        environment = {
            "PATH": f"{self._commit_check()}:{os.environ['PATH']}",
            "ARGOCD_GPG_ENABLED": "false",
            "REDIS_PASSWORD": "",
            "GIT_CONFIG_NOSYSTEM": "1",
            "ARGOCD_PLUGINSOCKFILEPATH": str(self.sockets),
            "ARGOCD_ASK_PASS_SOCK": str(self.sockets / "ask-pass"),
            "ARGOCD_TLS_DATA_PATH": str(self.made("tls")),
            "ARGOCD_SSH_DATA_PATH": str(self.made("ssh")),
            "ARGOCD_GNUPGHOME": str(self.made("gpg", "keys")),
            "ARGOCD_GPG_DATA_PATH": str(self.made("gpg", "source")),
            "ARGOCD_APP_CONF_PATH": str(self.made("conf")),
            **self._settings,
        }
        listen = ["--address", "127.0.0.1", "--port", str(self.port)]
        metrics = ["--metrics-address", "127.0.0.1", "--metrics-port", str(free_port())]
        plain = ["--redis", f"127.0.0.1:{self.redis}", "--disable-tls", "--client-ca-path", ""]
        process = self.start("repo-server", self.server("argocd-repo-server", *listen, *metrics, *plain), environment)
        self._channel = grpc.insecure_channel(f"127.0.0.1:{self.port}", options=_CHANNEL)

        def serving() -> bool:
            with contextlib.suppress(grpc.RpcError):
                asked = classes()["HealthCheckRequest"]()
                return bool(self._call("grpc.health.v1.Health/Check", asked, "HealthCheckResponse", 5).status == 1)
            return False

        wait_for("argocd-repo-server", serving, process)
        return process

    def _commit_check(self) -> Path:
        """A folder with the script that v3.5 runs on every commit, GPG or not; Argo CD's image has one on its PATH.

        Without it each request ends in "permission denied". It says what the real one says of an unsigned commit: nothing.
        """
        script = self.made("bin") / "git-verify-wrapper.sh"
        script.write_text("#!/bin/sh\nexit 0\n")
        script.chmod(0o755)
        return script.parent

    def _call(self, method: str, message: Any, answer: str, seconds: float) -> Any:
        from support.argocd.messages import classes

        call = self._channel.unary_unary(
            f"/{method}",
            request_serializer=lambda sent: sent.SerializeToString(),
            response_deserializer=classes()[answer].FromString,
        )
        return call(message, timeout=seconds)
