# ruff: noqa: INP001
"""How long rewriting a large manifest takes, beside a bare parse of the same text.

A manifest of 2 MB and 74 documents (CRD-like schemas that talk about images, ConfigMaps, workloads): read, every image
pinned, every object with images annotated. The yardstick is libyaml's events taken one by one through PyYAML's C parser
(a loop over ``CParser.get_event``), part by part, which is the least that any Python program can do to see YAML's structure.
Both run in one process, alternately, without the cyclic garbage collector (as `generate` runs); the best of each counts. Targets: ratio <= 3, rewrite <= 300 ms.
Run: ``python benchmarks/rewrite.py [--rounds N]``; prints one JSON object, exit 1 when a target is missed.
"""

import argparse
import gc
import json
import resource
import sys
import time

import yaml._yaml as libyaml

from argocd_provenance.documents import ObjectImages, emit, read
from argocd_provenance.documents.split import split

_DIGEST = "@sha256:" + "0123456789abcdef" * 4
_DOCUMENTS = 74
_TARGET_RATIO, _TARGET_MS = 3.0, 300.0


def workload(number: int, containers: int) -> str:
    """A Deployment."""
    lines = [
        "apiVersion: apps/v1",
        "kind: Deployment",
        f"metadata:\n  name: app-{number}\n  namespace: shop\n  labels: {{app: app-{number}}}",
        "spec:\n  replicas: 2\n  template:\n    spec:\n      containers:",
    ]
    for index in range(containers):
        lines.append(
            f"      - name: c{index}\n        image: ghcr.io/acme/app-{number}-{index}:v1.{index}\n        env:"
        )
        lines += [f"        - name: SETTING_{n}\n          value: 'value {n} of container {index}'" for n in range(24)]
    return "\n".join(lines) + "\n"


def schema(number: int, properties: int) -> str:
    """A CustomResourceDefinition whose schema describes pod templates, as operators ship them."""
    lines = [
        "apiVersion: apiextensions.k8s.io/v1",
        "kind: CustomResourceDefinition",
        f"metadata:\n  name: things{number}.example.com",
        "spec:\n  group: example.com\n  versions:\n  - name: v1\n    schema:\n      openAPIV3Schema:\n        properties:",
    ]
    text = "Describes the field at some length, as generated schemas do, over more than one line of text, with\n"
    text += (
        3
        * "              all that a reader may want to know about it and a little more than that, so that it goes on and\n"
    )
    lines += [
        f"          field{index}:\n            description: |-\n              {text}              an example or two.\n"
        "            properties:\n              image:\n                description: Container image name.\n"
        "                type: string\n            required:\n            - image\n            - name\n            type: object"
        for index in range(properties)
    ]
    return "\n".join(lines) + "\n"


def manifest() -> str:
    """The whole stream."""
    documents = [schema(n, 53) if n % 3 else workload(n, 6) for n in range(_DOCUMENTS)]
    return "---\n".join(documents)


def events(text: str) -> int:
    """Parse all parts of `text` and do nothing with them; how many events there are."""
    count = 0
    for part in split("manifest.yaml", text).parts:
        following = libyaml.CParser(part.content).get_event
        while following() is not None:
            count += 1
    return count


def rewrite(text: str) -> str:
    """Read, pin and annotate."""
    rendered = read([("manifest.yaml", text)])
    return emit(rendered, {image.written: image.written + _DIGEST for image in rendered.images}, _annotations)


def _annotations(one: ObjectImages) -> dict[str, str]:
    images = json.dumps({image.written: {"digest": _DIGEST[1:]} for image in one.images})
    return {"argocd-provenance.io/verdict": "verified", "argocd-provenance.io/images": images}


def main() -> int:
    """Measure, print, and say by the exit code whether the targets hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    text = manifest()
    gc.disable()
    parsing, rewriting, count = [], [], 0
    for _ in range(parser.parse_args().rounds):
        start = time.perf_counter()
        count = events(text)
        between = time.perf_counter()
        rewrite(text)
        parsing.append(between - start)
        rewriting.append(time.perf_counter() - between)
    ratio, rewrite_ms = min(rewriting) / min(parsing), min(rewriting) * 1000
    figures = {
        "bytes": len(text),
        "documents": _DOCUMENTS,
        "events": count,
        "parse_ms": round(min(parsing) * 1000, 1),
        "rewrite_ms": round(rewrite_ms, 1),
        "ratio": round(ratio, 2),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    sys.stdout.write(json.dumps(figures) + "\n")
    return 0 if ratio <= _TARGET_RATIO and rewrite_ms <= _TARGET_MS else 1


if __name__ == "__main__":
    sys.exit(main())
