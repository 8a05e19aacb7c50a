"""Real policies, imported: what they refuse is refused, or they are refused by name."""

import os
from pathlib import Path

import pytest

from argocd_provenance.errors import FileFaults
from argocd_provenance.policy.importing import import_file
from argocd_provenance.policy.load import load_policies
from support.imports import laxer

pytestmark = pytest.mark.corpus


def test_no_imported_policy_takes_what_the_original_refuses() -> None:
    """Each ClusterImagePolicy of upstream's own files that can be carried over."""
    imported, refused = 0, 0
    for path in sorted((Path(os.environ["CORPUS"]) / "policies" / "policy-controller").rglob("*.yaml")):
        text = path.read_text()
        if "kind: ClusterImagePolicy" not in text:
            continue
        try:
            made = load_policies([("i.yaml", import_file(str(path), text))], lambda name: name.encode())
        except FileFaults as error:
            refused += all(str(path) in fault or "what was imported" in fault for fault in error.faults)
            continue
        originals = load_policies([(str(path), text)], lambda name: name.encode())
        for original, policy in zip(originals, made, strict=True):
            assert laxer(original, policy) == [], path
            imported += 1

    assert imported >= 1
    assert refused >= 5


def test_kyvernos_policies_are_imported_or_refused_with_their_line() -> None:
    """None ends in anything else."""
    paths = sorted((Path(os.environ["CORPUS"]) / "policies" / "kyverno-policies").rglob("*.yaml"))
    lost = []
    for path in paths:
        try:
            import_file(str(path), path.read_text())
        except FileFaults as error:
            lost += [fault for fault in error.faults if not fault.startswith(f"{path}:")]

    assert paths
    assert lost == []
