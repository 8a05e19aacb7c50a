"""Registries for tests, and the client under test.

with Registry() as fake, client(fake.host) as registry: ...     # the in-process one, from `argocd_provenance.demo`
with DockerRegistry(folder) as real: copy(fake.contents, real.host)
"""

import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from argocd_provenance.deadline import Deadline
from argocd_provenance.demo.contents import Contents
from argocd_provenance.oci.credentials import Credentials
from argocd_provenance.oci.manners import Manners
from argocd_provenance.oci.network import Network
from argocd_provenance.oci.registry import Registry as Client
from argocd_provenance.oci.remembered import Remembered
from argocd_provenance.oci.settings import HostSettings


class Clock:
    """A clock that moves by `step` each time it is read."""

    def __init__(self, step: float = 0.0) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        """Tell the time, which passes thereby."""
        self.now += self.step
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass without waiting."""
        self.now += seconds


@contextlib.contextmanager
def client(
    *permitted: str,
    hosts: Sequence[HostSettings] = (),
    credentials: Credentials | None = None,
    clock: Clock | None = None,
    seconds: float = 20,
    network: Network | None = None,
    remembered: Remembered | None = None,
) -> Iterator[Client]:
    """The registry client, permitted to ask these hosts; it never sleeps."""
    clock = clock or Clock()
    deadline = Deadline(seconds, clock)
    registry = Client(
        hosts,
        permitted.__contains__,
        credentials or Credentials(),
        deadline,
        remembered=remembered,
        sleep=clock.sleep,
        network=network,
        manners=Manners(lambda: clock.now, lambda: 0.5),
    )
    try:
        yield registry
    finally:
        registry.close()


class DockerRegistry:
    """Debian's docker-registry (CNCF distribution 2.8) on a free port of loopback, its data under `folder`.

    `http` and `auth` are sections of its configuration (TLS; htpasswd or tokens).
    """

    def __init__(
        self, folder: Path, *, http: Mapping[str, Any] | None = None, auth: Mapping[str, Any] | None = None
    ) -> None:
        executable = shutil.which("docker-registry")
        assert executable is not None, "docker-registry is missing (Debian package docker-registry)"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.host = f"127.0.0.1:{free.getsockname()[1]}"
        config = folder / "registry.yml"
        storage = {"filesystem": {"rootdirectory": str(folder / "data")}}
        sections = {"storage": storage, "http": {"addr": self.host, **(http or {})}} | ({"auth": auth} if auth else {})
        config.write_text(json.dumps({"version": "0.1", "log": {"level": "error"}, **sections}))
        environment = {k: v for k, v in os.environ.items() if not k.startswith("REGISTRY_")}
        self._process = subprocess.Popen(
            [executable, "serve", str(config)],
            env=environment | {"OTEL_TRACES_EXPORTER": "none"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> Self:
        address, _, port = self.host.partition(":")
        for _ in range(200):
            assert self._process.poll() is None, "docker-registry does not start"
            with contextlib.suppress(OSError), socket.create_connection((address, int(port)), 1):
                return self
            time.sleep(0.05)
        raise AssertionError("docker-registry does not listen")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(10)


@contextlib.contextmanager
def silent() -> Iterator[str]:
    """A registry that takes connections and never says a word; its host."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def copy(contents: Contents, host: str) -> None:
    """Push all of `contents` to the registry at `host`, as any client does."""
    connection = http.client.HTTPConnection(host, timeout=30)
    with contextlib.closing(connection):
        for (repository, digest), blob in contents.blobs.items():
            where = _ask(connection, "POST", f"/v2/{repository}/blobs/uploads/", b"", "")
            where = where[where.index("/v2/") :]
            joint = "&" if "?" in where else "?"
            _ask(connection, "PUT", f"{where}{joint}digest={digest}", blob, "application/octet-stream")
        for (repository, digest), (media_type, manifest) in contents.manifests.items():
            _ask(connection, "PUT", f"/v2/{repository}/manifests/{digest}", manifest, media_type)
        for (repository, tag), digest in contents.tags.items():
            media_type, manifest = contents.manifests[repository, digest]
            _ask(connection, "PUT", f"/v2/{repository}/manifests/{tag}", manifest, media_type)


def _ask(connection: http.client.HTTPConnection, method: str, path: str, body: bytes, media_type: str) -> str:
    connection.request(method, path, body, {"Content-Type": media_type} if media_type else {})
    answer = connection.getresponse()
    text = answer.read()
    assert answer.status in (201, 202), f"{method} {path}: {answer.status} {text[:300]!r}"
    return answer.headers["Location"] or ""
