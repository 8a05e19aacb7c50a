"""sigstore-conformance by our own command line: ``verify --bundle``, by file and by digest."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from argocd_provenance.cli.group import group
from support.corpus import CORPUS

pytestmark = pytest.mark.corpus

INDEX = CORPUS / "sigstore-conformance" / "index.json"
CASES = json.loads(INDEX.read_text())["cases"] if INDEX.exists() else [{"id": f"{INDEX} is missing"}]


@pytest.mark.parametrize("by", ["file", "digest"])
@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES])
def test_the_command_decides_as_the_suite_says(case: dict[str, Any], by: str) -> None:
    """0 for what must pass; 4 for what must not, or 2 where root or key are unusable."""
    artifact = Path(CORPUS / case["artifact"])
    target = str(artifact) if by == "file" else f"sha256:{hashlib.sha256(artifact.read_bytes()).hexdigest()}"
    line = ["verify", "--bundle", str(CORPUS / case["bundle"]), target]
    if case.get("key"):
        # the suite does not say whether a key's signature must be logged: what the bundle offers is demanded
        logged = json.loads((CORPUS / case["bundle"]).read_text())["verificationMaterial"].get("tlogEntries")
        line += ["--key", str(CORPUS / case["key"]), *([] if logged else ["--no-log"])]
    else:
        line += ["--certificate-identity", case["identity"], "--certificate-oidc-issuer", case["issuer"]]
    if case.get("trusted_root"):
        line += ["--trusted-root", str(CORPUS / case["trusted_root"])]

    done = CliRunner().invoke(group, line)

    assert done.exit_code in ((0,) if case["expected"] == "pass" else (4, 2)), done.output
