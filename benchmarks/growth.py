# ruff: noqa: INP001, T201
"""How many requests registries get from many Applications that share images, with the cache and without.

    python benchmarks/growth.py [--applications 1000] [--images 200] [--each 10] [--svg docs/growth.svg]

Each Application runs `--each` of the shared images, drawn by a seed; each has provenance under the fallback tag of an
in-process registry, and is resolved, fetched, verified and judged by a run of its own, with a registry client of its own.
What they share is the cache on disk. Between two runs the clock moves `--pause` seconds, so that tags and lists of
referrers (`cache.tags`: 30 s) are confirmed again and again, as they are in a cluster. Without the cache only the first
hundred Applications are run: the line is straight.
"""

import argparse
import math
import random
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from argocd_provenance.cache.disk import Disk
from argocd_provenance.cache.memory import Memory
from argocd_provenance.cache.moments import Moment
from argocd_provenance.cache.seal import Seal
from argocd_provenance.deadline import Deadline
from argocd_provenance.demo.registry import Registry
from argocd_provenance.demo.sigstore import VirtualSigstore, encode, statement
from argocd_provenance.demo.world import provenance
from argocd_provenance.evidence.proofs import Proofs
from argocd_provenance.evidence.trust import trust_domain
from argocd_provenance.evidence.verify import Verifier
from argocd_provenance.oci.credentials import Credentials
from argocd_provenance.oci.registry import Registry as Client
from argocd_provenance.oci.remembered import Remembered
from argocd_provenance.pipeline import Rules, Run
from argocd_provenance.policy.load import load_policies

IDENTITY = "https://github.com/acme/shop/.github/workflows/build.yml@refs/heads/main"
ISSUER = "https://token.actions.githubusercontent.com"
SLSA = "https://slsa.dev/provenance/v1"
_POLICY = """\
apiVersion: argocd-provenance.io/v1alpha1
kind: ImagePolicy
metadata: {{name: shared}}
spec:
  images: ["{host}/acme/**"]
  require: [{{provenance: {{by: [{{identity: {{issuer: {issuer}, subject: "{identity}"}}, domain: test}}]}}}}]
"""


class World:
    """The shared images, and runs over some of them."""

    def __init__(self, registry: Registry, images: int) -> None:
        self.registry = registry
        sigstore = VirtualSigstore(datetime.now(UTC))
        signer = sigstore.issue(IDENTITY, ISSUER)
        self.domain = trust_domain("test", encode(sigstore.trusted_root()))
        self.references = []
        for number in range(images):
            repository = f"acme/svc-{number:03d}"
            image = registry.push_image(repository, "v1", [repository.encode()])
            signed = statement(image["digest"], SLSA, provenance(IDENTITY), name=repository)
            registry.attach_bundle(repository, image, encode(sigstore.bundle(signer, signed)), SLSA)
            self.references.append(f"{registry.host}/{repository}:v1")
        text = _POLICY.format(host=registry.host, issuer=ISSUER, identity=IDENTITY)
        policies = load_policies([("policy.yaml", text)], lambda path: Path(path).read_bytes())
        self.rules = Rules(policies, "deny", None, datetime.now(UTC).date())

    def run(self, references: list[str], memory: Memory | None) -> int:
        """The requests of one Application's run."""
        before = len(self.registry.requests)
        deadline = Deadline(60)
        remembered = Remembered(memory, 30.0 if memory is not None else 0.0)
        client = Client((), {self.registry.host}.__contains__, Credentials(), deadline, remembered=remembered)
        verifier = Verifier({"test": self.domain}, Proofs(memory))
        decided = Run(self.rules, client, lambda: verifier, deadline, lambda _done, _total: None).decide(references)
        client.close()
        wrong = [one.written for one in decided.values() if one.decision.word != "verified"]
        if wrong:
            raise SystemExit(f"not verified: {wrong}")
        return len(self.registry.requests) - before


def curve(world: World, drawn: list[list[str]], memory: Callable[[], Memory | None]) -> list[int]:
    """The sum of requests after each Application."""
    total, sums = 0, []
    for references in drawn:
        kept = memory()
        total += world.run(references, kept)
        if kept is not None:
            kept.close()
        sums.append(total)
    return sums


def main() -> int:
    """Run, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--applications", type=int, default=1000)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--each", type=int, default=10)
    parser.add_argument("--pause", type=float, default=1.0)
    parser.add_argument("--svg", type=Path)
    arguments = parser.parse_args()
    draw = random.Random(1)  # noqa: S311 - the same Applications every time
    with ExitStack() as stack:
        registry = stack.enter_context(Registry())
        world = World(registry, arguments.images)
        drawn = [draw.sample(world.references, arguments.each) for _ in range(arguments.applications)]
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))

        def remembering(name: str, pause: float) -> Callable[[], Memory]:
            now = [0.0]

            def open_() -> Memory:
                now[0] += pause
                moment = Moment(1e9 + now[0], now[0], b"b" * 16)
                return Memory(Seal(b"k" * 32), [Disk(folder / name, 2**28)], lambda: moment)

            return open_

        curves = {
            "without a cache": curve(world, drawn[:100], lambda: None),
            f"cache, {arguments.pause:g} s between Applications": curve(
                world, drawn, remembering("paced", arguments.pause)
            ),
            "cache, all within cache.tags": curve(world, drawn, remembering("burst", 0.0)),
        }
    seen, distinct = set[str](), []
    for references in drawn:
        seen.update(references)
        distinct.append(len(seen))
    print(f"{arguments.applications} Applications with {arguments.each} of {arguments.images} shared images each")
    for name, sums in curves.items():
        print(f"{name:42} {sums[-1]:8} requests after {len(sums):5} Applications, {sums[-1] / len(sums):7.2f} each")
    half = next(number for number, found in enumerate(distinct) if found >= arguments.images * 0.99)
    print(f"99 % of the images are known after {half + 1} Applications")
    if arguments.svg:
        arguments.svg.write_text(picture(curves, arguments.applications))
    return 0


def picture(curves: dict[str, list[int]], applications: int) -> str:
    """The curves as SVG, both axes logarithmic: the eye must see 40 and 40,000."""
    width, height, left, bottom = 720, 400, 70, 50
    top_value = max(40 * applications, *(sums[-1] for sums in curves.values()))
    across = lambda n: left + (width - left - 170) * math.log10(max(n, 1)) / math.log10(applications)  # noqa: E731
    up = lambda v: height - bottom - (height - bottom - 20) * math.log10(max(v, 1)) / math.log10(top_value)  # noqa: E731
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for power in range(int(math.log10(top_value)) + 1):
        out.append(f'<path d="M{left} {up(10**power):.1f}H{width - 170}" stroke="#dddddd"/>')
        out.append(f'<text x="{left - 8}" y="{up(10**power) + 4:.1f}" text-anchor="end">{10**power:,}</text>')
    out += [
        f'<text x="{across(10**power):.1f}" y="{height - bottom + 18}" text-anchor="middle">{10**power:,}</text>'
        for power in range(int(math.log10(applications)) + 1)
    ]
    for (name, sums), colour in zip(curves.items(), ("#c0392b", "#2471a3", "#1e8449"), strict=True):
        points = " ".join(f"{across(n):.1f},{up(value):.1f}" for n, value in enumerate(sums, 1))
        out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        at, high = across(len(sums)), up(sums[-1])
        if len(sums) < applications:  # beside the end of a shorter curve, others go on
            out.append(f'<text x="{at:.1f}" y="{high - 8:.1f}" text-anchor="end" fill="{colour}">{name}</text>')
            continue
        for line, part in enumerate(name.split(", ")):
            out.append(f'<text x="{at + 6:.1f}" y="{high + 4 + 14 * line:.1f}" fill="{colour}">{part}</text>')
    out.append(f'<text x="{(left + width - 170) / 2}" y="{height - 12}" text-anchor="middle">Applications</text>')
    out.append(
        f'<text x="16" y="{height / 2}" transform="rotate(-90 16 {height / 2})" text-anchor="middle">requests to the registry</text>'
    )
    return "\n".join([*out, "</svg>"]) + "\n"


if __name__ == "__main__":
    sys.exit(main())
