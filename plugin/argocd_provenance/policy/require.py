"""The entries of `require` as demands: who must have signed, and what must have been built how."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from argocd_provenance.operatorfile import Field
from argocd_provenance.policy.fields import Reading, pattern
from argocd_provenance.policy.model import Demand, Source, Summary
from argocd_provenance.policy.patterns import Glob
from argocd_provenance.policy.predicates import SHORT_NAMES, VERIFICATION_SUMMARY, predicate_types
from argocd_provenance.policy.signerfields import signers
from argocd_provenance.policy.signers import Signer
from argocd_provenance.regex import regex

if TYPE_CHECKING:
    from argocd_provenance.policy.expression import CelExpression

_KINDS = ("signature", "provenance", "attestation")
_COMMON = (
    "by", "atLeast", "source", "workflow", "runner", "trigger", "environment", "visibility", "maxAge", "where",
    "annotations",
)  # fmt: skip
_KNOWN = {
    "signature": _COMMON,
    "provenance": (*_COMMON, "builder", "buildType", "level"),
    "attestation": (*_COMMON, "type", "vex", "summary"),
}
_TEXTS = {
    "builder": "builder",
    "buildType": "build_type",
    "trigger": "trigger",
    "environment": "environment",
}
_RUNNERS = ("github-hosted", "self-hosted", "gitlab-hosted")
_VISIBILITIES = ("public", "private", "internal")
_COMMIT = regex(r"[0-9a-f]{40}|[0-9a-f]{64}|\{tag\}|\{tag:short\}")
_DAY = 86400


def demand(entry: Field, reading: Reading) -> Demand | None:
    """The demand that stands at `entry`, or None and faults."""
    found = entry.mapping(_KINDS)
    if len(found) != 1:
        if not found or len(found) > 1:
            entry.fault("must be one of signature, provenance and attestation; write one entry for each")
        return None
    kind, body = next(iter(found.items()))
    fields = body.mapping(_KNOWN[kind], ("by", "type") if kind == "attestation" else ("by",))
    by = signers(fields["by"], reading) if "by" in fields else ()
    at_least = fields["atLeast"].integer(1, 100) if "atLeast" in fields else 1
    if by and at_least > len(by):
        fields["atLeast"].fault(f"is {at_least}, and `by` has {len(by)}; each entry of `by` counts once")
    types = _types(fields.get("type"))
    rest = _expectations(fields, reading)
    _refuse_bare_summary(body, types, fields)
    if not by or at_least > len(by) or (kind == "attestation" and not types):
        return None
    return Demand(kind=kind, by=by, at_least=at_least, predicate_types=types, path=body.path, **rest)  # type: ignore[arg-type]


def _expectations(fields: Mapping[str, Field], reading: Reading) -> dict[str, object]:
    rest: dict[str, object] = {name: fields[key].text() for key, name in _TEXTS.items() if key in fields}
    if "annotations" in fields:
        rest["annotations"] = {
            name: item.text(empty=True) for name, item in fields["annotations"].mapping(None).items()
        }
    if "source" in fields:
        rest["source"] = _source(fields["source"])
    if "workflow" in fields:
        rest["workflow"] = pattern(fields["workflow"], Glob)
    if "runner" in fields:
        rest["runner"] = fields["runner"].choice(_RUNNERS)
    if "visibility" in fields:
        rest["visibility"] = fields["visibility"].choice(_VISIBILITIES)
    if "level" in fields:
        rest["level"] = fields["level"].integer(1, 3)
    if "maxAge" in fields:
        rest["max_age_days"] = _days(fields["maxAge"])
    rest |= _content(fields, reading)
    return rest


def _content(fields: Mapping[str, Field], reading: Reading) -> dict[str, object]:
    """What the predicate itself must say."""
    rest: dict[str, object] = {}
    if "vex" in fields:
        rest["vex"] = _vex(fields["vex"], fields, reading)
    if "summary" in fields:
        rest["summary"] = _summary(fields["summary"])
    if "where" in fields:
        rest["where"] = _where(fields["where"], ("vex",) if "vex" in fields else ())
    return rest


def _vex(field: Field, fields: Mapping[str, Field], reading: Reading) -> tuple[Signer, ...]:
    parts = field.mapping(("by",), ("by",))
    if "where" not in fields:
        field.fault("means nothing without `where`, which sees it as vex.accepted")
    return signers(parts["by"], reading) if "by" in parts else ()


def _summary(field: Field) -> Summary:
    parts = field.mapping(("verifier", "policy", "level", "resource"), ("verifier",))
    return Summary(
        parts["verifier"].text() if "verifier" in parts else "",
        parts["policy"].text() if "policy" in parts else None,
        parts["level"].integer(1, 3) if "level" in parts else None,
        pattern(parts["resource"], Glob) if "resource" in parts else None,
    )


def _refuse_bare_summary(body: Field, types: frozenset[str], fields: Mapping[str, Field]) -> None:
    """A summary is worth what its verifier is: signer and verifier are a pair (slsa.dev, verification_summary)."""
    if (VERIFICATION_SUMMARY in types) != ("summary" in fields) and types:
        missing = VERIFICATION_SUMMARY in types
        body.fault(
            "summary is missing: name the verifier whose word counts, as summary: {verifier: URL}"
            if missing
            else f"summary is for type: {VERIFICATION_SUMMARY} (vsa) only"
        )


def source_url(written: str) -> str:
    """`written` as a repository's URL: a form of it that people copy from Git is understood."""
    url = written.removeprefix("git+").rstrip("/").removesuffix(".git")
    return f"https://{url}" if re.match(r"(github|gitlab)\.com/", url) else url


def _source(field: Field) -> Source:
    parts = field.mapping(("repository", "ref", "commit"))
    if field.value == {}:
        field.fault("is empty; name repository, ref or commit, or leave it out")
    repository = None
    if "repository" in parts:
        url = source_url(parts["repository"].text())
        if url and not url.startswith("https://"):
            parts["repository"].fault(f"is {url!r}; a source is a URL such as https://github.com/owner/name")
        repository = pattern(parts["repository"], Glob, url)
    ref = pattern(parts["ref"], Glob) if "ref" in parts else None
    commit = parts["commit"].text() if "commit" in parts else None
    if commit and not _COMMIT.fullmatch(commit):
        parts["commit"].fault(f"is {commit!r}; it must be a full lower-case SHA, {{tag}} or {{tag:short}}")
    return Source(repository, ref, commit)


def _days(field: Field) -> int:
    seconds = field.duration()
    if seconds % _DAY:
        field.fault("must be whole days, such as 90d: a decision holds for a day, or Argo CD would flap")
    return int(seconds // _DAY)


def _where(field: Field, more: tuple[str, ...]) -> "tuple[CelExpression, ...]":
    from argocd_provenance.policy.expression import BadExpressionError, CelExpression

    texts = field.sequence(empty=False) if isinstance(field.value, tuple) else (field,)
    found = []
    for item in texts:
        written = item.text()
        if not written:
            continue
        try:
            found.append(CelExpression(written, more))
        except BadExpressionError as error:
            item.fault(str(error))
    return tuple(found)


def _types(field: Field | None) -> frozenset[str]:
    if field is None:
        return frozenset()
    written = field.text()
    found = predicate_types(written)
    if written and not found:
        field.fault(f"is {written!r}; it must be a predicate type (a URI) or one of {', '.join(SHORT_NAMES)}")
    return found
