"""A shop to ask about: a registry with signed images, a policy, an application, all said in a line each.

    with shop(tmp_path, images=[GOOD], source={"web.yaml": pod("web")}) as scenario:
        code, manifests, report = scenario.generate()

It is a `Scenario` whose folder the test writes itself: REGISTRY stands for the registry's host, both ways.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from argocd_provenance.deadline import Deadline
from argocd_provenance.pipeline import Decided, Recollection, Registry, Rules, Run
from argocd_provenance.policy.decision import Unmatched
from argocd_provenance.policy.load import load_policies
from argocd_provenance.policy.model import Policy
from support.scenario import CONFIG, SLSA, Scenario

TODAY = date(2026, 6, 1)
FORK = "https://github.com/mallory/shop/.github/workflows/build.yml@refs/heads/main"
BY = "[{github: {repository: acme/shop, workflow: .github/workflows/build.yml, ref: refs/heads/main}, domain: test}]"
PROVENANCE = f"- provenance: {{by: {BY}}}"
SIGNATURE = f"- signature: {{by: {BY}}}"
SIGNED, BUILT = {"what": "signature"}, {"what": "provenance"}
WEB = {"image": "acme/web:v1", "attach": [BUILT]}
"""An image with good provenance."""
API = {"image": "acme/api:v1"}
"""An unsigned image."""


def policy(require: str = PROVENANCE, images: str = '["REGISTRY/acme/**"]', name: str = "shop", **spec: str) -> str:
    """An ImagePolicy; `spec` holds further fields as YAML."""
    lines = [f"  {field}: {value}" for field, value in spec.items()]
    demands = ["  require:", *(f"    {line}" for line in require.splitlines())] if require else []
    head = ["apiVersion: argocd-provenance.io/v1alpha1", "kind: ImagePolicy", f"metadata: {{name: {name}}}", "spec:"]
    return "\n".join([*head, f"  images: {images}", *lines, *demands]) + "\n"


def pod(*images: str, name: str = "web", annotations: str = "") -> str:
    """A Pod that runs these images of the registry, named without its host."""
    containers = "".join(f"    - {{name: c{n}, image: REGISTRY/{image}}}\n" for n, image in enumerate(images))
    notes = f"\n  annotations: {annotations}" if annotations else ""
    return f"apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}{notes}\nspec:\n  containers:\n{containers}"


@contextmanager
def shop(
    folder: Path,
    *,
    images: Sequence[Mapping[str, Any]] = (),
    source: Mapping[str, str] | None = None,
    rules: str = "",
    config: str = "",
    log_id: bytes = b"",
) -> Iterator[Scenario]:
    """The scenario of these images, this application (file: text), these policies, and lines added to the config.

    `log_id` is the name by which its log goes, instead of the one that follows from the log's key.
    """
    case = folder / "case"
    (case / "source").mkdir(parents=True)
    for name, text in (source or {}).items():
        (case / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        (case / "source" / name).write_text(text)
    (case / "policy.yaml").write_text(rules or policy())
    (case / "registry.yaml").write_text(json.dumps({"images": images}))
    (case / "config.yaml").write_text(CONFIG + config)
    (folder / "run").mkdir()
    scenario = Scenario(case, folder / "run")
    scenario.sigstore.rekor.log_id = log_id or scenario.sigstore.rekor.log_id
    with scenario:
        yield scenario


def attach(scenario: Scenario, image: Mapping[str, Any], repository: str, **attached: Any) -> None:
    """Attach evidence to the pushed `image` (a descriptor) in `repository`; see `Scenario`."""
    scenario._attach("", repository, image, {"what": "provenance", **attached})


def copy_bundle(scenario: Scenario, origin: str, image: Mapping[str, Any], repository: str) -> None:
    """Attach the bundle of the image `origin` to another one."""
    scenario.registry.attach_bundle(repository, image, scenario._bundles[origin], SLSA)


def policies(*texts: str, host: str) -> tuple[Policy, ...]:
    """The policies that `texts` hold, REGISTRY being `host`."""
    files = [(f"policy-{number}.yaml", text.replace("REGISTRY", host)) for number, text in enumerate(texts)]
    return load_policies(files, lambda path: Path(path).read_bytes())


def decide(
    registry: Registry,
    verifier: Any,
    judged_by: Sequence[Policy],
    *references: str,
    unmatched: Unmatched = "deny",
    today: date = TODAY,
    deadline: Deadline | None = None,
    recollection: Recollection | None = None,
    making: bool = False,
    **rules: Any,
) -> dict[str, Decided]:
    """What the pipeline decides about `references`; `making`: `verifier` is what makes it."""
    asked = Rules(tuple(judged_by), unmatched, rules.pop("application", None), today, **rules)
    limit = deadline or Deadline(20, lambda: 0.0)
    made = verifier if making else lambda: verifier
    run = Run(asked, registry, made, limit, lambda _done, _total: None, recollection)
    return run.decide(references)


def demanding(mode: str, name: str) -> Policy:
    """A policy of that mode and name; one of mode pin demands nothing."""
    return policies(policy("" if mode == "pin" else PROVENANCE, name=name, mode=mode), host="ghcr.io")[0]
