"""``--offline`` in a network namespace of its own: not one packet leaves, counted by the kernel."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.scenario import Scenario
from support.shop import BUILT, WEB, pod, shop

pytestmark = pytest.mark.peers

COMMAND = str(Path(sys.executable).with_name("argocd-provenance"))
# The loopback device of the namespace is all the network there is; what it carried is told on the last line.
SCRIPT = 'ip link set lo up && shift && "$@"; code=$?; ip -json -statistics link show lo; exit $code'


def alone(here: Scenario, *arguments: str) -> tuple[int, str, int]:
    """Exit code, both streams, and the packets that were sent."""
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", SCRIPT, "sh", "-", COMMAND, *arguments],
        cwd=here.folder,
        env={"PATH": os.environ["PATH"], "HOME": str(here.folder), "PYTHONPATH": os.environ.get("PYTHONPATH", "")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    told, _, counted = done.stdout.rpartition("\n[")
    assert counted, done.stdout
    return done.returncode, told, json.loads(f"[{counted}")[0]["stats64"]["tx"]["packets"]


def test_a_registry_is_not_asked(tmp_path: Path) -> None:
    """What cannot be checked is exit 3 and says so; the same command without the option sends packets."""
    with shop(tmp_path, images=[WEB], source={"web.yaml": pod("acme/web:v1")}) as here:
        config = str(here.folder / "config.yaml")
        reference = f"{here.registry.host}/acme/web:v1"
        for arguments in (["verify", reference], ["generate", str(here.folder / "source")]):
            code, told, sent = alone(here, *arguments, "--config", config, "--offline")
            online = alone(here, *arguments, "--config", config)

            assert (code, sent) == (3, 0), told
            assert "--offline: no registry is asked" in told
            assert online[0] == 3
            assert online[2] > 0


def test_a_bundle_is_judged_from_files(tmp_path: Path) -> None:
    """The trusted root and the bundle are files, and that is all it takes."""
    with shop(tmp_path, images=[{**WEB, "attach": [BUILT]}]) as here:
        (here.folder / "bundle.json").write_bytes(here._bundles["acme/web:v1"])
        digest = here.registry.contents.tags["acme/web", "v1"]
        code, told, sent = alone(
            here, "verify", "--bundle", "bundle.json", digest, "--config", str(here.folder / "config.yaml"), "--offline"
        )

    assert (code, sent) == (0, 0), told
