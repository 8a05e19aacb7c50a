"""Who may say "verified": one function in the whole package."""

import ast
from collections.abc import Iterator
from pathlib import Path

import argocd_provenance

PACKAGE = Path(argocd_provenance.__file__).parent
MAKER = "evidence/verify.py"
MODULES = {str(path.relative_to(PACKAGE)): ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}


def constructions(tree: ast.Module, what: str = "Evidence") -> Iterator[int]:
    """Lines at which a module makes an `Evidence`, by its name or under another."""
    names = {what}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names |= {alias.asname for alias in node.names if alias.name == what and alias.asname}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in names:
                yield node.lineno


def test_only_the_verifier_makes_evidence() -> None:
    """N19: no path of discovery, cache or report can call anything verified; `verify` alone constructs `Evidence`."""
    makers = {name for name, tree in MODULES.items() if list(constructions(tree))}

    assert makers == {MAKER}


def test_the_verifier_makes_evidence_in_one_place() -> None:
    """The one maker has one construction, which every check stands before."""
    assert len(list(constructions(MODULES[MAKER]))) == 1


def test_proofs_come_from_cryptography_or_from_under_our_seal() -> None:
    """What the verifier makes evidence of was proved in this run, or opened by `proofs`, which reads sealed entries only."""
    makers = {name for name, tree in MODULES.items() if list(constructions(tree, "Proved"))}

    assert makers == {"evidence/proving.py", "evidence/proofs.py"}
    assert len(list(constructions(MODULES["evidence/proofs.py"], "Proved"))) == 1


def test_sigstore_is_imported_by_the_bridge_alone() -> None:
    """Only `evidence/bridge.py` imports sigstore, so that a bump is looked at in one file."""
    importers = set()
    for name, tree in MODULES.items():
        for node in ast.walk(tree):
            modules = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) and node.level == 0 else []
            if any(m.split(".")[0] in {"sigstore", "sigstore_models", "rfc3161_client"} for m in modules):
                importers.add(name)

    assert importers == {"evidence/bridge.py"}
