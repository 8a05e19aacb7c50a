"""A registry that fails and lies by a seed: what it does to a request depends on the seed, the path and how often it came.

Some faults say nothing about an image (`BREAKS`: the answer is missing), others are lies (`LIES`: it is wrong).
"""

import itertools
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from argocd_provenance.demo.contents import OCI_INDEX, OCI_MANIFEST, Contents, encode
from argocd_provenance.demo.registry import BUNDLE, Answer, Registry, Request, refusal

LOGIN = ("user", "hunter2")
Fault = Callable[["Chaos", Request, random.Random], Answer]


def _status(status: int, **headers: str) -> Fault:
    return lambda _registry, _request, _chance: Answer(status, {k.replace("_", "-"): v for k, v in headers.items()})


def _stranger(registry: "Chaos", _request: Request, _chance: random.Random) -> Answer:
    return Answer(307, {"Location": f"http://{registry.foreign}/elsewhere"})


def _thief(registry: "Chaos", _request: Request, _chance: random.Random) -> Answer:
    return Answer(401, {"WWW-Authenticate": f'Bearer realm="http://{registry.foreign}/token",service="s"'})


def _page(registry: "Chaos", _request: Request, _chance: random.Random) -> Answer:
    body = encode({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []})
    link = f'<http://{registry.foreign}/next>; rel="next"'
    return Answer(200, {"Content-Type": OCI_INDEX, "Link": link}, body)


def _circle(_registry: "Chaos", request: Request, _chance: random.Random) -> Answer:
    return Answer(302, {"Location": request.path})


def _other(registry: "Chaos", _request: Request, chance: random.Random) -> Answer:
    """Something that is there, under the wrong name."""
    media_type, content = chance.choice(list(registry.contents.manifests.values()))
    return Answer(200, {"Content-Type": media_type}, content)


def _damaged(registry: "Chaos", _request: Request, chance: random.Random) -> Answer:
    media_type, content = chance.choice(list(registry.contents.manifests.values()))
    changed = bytearray(content)
    changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return Answer(200, {"Content-Type": media_type}, bytes(changed))


def _forged(registry: "Chaos", _request: Request, chance: random.Random) -> Answer:
    """A list of referrers with every promise, some of them thousands of times."""
    digest = next(iter(d for _, d in registry.contents.manifests))
    entry = {
        "mediaType": OCI_MANIFEST,
        "digest": digest,
        "size": 1,
        "artifactType": BUNDLE,
        "annotations": {"dev.sigstore.bundle.predicateType": "https://slsa.dev/provenance/v1"},
    }
    many = [entry | {"digest": f"sha256:{n:064x}"} for n in range(chance.choice([0, 1, 5000]))]
    body = encode({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry, *many]})
    return Answer(200, {"Content-Type": OCI_INDEX}, body)


BREAKS: dict[str, Fault] = {
    "dropped": lambda _registry, _request, _chance: Answer(drop=True),
    "429": _status(429, Retry_After="1"),
    "429 with a date": _status(429, Retry_After="Fri, 31 Dec 2027 00:00:00 GMT", Date="Fri, 31 Dec 2027 00:00:00 GMT"),
    "500": lambda _registry, _request, _chance: refusal(500, "UNKNOWN", "broken"),
    "503": _status(503),
    "403": lambda _registry, _request, _chance: refusal(403, "DENIED", "no"),
    "401": lambda _registry, _request, _chance: refusal(401, "UNAUTHORIZED", "who?"),
    "cut": lambda _registry, _request, _chance: Answer(200, {"Content-Length": "100000"}, b"{}"),
    "circle": _circle,
    "thief": _thief,
    "compressed": lambda _registry, _request, _chance: Answer(200, {"Content-Encoding": "gzip"}, b"\x1f\x8b"),
    "endless": lambda _registry, _request, _chance: Answer(200, {}, (b"x" * 65536 for _ in itertools.count())),
}
LIES: dict[str, Fault] = {
    "page": lambda _registry, _request, _chance: Answer(200, {"Content-Type": OCI_MANIFEST}, b"<html>log in</html>"),
    "deep": lambda _registry, _request, _chance: Answer(200, {"Content-Type": OCI_MANIFEST}, b"[" * 100_000),
    "header": lambda _registry, _request, _chance: Answer(200, {"Docker-Content-Digest": "sha256:" + "0" * 64}, b"{}"),
    "foreign page": _page,
    "gone": lambda _registry, _request, _chance: refusal(404, "MANIFEST_UNKNOWN", ""),
    "other": _other,
    "damaged": _damaged,
    "forged": _forged,
    "stranger": _stranger,
}


class Chaos(Registry):
    """A registry with `contents` that answers with one of `faults` as often as `rate` says."""

    def __init__(self, contents: Contents, seed: int, faults: dict[str, Fault], foreign: str, **more: Any) -> None:
        super().__init__(login=LOGIN, bearer=bool(seed % 2), referrers=bool(seed % 4 // 2), **more)
        self.contents = contents
        self.foreign = foreign
        self._seed, self._faults = seed, faults
        self._rate = random.Random(seed).choice([0.1, 0.3, 0.6])
        self._times: Counter[str] = Counter()

    def note(self, request: Request) -> Answer | None:
        """The truth, or a fault."""
        planned = super().note(request)
        if planned is not None:
            return planned
        with self._lock:
            self._times[request.path] += 1
            chance = random.Random(f"{self._seed} {request.path} {self._times[request.path]}")
        if chance.random() >= self._rate:
            return None
        return self._faults[chance.choice(sorted(self._faults))](self, request, chance)
