"""SLSA provenance, v1 and v0.2, as one value.

It reads, and believes nothing: the certificate goes before what stands here (`claims`). Absent things are None.

Predicates: actions/toolkit packages/attest/src/provenance.ts (three eras of GitHub), slsa-github-generator
internal/builders/container (v0.2), slsa.dev/spec.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from argocd_provenance.evidence.values import PROVENANCE_V02, PROVENANCE_V1, Evidence

# Before @actions/attest 1.3.0 (2024-06) the builder was the kind of runner.
_FIRST_ERA_BUILDER = re.compile(r"https://github\.com/actions/runner/(github-hosted|self-hosted)")
_GIT_URI = re.compile(r"(?:git\+)?(https://[^@\s]+?)(?:\.git)?(?:@(\S+))?")


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a provenance says of a build, in the words of the certificate's claims."""

    builder: str | None = None
    build_type: str | None = None
    repository: str | None = None
    ref: str | None = None
    commit: str | None = None
    workflow: str | None = None
    trigger: str | None = None
    runner: str | None = None
    repository_id: str | None = None
    owner_id: str | None = None
    paths: Mapping[str, str] | None = None
    """Where in the predicate each was read."""

    @property
    def by_runner(self) -> bool:
        """Whether the builder is a kind of runner (GitHub's first era), and names no workflow."""
        return self.builder is not None and _FIRST_ERA_BUILDER.fullmatch(self.builder) is not None


def extract(evidence: Evidence) -> Provenance | None:
    """The provenance in `evidence`, or None if its predicate is of another type."""
    if evidence.predicate_type == PROVENANCE_V1:
        return _of_v1(evidence.predicate)
    if evidence.predicate_type == PROVENANCE_V02:
        return _of_v02(evidence.predicate)
    return None


def _of_v1(predicate: Any) -> Provenance:
    definition = _at(predicate, "buildDefinition")
    workflow = _at(definition, "externalParameters", "workflow")
    internal = _at(definition, "internalParameters", "github")
    builder = _text(predicate, "runDetails", "builder", "id")
    build_type = _text(definition, "buildType")
    dependency = _first(_at(definition, "resolvedDependencies"))
    uri, uri_ref = _git(_text(dependency, "uri"))
    repository = _git(_text(workflow, "repository"))[0] or uri
    # Other builders list other things first; only the source itself has the source's commit.
    source = dependency if uri is None or repository is None or uri.lower() == repository.lower() else None
    era = _FIRST_ERA_BUILDER.fullmatch(builder or "")
    return Provenance(
        builder=builder,
        build_type=build_type,
        repository=repository,
        ref=_text(workflow, "ref") or uri_ref,
        commit=_text(source, "digest", "gitCommit") or _text(source, "digest", "sha1"),
        workflow=_text(workflow, "path"),
        trigger=_text(internal, "event_name"),
        runner=_text(internal, "runner_environment") or (era[1] if era else None),
        repository_id=_text(internal, "repository_id"),
        owner_id=_text(internal, "repository_owner_id"),
        paths=_V1_PATHS,
    )


def _of_v02(predicate: Any) -> Provenance:
    config = _at(predicate, "invocation", "configSource")
    environment = _at(predicate, "invocation", "environment")
    material = _first(_at(predicate, "materials"))
    uri, ref = _git(_text(config, "uri"))
    material_uri, material_ref = _git(_text(material, "uri"))
    return Provenance(
        builder=_text(predicate, "builder", "id"),
        build_type=_text(predicate, "buildType"),
        repository=uri or material_uri,
        ref=ref or material_ref or _text(environment, "github_ref"),
        commit=_text(config, "digest", "sha1") or _text(material, "digest", "sha1"),
        workflow=_text(config, "entryPoint"),
        trigger=_text(environment, "github_event_name"),
        repository_id=_text(environment, "github_repository_id"),
        owner_id=_text(environment, "github_repository_owner_id"),
        paths=_V02_PATHS,
    )


_V1_PATHS = {
    "builder": "predicate.runDetails.builder.id",
    "build_type": "predicate.buildDefinition.buildType",
    "repository": "predicate.buildDefinition.externalParameters.workflow.repository",
    "ref": "predicate.buildDefinition.externalParameters.workflow.ref",
    "commit": "predicate.buildDefinition.resolvedDependencies[0].digest.gitCommit",
    "workflow": "predicate.buildDefinition.externalParameters.workflow.path",
    "trigger": "predicate.buildDefinition.internalParameters.github.event_name",
    "runner": "predicate.buildDefinition.internalParameters.github.runner_environment",
}
_V02_PATHS = {
    "builder": "predicate.builder.id",
    "build_type": "predicate.buildType",
    "repository": "predicate.invocation.configSource.uri",
    "ref": "predicate.invocation.configSource.uri",
    "commit": "predicate.invocation.configSource.digest.sha1",
    "workflow": "predicate.invocation.configSource.entryPoint",
    "trigger": "predicate.invocation.environment.github_event_name",
}


def _at(value: Any, *path: str) -> Any:
    for name in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def _text(value: Any, *path: str) -> str | None:
    found = _at(value, *path)
    return found if isinstance(found, str) and found else None


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, (list, tuple)) and value else None


def _git(uri: str | None) -> tuple[str | None, str | None]:
    """Repository URL and ref of ``git+https://host/owner/name@ref``."""
    match = _GIT_URI.fullmatch(uri or "")
    return (match[1], match[2]) if match else (None, None)
