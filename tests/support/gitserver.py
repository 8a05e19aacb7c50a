"""Git repositories on loopback, by the smart HTTP protocol.

with git_server({"acme/base": [{"kustomization.yaml": "resources: [map.yaml]", ...}]}) as server:
server.address, server.commits["acme/base"]     # one commit for each mapping; the tag v1 names the first
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from dulwich.objects import Blob, Commit, Tree
from dulwich.repo import MemoryRepo
from dulwich.server import DictBackend
from dulwich.web import make_wsgi_chain

_LINK, _FILE, _FOLDER = 0o120000, 0o100644, 0o040000


@dataclass
class Served:
    """Where the repositories are, their commits, and the paths that were asked for."""

    address: str = ""
    commits: dict[str, list[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


@contextmanager
def git_server(repositories: Mapping[str, Sequence[Mapping[str, str]]]) -> Iterator[Served]:
    """Serve the repositories; a text that begins with ``-> `` is a link. ADDRESS in a text is the server's."""
    served = Served()
    made: dict[str, MemoryRepo] = {f"/{name}": MemoryRepo() for name in repositories}
    chain = make_wsgi_chain(DictBackend(made))

    def answer(environ: Any, start: Any) -> Any:
        served.asked.append(f"{environ['PATH_INFO']} {environ.get('HTTP_AUTHORIZATION', '')}".strip())
        return chain(environ, start)

    class Quiet(WSGIRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
            pass

    server: WSGIServer = make_server("127.0.0.1", 0, answer, handler_class=Quiet)
    served.address = f"http://127.0.0.1:{server.server_port}"
    for name, commits in repositories.items():
        served.commits[name] = [_commit(made[f"/{name}"], files, served.address) for files in commits]
        made[f"/{name}"].refs[b"refs/tags/v1"] = served.commits[name][0].encode()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _commit(repo: MemoryRepo, files: Mapping[str, str], address: str) -> str:
    commit = Commit()
    commit.tree = _tree(repo, {path.split("/", 1)[0]: None for path in files}, files, address, "")
    commit.author = commit.committer = b"tests <tests@example.invalid>"
    commit.author_time = commit.commit_time = commit.author_timezone = commit.commit_timezone = 0
    commit.message = b"change"
    repo.object_store.add_object(commit)
    repo.refs[b"refs/heads/main"] = commit.id
    return commit.id.decode()


def _tree(repo: MemoryRepo, names: Mapping[str, None], files: Mapping[str, str], address: str, below: str) -> bytes:
    tree = Tree()
    for name in names:
        path = below + name
        if path in files:
            text = files[path].replace("ADDRESS", address)
            blob = Blob.from_string(text.removeprefix("-> ").encode())
            repo.object_store.add_object(blob)
            tree.add(name.encode(), _LINK if text.startswith("-> ") else _FILE, blob.id)
        else:
            inner = [p.removeprefix(f"{path}/") for p in files if p.startswith(f"{path}/")]
            tree.add(
                name.encode(),
                _FOLDER,
                _tree(repo, dict.fromkeys(p.split("/", 1)[0] for p in inner), files, address, f"{path}/"),
            )
    repo.object_store.add_object(tree)
    return bytes(tree.id)
