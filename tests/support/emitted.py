"""Provenance in the layouts in which builders really emit it, signed by a virtual Sigstore as they sign it.

    piece = EMITTED["actions/attest 1.3 to 1.5"].evidence()

Layouts: actions/toolkit ``packages/attest/src/provenance.ts`` by its history; slsa-github-generator
``internal/builders``; slsa-verifier ``verifiers/internal/gcb/testdata``; tektoncd/chains ``docs/predicate/slsa/v2.md``;
moby/buildkit ``docs/attestations/slsa-definitions.md``; docs.gitlab.com ``ci/pipeline_security/slsa/provenance_v1``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from argocd_provenance.demo.sigstore import GITHUB, Signer, statement
from argocd_provenance.evidence.values import DomainAnchor, Evidence
from support.signing import IMAGE, SIGSTORE, STATEMENT_V01, bundle_candidate, by_key, evidence, layer_candidate, verify

REPOSITORY = "https://github.com/acme/shop"
PATH = ".github/workflows/build.yml"
REF = "refs/heads/main"
COMMIT = "a" * 40
OWN = f"{REPOSITORY}/{PATH}@{REF}"
REUSABLE = "https://github.com/acme/ci/.github/workflows/build-image.yml@refs/tags/v2"
GENERATOR = "https://github.com/slsa-framework/slsa-github-generator/.github/workflows"
V1, V02, V01 = (f"https://slsa.dev/provenance/{version}" for version in ("v1", "v0.2", "v0.1"))
CALLED: Mapping[int, str | None] = {
    10: "b" * 40, 12: REPOSITORY, 13: COMMIT, 14: REF, 15: "1234", 16: "https://github.com/acme", 17: "99", 18: OWN,
    19: COMMIT, 21: f"{REPOSITORY}/actions/runs/1/attempts/1",
}  # fmt: skip
"""What the certificate of a workflow in another repository says when it was called for acme/shop."""
GITLAB = "https://gitlab.com"
GITLAB_CONFIG = "https://gitlab.com/acme/shop//.gitlab-ci.yml@refs/heads/main"
_KEY = Signer.by_key()


@dataclass(frozen=True)
class Emitted:
    """A predicate as some builder writes it, and who signs it how; without an `identity` a key signs."""

    predicate: Mapping[str, Any]
    kind: str = V1
    identity: str = OWN
    issuer: str = GITHUB
    claims: Mapping[int, str | None] = field(default_factory=dict)
    form: Literal["bundle", "internal", "att", "intoto att"] = "bundle"
    statement_type: str = "https://in-toto.io/Statement/v1"
    name: str = "ghcr.io/acme/shop"

    def evidence(self, **changed: Any) -> Evidence:
        """What verification makes of it; `changed` replaces members of its predicate."""
        signed = statement(
            IMAGE.text, self.kind, {**self.predicate, **changed}, name=self.name, statement_type=self.statement_type
        )
        signer = SIGSTORE.issue(self.identity, self.issuer, claims=self.claims) if self.identity else _KEY
        anchor = DomainAnchor("bare" if self.form == "internal" else "test") if self.identity else by_key(signer)
        if self.form in ("att", "intoto att"):
            kind = "intoto/0.0.1" if self.form == "intoto att" else "dsse/0.0.1"
            candidate = layer_candidate(SIGSTORE.attest_layer(signed, signer, kind=kind, predicate_type=self.kind))
        elif self.form == "internal":
            candidate = bundle_candidate(SIGSTORE.bundle(signer, signed, log=None, timestamp=True))
        else:
            candidate = bundle_candidate(SIGSTORE.bundle(signer, signed))
        return evidence(verify(candidate, anchor))


def attest(builder: str, *, old: bool = False, ref: str = REF) -> dict[str, Any]:
    """What actions/attest writes; `old`: before 1.3.0."""
    build_types = (
        "https://slsa-framework.github.io/github-actions-buildtypes" if old else "https://actions.github.io/buildtypes"
    )
    internal = {"event_name": "push", "repository_id": "1234", "repository_owner_id": "99"}
    return {
        "buildDefinition": {
            "buildType": f"{build_types}/workflow/v1",
            "externalParameters": {"workflow": {"ref": ref, "repository": REPOSITORY, "path": PATH}},
            "internalParameters": {"github": internal if old else {**internal, "runner_environment": "github-hosted"}},
            "resolvedDependencies": [{"uri": f"git+{REPOSITORY}@{REF}", "digest": {"gitCommit": COMMIT}}],
        },
        "runDetails": {
            "builder": {"id": builder},
            "metadata": {"invocationId": f"{REPOSITORY}/actions/runs/1/attempts/1"},
        },
    }


def generator(kind: str, workflow: str) -> dict[str, Any]:
    """What slsa-github-generator's container and generic workflows write (v0.2)."""
    return {
        "builder": {"id": f"{GENERATOR}/{workflow}"},
        "buildType": f"https://github.com/slsa-framework/slsa-github-generator/{kind}@v1",
        "invocation": {
            "configSource": {"uri": f"git+{REPOSITORY}@{REF}", "digest": {"sha1": COMMIT}, "entryPoint": PATH},
            "parameters": {},
            "environment": {
                "github_actor": "octocat", "github_event_name": "push", "github_ref": REF, "github_ref_type": "branch",
                "github_repository_id": "1234", "github_repository_owner_id": "99", "github_run_id": "1",
                "github_sha1": COMMIT, "github_event_payload": {"ref": REF},
            },
        },
        "metadata": {"buildInvocationID": "1-1", "completeness": {"parameters": True}, "reproducible": False},
        "materials": [{"uri": f"git+{REPOSITORY}@{REF}", "digest": {"sha1": COMMIT}}],
    }  # fmt: skip


def _delegated() -> dict[str, Any]:
    return {
        "buildDefinition": {
            "buildType": "https://github.com/slsa-framework/slsa-github-generator/delegator-generic@v0",
            "externalParameters": {"inputs": {"rekor-log-public": False}, "vars": {}},
            "internalParameters": {
                "GITHUB_EVENT_NAME": "push", "GITHUB_REF": REF, "GITHUB_REPOSITORY_ID": "1234",
                "GITHUB_REPOSITORY_OWNER_ID": "99", "GITHUB_WORKFLOW_REF": f"acme/shop/{PATH}@{REF}",
            },
            "resolvedDependencies": [{"uri": f"git+{REPOSITORY}@{REF}", "digest": {"gitCommit": COMMIT}}],
        },
        "runDetails": {"builder": {"id": "https://github.com/acme/builder/.github/workflows/trw.yml@refs/tags/v1.0.0"}},
    }  # fmt: skip


def _cloud_build_v1() -> dict[str, Any]:
    return {
        "buildDefinition": {
            "buildType": "https://cloud.google.com/build/gcb-buildtypes/google-worker/v1",
            "externalParameters": {
                "buildConfigSource": {"path": "cloudbuild.yaml", "ref": REF, "repository": f"git+{REPOSITORY}"},
                "substitutions": {},
            },
            "internalParameters": {
                "systemSubstitutions": {"BRANCH_NAME": "main", "COMMIT_SHA": COMMIT, "REPO_NAME": "shop"},
                "triggerUri": "projects/1/locations/global/triggers/2",
            },
            "resolvedDependencies": [
                {"uri": f"git+{REPOSITORY}@{REF}", "digest": {"gitCommit": COMMIT}},
                {"uri": "gcr.io/cloud-builders/docker@sha256:1", "digest": {"sha256": "1" * 64}},
            ],
        },
        "runDetails": {"builder": {"id": "https://cloudbuild.googleapis.com/GoogleHostedWorker"}},
    }


def _cloud_build_v01() -> dict[str, Any]:
    return {
        "builder": {"id": "https://cloudbuild.googleapis.com/GoogleHostedWorker@v0.3"},
        "materials": [{"digest": {"sha1": COMMIT}, "uri": f"git+{REPOSITORY}"}],
        "metadata": {"buildInvocationId": "33fe59fd"},
        "recipe": {
            "arguments": {"substitutions": {"BRANCH_NAME": "main", "COMMIT_SHA": COMMIT, "REPO_NAME": "shop"}},
            "entryPoint": "cloudbuild.yaml",
            "type": "https://cloudbuild.googleapis.com/CloudBuildYaml@v0.1",
        },
    }


def _tekton() -> dict[str, Any]:
    return {
        "buildDefinition": {
            "buildType": "https://tekton.dev/chains/v2/slsa",
            "externalParameters": {"runSpec": {"pipelineRef": {"resolver": "git"}}},
            "internalParameters": {},
            "resolvedDependencies": [
                {"name": "pipeline", "uri": "git+https://github.com/acme/pipelines", "digest": {"sha1": "c" * 40}},
                {"uri": "oci://gcr.io/tekton-releases/git-init", "digest": {"sha256": "2" * 64}},
                {"name": "inputs/result", "uri": f"git+{REPOSITORY}.git", "digest": {"sha1": COMMIT}},
            ],
        },
        "runDetails": {"builder": {"id": "https://tekton.dev/chains/v2"}, "metadata": {"invocationId": "1aa04ff2"}},
    }


def _tekton_v02() -> dict[str, Any]:
    return {
        "builder": {"id": "https://tekton.dev/chains/v2"},
        "buildType": "tekton.dev/v1beta1/TaskRun",
        "invocation": {"configSource": {}, "parameters": {}},
        "materials": [
            {"uri": "oci://gcr.io/kaniko", "digest": {"sha256": "2" * 64}},
            {"uri": f"git+{REPOSITORY}.git", "digest": {"sha1": COMMIT}},
        ],
    }


def _buildkit() -> dict[str, Any]:
    config = {"uri": f"{REPOSITORY}.git#{REF}", "digest": {"sha1": COMMIT}, "path": "Dockerfile"}
    return {
        "buildDefinition": {
            "buildType": "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md",
            "externalParameters": {"configSource": config, "request": {"frontend": "gateway.v0"}},
            "internalParameters": {"builderPlatform": "linux/amd64"},
            "resolvedDependencies": [{"uri": "pkg:docker/alpine@3", "digest": {"sha256": "3" * 64}}],
        },
        "runDetails": {"builder": {"id": ""}, "metadata": {"invocationId": "x"}},
    }


def _buildkit_v02() -> dict[str, Any]:
    config = {"uri": f"{REPOSITORY}.git#{REF}", "digest": {"sha1": COMMIT}, "entryPoint": "Dockerfile"}
    return {
        "builder": {"id": ""},
        "buildType": "https://mobyproject.org/buildkit@v1",
        "materials": [{"uri": "pkg:docker/alpine@3", "digest": {"sha256": "3" * 64}}],
        "invocation": {"configSource": config, "parameters": {"frontend": "gateway.v0"}},
    }


def _gitlab() -> dict[str, Any]:
    return {
        "buildDefinition": {
            "buildType": "https://gitlab.com/gitlab-org/gitlab-runner/-/blob/v17.0.0/PROVENANCE.md",
            "externalParameters": {
                "source": "https://gitlab.com/acme/shop",
                "entryPoint": "build-job",
                "variables": {"CI_COMMIT_REF_NAME": "main", "CI_COMMIT_SHA": COMMIT},
            },
            "internalParameters": {"name": "shared", "executor": "docker+machine", "architecture": "amd64", "job": "1"},
            "resolvedDependencies": [{"uri": "https://gitlab.com/acme/shop", "digest": {"sha256": COMMIT}}],
        },
        "runDetails": {"builder": {"id": "https://gitlab.com/acme/shop/-/runners/12270831"}},
    }


_CONTAINER, _GENERIC = "generator_container_slsa3.yml", "generator_generic_slsa3.yml"
_DELEGATOR = f"{GENERATOR}/delegator_generic_slsa3.yml@refs/tags/v2.1.0"
_GITLAB_CLAIMS: Mapping[int, str | None] = {
    9: GITLAB_CONFIG, 11: "gitlab-hosted", 12: "https://gitlab.com/acme/shop", 13: COMMIT, 14: REF, 15: "1", 17: "2",
    18: GITLAB_CONFIG, 20: "push", 22: "public",
}  # fmt: skip


def _generated(kind: str, workflow: str, version: str, form: Literal["att", "intoto att"]) -> Emitted:
    builder = f"{workflow}@refs/tags/{version}"
    return Emitted(
        generator(kind, builder), V02, f"{GENERATOR}/{builder}", claims=CALLED, form=form, statement_type=STATEMENT_V01
    )


EMITTED: Mapping[str, Emitted] = {
    "actions/attest 1.0 to 1.2": Emitted(attest("https://github.com/actions/runner/github-hosted", old=True)),
    "actions/attest 1.3 to 1.5": Emitted(attest(OWN)),
    "actions/attest 1.6 to 4": Emitted(attest(OWN)),
    "actions/attest in a reusable workflow": Emitted(attest(REUSABLE), identity=REUSABLE, claims=CALLED),
    "actions/attest in a private repository": Emitted(attest(OWN), form="internal", claims={22: "private"}),
    "slsa-github-generator 1.4, container": _generated("container", _CONTAINER, "v1.4.0", "intoto att"),
    "slsa-github-generator 2.1, container": _generated("container", _CONTAINER, "v2.1.0", "att"),
    "slsa-github-generator 2.1, generic": _generated("generic", _GENERIC, "v2.1.0", "att"),
    "slsa-github-generator 2.1, delegated": Emitted(_delegated(), identity=_DELEGATOR, claims=CALLED),
    "Google Cloud Build v1": Emitted(_cloud_build_v1(), identity="", name="https://us-docker.pkg.dev/acme/shop/web"),
    "Google Cloud Build v0.1": Emitted(_cloud_build_v01(), V01, "", statement_type=STATEMENT_V01),
    "Tekton Chains v2": Emitted(_tekton(), identity=""),
    "Tekton Chains, v0.2": Emitted(_tekton_v02(), V02, "", form="att", statement_type=STATEMENT_V01),
    "BuildKit, signed by somebody": Emitted(_buildkit(), identity=""),
    "BuildKit v0.2, signed by somebody": Emitted(_buildkit_v02(), V02, "", statement_type=STATEMENT_V01),
    "GitLab, keyless": Emitted(_gitlab(), identity=GITLAB_CONFIG, issuer=GITLAB, claims=_GITLAB_CLAIMS),
}
"""By the builder's name and version."""
