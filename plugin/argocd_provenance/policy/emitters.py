"""Where each builder writes what: provenance in the layouts in which it is really emitted.

A builder is told by its ``buildType``, whose definition says where things stand. Nothing is guessed across layouts: what
a layout does not hold is not said. What a builder that is not known says of its source is read only where a single Git
repository stands among its dependencies.

Definitions: actions/toolkit ``packages/attest/src/provenance.ts``; actions/buildtypes ``workflow/v1``;
slsa-github-generator ``internal/builders`` and ``docs/specs``; slsa-verifier ``verifiers/internal/gcb``; tektoncd/chains
``docs/predicate/slsa/v2.md``; moby/buildkit ``docs/attestations/slsa-definitions.md``; docs.gitlab.com
``ci/pipeline_security/slsa/provenance_v1``.
"""

from collections.abc import Callable, Mapping

from argocd_provenance.policy.predicateplace import At, Said, first, source_of

_Read = Mapping[str, Said | None]


def of_v1(predicate: At) -> _Read:
    """What provenance v1 says."""
    build_type = predicate.at("buildDefinition", "buildType").text()
    common = {"builder": predicate.at("runDetails", "builder", "id").text(), "build_type": build_type}
    return common | dict(_layout(build_type, _V1, _any_v1)(predicate))


def of_v02(predicate: At) -> _Read:
    """What provenance v0.2 says."""
    build_type = predicate.at("buildType").text()
    common = {"builder": predicate.at("builder", "id").text(), "build_type": build_type}
    return common | dict(_layout(build_type, _V02, _any_v02)(predicate))


def of_v01(predicate: At) -> _Read:
    """What provenance v0.1 says, which Google Cloud Build still writes."""
    recipe = predicate.at("recipe")
    substitutions = recipe.at("arguments", "substitutions")
    source = source_of(predicate.at("materials").items(), None)
    return {
        "builder": predicate.at("builder", "id").text(),
        "build_type": recipe.at("type").text(),
        "repository": source.at("uri").repository() if source else None,
        "ref": _cloud_build_ref(substitutions),
        "commit": first(_commit(source), substitutions.at("COMMIT_SHA").text()),
    }


def _layout(
    build_type: Said | None, known: Mapping[str, Callable[[At], _Read]], other: Callable[[At], _Read]
) -> Callable[[At], _Read]:
    written = build_type.value if build_type else ""
    return next((read for prefix, read in known.items() if written.startswith(prefix)), other)


def _github(predicate: At) -> _Read:
    """actions/attest, and npm, which came before it."""
    definition = predicate.at("buildDefinition")
    workflow = definition.at("externalParameters", "workflow")
    internal = definition.at("internalParameters", "github")
    repository = workflow.at("repository").repository()
    source = source_of(definition.at("resolvedDependencies").items(), repository)
    return {
        "repository": first(repository, source.at("uri").repository() if source else None),
        "ref": first(workflow.at("ref").text(), source.at("uri").git_ref() if source else None),
        "commit": _commit(source),
        "workflow": workflow.at("path").text(),
        "trigger": internal.at("event_name").text(),
        "runner": internal.at("runner_environment").text(),
        "repository_id": internal.at("repository_id").text(),
        "owner_id": internal.at("repository_owner_id").text(),
        "run": predicate.at("runDetails", "metadata", "invocationId").text(),
    }


def _generator(predicate: At) -> _Read:
    """slsa-github-generator: what is built in a container, and what another builder delegates to it (BYOB)."""
    definition = predicate.at("buildDefinition")
    external, internal = definition.at("externalParameters"), definition.at("internalParameters")
    repository = external.at("source", "uri").repository()
    source = source_of(definition.at("resolvedDependencies").items(), repository)
    uri = source.at("uri") if source else external.at("source", "uri")
    return {
        "repository": uri.repository(),
        "ref": first(uri.git_ref(), internal.at("GITHUB_REF").text()),
        "commit": _commit(source or external.at("source")),
        "workflow": _workflow_ref(internal.at("GITHUB_WORKFLOW_REF"), uri.repository()),
        "trigger": internal.at("GITHUB_EVENT_NAME").text(),
        "repository_id": internal.at("GITHUB_REPOSITORY_ID").text(),
        "owner_id": internal.at("GITHUB_REPOSITORY_OWNER_ID").text(),
    }


def _cloud_build(predicate: At) -> _Read:
    definition = predicate.at("buildDefinition")
    config = definition.at("externalParameters", "buildConfigSource")
    repository = config.at("repository").repository()
    source = source_of(definition.at("resolvedDependencies").items(), repository)
    return {
        "repository": first(repository, source.at("uri").repository() if source else None),
        "ref": first(
            config.at("ref").text(), _cloud_build_ref(definition.at("internalParameters", "systemSubstitutions"))
        ),
        "commit": _commit(source),
    }


def _tekton(predicate: At) -> _Read:
    """The source is what the tasks declare as their input; the pipeline's own repository is another thing."""
    listed = predicate.at("buildDefinition", "resolvedDependencies").items()
    return _git_source(source_of([item for item in listed if item.at("name").value in _TEKTON_INPUTS], None))


def _buildkit(predicate: At) -> _Read:
    """Signed by somebody else than BuildKit, which signs nothing; a local build names no repository."""
    config = predicate.at("buildDefinition", "externalParameters", "configSource")
    return {
        "repository": config.at("uri").repository(),
        "ref": config.at("uri").git_ref(),
        "commit": _commit(config),
    }


def _gitlab(predicate: At) -> _Read:
    """A job's project and commit. Its ref stands in a variable without saying whether it is a branch or a tag."""
    definition = predicate.at("buildDefinition")
    repository = definition.at("externalParameters", "source").repository()
    source = source_of(definition.at("resolvedDependencies").items(), repository)
    commit = first(_commit(source), source.at("digest", "sha256").text() if source else None)
    return {"repository": repository, "commit": commit}


def _any_v1(predicate: At) -> _Read:
    definition = predicate.at("buildDefinition")
    if definition.at("externalParameters", "workflow").there():
        return _github(predicate)
    return _git_source(source_of(definition.at("resolvedDependencies").items(), None))


def _config_source(predicate: At) -> _Read:
    """v0.2: slsa-github-generator, npm, BuildKit and whoever writes a `configSource` that is the source."""
    config = predicate.at("invocation", "configSource")
    environment = predicate.at("invocation", "environment")
    repository = config.at("uri").repository()
    material = source_of(predicate.at("materials").items(), repository)
    return {
        "repository": first(repository, material.at("uri").repository() if material else None),
        "ref": first(
            config.at("uri").git_ref(),
            material.at("uri").git_ref() if material else None,
            environment.at("github_ref").text(),
        ),
        "commit": first(_commit(config), _commit(material)),
        "workflow": config.at("entryPoint").text(),
        "trigger": environment.at("github_event_name").text(),
        "repository_id": environment.at("github_repository_id").text(),
        "owner_id": environment.at("github_repository_owner_id").text(),
    }


def _buildkit_v02(predicate: At) -> _Read:
    """Its entry point is a Dockerfile, no workflow."""
    return {**_config_source(predicate), "workflow": None}


def _gitlab_v02(predicate: At) -> _Read:
    """Its entry point is a job, and its commit stands under sha256 though it is none."""
    config = predicate.at("invocation", "configSource")
    return {"repository": config.at("uri").repository(), "commit": config.at("digest", "sha256").text()}


def _tekton_v02(predicate: At) -> _Read:
    """The config source is the pipeline's; the source stands among the materials."""
    return _git_source(source_of(predicate.at("materials").items(), None))


def _any_v02(predicate: At) -> _Read:
    return _config_source(predicate)


def _git_source(source: At | None) -> _Read:
    if source is None:
        return {}
    uri = source.at("uri")
    return {"repository": uri.repository(), "ref": uri.git_ref(), "commit": _commit(source)}


def _commit(source: At | None) -> Said | None:
    digest = source.at("digest") if source is not None else At("", None)
    return first(digest.at("gitCommit").text(), digest.at("sha1").text())


def _cloud_build_ref(substitutions: At) -> Said | None:
    for name, kind in (("TAG_NAME", "tags"), ("BRANCH_NAME", "heads")):
        said = substitutions.at(name).text()
        if said is not None:
            return Said(f"refs/{kind}/{said.value}", said.read_from)
    return None


def _workflow_ref(place: At, repository: Said | None) -> Said | None:
    """The path in ``owner/name/.github/workflows/file.yml@ref``."""
    said = place.text()
    if said is None or repository is None:
        return None
    owner_and_name = "/".join(repository.value.split("/")[3:])
    path = said.value.partition("@")[0].removeprefix(f"{owner_and_name}/")
    return Said(path, said.read_from) if path.startswith(".github/workflows/") else None


_TEKTON_INPUTS = ("inputs/result", "input/result", "input/results")
_V1: Mapping[str, Callable[[At], _Read]] = {
    "https://actions.github.io/buildtypes/": _github,
    "https://slsa-framework.github.io/github-actions-buildtypes/": _github,
    "https://github.com/slsa-framework/slsa-github-generator/": _generator,
    "https://slsa.dev/container-based-build/": _generator,
    "https://cloud.google.com/build/gcb-buildtypes/": _cloud_build,
    "https://tekton.dev/": _tekton,
    "https://github.com/moby/buildkit/": _buildkit,
    "https://gitlab.com/gitlab-org/gitlab": _gitlab,
}
_V02: Mapping[str, Callable[[At], _Read]] = {
    "https://mobyproject.org/buildkit": _buildkit_v02,
    "https://gitlab.com/gitlab-org/gitlab-runner/": _gitlab_v02,
    "https://tekton.dev/": _tekton_v02,
    "tekton.dev/": _tekton_v02,
}
