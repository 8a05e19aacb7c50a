"""Programs of our own that run as renderers do: behind the fences of `process`, and with nothing of ours but their code."""

import sys
from pathlib import Path

# Where this program lies: in an environment that is being worked on, that is not the interpreter's.
PACKAGES = Path(__file__).resolve().parents[2]
_START = "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); del sys.argv[0]; runpy.run_module(sys.argv[0], run_name='__main__')"


def command(module: str, *words: str) -> list[str]:
    """The command line that runs `module` of this folder, from `PACKAGES` and Python's own places alone."""
    return [
        sys.executable,
        "-I",
        "-W",
        "ignore",
        "-c",
        _START,
        str(PACKAGES),
        f"argocd_provenance.render.{module}",
        *words,
    ]
