"""Image patterns: those that no image fits, and those that say more than they seem to."""

import re
from collections.abc import Iterator, Sequence

from argocd_provenance.errors import InvalidReference
from argocd_provenance.lints import Lint
from argocd_provenance.oci.reference import Digest
from argocd_provenance.policy.imagepatterns import ImagePattern
from argocd_provenance.policy.lint.places import Spot
from argocd_provenance.policy.model import Policy

# Registries where anyone can have a namespace.
_PUBLIC = frozenset({"docker.io", "ghcr.io", "quay.io", "registry.gitlab.com", "public.ecr.aws", "gcr.io"})
_TAG = re.compile(r"[A-Za-z0-9_*][A-Za-z0-9._*-]{0,127}")


def image_lints(policy: Policy, spot: Spot) -> Iterator[Lint]:
    """What there is to say of the image patterns of `policy`."""
    for path, pattern in placed(policy):
        said = _impossible(pattern)
        if said:
            yield spot("image-never", path, f"{pattern.written} fits no image: {said[0]}", said[1])
        yield from _lenient(policy, path, pattern, spot)
    for place, pattern in enumerate(policy.images):
        away = next((one for one in policy.exclude if swallows(one, pattern)), None)
        if away is not None:
            yield spot(
                "image-never",
                f"spec.images[{place}]",
                f"{pattern.written} is taken out again by exclude {away.written}",
                "remove the pattern, or exclude less",
            )


def placed(policy: Policy) -> Iterator[tuple[str, ImagePattern]]:
    """The image patterns of `policy` with their paths."""
    lists: list[tuple[str, Sequence[ImagePattern]]] = [("spec.images", policy.images), ("spec.exclude", policy.exclude)]
    lists += [(f"spec.exceptions[{n}].images", one.images) for n, one in enumerate(policy.exceptions)]
    for path, patterns in lists:
        yield from ((f"{path}[{place}]", pattern) for place, pattern in enumerate(patterns))


def _impossible(pattern: ImagePattern) -> tuple[str, str] | None:
    """Why no image fits, and what to write instead."""
    name = pattern.repository.text
    if "//" in name or re.match(r"[a-z]+:/", pattern.written):
        return "a reference has no scheme and no empty part", "write it as in a manifest: ghcr.io/acme/app"
    path = name.partition("/")[2] or name
    if path != path.lower():
        return "names of repositories are in lower case", f"write {pattern.written.replace(path, path.lower())}"
    if pattern.digest is not None and pattern.digest.literal:
        try:
            Digest(pattern.digest.text)
        except InvalidReference as error:
            return f"its digest is none ({error})", "write the whole digest, sha256: and 64 hexadecimal digits"
    if pattern.tag is not None and not _TAG.fullmatch(pattern.tag.text):
        return f"{pattern.tag.text} is no tag", "a tag is made of letters, digits, '.', '_' and '-'"
    return None


def _lenient(policy: Policy, path: str, pattern: ImagePattern, spot: Spot) -> Iterator[Lint]:
    """What lets images through must not be wider than it seems; where more is demanded, wider is only stricter."""
    exempts = path.startswith("spec.exclude")
    lenient = exempts or policy.mode in {"pin", "warn"}
    if (
        not exempts
        and lenient
        and pattern.tag is not None
        and pattern.tag.text not in {"*", "**"}
        and not policy.foreign
    ):
        yield spot(
            "tag-decides",
            path,
            f"{pattern.written} chooses mode {policy.mode} by a tag: beside a digest a tag is text that nobody proves",
            "choose by repository; or see that a strict policy covers the same images, which must hold too",
        )
    parts = pattern.repository.text.split("/")
    owner = parts[1] if len(parts) > 1 else ""
    if lenient and parts[0] in _PUBLIC and re.search(r"[^*]\*", owner):
        stranger = owner.replace("*", "-somebody")
        yield spot(
            "open-name",
            path,
            f"{pattern.written} also fits {parts[0]}/{stranger}/…, which anyone can register",
            f"write {parts[0]}/{owner.split('*')[0].rstrip('-')}/**",
        )


def swallows(exclude: ImagePattern, pattern: ImagePattern) -> bool:
    """Whether `exclude` surely takes all of `pattern`'s images out."""
    if exclude.tag is not None or exclude.digest is not None:
        return False
    return exclude.repository.text in {"**", pattern.repository.text} or (
        pattern.repository.literal and exclude.repository.matches(pattern.repository.text)
    )
