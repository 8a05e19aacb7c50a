"""A long fuzzing run with a seed: ``python tests/fuzz/campaign.py --seed 1 --count 100000`` (``make fuzz``).

Bundles, layers, manifests, trusted roots, references and headers are damaged by chance, and one invariant each must hold. A
case that breaks it is printed with its number, and the exit code is 1; the same seed makes the same cases.
"""

import argparse
import contextlib
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from email.utils import format_datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from argocd_provenance.demo.contents import OCI_INDEX, OCI_MANIFEST
from argocd_provenance.demo.registry import BUNDLE
from argocd_provenance.demo.sigstore import encode
from argocd_provenance.errors import InvalidReference, OperatorError, RegistryError
from argocd_provenance.evidence.candidate import parse_bundle, parse_layer
from argocd_provenance.evidence.trust import parse as parse_root
from argocd_provenance.oci.bearer import parse_challenges
from argocd_provenance.oci.descriptor import Index, Manifest, parse_manifest
from argocd_provenance.oci.manners import retry_after
from argocd_provenance.oci.reference import Reference
from argocd_provenance.oci.replies import error_codes
from fuzz.test_fuzz_evidence import damaged, holds
from support.signing import FORMS, IMAGE, SIGSTORE, provenance, signature, verify

Check = Callable[[random.Random], tuple[bool, object]]
DIGEST = {"digest": IMAGE.text, "size": 2}


def bundles() -> Check:
    """A damaged bundle proves nothing, or what it proved before."""
    signer = SIGSTORE.issue()
    originals = [
        encode(SIGSTORE.bundle(signer, provenance())),
        encode(SIGSTORE.bundle(signer, signature(), log="v2", timestamp=True)),
        encode(SIGSTORE.bundle(signer, provenance(), kind="intoto/0.0.2", timestamp=True)),
    ]

    def check(chance: random.Random) -> tuple[bool, object]:
        raw = damaged(chance.choice(originals), chance)
        return holds(verify(parse_bundle(raw, "fuzz"))), raw

    return check


def layers() -> Check:
    """So does a layer, its descriptor or its content damaged."""
    signer = SIGSTORE.issue()
    originals = [SIGSTORE.sign_layer(IMAGE.text, signer, timestamp=True), SIGSTORE.attest_layer(provenance(), signer)]

    def check(chance: random.Random) -> tuple[bool, object]:
        layer = chance.choice(originals)
        content = damaged(layer.content, chance) if chance.random() < 0.3 else layer.content
        try:
            descriptor = json.loads(damaged(json.dumps(layer.descriptor).encode(), chance))
        except (ValueError, RecursionError):
            return True, None
        good = not isinstance(descriptor, dict) or holds(verify(parse_layer(descriptor, content, "fuzz")))
        return good, (descriptor, content)

    return check


def manifests() -> Check:
    """A damaged manifest is a value, or `registry-misbehaved`."""
    layer = {"mediaType": BUNDLE, **DIGEST, "annotations": {"a": "b"}}
    platform = {"os": "linux", "architecture": "arm64", "variant": "v8"}
    originals = [
        encode(
            {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": layer, "layers": [layer, layer], "subject": layer}
        ),
        encode({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [layer | {"platform": platform}] * 3}),
    ]

    def check(chance: random.Random) -> tuple[bool, object]:
        raw = damaged(chance.choice(originals), chance)
        try:
            return isinstance(parse_manifest(raw), Manifest | Index), raw
        except RegistryError as error:
            return error.code == "registry-misbehaved", raw

    return check


def roots() -> Check:
    """A damaged trusted root is a value, or the operator's mistake."""
    original = encode(SIGSTORE.trusted_root())

    def check(chance: random.Random) -> tuple[bool, object]:
        raw = damaged(original, chance)
        with contextlib.suppress(OperatorError):
            parse_root(raw)
        return True, raw

    return check


def references() -> Check:
    """A reference that is read says the same when it is written out and read again; anything else is none."""
    originals = [
        b"nginx",
        b"ghcr.io/acme/api:v2",
        b"127.0.0.1:5000/acme/web",
        b"docker.io/library/nginx:1.27@" + IMAGE.text.encode(),
        b"[::1]:5000/a/b__c/d-e:tag",
        b"INDEX.docker.io/v1/acme:latest",
    ]

    def check(chance: random.Random) -> tuple[bool, object]:
        text = damaged(chance.choice(originals), chance).decode("utf-8", "replace")
        try:
            found = Reference.parse(text)
        except InvalidReference:
            return True, text
        again = Reference.parse(found.canonical)
        same = (again.repository, again.digest) == (found.repository, found.digest)
        return same and found.canonical.isascii() and again.canonical == found.canonical, text

    return check


def headers() -> Check:
    """What stands in a header or an error is read or dropped, and what is shown of it is printable."""
    moment = format_datetime(SIGSTORE.start).encode()
    originals = [b'Bearer realm="https://a/t",service="s",scope="x",Basic realm="b"', moment, b"120"]

    def check(chance: random.Random) -> tuple[bool, object]:
        raw = damaged(chance.choice(originals), chance)
        text = raw.decode("latin-1")
        seconds = retry_after({"retry-after": text}, lambda: 0.0)
        shown = error_codes(encode({"errors": [{"code": text, "message": text}]}))
        return (
            len(parse_challenges(text)) <= len(text)
            and 0.0 <= seconds < 10**12
            and all(part.isprintable() for pair in shown for part in pair)
        ), raw

    return check


KINDS = (bundles, layers, manifests, roots, references, headers)


def main(arguments: list[str] | None = None) -> int:
    """Run the campaign; 0 when every invariant held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so long, whatever the count")
    asked = parser.parse_args(arguments)
    assert all(verify(make(SIGSTORE.issue(), IMAGE)).__class__.__name__ == "Evidence" for make in FORMS.values())
    checks = [(kind.__name__, kind()) for kind in KINDS]
    end = time.monotonic() + asked.seconds
    done: Counter[str] = Counter()
    for number in range(asked.count):
        if time.monotonic() > end:
            break
        name, check = checks[number % len(checks)]
        try:
            good, case = check(random.Random(f"{asked.seed} {number}"))
        except Exception as error:  # noqa: BLE001 - whatever is raised is what we look for
            good, case = False, error
        if not good:
            print(f"seed {asked.seed}, number {number}, {name}: {case!r:.2000}")
            return 1
        done[name] += 1
    print(f"seed {asked.seed}: {done.total()} mutants, all as they should be: {dict(done)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
