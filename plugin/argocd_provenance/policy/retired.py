"""Values that provenance once held and holds no more: what people still copy into policies, and what to write instead.

actions/toolkit, packages/attest: since 1.3.0 (June 2024) ``builder.id`` is the workflow that signed, and the build type
is one of GitHub's own; before, it was the kind of runner.
"""

from argocd_provenance.regex import regex

_RUNNER = regex(r"github\\?\.com/actions/runner\b")
_BUILD_TYPE = "https://slsa-framework.github.io/github-actions-buildtypes/workflow/v1"

BUILDER_ADVICE = (
    "GitHub writes no builder.id https://github.com/actions/runner… since June 2024: it is the workflow that signed, "
    "https://github.com/OWNER/REPO/.github/workflows/FILE@refs/heads/BRANCH. Demand that one, or leave it to "
    "`keyless.identities`; the kind of runner is predicate.buildDefinition.internalParameters.github.runner_environment: "
    '"github-hosted" (in an ImagePolicy: `runner: github-hosted`)'
)
BUILD_TYPE_ADVICE = (
    f"GitHub writes no buildType {_BUILD_TYPE} since June 2024: it is https://actions.github.io/buildtypes/workflow/v1"
)


def retired_builder(said: str) -> str:
    """What to write instead of the builder (or expression over it) `said`; empty where it may still match."""
    return BUILDER_ADVICE if _RUNNER.search(said) else ""


def retired_build_type(said: str) -> str:
    """What to write instead of the build type `said`; empty where it may still match."""
    return BUILD_TYPE_ADVICE if said.rstrip("/") == _BUILD_TYPE else ""


def advice(path: str, said: str) -> str:
    """What to write instead where a policy constrains the predicate at `path` to `said`; empty where nothing is wrong.

    `path` is as ``predicate.runDetails.builder.id``, with or without its first word.
    """
    last = path.removeprefix("predicate.")
    if last in {"runDetails.builder.id", "builder.id"}:
        return retired_builder(said)
    return retired_build_type(said) if last in {"buildDefinition.buildType", "buildType"} else ""
