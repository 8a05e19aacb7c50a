"""The world of the demo: four images in a registry, what is signed about them, and the operator's and the team's files."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from argocd_provenance.demo.registry import Registry
from argocd_provenance.demo.sigstore import GITHUB, VirtualSigstore, encode, statement

PROVENANCE = "https://slsa.dev/provenance/v1"

_DEPLOYMENT = """\
# {comment}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  labels: {{app: {name}}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
        - name: {name}
          image: {image}  # by tag, as people write it
"""


class World:
    """Everything the story needs, in `folder`; the registry runs while the context is open."""

    issuer = GITHUB
    identity = "https://github.com/acme/shop/.github/workflows/build.yml@refs/heads/main"
    fork = "https://github.com/mallory/shop/.github/workflows/build.yml@refs/heads/main"

    def __init__(self, folder: Path, now: datetime) -> None:
        self.folder = folder
        self.registry = Registry()
        self.sigstore = VirtualSigstore(now)
        self._at = now - timedelta(minutes=30)
        self.good_digest = ""

    def __enter__(self) -> Self:
        self.registry.__enter__()
        self._publish()
        self._operator_files()
        self._application("good", [("web", "v1", "built and signed by the team's own pipeline")])
        self._application(
            "bad",
            [
                ("web", "v1", "built and signed by the team's own pipeline"),
                ("api", "v1", "pushed by hand, never signed"),
                ("worker", "v1", "built by the same workflow, in a fork"),
                ("cron", "v1", "its tag was moved to other content, with the old provenance copied beside it"),
            ],
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.registry.__exit__(kind, error, trace)

    def _publish(self) -> None:
        web = self.registry.push_image("acme/web", "v1", [b"the web application"])
        self.good_digest = web["digest"]
        (self.folder / "web.bundle.json").write_bytes(self._attest("acme/web", web, self.identity))
        self.registry.push_image("acme/api", "v1", [b"the api"])
        worker = self.registry.push_image("acme/worker", "v1", [b"the worker, with a surprise"])
        self._attest("acme/worker", worker, self.fork)
        cron = self.registry.push_image("acme/cron", "v1", [b"the cron job"])
        provenance = self._attest("acme/cron", cron, self.identity)
        moved = self.registry.push_image("acme/cron", "v1", [b"the cron job, with a miner"])
        self.registry.attach_bundle("acme/cron", moved, provenance, PROVENANCE)

    def _attest(self, repository: str, image: dict[str, Any], identity: str) -> bytes:
        """Sign provenance of `image` as `identity`, attach it, and return the bundle."""
        signer = self.sigstore.issue(identity, GITHUB, at=self._at)
        name = f"{self.registry.host}/{repository}"
        signed = statement(image["digest"], PROVENANCE, provenance(identity), name=name)
        bundle = encode(self.sigstore.bundle(signer, signed, at=self._at))
        self.registry.attach_bundle(repository, image, bundle, PROVENANCE)
        return bundle

    def _operator_files(self) -> None:
        (self.folder / "policies").mkdir(exist_ok=True)
        (self.folder / "trusted_root.json").write_text(json.dumps(self.sigstore.trusted_root(), indent=1))
        (self.folder / "config.yaml").write_text(
            "apiVersion: argocd-provenance.io/v1alpha1\nkind: Config\npolicies: [policies/]\nunmatched: deny\n"
            "trust:\n  - {name: demo, trustedRoot: trusted_root.json}\n"
        )
        (self.folder / "policies" / "shop.yaml").write_text(
            f"""\
apiVersion: argocd-provenance.io/v1alpha1
kind: ImagePolicy
metadata: {{name: shop}}
spec:
  images: ["{self.registry.host}/acme/**"]
  require:
    - provenance:
        by:
          - github: {{repository: acme/shop, workflow: .github/workflows/build.yml, ref: refs/heads/main}}
            domain: demo
        source: {{repository: https://github.com/acme/shop, ref: refs/heads/main}}
        buildType: https://actions.github.io/buildtypes/workflow/v1
        runner: github-hosted
"""
        )

    def _application(self, name: str, images: list[tuple[str, str, str]]) -> None:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        for image, tag, comment in images:
            text = _DEPLOYMENT.format(name=image, comment=comment, image=f"{self.registry.host}/acme/{image}:{tag}")
            (folder / f"{image}.yaml").write_text(text)


def provenance(identity: str) -> dict[str, Any]:
    """The predicate that GitHub's attest action writes for a push to the branch in `identity`.

    actions/toolkit: packages/attest/src/provenance.ts.
    """
    workflow, _, ref = identity.rpartition("@")
    repository, _, path = workflow.partition("/.github/")
    return {
        "buildDefinition": {
            "buildType": "https://actions.github.io/buildtypes/workflow/v1",
            "externalParameters": {"workflow": {"ref": ref, "repository": repository, "path": f".github/{path}"}},
            "internalParameters": {
                "github": {
                    "event_name": "push",
                    "repository_id": "1234",
                    "repository_owner_id": "99",
                    "runner_environment": "github-hosted",
                }
            },
            "resolvedDependencies": [{"uri": f"git+{repository}@{ref}", "digest": {"gitCommit": "a" * 40}}],
        },
        "runDetails": {
            "builder": {"id": identity},
            "metadata": {"invocationId": f"{repository}/actions/runs/1/attempts/1"},
        },
    }
