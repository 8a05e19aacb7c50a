"""The entries of `by` as signers."""

import re
from collections.abc import Mapping

from argocd_provenance.evidence.values import KeyAnchor
from argocd_provenance.operatorfile import Field
from argocd_provenance.policy import github
from argocd_provenance.policy.fields import Reading, key_file, pattern, public_key
from argocd_provenance.policy.patterns import Exact, Expression, Glob, Pattern
from argocd_provenance.policy.signers import (
    DEFAULT_DOMAIN,
    GithubSigner,
    IdentitySigner,
    KeySigner,
    ReusableWorkflow,
    Signer,
)
from argocd_provenance.regex import regex

_KINDS = ("github", "identity", "key")
_OWNER = r"[A-Za-z0-9][A-Za-z0-9_-]*"
_REPOSITORY = regex(_OWNER + r"/[A-Za-z0-9._-]+")
_REPOSITORIES = regex(_OWNER + r"/[A-Za-z0-9._*-]+")
_NAME = regex(r"[A-Za-z0-9._-]+")


def signers(field: Field, reading: Reading) -> tuple[Signer, ...]:
    """The signers of a demand, any of which will do; faults for what is none."""
    found: list[Signer] = []
    for item in field.sequence(empty=False):
        signer = one_signer(item, reading)
        if signer is not None and signer in found:
            item.fault("stands twice; each signer counts once")
        elif signer is not None:
            found.append(signer)
    return tuple(found)


def one_signer(entry: Field, reading: Reading) -> Signer | None:
    """The signer at `entry`; None and a fault for what is none."""
    fields = entry.mapping((*_KINDS, "domain"))
    kinds = [name for name in _KINDS if name in fields]
    if len(kinds) != 1:
        entry.fault("must name one of github, identity and key; write one entry for each signer")
        return None
    domain = _domain(fields.get("domain"))
    body = fields[kinds[0]]
    if kinds[0] == "github":
        return _github(body, domain)
    return _identity(body, domain) if kinds[0] == "identity" else _key(body, domain, reading)


def _domain(field: Field | None) -> str:
    if field is None:
        return DEFAULT_DOMAIN
    name = field.text()
    if name and not _NAME.fullmatch(name):
        field.fault(f"is {name!r}; it must be the name of a trust domain of the config")
    return name


def _github(body: Field, domain: str) -> GithubSigner | None:
    fields = body.mapping(("repository", "workflow", "ref", "signer", "issuer"), ("repository",))
    repository = fields["repository"].text() if "repository" in fields else ""
    if repository and (not _REPOSITORIES.fullmatch(repository) or "**" in repository):
        fields["repository"].fault(f"is {repository!r}; it must be owner/name; a wildcard may stand in the name only")
        return None
    workflow = pattern(fields["workflow"], Glob) if "workflow" in fields else None
    if workflow is not None and not workflow.text.startswith(".github/workflows/"):
        fields["workflow"].fault(f"is {workflow.text!r}; it must be the path of a file: .github/workflows/build.yml")
    if workflow is not None and "@" in workflow.text:
        fields["workflow"].fault("holds an @; the ref has its own field")
    ref = pattern(fields["ref"], Glob) if "ref" in fields else None
    if ref is not None and not re.match(r"refs/|\*|[0-9a-f]{40}$", ref.text):
        fields["ref"].fault(f"is {ref.text!r}; it must be a full ref, such as refs/heads/main or refs/tags/v*")
    signer = _reusable(fields["signer"]) if "signer" in fields else None
    issuer = fields["issuer"].text() if "issuer" in fields else github.ISSUER
    if issuer and github.server(issuer) is None:
        fields["issuer"].fault(f"is {issuer!r}, which is no issuer of GitHub Actions; use `identity` for others")
        return None
    if not repository or ("signer" in fields and signer is None):
        return None
    return GithubSigner(repository, workflow, ref, signer, issuer, domain)


def _reusable(field: Field) -> ReusableWorkflow | None:
    """``owner/name/.github/workflows/x.yml@ref``, split at the first ``@`` that a path of GitHub's cannot hold."""
    written = field.text()
    match = re.fullmatch(r"(?:https://github\.com/)?([^/@*]+/[^/@*]+)/(\.github/workflows/[^@]+)@(.+)", written)
    if match is None or not _REPOSITORY.fullmatch(match[1]):
        if written:
            field.fault(f"is {written!r}; it must be owner/name/.github/workflows/file.yml@refs/tags/v*")
        return None
    path, ref = pattern(field, Glob, match[2]), pattern(field, Glob, match[3])
    if ref is not None and not re.match(r"refs/|\*|[0-9a-f]{40}$", ref.text):
        field.fault(f"ends in @{ref.text}; the ref must be a full one, such as @refs/tags/v*")
    return ReusableWorkflow(match[1], path, ref) if path is not None and ref is not None else None


def _identity(body: Field, domain: str) -> IdentitySigner | None:
    fields = body.mapping(("issuer", "subject", "subjectPattern"), ("issuer",))
    issuer = fields["issuer"].text() if "issuer" in fields else ""
    if ("subject" in fields) == ("subjectPattern" in fields):
        body.fault("needs one of subject (exact, or with *) and subjectPattern (RE2, the whole subject)")
        return None
    subject: Pattern | None = (
        pattern(fields["subject"], Glob) if "subject" in fields else pattern(fields["subjectPattern"], Expression)
    )
    if "*" in issuer:
        fields["issuer"].fault("must be one issuer, without a wildcard")
    return IdentitySigner(Exact(issuer), subject, domain) if issuer and subject is not None else None


def _key(body: Field, domain: str, reading: Reading) -> KeySigner | None:
    fields: Mapping[str, Field] = body.mapping(("file", "pem", "log"))
    log = fields["log"].boolean() if "log" in fields else True
    if ("file" in fields) == ("pem" in fields):
        body.fault("needs one of file (a PEM file beside this policy) and pem")
        return None
    place = fields["file"] if "file" in fields else fields["pem"]
    pem = key_file(place, reading) if "file" in fields else place.text().encode()
    spki = public_key(place, pem) if pem else None
    if spki is None:
        return None
    anchor = KeyAnchor(spki, log, domain)
    return KeySigner(anchor, place.text() if "file" in fields else anchor.name.removeprefix("key:"))
