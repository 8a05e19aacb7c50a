"""Evidence and policies for tests of policy: ``evidence(kind="provenance")``, ``policy("signature: {…}")``.

The evidence is that of a perfect build of acme/shop; every argument makes it less perfect.
"""

import textwrap
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from argocd_provenance.evidence.values import (
    PROVENANCE_V02,
    PROVENANCE_V1,
    Anchor,
    Certificate,
    DomainAnchor,
    Evidence,
    KeyAnchor,
    Kind,
)
from argocd_provenance.oci.reference import Digest, Reference
from argocd_provenance.policy.imagepatterns import Image
from argocd_provenance.policy.judge import Judgement, judge
from argocd_provenance.policy.load import load_policies
from argocd_provenance.policy.model import Policy

TODAY = date(2026, 11, 24)
DIGEST = Digest("sha256:" + "1a" * 32)
OTHER_DIGEST = Digest("sha256:" + "2b" * 32)
COMMIT = "9e1f0c3d5b7a9e1f0c3d5b7a9e1f0c3d5b7a9e1f"
REPOSITORY = "https://github.com/acme/shop"
WORKFLOW = ".github/workflows/build.yml"
REF = "refs/heads/main"
SAN = f"{REPOSITORY}/{WORKFLOW}@{REF}"
ISSUER = "https://token.actions.githubusercontent.com"
BUILD_TYPE = "https://actions.github.io/buildtypes/workflow/v1"
BY = "[{github: {repository: acme/shop, workflow: .github/workflows/build.yml, ref: refs/heads/main}}]"
KEY = KeyAnchor(b"a key", log=True)

CLAIMS: Mapping[str, str] = {
    "buildSignerURI": SAN,
    "runnerEnvironment": "github-hosted",
    "sourceRepositoryURI": REPOSITORY,
    "sourceRepositoryDigest": COMMIT,
    "sourceRepositoryRef": REF,
    "sourceRepositoryIdentifier": "1296269",
    "sourceRepositoryOwnerIdentifier": "583231",
    "buildConfigURI": SAN,
    "buildTrigger": "push",
    "sourceRepositoryVisibilityAtSigning": "public",
    "deploymentEnvironment": "production",
}


def certificate(identity: str = SAN, issuer: str = ISSUER, **claims: str | None) -> Certificate:
    """The certificate of a perfect build; a claim that is None is left out, and the signer follows the identity."""
    said = {**CLAIMS, "buildSignerURI": identity, **claims}
    return Certificate(identity, issuer, {name: value for name, value in said.items() if value is not None})


def predicate_v1(**github: Any) -> dict[str, Any]:
    """Provenance as actions/attest writes it."""
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {"workflow": {"ref": REF, "repository": REPOSITORY, "path": WORKFLOW}},
            "internalParameters": {
                "github": {
                    "event_name": "push",
                    "repository_id": "1296269",
                    "repository_owner_id": "583231",
                    "runner_environment": "github-hosted",
                    **github,
                }
            },
            "resolvedDependencies": [{"uri": f"git+{REPOSITORY}@{REF}", "digest": {"gitCommit": COMMIT}}],
        },
        "runDetails": {"builder": {"id": SAN}},
    }


GENERATOR = "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml@refs/tags/v2.0.0"


def predicate_v02() -> dict[str, Any]:
    """Provenance as slsa-github-generator's container workflow writes it."""
    return {
        "builder": {"id": GENERATOR},
        "buildType": "https://github.com/slsa-framework/slsa-github-generator/container@v1",
        "invocation": {
            "configSource": {"uri": f"git+{REPOSITORY}@{REF}", "digest": {"sha1": COMMIT}, "entryPoint": WORKFLOW},
            "environment": {"github_event_name": "push"},
        },
        "materials": [{"uri": f"git+{REPOSITORY}@{REF}", "digest": {"sha1": COMMIT}}],
    }


def evidence(
    kind: Kind = "signature",
    *,
    signer: Certificate | KeyAnchor | None = None,
    domain: str = "public-good",
    predicate_type: str | None = None,
    predicate: Any = None,
    subject: Digest = DIGEST,
    annotations: Mapping[str, str] | None = None,
    names: tuple[str, ...] = (),
    times: tuple[datetime, ...] = (datetime(2026, 11, 20, 12, tzinfo=UTC),),
    logged: bool = True,
    source: str = "referrers",
) -> Evidence:
    """A piece of verified evidence about the image."""
    anchor: Anchor = signer if isinstance(signer, KeyAnchor) else DomainAnchor(domain)
    if kind == "provenance" and predicate_type is None:
        predicate_type, predicate = PROVENANCE_V1, predicate or predicate_v1()
    statement = (
        {"predicateType": predicate_type, "predicate": predicate} if predicate_type is not None else {"critical": {}}
    )
    said = None if isinstance(signer, KeyAnchor) else signer or certificate()
    return Evidence(
        subject=subject,
        kind=kind,
        form="bundle",
        anchor=anchor,
        certificate=said,
        predicate_type=predicate_type,
        statement=statement,
        annotations=annotations or {},
        names=names,
        source=source,
        digest=Digest.of(
            repr((kind, said, anchor, predicate_type, predicate, source, annotations, names, times)).encode()
        ),
        logged=logged,
        times=times,
    )


def generator_evidence() -> Evidence:
    """Provenance of slsa-github-generator for acme/shop."""
    return evidence(
        "provenance", signer=certificate(GENERATOR), predicate_type=PROVENANCE_V02, predicate=predicate_v02()
    )


def policy_text(require: str, **spec: str) -> str:
    """An ImagePolicy with one entry of `require`, and further fields of `spec` as YAML."""
    fields = {"images": '["ghcr.io/acme/shop"]', **spec}
    lines = [f"{name}: {value}" for name, value in fields.items()]
    body = "\n".join([*lines, "require:", *(f"  - {entry}" for entry in require.split("\n"))] if require else lines)
    head = "apiVersion: argocd-provenance.io/v1alpha1\nkind: ImagePolicy\nmetadata: {name: shop}\nspec:\n"
    return head + textwrap.indent(body, "  ") + "\n"


def policy(require: str, **spec: str) -> Policy:
    """The policy that `policy_text` is."""
    return load_policies([("policy.yaml", policy_text(require, **spec))], no_files)[0]


def no_files(name: str) -> bytes:
    """No file stands beside the policy."""
    raise FileNotFoundError(2, "No such file or directory", name)


def image(text: str = "ghcr.io/acme/shop:v1", digest: Digest = DIGEST) -> Image:
    """The image that is judged."""
    return Image(Reference.parse(text), digest)


def verdict(entry: str, *pieces: Evidence, reference: str = "ghcr.io/acme/shop:v1", **spec: str) -> Judgement:
    """What a policy with one demand says of an image with that evidence."""
    return judge(image(reference), policy(entry, **spec), pieces, today=TODAY)


def codes(judgement: Judgement) -> list[str]:
    """The codes of the findings, in their order."""
    return [finding.code for finding in judgement.findings]
