# ruff: noqa: INP001
"""Judging: 1,000 policies over 200 images with evidence at hand, a file of policies read, and an SBOM asked by CEL.

Usage: .venv/bin/python benchmarks/policies.py [--peers]

Each figure is CPU time, the best of five in one process. With ``--peers`` the SBOM is asked of other implementations of CEL too,
those that are installed (cel-python, common-expression-language, cel-expr-python), over the same JSON.
"""

import contextlib
import importlib
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from argocd_provenance.errors import FileFaults
from argocd_provenance.evidence.values import PROVENANCE_V1, Certificate, DomainAnchor, Evidence
from argocd_provenance.oci.reference import Digest, Reference
from argocd_provenance.policy import cue, patterns
from argocd_provenance.policy.cel import STEPS, OutOfStepsError, Program
from argocd_provenance.policy.imagepatterns import Image
from argocd_provenance.policy.index import PolicyIndex
from argocd_provenance.policy.judge import judge
from argocd_provenance.policy.load import load_policies
from argocd_provenance.policy.select import cover

POLICY = """\
apiVersion: argocd-provenance.io/v1alpha1
kind: ImagePolicy
metadata: {{name: team-{n}}}
spec:
  images: ["ghcr.io/acme/team-{n}/**", "ghcr.io/acme/service-{n}-*"]
  require:
    - provenance:
        by: [{{github: {{repository: acme/shop, workflow: .github/workflows/build.yml, ref: refs/heads/main}}}}]
        source: {{repository: https://github.com/acme/shop, ref: refs/heads/main}}
        runner: github-hosted
        level: 2
        where: predicate.buildDefinition.externalParameters.workflow.path == ".github/workflows/build.yml"
"""
FOREIGN = """\
apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata: {{name: team-{n}}}
spec:
  images: [{{glob: "ghcr.io/acme/team-{n}/**"}}]
  authorities:
    - keyless:
        identities:
          - issuer: https://token.actions.githubusercontent.com
            subjectRegExp: ^https://github\\.com/acme/t{n}/.+@refs/heads/main$
      attestations:
        - name: built
          predicateType: slsaprovenance1
          policy:
            type: cue
            data: |
              predicate: runDetails: builder: id: =~"^https://ci/{n}/"
"""
DIGEST = Digest("sha256:" + "1a" * 32)
SAN = "https://github.com/acme/shop/.github/workflows/build.yml@refs/heads/main"
PACKAGES = 10_000
LICENSED = (
    'predicate.packages.all(p, has(p.licenseConcluded) && p.licenseConcluded != "NOASSERTION" && '
    '!(p.name == "log4j" && p.versionInfo.startsWith("2.1")))'
)
NESTED = (
    'predicate.packages.all(p, p.externalRefs.exists(r, r.referenceType == "purl" && '
    'r.referenceLocator.matches("^pkg:deb/.*")))'
)
SQUARE = "predicate.packages.all(p, predicate.packages.all(q, q.name != 'x'))"


def evidence() -> Evidence:
    """Provenance of a build of acme/shop, as if it had been verified."""
    claims = {
        "buildSignerURI": SAN, "runnerEnvironment": "github-hosted", "buildConfigURI": SAN,
        "sourceRepositoryURI": "https://github.com/acme/shop", "sourceRepositoryRef": "refs/heads/main",
    }  # fmt: skip
    workflow = {
        "path": ".github/workflows/build.yml",
        "ref": "refs/heads/main",
        "repository": claims["sourceRepositoryURI"],
    }
    predicate = {
        "buildDefinition": {"externalParameters": {"workflow": workflow}},
        "runDetails": {"builder": {"id": SAN}},
    }
    return Evidence(
        subject=DIGEST, kind="provenance", form="bundle", anchor=DomainAnchor("public-good"),
        certificate=Certificate(SAN, "https://token.actions.githubusercontent.com", claims), predicate_type=PROVENANCE_V1,
        statement={"predicate": predicate}, annotations={}, names=(), source="referrers", digest=DIGEST, logged=True,
        times=(datetime(2026, 6, 1, tzinfo=UTC),),
    )  # fmt: skip


def sbom() -> dict[str, Any]:
    """An SPDX document of 10,000 packages."""
    return {
        "packages": [
            {
                "name": f"pkg{n}", "SPDXID": f"SPDXRef-{n}", "versionInfo": f"1.2.{n}", "licenseConcluded": "MIT",
                "externalRefs": [{"referenceType": "purl", "referenceLocator": f"pkg:deb/debian/pkg{n}@1.2"}],
            }
            for n in range(PACKAGES)
        ]
    }  # fmt: skip


def say(text: str) -> None:
    """One line of the answer."""
    sys.stdout.write(f"{text}\n")


def best(work: Callable[[], object], rounds: int = 5) -> float:
    """The shortest CPU time of `rounds`, in milliseconds."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times) * 1000


def judged(policies: PolicyIndex, references: list[Reference], proved: Evidence) -> int:
    """How many of `references` pass."""
    allowed = 0
    for reference in references:
        covering = cover(policies, reference, DIGEST, None).policies
        allowed += all(
            judge(Image(reference, DIGEST), policy, [proved], today=date(2026, 6, 1)).allowed for policy in covering
        ) and bool(covering)
    return allowed


def main() -> None:
    """Print the figures."""
    halves = ["---\n".join(POLICY.format(n=n) for n in range(at, at + 500)) for at in (0, 500)]
    policies = load_policies([(f"policies-{n}.yaml", half) for n, half in enumerate(halves)], lambda _: b"")
    references = [Reference.parse(f"ghcr.io/acme/team-{n * 5}/app:v1") for n in range(200)]
    index, proved = PolicyIndex(policies), evidence()
    if judged(index, references, proved) != len(references):
        raise SystemExit("an image that should pass does not")
    say(f"1,000 policies x 200 images judged      {best(lambda: judged(index, references, proved)):8.1f} ms")
    say(f"1,000 policies indexed                  {best(lambda: PolicyIndex(policies)):8.1f} ms")
    largest, too_large = _cut(512 * 1024), _cut(1024 * 1024)
    say(f"a policy file of {len(largest) // 1024} KiB read            {best(lambda: _load(largest)):8.1f} ms")
    foreign = ["---\n".join(FOREIGN.format(n=n) for n in range(at, at + 500)) for at in (0, 500)]
    size = sum(map(len, foreign)) // 1024
    say(f"1,000 ClusterImagePolicies of {size} KiB  {best(lambda: _load_anew(*foreign)):8.1f} ms")
    say(f"a policy file of 1 MiB refused          {best(lambda: _refused(too_large)):8.1f} ms")
    scope = {"predicate": sbom()}
    for name, expression in (("flat", LICENSED), ("nested", NESTED)):
        program = Program(expression, ("predicate",))
        say(f"an SBOM of 10,000 packages, {name:6}      {best(lambda p=program: p.result(scope)):8.1f} ms")  # type: ignore[misc]
    square = Program(SQUARE, ("predicate",))
    say(f"stopped after {STEPS:,} steps          {best(lambda: _stopped(square, scope), 2):8.1f} ms")
    if "--peers" in sys.argv:
        peers(scope)


def _cut(size: int) -> str:
    found, n = "", 0
    while len(found) + 700 < size:
        found += ("---\n" if found else "") + POLICY.format(n=n)
        n += 1
    return found if size <= 512 * 1024 else found + "#" * 700


def _load(*texts: str) -> object:
    return load_policies([(f"policies-{n}.yaml", text) for n, text in enumerate(texts)], lambda _: b"")


def _load_anew(*texts: str) -> object:
    """As a process that has just started does it: no regular expression and no CUE text has been seen."""
    for kept in (cue._read, patterns._re2):  # noqa: SLF001 - what a new process has not
        kept.cache_clear()
    return _load(*texts)


def _refused(text: str) -> None:
    with contextlib.suppress(FileFaults):
        _load(text)
        raise SystemExit("a file of 1 MiB should be refused")


def _stopped(program: Program, scope: Mapping[str, Any]) -> None:
    with contextlib.suppress(OutOfStepsError):
        program.result(scope)
        raise SystemExit("the limit does not hold")


def peers(scope: Mapping[str, Any]) -> None:
    """The same SBOM asked of other implementations of CEL."""
    for name, make in (("celpy", _celpy), ("cel", _rust), ("cel_expr_python.cel", _google)):
        try:
            module = importlib.import_module(name)
        except ImportError:
            say(f"{name} is not installed")
            continue
        for what, expression in (("flat", LICENSED), ("nested", NESTED)):
            try:
                say(f"{name:22} {what:6} {best(make(module, expression, scope), 1):18.1f} ms")
            except RuntimeError as error:
                say(f"{name:22} {what:6} {error}")


def _celpy(module: Any, expression: str, scope: Mapping[str, Any]) -> Callable[[], object]:
    adapter = importlib.import_module("celpy.adapter")
    environment = module.Environment()
    program = environment.program(environment.compile(expression))
    return lambda: program.evaluate({"predicate": adapter.json_to_cel(scope["predicate"])})


def _rust(module: Any, expression: str, scope: Mapping[str, Any]) -> Callable[[], object]:
    program = module.compile(expression)
    return lambda: program.execute(dict(scope))


def _google(module: Any, expression: str, scope: Mapping[str, Any]) -> Callable[[], object]:
    program = module.NewEnv(variables={"predicate": module.Type.DYN}).compile(expression)
    return lambda: program.eval(data=dict(scope))


if __name__ == "__main__":
    main()
