"""What a registry sends never costs more memory than a run may have: measured on the command itself, by the kernel."""

import itertools
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from argocd_provenance.demo.contents import OCI_INDEX, OCI_MANIFEST, encode
from argocd_provenance.demo.registry import BUNDLE, Answer
from argocd_provenance.oci.descriptor import SIMPLE_SIGNING
from support.scenario import Scenario
from support.shop import API, shop

LIMIT = 150 * 1024  # KiB
MEBIBYTE = 1024 * 1024
PEAK = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print("PEAK", code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def nested(here: Scenario) -> None:
    """Two bundles of fifteen MiB that are nothing but brackets."""
    big = b"[" + b"[]," * (5 * MEBIBYTE) + b"[]]"
    _bundles(here, big, 2)


def many_large(here: Scenario) -> None:
    """Twenty bundles of eight MiB."""
    _bundles(here, b'{"a":"' + b"x" * (8 * MEBIBYTE) + b'"}', 20)


def large_layers(here: Scenario) -> None:
    """Twenty layers of eight MiB under cosign's tag."""
    image = _image(here)
    content = b"x" * (8 * MEBIBYTE)
    for number in range(20):
        blob = b"%08d" % number + content
        layer = here.registry.push_blob("acme/api", blob, SIMPLE_SIGNING)
        here.registry.attach_layer("acme/api", image["digest"], "sig", layer, blob)


def endless(here: Scenario) -> None:
    """A manifest without an end."""
    here.registry.answers["/v2/acme/api/manifests/v1"] = Answer(200, {}, (b"x" * 65536 for _ in itertools.count()))


def values(here: Scenario) -> None:
    """A manifest of four MiB that is all values."""
    body = b'{"schemaVersion":2,"layers":[' + b"{}," * MEBIBYTE + b"{}]}"
    here.registry.answers["/v2/acme/api/manifests/v1"] = Answer(200, {"Content-Type": OCI_MANIFEST}, body)


def list_of_many(here: Scenario) -> None:
    """Twenty thousand referrers in one list."""
    image = _image(here)
    entry = {"mediaType": OCI_MANIFEST, "size": 1, "artifactType": BUNDLE}
    many = [entry | {"digest": f"sha256:{number:064x}"} for number in range(20_000)]
    body = encode({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": many})
    path = f"/v2/acme/api/referrers/{image['digest']}"
    here.registry.answers[path] = Answer(200, {"Content-Type": OCI_INDEX}, body)


def bomb(here: Scenario) -> None:
    """A compressed body that nobody asked for."""
    headers = {"Content-Encoding": "gzip", "Content-Type": OCI_MANIFEST}
    here.registry.answers["/v2/acme/api/manifests/v1"] = Answer(200, headers, b"\x1f\x8b\x08" + bytes(MEBIBYTE))


def _image(here: Scenario) -> dict[str, object]:
    digest = here.registry.contents.tags["acme/api", "v1"]
    media_type, content = here.registry.contents.manifests["acme/api", digest]
    return {"mediaType": media_type, "digest": digest, "size": len(content)}


def _bundles(here: Scenario, content: bytes, count: int) -> None:
    image = _image(here)
    for number in range(count):
        here.registry.attach_bundle("acme/api", image, content + b" " * number, "x")


@pytest.mark.parametrize(
    "attack",
    [nested, many_large, large_layers, endless, values, list_of_many, bomb],
    ids=lambda attack: attack.__name__,
)
def test_no_registry_makes_a_run_large(tmp_path: Path, attack: Callable[[Scenario], None]) -> None:
    """Nothing passes, and 150 MiB are enough to say so."""
    with shop(tmp_path, images=[API]) as here:
        attack(here)
        command = str(Path(sys.executable).with_name("argocd-provenance"))
        reference = f"{here.registry.host}/acme/api:v1"
        done = subprocess.run(
            [sys.executable, "-c", PEAK, command, "verify", reference, "--config", str(here.folder / "config.yaml")],
            env={k: v for k, v in os.environ.items() if k in ("PATH", "PYTHONPATH")} | {"HOME": str(here.folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )

    told = re.search(r"^PEAK (\d+) (\d+)$", done.stdout, re.MULTILINE)
    assert told is not None, done.stdout
    print(told[0])
    assert int(told[1]) in (3, 4), done.stdout
    assert int(told[2]) < LIMIT, done.stdout
