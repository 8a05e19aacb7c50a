"""What the README shows is what the program prints."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_readme_shows_a_real_run() -> None:
    """The demo's second act stands in the README byte for byte, but for the registry's port."""
    shown = re.search(
        r"```console\n(\$ argocd-provenance generate bad\n.*?)```", (ROOT / "README.md").read_text(), re.DOTALL
    )
    command = [sys.executable, "-I", "-m", "argocd_provenance", "demo"]

    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    told = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:5000", done.stdout)
    assert shown is not None
    assert all(line in told for line in shown[1].splitlines())
    assert done.returncode == 0


def test_the_readme_names_every_exit_code() -> None:
    """0, 2, 3 and 4 have a row each."""
    readme = (ROOT / "README.md").read_text()

    assert [code for code in "0234" if f"\n| {code} |" in readme] == list("0234")
