"""What GitHub's certificates say, field by field.

No name is ever split out of free text: what is expected is put together first, and then compared with the field.

Fulcio: docs/oid-info.md; GitHub: "About security hardening with OpenID Connect".
"""

import re

from argocd_provenance.evidence.values import Certificate
from argocd_provenance.records import dataclass
from argocd_provenance.regex import regex

ISSUER = "https://token.actions.githubusercontent.com"
GENERATOR = "https://github.com/slsa-framework/slsa-github-generator"

_TENANT = regex(r"https://token\.actions\.([a-z0-9-]+\.ghe\.com)")
_ENTERPRISE_SERVER = regex(r"(https://[a-z0-9.-]+)/_services/token")
_REF = regex(r"refs/[^\x00-\x20]+|[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow file in a repository at a ref, as ``<repository URL>/<path>@<ref>`` names it."""

    path: str
    ref: str


def server(issuer: str) -> str | None:
    """The URL of the GitHub that `issuer` speaks for; None for an issuer that is no GitHub Actions."""
    if issuer == ISSUER or re.fullmatch(re.escape(ISSUER) + r"/[A-Za-z0-9._-]+", issuer):
        return "https://github.com"
    tenant = _TENANT.fullmatch(issuer)
    if tenant is not None:
        return f"https://{tenant[1]}"
    enterprise = _ENTERPRISE_SERVER.fullmatch(issuer)
    return enterprise[1] if enterprise is not None else None


def same_repository(url: str, other: str) -> bool:
    """Whether two repository URLs are one to GitHub, which does not compare case."""
    return url.isascii() and other.isascii() and url.lower() == other.lower()


def lies_in(repository: str, uri: str) -> bool:
    """Whether `uri` names something in the repository of that URL."""
    prefix = f"{repository}/"
    return same_repository(uri[: len(prefix)], prefix)


def workflow_in(repository: str, uri: str) -> Workflow | None:
    """The workflow that `uri` names, if it lies in the repository of that URL; None otherwise.

    The path ends at the first ``@``, and what follows must be a ref or a commit: a file name that holds an ``@`` is read
    as no workflow at all, rather than as another one.
    """
    if not lies_in(repository, uri):
        return None
    path, _, ref = uri[len(repository) + 1 :].partition("@")
    if not path or not _REF.fullmatch(ref):
        return None
    return Workflow(path, ref)


def source_repository(certificate: Certificate) -> str | None:
    """The URL of the repository the run was started for (.12, or .5, which holds ``owner/name``)."""
    said = certificate.claims.get("sourceRepositoryURI")
    if not said or "://" in said:
        return said or None
    host = server(certificate.issuer)
    return f"{host}/{said}" if host else None
