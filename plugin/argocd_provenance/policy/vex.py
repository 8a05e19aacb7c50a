"""OpenVEX beside a scan: which vulnerabilities the operator's people say do not matter in this very image.

openvex/spec: OPENVEX-SPEC.md. A statement counts for the image that it is attested to: where it names products, one of
them must be that image, by digest or by repository. Of several statements about one vulnerability the newest decides,
and of two that are equally new the one that accepts nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote

from argocd_provenance.evidence.values import Evidence
from argocd_provenance.policy.imagepatterns import Image
from argocd_provenance.records import dataclass
from argocd_provenance.regex import regex

_TYPE = regex(r"https://openvex\.dev/ns(/v[0-9.]{1,10})?")
_ACCEPTED = frozenset({"not_affected", "fixed"})
_OLDEST = datetime.min.replace(tzinfo=UTC)


def is_vex(evidence: Evidence) -> bool:
    """Whether `evidence` is an OpenVEX document, as cosign and vexctl attest them."""
    return evidence.predicate_type is not None and _TYPE.fullmatch(evidence.predicate_type) is not None


@dataclass(frozen=True, slots=True)
class _Said:
    name: str
    accepted: bool
    at: datetime


def accepted(documents: Iterable[Evidence], image: Image) -> list[str]:
    """The names and aliases of the vulnerabilities that `documents` accept in `image`, sorted."""
    newest: dict[str, _Said] = {}
    for document in documents:
        for said in _statements(document.predicate, image):
            known = newest.get(said.name)
            if known is None or (said.at, not said.accepted) > (known.at, not known.accepted):
                newest[said.name] = said
    return sorted(name for name, said in newest.items() if said.accepted)


def _statements(document: Any, image: Image) -> Iterator[_Said]:
    if not isinstance(document, Mapping) or not isinstance(document.get("statements"), list):
        return
    for statement in document["statements"]:
        if isinstance(statement, Mapping) and _is_about(statement.get("products"), image):
            at = _time(statement.get("timestamp")) or _time(document.get("timestamp")) or _OLDEST
            for name in _names(statement.get("vulnerability")):
                yield _Said(name, statement.get("status") in _ACCEPTED, at)


def _names(vulnerability: Any) -> Iterator[str]:
    """A text in OpenVEX 0.0.1, a mapping since; aliases name the same vulnerability."""
    if isinstance(vulnerability, str):
        yield vulnerability
    elif isinstance(vulnerability, Mapping):
        aliases = vulnerability.get("aliases")
        said = [vulnerability.get("name"), *(aliases if isinstance(aliases, list) else ())]
        yield from (name for name in said if isinstance(name, str) and name)


def _is_about(products: Any, image: Image) -> bool:
    if products is None:
        return True  # the attestation's subject is the product
    if not isinstance(products, list):
        return False
    return any(_names_image(text, image) for product in products for text in _identifiers(product))


def _identifiers(product: Any) -> Iterator[str]:
    if isinstance(product, str):
        yield product
    elif isinstance(product, Mapping):
        more = product.get("identifiers")
        said = [product.get("@id"), *(more.values() if isinstance(more, Mapping) else ())]
        yield from (text for text in said if isinstance(text, str))


def _names_image(text: str, image: Image) -> bool:
    """Whether `text` is a package URL (``pkg:oci/…``) or a reference of `image`.

    package-url/purl-spec: types/oci: the name is the last part of the repository, the version its digest.
    """
    repository, digest = image.repository.name, image.digest.text if image.digest is not None else ""
    if not text.startswith("pkg:"):
        name, at, version = text.partition("@")
        return name == repository and version in ({digest} if at else {""})
    path, _, query = text.partition("?")
    kind, _, rest = path.removeprefix("pkg:").partition("/")
    name, at, version = rest.partition("@")
    if kind not in ("oci", "docker") or unquote(name).rpartition("/")[2] != repository.rpartition("/")[2]:
        return False
    urls = parse_qs(query).get("repository_url", [])
    where = [f"{url}/".removesuffix("/") for url in urls]
    fits = all(url in (repository, repository.rpartition("/")[0]) for url in where)
    return fits and (unquote(version) == digest if at else True)


def _time(written: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(written) if isinstance(written, str) else None
    except ValueError:
        return None
    return found if found is None or found.tzinfo is not None else None
