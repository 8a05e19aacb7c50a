"""The hooks of an Application as Argo CD runs them: which phase, which wave.

The rules are those of gitops-engine: ``pkg/sync/hook/hook.go`` (Types), ``pkg/sync/hook/helm`` and
``pkg/sync/syncwaves/waves.go`` (Wave).
"""

import re
from collections.abc import Mapping

from argocd_provenance.documents.objects import ObjectIdentity
from argocd_provenance.regex import regex
from argocd_provenance.verdict import Finding

WAVE = -1_000_000
"""Where the check runs: before any wave that people write."""
CHECK, PROOF = "provenance-check-", "provenance-proof-"
WORDS = ("hook", "provenance-")
"""What stands in the text of an object that `collisions` has something to say about."""

_HOOK, _WAVE = "argocd.argoproj.io/hook", "argocd.argoproj.io/sync-wave"
_HELM_HOOK, _HELM_WEIGHT = "helm.sh/hook", "helm.sh/hook-weight"
_PHASES = frozenset({"PreSync", "Sync", "PostSync", "SyncFail", "Skip"})
_HELM_PHASES = {
    "pre-install": "PreSync",
    "pre-upgrade": "PreSync",
    "post-install": "PostSync",
    "post-upgrade": "PostSync",
}
_NUMBER = regex(r"[+-]?[0-9]{1,30}", re.ASCII)
_INT64 = 2**63
# Kubernetes makes names by appending, so whoever has the prefix can pass for one of ours.
_OURS = regex(rf"({CHECK}|{PROOF})[0-9a-f]{{8}}(-.*)?")


def phases(annotations: Mapping[str, str]) -> frozenset[str]:
    """The phases in which Argo CD runs an object with `annotations`; empty where it is no hook."""
    own = {text for text in _listed(annotations, _HOOK) if text in _PHASES}
    if own:
        return frozenset(own - {"Skip"})
    return frozenset(_HELM_PHASES[text] for text in _listed(annotations, _HELM_HOOK) if text in _HELM_PHASES)


def wave(annotations: Mapping[str, str]) -> int:
    """The wave of an object: Argo CD's annotation if it is a number, else helm's weight, else 0."""
    for name in (_WAVE, _HELM_WEIGHT):
        text = annotations.get(name, "")
        if _NUMBER.fullmatch(text) and -_INT64 <= int(text) < _INT64:
            return int(text)
    return 0


def collision(one: ObjectIdentity) -> Finding | None:
    """Why `one`, an object of the source, cannot be applied beside the check; None where it can."""
    shown = f"{one.kind}/{one.name or one.generate_name or '-'} ({one.file}:{one.line})"
    for field, text in (("metadata.name", one.name), ("metadata.generateName", one.generate_name)):
        if _OURS.fullmatch(text):
            return Finding(
                "hook-collision",
                f"{shown} has a name that the check at sync time uses",
                expected=f"a name that does not begin like {CHECK}1a2b3c4d-",
                found=f"{field}: {text}",
                fix="name the object differently; the plugin adds its own",
            )
    if "PreSync" in phases(one.annotations) and wave(one.annotations) <= WAVE:
        return Finding(
            "hook-collision",
            f"{shown} is a PreSync hook that would run before the check at sync time, or beside it",
            expected=f"a wave above {WAVE}",
            found=f"wave {wave(one.annotations)}",
            fix="give the hook a higher sync-wave",
        )
    return None


def _listed(annotations: Mapping[str, str], name: str) -> list[str]:
    return [text.strip() for text in annotations.get(name, "").split(",")]
