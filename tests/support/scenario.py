"""A registry, signatures, policies and an application from a folder of files, for golden tests.

    with Scenario(case_folder, tmp_path) as scenario:
        code, manifests, report = scenario.generate()

The folder holds ``source/`` (what is in Git), ``policy.yaml``, ``registry.yaml`` (what was pushed and signed, see `_push`)
and optionally ``config.yaml``. The word REGISTRY stands for the host of the registry, in every file, both ways.
"""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml
from click.testing import CliRunner

from argocd_provenance.cli.group import group
from argocd_provenance.demo.registry import Registry
from argocd_provenance.demo.sigstore import VirtualSigstore, encode, statement
from argocd_provenance.demo.world import provenance

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
IDENTITY = "https://github.com/acme/shop/.github/workflows/build.yml@refs/heads/main"
SIGN = "https://sigstore.dev/cosign/sign/v1"
SLSA = "https://slsa.dev/provenance/v1"

CONFIG = """\
apiVersion: argocd-provenance.io/v1alpha1
kind: Config
policies: [policy.yaml]
trust:
  - {name: test, trustedRoot: trusted_root.json}
registries:
  - {host: "REGISTRY"}
"""


class Scenario:
    """One case, set up in `folder`; the registry runs while the context is open."""

    def __init__(self, case: Path, folder: Path) -> None:
        self.case, self.folder = case, folder
        self.registry = Registry()
        self.sigstore = VirtualSigstore(NOW)
        self._bundles: dict[str, bytes] = {}

    def __enter__(self) -> Self:
        self.registry.__enter__()
        self._write("config.yaml", self._text("config.yaml") or CONFIG)
        self._write("policy.yaml", self._text("policy.yaml"))
        (self.folder / "trusted_root.json").write_bytes(encode(self.sigstore.trusted_root()))
        shutil.copytree(self.case / "source", self.folder / "source", symlinks=True)
        for path in (self.folder / "source").rglob("*"):
            if path.is_file() and not path.is_symlink():
                path.write_bytes(path.read_bytes().replace(b"REGISTRY", self.registry.host.encode()))
        for image in (yaml.safe_load(self._text("registry.yaml")) or {}).get("images", []):
            self._push(image)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.registry.__exit__(kind, error, trace)

    def generate(self, *arguments: str, environment: dict[str, str] | None = None) -> tuple[int, str, str]:
        """Exit code, standard output and standard error of ``generate source``, with the host put back to REGISTRY."""
        return self.run("generate", str(self.folder / "source"), *arguments, environment=environment)

    def run(self, *arguments: str, environment: dict[str, str] | None = None, stdin: str = "") -> tuple[int, str, str]:
        """The same for any command line."""
        config = {"ARGOCD_PROVENANCE_CONFIG": str(self.folder / "config.yaml"), "ARGOCD_APP_NAME": "golden"}
        words = [word.replace("REGISTRY", self.registry.host) for word in arguments]
        done = CliRunner().invoke(
            group, words, input=stdin, env=config | (environment or {}), prog_name="argocd-provenance"
        )
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code, self._neutral(done.stdout), self._neutral(done.stderr)

    def _neutral(self, text: str) -> str:
        return text.replace(self.registry.host, "REGISTRY").replace(str(self.folder), "FOLDER")

    def _text(self, name: str) -> str:
        path = self.case / name
        return path.read_text() if path.exists() else ""

    def _write(self, name: str, text: str) -> None:
        if text:
            (self.folder / name).write_text(text.replace("REGISTRY", self.registry.host))

    def _push(self, image: dict[str, Any]) -> None:
        """``{image: acme/web:v1, content: text, attach: [{what, form, identity, issuer, claims, predicate, of}]}``.

        `what` is signature, provenance or a predicate type; `form` is bundle, sig or att; `of` names an image whose
        evidence is attached here too.
        """
        repository, _, tag = image["image"].rpartition(":")
        pushed = self.registry.push_image(repository, tag, [image.get("content", image["image"]).encode()])
        for attached in image.get("attach", []):
            self._attach(image["image"], repository, pushed, attached)

    def _attach(self, name: str, repository: str, pushed: Any, attached: dict[str, Any]) -> None:
        if "of" in attached:
            self.registry.attach_bundle(repository, pushed, self._bundles[attached["of"]], SLSA)
            return
        identity = attached.get("identity", IDENTITY)
        claims = {int(arc): value for arc, value in attached.get("claims", {}).items()}
        signer = self.sigstore.issue(
            identity, attached.get("issuer", "https://token.actions.githubusercontent.com"), claims=claims
        )
        kind = {"signature": SIGN, "provenance": SLSA}.get(attached["what"], attached["what"])
        predicate = attached.get("predicate", provenance(identity) if kind == SLSA else {})
        digest, form = pushed["digest"], attached.get("form", "bundle")
        signed = statement(digest, kind, predicate, name=None if kind == SIGN else f"{self.registry.host}/{repository}")
        if form == "sig":
            layer = self.sigstore.sign_layer(digest, signer, annotations=attached.get("annotations"))
        elif form == "att":
            layer = self.sigstore.attest_layer(signed, signer, predicate_type=kind)
        else:
            bundle = encode(self.sigstore.bundle(signer, signed))
            self._bundles[name] = bundle
            self.registry.attach_bundle(repository, pushed, bundle, kind)
            return
        self.registry.attach_layer(repository, digest, form, layer.descriptor, layer.content)


def as_json(text: str) -> Any:
    """The JSON report in `text`."""
    return json.loads(text)
