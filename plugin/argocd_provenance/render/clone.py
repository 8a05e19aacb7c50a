"""Runs in a child: fetches one commit of a Git repository, and writes its files.

The law: one host is spoken to, and no redirect is followed; no hook, filter or submodule of the repository runs.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import urllib3
from dulwich.client import HttpGitClient
from dulwich.errors import GitProtocolError, HangupException, NotGitRepository
from dulwich.index import build_index_from_tree
from dulwich.objects import Commit, Tag
from dulwich.repo import Repo


def main(request: dict[str, str]) -> None:
    """Write the files of ``ref`` of ``repository`` into ``folder``."""
    folder, ref = request["folder"], request["ref"]
    origin, _, path = _divided(request["repository"])
    client = HttpGitClient(
        origin,
        pool_manager=_manager(request),
        username=request.get("username"),
        password=request.get("password"),
    )
    repo = Repo.init(folder)
    wanted: list[bytes] = []

    def choose(refs: Any, depth: int | None = None) -> Any:  # noqa: ARG001 - dulwich's port
        names = (f"refs/tags/{ref}^{{}}", f"refs/tags/{ref}", f"refs/heads/{ref}")
        found = next((refs[name.encode()] for name in names if name.encode() in refs), None)
        if found is None and len(ref) != 40:
            raise LookupError(f"there is no tag, branch or full commit {ref!r}")
        wanted[:] = [found or ref.encode()]
        return wanted

    client.fetch(path.encode(), repo, determine_wants=choose, depth=1)
    commit = repo[wanted[0]]
    while isinstance(commit, Tag):
        commit = repo[commit.object[1]]
    tree = commit.tree if isinstance(commit, Commit) else None
    if tree is None:
        raise LookupError(f"{ref!r} is no commit")
    build_index_from_tree(folder, repo.index_path(), repo.object_store, tree)
    repo.close()
    shutil.rmtree(Path(folder, ".git"))


def _divided(address: str) -> tuple[str, str, str]:
    """Scheme and host, and the path behind them."""
    scheme, _, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host}/", slash, path


def _manager(request: dict[str, str]) -> urllib3.PoolManager:
    options: dict[str, Any] = {"retries": urllib3.Retry(2, redirect=0), "timeout": urllib3.Timeout(connect=5, read=20)}
    if request.get("ca"):
        options["ca_certs"] = request["ca"]
    return urllib3.ProxyManager(request["proxy"], **options) if request.get("proxy") else urllib3.PoolManager(**options)


if __name__ == "__main__":
    try:
        main(json.loads(Path(sys.argv[1]).read_bytes()))
    except (
        GitProtocolError,
        HangupException,
        NotGitRepository,
        LookupError,
        OSError,
        urllib3.exceptions.HTTPError,
    ) as error:
        sys.exit(f"{type(error).__name__}: {error}")
