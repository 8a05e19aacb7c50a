"""Recorded cases: an image, what a registry had about it, and what is expected of a policy. Data, never a verdict.

A case is a folder: ``case.yaml``, and the bytes that it names by their digests in ``blobs/ALGORITHM/HEX``. What is
recorded of a registry is believed as little as the registry was: digests are compared, and evidence is verified again.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from argocd_provenance.errors import DigestMismatch, InvalidReference, OperatorError, RegistryError
from argocd_provenance.oci.gathered import NOTHING, Attachment, Gathered, Place, Wanted
from argocd_provenance.oci.reference import Digest, Reference, Repository
from argocd_provenance.oci.registry import by_platform
from argocd_provenance.operatorfile import Faults, Field, documents
from argocd_provenance.records import dataclass
from argocd_provenance.verdict import CODES

FILE = "case.yaml"
API_VERSION = "argocd-provenance.io/v1alpha1"
KIND = "PolicyCase"
_VERDICTS = ("allowed", "denied", "error", "unverified")
# What is read of one blob; as much as is fetched from a registry.
_LIMIT = 32 * 1024 * 1024

_Asked = tuple[str, str, str, str]
"""Repository, subject, place and tag prefix."""


@dataclass(frozen=True, slots=True)
class Found:
    """One attachment: its kind, what it is called, and the digests of its descriptor (as JSON) and its content."""

    kind: str
    source: str
    descriptor: Digest
    content: Digest


@dataclass(frozen=True, slots=True)
class Case:
    """A case as read. `today` is None where the day is not fixed."""

    folder: Path
    image: str
    verdict: str
    codes: tuple[str, ...]
    today: date | None
    digest: Digest | None
    attached: Mapping[_Asked, tuple[tuple[Found, ...], tuple[str, ...]]]

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name


def load_cases(folder: Path) -> tuple[Case, ...]:
    """The cases in `folder` and below, in the order of their paths; raises `OperatorError` with all faults of all."""
    paths = sorted(folder.rglob(FILE))
    if not paths:
        raise OperatorError(
            f"{folder} holds no case ({FILE}); record one: argocd-provenance verify IMAGE --record {folder}"
        )
    faults = Faults()
    found = [_case(path, faults) for path in paths]
    faults.raise_any()
    return tuple(case for case in found if case is not None)


def _case(path: Path, faults: Faults) -> Case | None:
    try:
        roots = documents(str(path), path.read_text(encoding="utf-8"), faults)
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(f"{path}: cannot be read: {error}") from error
    if len(roots) != 1:
        if roots:
            roots[1].fault("a case is one document")
        return None
    top = roots[0].mapping(
        ("apiVersion", "kind", "image", "expect", "today", "recorded"),
        ("apiVersion", "kind", "image", "expect", "recorded"),
    )
    for name, wanted in (("apiVersion", API_VERSION), ("kind", KIND)):
        if name in top:
            top[name].choice((wanted,))
    if not {"image", "expect", "recorded"} <= top.keys():
        return None
    expect = top["expect"].mapping(("verdict", "codes"), ("verdict",))
    recorded = top["recorded"].mapping(("digest", "attached"), ("attached",))
    return Case(
        path.parent,
        _image(top["image"]),
        expect["verdict"].choice(_VERDICTS) if "verdict" in expect else "",
        tuple(sorted({item.choice(tuple(CODES)) for item in expect["codes"].sequence()})) if "codes" in expect else (),
        top["today"].date() if "today" in top else None,
        _digest(recorded["digest"]) if "digest" in recorded else None,
        dict(_place(item) for item in recorded["attached"].sequence()) if "attached" in recorded else {},
    )


def _image(field: Field) -> str:
    written = field.text()
    try:
        Reference.parse(written or "x")
    except InvalidReference as error:
        field.fault(str(error))
    return written


def _digest(field: Field) -> Digest:
    try:
        return Digest(field.text())
    except InvalidReference as error:
        field.fault(str(error))
        return Digest("sha256:" + "0" * 64)


def _place(field: Field) -> tuple[_Asked, tuple[tuple[Found, ...], tuple[str, ...]]]:
    names = ("repository", "subject", "place", "tagPrefix", "notes", "found")
    parts = field.mapping(names, ("repository", "subject", "place"))
    prefix = parts["tagPrefix"].text() if "tagPrefix" in parts else ""
    asked = tuple(parts[name].text() if name in parts else "" for name in ("repository", "subject", "place"))
    found = tuple(_found(item) for item in parts["found"].sequence()) if "found" in parts else ()
    return (*asked, prefix), (found, parts["notes"].texts() if "notes" in parts else ())  # type: ignore[return-value]


def _found(field: Field) -> Found:
    names = ("kind", "source", "descriptor", "content")
    parts = field.mapping(names, names)
    return Found(
        parts["kind"].choice(("layer", "bundle")) if "kind" in parts else "",
        parts["source"].text(empty=True) if "source" in parts else "",
        *(
            _digest(parts[name]) if name in parts else Digest("sha256:" + "0" * 64)
            for name in ("descriptor", "content")
        ),
    )


class Replay:
    """The registry of one case (`pipeline.Registry`): what was recorded, and an error for what was not."""

    def __init__(self, case: Case) -> None:
        self._case = case

    def resolve(self, reference: Reference) -> Digest:
        """The digest that the tag named when it was recorded."""
        if reference.written != self._case.image or self._case.digest is None:
            raise self._missing(f"what {reference.written} names")
        return self._case.digest

    def children(self, repository: Repository, digest: Digest) -> Mapping[str, Digest]:
        """From the recorded manifest, whose bytes must have that digest."""
        from argocd_provenance.oci.descriptor import parse_manifest

        return by_platform(parse_manifest(self._blob(digest)), f"{repository}@{digest}")

    def gather(
        self,
        repository: Repository,
        digest: Digest,
        place: Place,
        *,
        tag_prefix: str = "",
        wanted: Wanted = NOTHING,  # noqa: ARG002
    ) -> Gathered:
        """What was recorded at that place; a place that nobody asked then is a fault, never an empty one."""
        key = (repository.name, digest.text, str(place), tag_prefix)
        if key not in self._case.attached:
            return Gathered(faults=(self._missing(f"{place} of {repository}@{digest}"),))
        found, notes = self._case.attached[key]
        attachments, faults = [], []
        for one in found:
            try:
                attachments.append(self._attachment(one))
            except RegistryError as error:
                faults.append(error)
        return Gathered(tuple(attachments), notes, tuple(faults))

    def _attachment(self, found: Found) -> Attachment:
        try:
            descriptor = json.loads(self._blob(found.descriptor))
        except ValueError as error:
            raise RegistryError(f"{found.descriptor} is no JSON", code="registry-misbehaved") from error
        if not isinstance(descriptor, dict):
            raise RegistryError(f"{found.descriptor} is no descriptor", code="registry-misbehaved")
        return Attachment(
            "layer" if found.kind == "layer" else "bundle", descriptor, self._blob(found.content), found.source
        )

    def _blob(self, digest: Digest) -> bytes:
        path = blob_path(self._case.folder, digest)
        try:
            content = path.read_bytes() if path.stat().st_size <= _LIMIT else b""
        except OSError as error:
            raise self._missing(f"the blob {digest}") from error
        if Digest.of(content, digest.algorithm) != digest:
            raise DigestMismatch(f"{path} has other bytes than its name says")
        return content

    def _missing(self, what: str) -> RegistryError:
        return RegistryError(f"{what} was not recorded; record the case {self._case.name} anew", code="offline")


def blob_path(folder: Path, digest: Digest) -> Path:
    """Where the bytes of that digest lie in a case."""
    return folder / "blobs" / digest.algorithm / digest.hex


def case_text(case: Case) -> str:
    """`case.yaml`: the same case, the same bytes."""
    head = [f"apiVersion: {API_VERSION}", f"kind: {KIND}", f"image: {_quoted(case.image)}"]
    head += [f"today: {case.today}"] if case.today is not None else []
    head += [f"expect: {{verdict: {case.verdict}, codes: [{', '.join(case.codes)}]}}", "recorded:"]
    head += [f"  digest: {_quoted(case.digest.text)}"] if case.digest is not None else []
    return "\n".join([*head, *_attached(case.attached), ""])


def _attached(attached: Mapping[_Asked, tuple[tuple[Found, ...], tuple[str, ...]]]) -> Iterator[str]:
    if not attached:
        yield "  attached: []"
        return
    yield "  attached:"
    for (repository, subject, place, prefix), (found, notes) in sorted(attached.items()):
        yield f"    - repository: {_quoted(repository)}"
        yield f"      subject: {_quoted(subject)}"
        yield f"      place: {place}"
        if prefix:
            yield f"      tagPrefix: {_quoted(prefix)}"
        yield from _listed("notes", [_quoted(note) for note in notes])
        yield from _listed("found", [_described(one) for one in found])


def _listed(name: str, items: Sequence[str]) -> Iterator[str]:
    if items:
        yield f"      {name}:"
        yield from (f"        - {item}" for item in items)


def _described(one: Found) -> str:
    return (
        f"{{kind: {one.kind}, source: {_quoted(one.source)}, descriptor: {_quoted(one.descriptor.text)}, "
        f"content: {_quoted(one.content.text)}}}"
    )


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=True)


def canonical(descriptor: Mapping[str, Any]) -> bytes:
    """The JSON of a descriptor: one text for one value."""
    return json.dumps(descriptor, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
