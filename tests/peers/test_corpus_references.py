"""References as the parsers of the field read them; the rows are a table of inputs and expectations."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from argocd_provenance.errors import InvalidReference
from argocd_provenance.oci.reference import Digest, Reference, Repository, split

pytestmark = pytest.mark.corpus

# Parsers that read more than a cluster does, or less: what a cluster makes of their rows is asserted instead.
_OTHERS = ("oras", "kyverno", "connaisseur", "containerd", "skaffold", "kustomize", "default registry")


def rows() -> list[dict[str, Any]]:
    """All rows of the table."""
    path = Path(os.environ["CORPUS"]) / "tables" / "image_references.json"
    found: list[dict[str, Any]] = json.loads(path.read_text())["cases"]
    return found


def name_only(text: str) -> Any:
    """Read a name without tag and digest."""
    parts = split(text)
    if parts.tag is not None or parts.digest is not None:
        raise InvalidReference(text)
    return parts


def canonical_only(text: str) -> Any:
    """Read a name that has all defaults written."""
    reference = Reference.parse(text)
    if str(reference) != text:
        raise InvalidReference(text)
    return reference


def host_only(text: str) -> Any:
    """Read a host."""
    return Repository(text, "a")


def any_reference(text: str) -> Any:
    """Read a digest or a reference."""
    return Digest(text) if text.startswith("sha256:") else Reference.parse(text)


def identifier(text: str) -> Any:
    """An image ID: the one form that no reference may have."""
    if len(text) != 64 or not set(text) <= set("0123456789abcdef"):
        raise InvalidReference(text)
    return text


PARSERS: Mapping[str, Callable[[str], Any]] = {
    "strict": split,
    "WithName": name_only,
    "ParseNamed": canonical_only,
    "ParseNormalizedNamed": Reference.parse,
    "ParseAnyReference": any_reference,
    "ParseDockerRef": Reference.parse,
    "Kubernetes": Reference.parse,
    "regexp FullNameRegexp": name_only,
    "regexp ReferenceRegexp": split,
    "regexp DomainRegexp": host_only,
    "regexp IdentifierRegexp": identifier,
    "name.NewTag": Reference.parse,
    "name.NewDigest": Reference.parse,
    "name.NewRepository": Reference.parse,
    "name.NewRegistry": host_only,
    "ratify": Reference.parse,
}


def difference(row: Mapping[str, Any]) -> str | None:
    """What we read differently from the parser of `row`, or None."""
    parser = next(PARSERS[name] for name in PARSERS if row["parser"].startswith(name))
    try:
        found = parser(row["input"])
    except InvalidReference as error:
        return f"refused: {error}" if row["valid"] else None
    if not row["valid"]:
        return f"read as {found}"
    seen: dict[str, Any] = {}
    if isinstance(found, Reference):
        tag = found.effective_tag if row["parser"].startswith("Kubernetes") else found.tag
        canonical = str(found) if row["parser"].startswith("ParseAny") else found.canonical
        seen = {
            "repository": found.repository.name,
            "canonical_name": found.repository.name,
            "familiar": found.repository.familiar,
        }
        seen |= {"domain": found.repository.host, "path": found.repository.path, "tag": tag, "canonical": canonical}
    elif hasattr(found, "path") and not isinstance(found, Repository):
        name = f"{found.host}/{found.path}" if found.host else found.path
        seen = {"repository": name, "domain": found.host, "path": found.path, "tag": found.tag}
    if hasattr(found, "digest"):
        seen["digest"] = found.digest and found.digest.text
    wrong = {key: (row[key], seen[key]) for key in seen if key in row and (row[key] or None) != (seen[key] or None)}
    return str(wrong) if wrong else None


# Upstream's own test has no sha512 compiled in; the kubelet's parser has (it imports crypto/sha512).
_SHA512 = "validname@sha512:" + "f" * 128


class TestTheField:
    """The tables of distribution, Kubernetes, go-containerregistry and others."""

    def test_we_read_every_row_as_its_parser_does(self) -> None:
        """Every row of a parser that a cluster agrees with."""
        checked = [row for row in rows() if not row["parser"].startswith(_OTHERS) and row["input"] != _SHA512]

        wrong = [(row["parser"], row["input"][:80], said) for row in checked if (said := difference(row)) is not None]

        assert wrong == []
        assert len(checked) >= 190

    def test_other_parsers_rows_are_read_as_a_cluster_would(self) -> None:
        """Short digests, schemes, queries and empty tags are no references in a cluster; all else is read."""
        for row in (row for row in rows() if row["parser"].startswith(_OTHERS)):
            text = row["input"]
            try:
                found = Reference.parse(text)
            except InvalidReference:
                digest = text.partition("@")[2]
                unread = (
                    "://" in text
                    or "?" in text
                    or ":@" in text
                    or (digest and len(digest) != 71)
                    or text.split(":")[0] != text.split(":")[0].lower()
                )
                assert not row["valid"] or unread, text
            else:
                assert row["valid"] or text == "hello-world:linux", text
                assert found.written == text
