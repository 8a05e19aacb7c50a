"""Signers: those that no certificate can name, and those that strangers can be.

What Fulcio issues: fulcio config/identity/config.yaml and docs/oid-info.md. A certificate for a person who signs in a
browser names the provider that Fulcio's own Dex asked, and their mail address.
"""

import re
from collections.abc import Iterator

from argocd_provenance.lints import Lint
from argocd_provenance.policy import github
from argocd_provenance.policy.lint.meeting import can_fit
from argocd_provenance.policy.lint.places import Spot
from argocd_provenance.policy.model import Demand, Policy
from argocd_provenance.policy.patterns import Exact, Expression, Glob, Pattern
from argocd_provenance.policy.signers import DEFAULT_DOMAIN, IdentitySigner, KeySigner, Signer

_GITLAB = "https://gitlab.com"
_PEOPLE = ("https://accounts.google.com", "https://github.com/login/oauth", "https://login.microsoftonline.com")
_ISSUERS = (github.ISSUER, _GITLAB, *_PEOPLE)
_STRANGERS = {
    github.ISSUER: "https://github.com/somebody/else/.github/workflows/any.yml@refs/heads/any",
    _GITLAB: "https://gitlab.com/somebody/else//.gitlab-ci.yml@refs/heads/any",
    **dict.fromkeys(_PEOPLE, "somebody@else.example"),
}
_ANY_SOURCE = "https://github.com/somebody/else"
_ANY_ISSUER = "https://issuer.somebody-else.example"
_GENERATOR = re.compile(r"slsa-framework/slsa-github-generator/")
# A dot between letters is nearly always one of a name; behind it a repetition would say otherwise.
_DOT = re.compile(r"(?<=[A-Za-z0-9_])(?<!\\[a-zA-Z])\.(?=[A-Za-z0-9_])")
_CLASS = re.compile(r"\[[^\]]*\]")


def signer_lints(policy: Policy, spot: Spot) -> Iterator[Lint]:
    """What there is to say of whom `policy` trusts."""
    for number, authority in enumerate(policy.authorities):
        if policy.foreign and authority.static == "pass":
            path = f"spec.authorities[{number}].static"
            yield spot(
                "static-pass",
                path,
                "static: pass lets every image of this policy through, whatever the other authorities say",
                "remove it; to leave images out use mode: warn, or an ImagePolicy with exclude",
            )
        for demand in authority.demands:
            for place, signer in enumerate(demand.by):
                path = _path(policy, number, demand, place, signer)
                yield from _one(demand, signer, path, spot)


def _path(policy: Policy, authority: int, demand: Demand, place: int, signer: Signer) -> str:
    if not policy.foreign:
        return f"{demand.path}.by[{place}]"
    inner = "key" if isinstance(signer, KeySigner) else f"keyless.identities[{place}]"
    return f"spec.authorities[{authority}].{inner}"


def _one(demand: Demand, signer: Signer, path: str, spot: Spot) -> Iterator[Lint]:
    if isinstance(signer, KeySigner):
        if not signer.key.log and not signer.key.stamped:
            yield spot(
                "key-without-log",
                path,
                f"{signer} needs no log entry: who steals the key can sign without a trace",
                "demand the log (ImagePolicy: leave out log: false; ClusterImagePolicy: ctlog)",
            )
    elif isinstance(signer, IdentitySigner):
        for name, pattern in (("issuer", signer.issuer), ("subject", signer.subject)):
            yield from _spelling(pattern, f"{path}.{name}{_form(pattern)}", spot)
        yield from _identity(demand, signer, path, spot)


def _form(pattern: Pattern) -> str:
    """How the field of such a pattern ends in its name."""
    return "" if not isinstance(pattern, Expression) else "RegExp" if pattern.anywhere else "Pattern"


def _identity(demand: Demand, signer: IdentitySigner, path: str, spot: Spot) -> Iterator[Lint]:
    issuer, subject = signer.issuer, signer.subject
    public = signer.domain.partition(" ")[0] == DEFAULT_DOMAIN
    if not isinstance(issuer, Exact) and issuer.matches(_ANY_ISSUER):
        yield spot(
            "missing-issuer",
            path,
            f"issuer {issuer.text} takes any issuer, so that anyone's provider may vouch for the subject",
            f"name the one issuer, such as {github.ISSUER}",
        )
    if public and isinstance(issuer, Exact):
        yield from _misspelt(issuer.text, path, spot)
        yield from _never(issuer.text, subject, path, spot)
    bound = demand.source.repository is not None and not demand.source.repository.matches(_ANY_SOURCE)
    for known, stranger in _STRANGERS.items():
        if public and issuer.matches(known) and subject.matches(stranger) and not bound:
            yield spot(
                "anyone",
                path,
                f"{subject.text} takes anyone whom {known} vouches for, such as {stranger}",
                "name whom you trust: the owner and the repository, or the mail address",
            )
            break
    if not bound and _GENERATOR.search(subject.text.replace("\\", "")):
        yield spot(
            "public-builder",
            path,
            "slsa-github-generator signs for every repository that calls it, and nothing here says which",
            "add `source: {repository: https://github.com/OWNER/REPO}`, or use `github: {repository: OWNER/REPO, signer: …}`",
        )


def _misspelt(issuer: str, path: str, spot: Spot) -> Iterator[Lint]:
    plain = re.sub(r"^https?://", "", issuer.lower()).rstrip("/")
    meant = next((known for known in _ISSUERS if known.removeprefix("https://") == plain), None)
    if meant is not None and meant != issuer:
        yield spot("signer-never", path, f"no certificate has the issuer {issuer}", f"write {meant}")


def _never(issuer: str, subject: Pattern, path: str, spot: Spot) -> Iterator[Lint]:
    shape, example = _shape(issuer)
    if shape and not can_fit(subject, shape):
        yield spot("signer-never", path, f"{issuer} vouches for no {subject.text}", f"its subjects are as {example}")


def _shape(issuer: str) -> tuple[str, str]:
    """The glob that the subjects of an issuer fit, and one of them; empty for issuers that are not known here."""
    server = github.server(issuer)
    if server is not None:
        return f"{server}/*/*/**@**", f"{server}/OWNER/REPO/.github/workflows/FILE.yml@refs/heads/BRANCH"
    if issuer == _GITLAB:
        return "https://gitlab.com/**//**@refs/**", "https://gitlab.com/GROUP/PROJECT//.gitlab-ci.yml@refs/heads/BRANCH"
    return ("**@**", "name@example.com") if issuer in _PEOPLE else ("", "")


def _spelling(pattern: Pattern, path: str, spot: Spot) -> Iterator[Lint]:
    """What a pattern matches beside what it looks like."""
    if isinstance(pattern, Glob):
        yield from _open_owner(pattern.text, path, spot)
    if not isinstance(pattern, Expression):
        return
    text = pattern.text
    if pattern.anywhere and not (text.startswith(("^", "\\A")) and text.endswith(("$", "\\z"))):
        yield spot(
            "unanchored",
            path,
            f"{text} matches anywhere: also in a longer text that begins or ends with something else",
            f"write ^{text.removeprefix('^').removesuffix('$')}$",
        )
    plain = _CLASS.sub("x", text)
    if _DOT.search(plain):
        better = _DOT.sub(r"\\.", text)
        yield spot("dot-in-regex", path, f"a dot in {text} stands for any character", f"write {better}")
    if re.search(r"/\*|[A-Za-z0-9]\*(?:[@/]|$)", plain):
        yield spot(
            "glob-in-regex",
            path,
            f"* in {text} repeats the character before it; it is no wildcard here",
            "write [^/]* for any part of a name, or use a glob (ImagePolicy: subject)",
        )
    yield from _open_owner(re.sub(r"\\(.)", r"\1", re.sub(r"\.\*|\.\+", "*", text)), path, spot)


def _open_owner(text: str, path: str, spot: Spot) -> Iterator[Lint]:
    found = re.match(r"\^?https://(?:github|gitlab)\.com/([A-Za-z0-9_-]+)\*", text)
    if found is not None:
        yield spot(
            "open-name",
            path,
            f"{text} also fits the owner {found[1]}-somebody, which anyone can register",
            f"write …/{found[1].rstrip('-')}/…",
        )
