"""The policies inside a ClusterImagePolicy: where their text comes from, and in which language it is.

policy-controller: pkg/apis/policy/v1beta1/clusterimagepolicy_types.go, ``Policy``.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from argocd_provenance.operatorfile import Field
from argocd_provenance.policy.cluster import BadPolicyError, Evaluator
from argocd_provenance.policy.cue import RESULT, STATEMENT, CueError, CuePolicy
from argocd_provenance.policy.expression import BadExpressionError, CelExpression
from argocd_provenance.policy.fields import Reading, operator_file
from argocd_provenance.policy.model import Condition
from argocd_provenance.records import dataclass

_LANGUAGES = ("cue", "rego", "cel")
_SOURCES = ("data", "configMapRef", "remote")
_OBJECT = ("fetchConfigFile", "includeSpec", "includeObjectMeta", "includeTypeMeta")
_INSTALL_REGO = "type: rego needs an extra: install argocd-provenance[rego], or write the rule in CUE, or an ImagePolicy with `where`"
# A policy is read again for each statement; what people write is far below.
_MAX_POLICY = 64 * 1024


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A policy that another program decides. `text` is what reports call it."""

    text: str
    policy: str
    by: Evaluator

    def failure(self, scope: Mapping[str, Any]) -> str | None:
        """Why the policy does not hold for ``scope["statement"]``; None if it does."""
        return self.by.failure(self.policy, json.dumps(scope["statement"], sort_keys=True))


def attestation_policy(field: Field, reading: Reading, warnings: list[str]) -> Condition | None:
    """The policy over one attestation's statement; None and a fault for what is none."""
    parts = _parts(field)
    for name in _OBJECT:
        if name in parts:
            parts[name].fault("stands in spec.policy only, as upstream")
    return _policy(field, parts, reading, warnings, STATEMENT)


def overall_policy(field: Field, reading: Reading, warnings: list[str]) -> Condition | None:
    """The policy over what all authorities found."""
    parts = _parts(field)
    for name in _OBJECT:
        if name in parts and parts[name].boolean():
            what = "the image's config file" if name == "fetchConfigFile" else "the object that runs the image"
            parts[name].fault(f"asks for {what}, which is not read here; check it in a policy of the cluster")
    return _policy(field, parts, reading, warnings, RESULT)


def _parts(field: Field) -> Mapping[str, Field]:
    found = field.mapping(("type", *_SOURCES, *_OBJECT), ("type",))
    if sum(name in found for name in _SOURCES) != 1:
        field.fault(f"must have one of {', '.join(_SOURCES)}")
    return found


def _policy(
    field: Field, parts: Mapping[str, Field], reading: Reading, warnings: list[str], known: frozenset[str]
) -> Condition | None:
    language = parts["type"].choice(_LANGUAGES) if "type" in parts else ""
    place, text = _text(parts, reading)
    if not language or not text or place is None:
        return None
    if len(text) > _MAX_POLICY:
        place.fault(f"is longer than {_MAX_POLICY} characters")
        return None
    if language == "cue":
        return _cue(field, place, text, reading, warnings, known)
    if language == "rego":
        return _rego(field, place, text, reading)
    if known is RESULT:
        parts["type"].fault("cel sees one attestation; over all authorities write CUE, or an ImagePolicy")
        return None
    try:
        return CelExpression(text.strip())
    except BadExpressionError as error:
        place.fault(str(error))
        return None


def _text(parts: Mapping[str, Field], reading: Reading) -> tuple[Field | None, str]:
    """Where the policy's text stands, and the text; empty after a fault."""
    if "data" in parts:
        return parts["data"], parts["data"].text()
    if "configMapRef" in parts:
        named = parts["configMapRef"].mapping(("name", "namespace", "key"), ("name", "key"))
        if not {"name", "key"} <= named.keys():
            return None, ""
        reference = f"{named['name'].text()}/{named['key'].text()}"
        content = operator_file(parts["configMapRef"], reading, "configMaps", reference)
        return parts["configMapRef"], _decoded(parts["configMapRef"], content)
    if "remote" in parts:
        named = parts["remote"].mapping(("url", "sha256sum"), ("url", "sha256sum"))
        if not {"url", "sha256sum"} <= named.keys():
            return None, ""
        content = operator_file(parts["remote"], reading, "remotes", named["url"].text())
        if content is not None and hashlib.sha256(content).hexdigest() != named["sha256sum"].text().lower():
            named["sha256sum"].fault("is not the checksum of the file that the config names for this URL")
            return None, ""
        return parts["remote"], _decoded(parts["remote"], content)
    return None, ""


def _decoded(field: Field, content: bytes | None) -> str:
    try:
        return (content or b"").decode()
    except UnicodeDecodeError:
        field.fault("names a file that is not UTF-8 text")
        return ""


def _cue(
    field: Field, place: Field, text: str, reading: Reading, warnings: list[str], known: frozenset[str]
) -> Condition | None:
    title = f"the CUE policy {field.path}"
    try:
        policy = CuePolicy(text, known, missing_ok=reading.cluster.cue_missing, text=title)
    except CueError as error:
        return _other_cue(field, place, text, reading, error)
    warnings += [f"{field.path}: {warning}" for warning in policy.warnings]
    if policy.advice:
        warnings.append(f"{field.path}: {policy.advice}")
    return policy


def _other_cue(field: Field, place: Field, text: str, reading: Reading, error: CueError) -> Condition | None:
    """The policy for the operator's own cue, where there is one."""
    if reading.cluster.cue is None:
        place.fault(
            f"{error}; write it otherwise, or in CEL (type: cel), or name a cue binary in the config (clusterImagePolicy.cue)"
        )
        return None
    return _evaluated(field, place, text, reading.cluster.cue, "CUE")


def _rego(field: Field, place: Field, text: str, reading: Reading) -> Condition | None:
    if reading.cluster.rego is None:
        place.fault(_INSTALL_REGO)
        return None
    return _evaluated(field, place, text, reading.cluster.rego, "Rego")


def _evaluated(field: Field, place: Field, text: str, by: Evaluator, language: str) -> Condition | None:
    try:
        by.check(text)
    except BadPolicyError as error:
        place.fault(str(error))
        return None
    return Evaluated(f"the {language} policy {field.path}", text, by)
