"""Command lines of cosign, gh and slsa-verifier as drafts.

cosign: cmd/cosign/cli/options/verify.go, certificate.go. gh: pkg/cmd/attestation/verify. slsa-verifier: cli/slsa-verifier.
"""

import re
from collections.abc import Callable, Mapping, Sequence

from argocd_provenance.errors import FileFaults, InvalidReference
from argocd_provenance.oci.reference import Reference
from argocd_provenance.policy.importing.draft import Draft, exact, identity, whole
from argocd_provenance.policy.patterns import BadPatternError
from argocd_provenance.policy.predicates import predicate_type
from argocd_provenance.records import dataclass, field

Read = Callable[[str], bytes]
_ACTIONS = "https://token.actions.githubusercontent.com"
_V1 = "https://slsa.dev/provenance/v1"
_GENERATOR = "slsa-framework/slsa-github-generator/.github/workflows/"
_REPOSITORY = r"[A-Za-z0-9][A-Za-z0-9_-]*/[A-Za-z0-9._-]+"
# How the answer is printed and fetched; nothing of what is trusted.
_SILENT = {
    "cosign": {"output", "o", "timeout", "t", "verbose", "d", "offline", "use-signed-timestamps", "experimental-oci11", "new-bundle-format", "max-workers", "check-claims"},
    "gh": {"format", "jq", "template", "q", "t", "limit", "L", "bundle-from-oci", "digest-alg", "d"},
    "slsa-verifier": {"print-provenance"},
}  # fmt: skip
_FLAGS = {
    "verbose", "d", "offline", "use-signed-timestamps", "experimental-oci11", "new-bundle-format", "check-claims",
    "insecure-ignore-tlog", "insecure-ignore-sct", "bundle-from-oci", "no-public-good", "deny-self-hosted-runners",
    "print-provenance", "private-infrastructure", "local-image", "allow-insecure-registry", "allow-http-registry",
}  # fmt: skip
_SHORT = {"a": "annotations", "R": "repo", "o": "output"}


@dataclass(slots=True)
class _Line:
    """A command line, taken apart: what is asked for is taken out, and what is left is refused."""

    tool: str
    options: dict[str, list[str]]
    words: list[str]
    faults: list[str] = field(default_factory=list)

    def one(self, *names: str) -> str:
        """The value of an option by any of its names; empty where it is not given."""
        found = [value for name in names for value in self.options.pop(name, [])]
        if len(found) > 1:
            self.faults.append(f"--{names[0]}: is given {len(found)} times; give it once")
        return found[0] if found else ""

    def flag(self, name: str) -> bool:
        """Whether a flag is set."""
        return self.one(name) in {"true", "1", "t", "T", "TRUE", "True"}


def from_command(words: Sequence[str], read: Read) -> Draft:
    """The draft for a command line; `read` gives the bytes of a key file. Raises `FileFaults` with all that is wrong."""
    said = " ".join(words)
    made: Mapping[tuple[str, ...], Callable[[_Line, Draft, Read], None]] = {
        ("cosign", "verify"): _signature,
        ("cosign", "verify-attestation"): _attestation,
        ("gh", "attestation", "verify"): _gh,
        ("slsa-verifier", "verify-image"): _slsa,
    }
    verb = next((verb for verb in made if tuple(words[: len(verb)]) == verb), None)
    if verb is None:
        known = ", ".join(" ".join(verb) for verb in made)
        raise FileFaults([f"{said[:100]}: is no command that can be imported; known: {known}"])
    line = _taken_apart(verb[0], words[len(verb) :])
    draft = Draft("imported", f"`{' '.join(verb)}`")
    _image(line, draft)
    made[verb](line, draft, read)
    _leftover(line, draft)
    if line.faults:
        raise FileFaults(line.faults)
    return draft


def _taken_apart(tool: str, words: Sequence[str]) -> _Line:
    line = _Line(tool, {}, [])
    waiting = iter(words)
    for word in waiting:
        if word == "--" or not word.startswith("-") or word == "-":
            line.words += [*waiting] if word == "--" else [word]
            continue
        name, equals, value = word.lstrip("-").partition("=")
        name = _SHORT.get(name, name)
        if not equals:
            value = "true" if name in _FLAGS else next(waiting, "")
            if not value:
                line.faults.append(f"--{name}: has no value")
        line.options.setdefault(name, []).append(value)
    return line


def _image(line: _Line, draft: Draft) -> None:
    if not line.words:
        line.faults.append("no image is named, so nothing says what the policy is about")
    for word in line.words:
        written = word.removeprefix("oci://")
        if line.tool == "gh" and not word.startswith("oci://"):
            line.faults.append(f"{word}: is a file; a policy is about images (oci://…)")
            continue
        try:
            reference = Reference.parse(written)
        except InvalidReference as error:
            line.faults.append(str(error))
            continue
        name = reference.repository.name
        draft.images += [name] if name not in draft.images else []
        draft.name = re.sub(r"[^a-z0-9-]+", "-", name.rpartition("/")[2].lower()).strip("-") or draft.name
        if reference.tag is not None or reference.digest is not None:
            draft.stricter(f"every image of {name} must pass, not only {written.removeprefix(name)}")


def _leftover(line: _Line, draft: Draft) -> None:
    for name in sorted(line.options):
        if name == "check-claims" and line.options[name] == ["false"]:
            line.faults.append("--check-claims=false: a signature of another image proves nothing")
        elif name in _SILENT[line.tool]:
            draft.remark(f"Left out: --{name}, which says nothing of who is trusted.")
        else:
            line.faults.append(f"--{name}: cannot be carried over; leave it out, or write the ImagePolicy by hand")


def _cosign_signer(line: _Line, draft: Draft, read: Read) -> dict[str, object] | None:
    key, no_log = line.one("key"), line.flag("insecure-ignore-tlog")
    subject, expression = line.one("certificate-identity"), line.one("certificate-identity-regexp")
    issuer = line.one("certificate-oidc-issuer")
    if line.flag("insecure-ignore-sct"):
        draft.stricter("a certificate needs an SCT")
    if key:
        if subject or expression or issuer:
            line.faults.append("--key: goes without --certificate-identity and --certificate-oidc-issuer")
        return _key(line, key, no_log, read)
    if no_log:
        draft.stricter("a certificate needs a proof of time, so that the log is demanded")
    if not issuer:
        line.faults.append("--certificate-oidc-issuer: is missing; name one issuer")
    if bool(subject) == bool(expression):
        line.faults.append("--certificate-identity: give it, or --certificate-identity-regexp")
        return None
    return identity(issuer, exact(subject) if subject else _expression(line, draft, expression))


def _expression(line: _Line, draft: Draft, written: str) -> dict[str, str]:
    try:
        return whole(written, draft)
    except BadPatternError as error:
        line.faults.append(f"{written}: {error}")
        return {}


def _key(line: _Line, name: str, no_log: bool, read: Read) -> dict[str, object] | None:  # noqa: FBT001 - one of two
    if "://" in name:
        line.faults.append(f"--key {name}: is not asked here; export the public key into a file")
        return None
    try:
        pem = read(name).decode()
    except (OSError, UnicodeDecodeError) as error:
        line.faults.append(f"--key {name}: cannot be read: {getattr(error, 'strerror', None) or error}")
        return None
    return {"key": {"pem": pem, **({"log": False} if no_log else {})}}


def _cosign_rest(line: _Line) -> dict[str, object]:
    """What cosign compares with the certificate beside the identity."""
    rest: dict[str, object] = {}
    notes = [part for value in line.options.pop("annotations", []) for part in value.split(",")]
    if any("=" not in note for note in notes):
        line.faults.append("--annotations: must be name=value")
    elif notes:
        rest["annotations"] = dict(note.split("=", 1) for note in notes)
    source = {}
    if repository := line.one("certificate-github-workflow-repository"):
        source["repository"] = f"https://github.com/{repository}"
    if ref := line.one("certificate-github-workflow-ref"):
        source["ref"] = ref
    if sha := line.one("certificate-github-workflow-sha"):
        source["commit"] = sha
    for value in source.values():
        if "*" in value:
            line.faults.append(f"{value}: holds a *, which would be a wildcard here")
    rest |= {"source": source} if source else {}
    trigger = line.one("certificate-github-workflow-trigger")
    return rest | ({"trigger": trigger} if trigger else {})


def _signature(line: _Line, draft: Draft, read: Read) -> None:
    signer = _cosign_signer(line, draft, read)
    draft.require.append({"signature": {"by": [signer], **_cosign_rest(line)}})


def _attestation(line: _Line, draft: Draft, read: Read) -> None:
    written = line.one("type") or "custom"
    kind = predicate_type(written)
    if kind is None:
        line.faults.append(f"--type {written}: is no predicate type")
    signer = _cosign_signer(line, draft, read)
    draft.require.append({"attestation": {"type": kind or written, "by": [signer], **_cosign_rest(line)}})


def _gh(line: _Line, draft: Draft, read: Read) -> None:  # noqa: ARG001 - gh knows no keys
    repository, owner = line.one("repo"), line.one("owner")
    if bool(repository) == bool(owner):
        line.faults.append("--repo: give it, or --owner")
        return
    if repository and not re.fullmatch(_REPOSITORY, repository):
        line.faults.append(f"--repo {repository}: must be owner/name")
    source = repository or f"{owner}/*"
    if owner:
        draft.stricter(f"the workflow must lie in the repository that was built, not anywhere at {owner}")
    kind = line.one("predicate-type") or _V1
    draft.remark("Trusts the public Sigstore instance. For private repositories add `domain: github` beside `github`.")
    demand: dict[str, object] = {"type": kind, "by": [_gh_signer(line, draft, source)]}
    expected = {
        name: value for name, value in (("ref", line.one("source-ref")), ("commit", line.one("source-digest"))) if value
    }
    if any("*" in value for value in expected.values()):
        line.faults.append("--source-ref: holds a *, which would be a wildcard here")
    expected = {"repository": f"https://github.com/{source}", **expected}
    demand["source"] = expected
    if line.flag("deny-self-hosted-runners"):
        demand["runner"] = "github-hosted"
    draft.require.append({"attestation": demand})


def _gh_signer(line: _Line, draft: Draft, source: str) -> dict[str, object]:
    workflow, repository = line.one("signer-workflow"), line.one("signer-repo")
    subject, expression = line.one("cert-identity"), line.one("cert-identity-regex")
    issuer = line.one("cert-oidc-issuer") or _ACTIONS
    if sum(map(bool, (workflow, repository, subject, expression))) > 1:
        line.faults.append(
            "--signer-workflow: give one of it, --signer-repo, --cert-identity and --cert-identity-regex"
        )
    if subject or expression:
        return identity(issuer, exact(subject) if subject else _expression(line, draft, expression))
    issued = {"issuer": issuer} if issuer != _ACTIONS else {}
    if not workflow and not repository:
        return {"github": {"repository": source, **issued}}
    named = workflow.removeprefix("https://").removeprefix("github.com/") or f"{repository}/.github/workflows/*"
    name, at, ref = named.partition("@")
    found = re.fullmatch(rf"({_REPOSITORY})/(\.github/workflows/[^@]+)", name)
    if found is None or ("*" in workflow):
        line.faults.append(f"--signer-workflow {workflow}: must be owner/name/.github/workflows/file.yml")
        return {}
    if not at:
        draft.stricter("the workflow is taken at branches and tags, not at bare commits")
    if found[1].lower() == source.lower():
        own = {"repository": source, "workflow": found[2], **({"ref": ref} if ref else {})}
        return {"github": own | issued}
    return {"github": {"repository": source, "signer": f"{name}@{ref or 'refs/**'}", **issued}}


def _slsa(line: _Line, draft: Draft, read: Read) -> None:  # noqa: ARG001 - it knows no keys
    uri = re.sub(r"^(git\+)?(https://)?", "", line.one("source-uri"))
    found = re.fullmatch(rf"github\.com/({_REPOSITORY})", uri)
    if found is None:
        line.faults.append("--source-uri: must be github.com/owner/name; without it anybody's build would do")
        return
    branch, tag = line.one("source-branch"), line.one("source-tag")
    if branch and tag:
        line.faults.append("--source-branch: give it, or --source-tag")
    if "*" in branch + tag:
        line.faults.append("--source-branch: holds a *, which would be a wildcard here")
    ref = f"refs/heads/{branch}" if branch else f"refs/tags/{tag}" if tag else ""
    if branch:
        draft.stricter("a build from a tag is none from the branch that it was made of")
    source = {"repository": f"https://github.com/{found[1]}", **({"ref": ref} if ref else {})}
    signer = _builder(line, line.one("builder-id"))
    draft.remark("level: 3 demands a release of slsa-github-generator, as slsa-verifier does.")
    draft.require.append(
        {"provenance": {"by": [{"github": {"repository": found[1], "signer": signer}}], "source": source, "level": 3}}
    )


def _builder(line: _Line, written: str) -> str:
    name, _, ref = written.removeprefix("https://github.com/").partition("@")
    name = name or f"{_GENERATOR}generator_container_slsa3.yml"
    if not re.fullmatch(rf"{re.escape(_GENERATOR)}[A-Za-z0-9_.-]+", name):
        line.faults.append(f"--builder-id {written}: is no workflow of slsa-github-generator")
    if ref and not re.fullmatch(r"(refs/tags/)?v[0-9]+\.[0-9]+\.[0-9]+", ref):
        line.faults.append(f"--builder-id {written}: must end in a release, such as @v2.1.0")
    return f"{name}@refs/tags/{ref.removeprefix('refs/tags/') or 'v*'}"
