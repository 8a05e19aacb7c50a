# ruff: noqa: INP001, T201, S603
"""How long whole commands take, beside the renderer, a shell plugin, and any other client.

    python benchmarks/commands.py [--images 50] [--rounds 5] [--rtt 0.02] [--shell] [--ideal SCRIPT] [--json FILE]

Each image has a cosign `.sig` signature and SLSA provenance as a bundle under the fallback tag, in a registry `--rtt`
seconds away (`faraway.py`). All commands of a round run one after another, and the best of the rounds counts: wall clock on
a shared machine swings, so that only differences and ratios within one run mean something.

`--shell` measures what people write today, once: `crane digest`, `cosign verify`, `cosign verify-attestation` in a loop
(both must be on PATH). `--ideal` names a Python program that takes ``--trusted-root FILE --identity S --issuer URL REF…``
and resolves, fetches and verifies, and nothing else.
"""

import argparse
import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from argocd_provenance.demo.registry import Registry
from argocd_provenance.demo.sigstore import VirtualSigstore, encode, statement
from argocd_provenance.demo.world import provenance

IDENTITY = "https://github.com/acme/shop/.github/workflows/build.yml@refs/heads/main"
ISSUER = "https://token.actions.githubusercontent.com"
SLSA = "https://slsa.dev/provenance/v1"
SHELL = r"""
set -euo pipefail
manifests=$(kustomize build "$1")
who=(--trusted-root "$TRUSTED_ROOT" --certificate-identity "$IDENTITY" --certificate-oidc-issuer "$ISSUER")
for ref in $(sed -n 's/^ *\(- \)\?image: *//p' <<<"$manifests" | sort -u); do
  digest=$(crane digest "$ref")
  cosign verify "${who[@]}" "${ref%:*}@$digest" >/dev/null 2>&1
  cosign verify-attestation --type slsaprovenance1 "${who[@]}" "${ref%:*}@$digest" >/dev/null 2>&1
  manifests=$(sed "s|image: $ref\$|image: $ref@$digest|" <<<"$manifests")
done
printf '%s\n' "$manifests"
"""
_DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
        - name: app
          image: {image}
          ports: [{{containerPort: 8080}}]
          resources: {{requests: {{cpu: 50m, memory: 64Mi}}}}
"""
_PLAIN = """\
apiVersion: v1
kind: ConfigMap
metadata: {{name: {name}}}
data:
  LOG_LEVEL: info
  config.ini: |
    [server]
    listen = 0.0.0.0:8080
"""


@dataclass
class Ran:
    """What runs of one command took, in seconds, and the most memory of its largest process, in MB."""

    walls: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    memory: int = 0

    @property
    def best(self) -> float:
        """The shortest run, in milliseconds."""
        return min(self.walls) * 1000

    @property
    def cpu(self) -> float:
        """The least processor time, in milliseconds: other programs on the machine disturb it less."""
        return min(self.processor) * 1000


class Stand:
    """The folder, the registry's contents, and the commands."""

    def __init__(self, folder: Path, images: int, rtt: float) -> None:
        self.folder, self.images = folder, images
        sigstore = VirtualSigstore(datetime.now(UTC))
        (folder / "root.json").write_bytes(encode(sigstore.trusted_root()))
        (folder / "contents").write_bytes(pickle.dumps(_contents(sigstore, images)))
        command = [sys.executable, str(Path(__file__).with_name("faraway.py")), str(folder / "contents"), str(rtt)]
        self._registry = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._registry.stdout is not None  # noqa: S101 - a pipe was asked for
        self.host = f"127.0.0.1:{self._registry.stdout.readline().strip()}"
        self.references = [f"{self.host}/acme/svc-{n:03d}:v1.{n}.0" for n in range(images)]
        self._write_apps()

    def close(self) -> None:
        """End the registry."""
        self._registry.communicate()

    def config(self, name: str, **more: Any) -> Path:
        """The operator's files."""
        at = self.folder / name
        at.mkdir()
        signer = {"identity": {"issuer": ISSUER, "subject": IDENTITY}, "domain": "stand"}
        policy = {
            "apiVersion": "argocd-provenance.io/v1alpha1", "kind": "ImagePolicy", "metadata": {"name": "stand"},
            "spec": {"images": [f"{self.host}/acme/**"], "require": [{"signature": {"by": [signer]}}, {"provenance": {"by": [signer]}}]},
        }  # fmt: skip
        config = {
            "apiVersion": "argocd-provenance.io/v1alpha1", "kind": "Config", "policies": ["policy.yaml"],
            "trust": [{"name": "stand", "trustedRoot": str(self.folder / "root.json")}],
            "cache": {"path": str(at / "cache"), "keyFile": str(at / "key"), "tags": "1h"}, **more,
        }  # fmt: skip
        (at / "policy.yaml").write_text(json.dumps(policy))
        (at / "config.yaml").write_text(json.dumps(config))
        return at / "config.yaml"

    def _write_apps(self) -> None:
        for app in ("images", "plain"):
            at = self.folder / app
            at.mkdir()
            names = [f"svc-{n:03d}" for n in range(self.images)]
            for name, image in zip(names, self.references, strict=True):
                text = _DEPLOYMENT.format(name=name, image=image) + "---\n" if app == "images" else ""
                (at / f"{name}.yaml").write_text(text + _PLAIN.format(name=name))
            listed = "".join(f"- {name}.yaml\n" for name in names)
            (at / "kustomization.yaml").write_text(f"namespace: shop\nresources:\n{listed}")


def _contents(sigstore: VirtualSigstore, images: int) -> dict[str, tuple[str, bytes, str]]:
    registry = Registry()
    signer = sigstore.issue(IDENTITY, ISSUER)
    for number in range(images):
        repository = f"acme/svc-{number:03d}"
        image = registry.push_image(repository, f"v1.{number}.0", [repository.encode()])
        digest = image["digest"]
        layer = sigstore.sign_layer(digest, signer)
        registry.attach_layer(repository, digest, "sig", layer.descriptor, layer.content)
        signed = statement(digest, SLSA, provenance(IDENTITY), name=repository)
        registry.attach_bundle(repository, image, encode(sigstore.bundle(signer, signed)), SLSA)
    found: dict[str, tuple[str, bytes, str]] = {}
    for (repository, digest), blob in registry.contents.blobs.items():
        found[f"/v2/{repository}/blobs/{digest}"] = "application/octet-stream", blob, digest
    for (repository, digest), (kind, manifest) in registry.contents.manifests.items():
        found[f"/v2/{repository}/manifests/{digest}"] = kind, manifest, digest
    for (repository, tag), digest in registry.contents.tags.items():
        found[f"/v2/{repository}/manifests/{tag}"] = found[f"/v2/{repository}/manifests/{digest}"]
    return found


def run(command: Sequence[str], environment: Mapping[str, str], cwd: Path, into: Ran) -> None:
    """Run a whole command, and see that it does its work."""
    with tempfile.TemporaryFile() as said:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, env=environment, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said
        )
        _, status, usage = os.wait4(process.pid, 0)
        into.walls.append(time.perf_counter() - start)
        process.returncode = os.waitstatus_to_exitcode(status)
        into.processor.append(usage.ru_utime + usage.ru_stime)
        into.memory = max(into.memory, usage.ru_maxrss // 1024)
        said.seek(0)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)[:300]}: exit {process.returncode}\n{said.read()[-2000:].decode()}")


def measure(arguments: argparse.Namespace, stand: Stand) -> dict[str, Ran]:
    """All commands, round by round."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(stand.folder), "TRUSTED_ROOT": str(stand.folder / "root.json"),
                   "IDENTITY": IDENTITY, "ISSUER": ISSUER, **{n: v for n, v in os.environ.items() if n == "PROTOTYPE"}}  # fmt: skip
    ours = [sys.executable, "-I", "-m", "argocd_provenance", "generate", "."]
    cold, warm = stand.config("cold"), stand.config("warm")
    open_ = stand.config("open", policies=[], unmatched="allow")
    socket = stand.folder / "serve" / "socket"
    resident = subprocess.Popen(
        [sys.executable, "-I", "-m", "argocd_provenance", "serve", "--socket", str(socket)], env=environment
    )
    found: dict[str, Ran] = {}

    def one(what: str, command: Sequence[str], app: str, **more: str) -> None:
        run(command, {**environment, **more}, stand.folder / app, found.setdefault(what, Ran()))

    try:
        run(ours, {**environment, "ARGOCD_PROVENANCE_CONFIG": str(warm)}, stand.folder / "images", Ran())
        while not socket.exists():
            if resident.poll() is not None:
                raise SystemExit("the resident process does not start")
        served = [*ours, "--socket", str(socket)]
        for _ in range(arguments.rounds):
            one("python -I -c pass", [sys.executable, "-I", "-c", "pass"], "plain")
            one("kustomize, no images", ["kustomize", "build", "."], "plain")
            one("generate, no images", ours, "plain", ARGOCD_PROVENANCE_CONFIG=str(warm))
            one("generate, no images, served", served, "plain", ARGOCD_PROVENANCE_CONFIG=str(warm))
            one("kustomize", ["kustomize", "build", "."], "images")
            one("generate, no policy", ours, "images", ARGOCD_PROVENANCE_CONFIG=str(open_))
            one("generate, cached", ours, "images", ARGOCD_PROVENANCE_CONFIG=str(warm))
            one("generate, cached, served", served, "images", ARGOCD_PROVENANCE_CONFIG=str(warm))
            shutil.rmtree(cold.parent / "cache", ignore_errors=True)
            one("generate, cold", ours, "images", ARGOCD_PROVENANCE_CONFIG=str(cold))
            if arguments.ideal:
                trust = ["--trusted-root", str(stand.folder / "root.json"), "--identity", IDENTITY, "--issuer", ISSUER]
                one("ideal client, cold", [sys.executable, "-I", arguments.ideal, *trust, *stand.references], "images")
        if arguments.shell:
            one("shell plugin", ["bash", "-c", SHELL, "bash", "."], "images")
    finally:
        resident.terminate()
        resident.wait()
    return found


TARGETS = (
    ("generate, no images", "kustomize, no images", "over", 120),
    ("generate, cached", "kustomize", "over", 250),
    ("generate, cached, served", "kustomize", "over", 60),
    ("generate, cold", "ideal client, cold", "times", 1.5),
    ("shell plugin", "generate, cold", "at least times", 30),
)


def main() -> int:
    """Measure, print a table, and say which targets hold; exit 1 where one is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rtt", type=float, default=0.02)
    parser.add_argument("--shell", action="store_true")
    parser.add_argument("--ideal")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        stand = Stand(Path(folder), arguments.images, arguments.rtt)
        try:
            found = measure(arguments, stand)
        finally:
            stand.close()
    print(f"{arguments.images} images, {arguments.rtt * 1000:g} ms away, best of {arguments.rounds} rounds")
    for what, ran in found.items():
        print(f"{what:32} {ran.best:9.0f} ms {ran.cpu:9.0f} ms of CPU {ran.memory:6} MB")
    missed = 0
    for what, yardstick, how, target in TARGETS:
        if what not in found or yardstick not in found:
            continue
        a, b = found[what].best, found[yardstick].best
        figure = a - b if how == "over" else a / b
        holds = figure >= target if how == "at least times" else figure <= target
        missed += not holds
        print(
            f"{what} / {yardstick}: {figure:.{0 if how == 'over' else 2}f} (target: {how} {target}){'' if holds else ' MISSED'}"
        )
    if arguments.json:
        arguments.json.write_text(
            json.dumps({what: [ran.walls, ran.processor, ran.memory] for what, ran in found.items()})
        )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
