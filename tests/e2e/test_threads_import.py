"""Threads that put heavy imports off do them one at a time: a circle of imports breaks where two begin at two ends of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.shop import API, WEB, pod, shop

# A run with one processor, which does its cryptography itself; said: what was imported while there are threads, by whoever
# holds the lock, and by whoever does not. (Where `importlib.util` looks for a package, nothing is imported; and what a
# function of cryptography imports of its own, every thread imports from the same end.)
_RUN = """
import os, sys, threading
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from argocd_provenance.imports import one_at_a_time
heavy, said = {"urllib3", "requests", "sigstore", "cryptography", "pydantic", "tuf"}, set()
class Watch:
    def find_spec(self, name, path=None, target=None):
        package, frame, frames = name.partition(".")[0], sys._getframe(), []
        while frame is not None:
            frames.append((str(frame.f_globals.get("__name__")), frame.f_code.co_name))
            frame = frame.f_back
        looked = any(module == "importlib.util" for module, _ in frames)
        itself = any(module.startswith(package + ".") and where != "<module>" for module, where in frames)
        if package in heavy and threading.active_count() > 1 and not looked and not itself:
            said.add(("held" if one_at_a_time._is_owned() else "free") + " " + package)
sys.meta_path.insert(0, Watch())
from argocd_provenance.cli.generating import generate
code = generate(".")
print(code, *sorted(said), file=sys.stderr)
"""


@pytest.mark.parametrize(
    "proxies", [{}, {"https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}], ids=["", "proxies"]
)
def test_heavy_imports_are_done_one_at_a_time(tmp_path: Path, proxies: dict[str, str]) -> None:
    """The clients of registries, sigstore and all that they bring, whoever needs them first."""
    with shop(tmp_path, images=[WEB, API], source={"web.yaml": pod("acme/web:v1")}) as scenario:
        told = {
            "PATH": os.environ["PATH"],
            "ARGOCD_PROVENANCE_CONFIG": str(scenario.folder / "config.yaml"),
            **proxies,
        }
        done = subprocess.run(
            [sys.executable, "-I", "-c", _RUN],
            cwd=scenario.folder / "source",
            env=told,
            capture_output=True,
            text=True,
            check=True,
        )

    code, *said = done.stderr.splitlines()[-1].split(" ", 1)
    assert code == "0"
    assert "held sigstore" in said[0]
    assert "held urllib3" in said[0]
    assert "free" not in said[0]
