"""``verify --vsa FILE``: the decision about one image as a statement for others, unsigned; cosign signs it."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from argocd_provenance import __version__
from argocd_provenance.cli.operator import Operator
from argocd_provenance.errors import UsageError
from argocd_provenance.oci.reference import Reference
from argocd_provenance.pipeline import Decided
from argocd_provenance.policy.imagepatterns import Image
from argocd_provenance.policy.summarise import summary
from argocd_provenance.verdict import Outcome

VERIFIER = "https://argocd-provenance.io/verify"
_NOT_VERIFIED = "nothing was verified, so there is nothing to summarise"


def refuse(references: int, *, bundle: bool) -> None:
    """Raise `UsageError` where a summary would be about several things, or about no image."""
    if bundle:
        raise UsageError("--vsa is about an image in a registry; leave out --bundle")
    if references != 1:
        raise UsageError("--vsa is about one image; run it once for each")


def write(path: Path, decided: Decided, ruled: Operator, verifier: str) -> str:
    """Write the summary of `decided` to `path`, or leave the file alone; a note that says which.

    What could not be checked is no result, and what passed by an exception, by `unmatched` or by `mode: pin` was not
    verified: of neither is a summary written.
    """
    decision, digest = decided.decision, decided.digest
    passed = decision.outcome is Outcome.ALLOWED and decision.exception is None and bool(decision.used)
    if digest is None or decision.outcome is Outcome.ERROR:
        return f"{path} is not written: the image could not be checked"
    if not passed and decision.outcome is not Outcome.DENIED:
        return f"{path} is not written: {_NOT_VERIFIED}"
    covering = [policy for policy in ruled.policies if policy.name in decision.policies]
    statement = summary(
        Image(Reference.parse(decided.written), digest),
        digest,
        passed=passed,
        used=decision.used,
        builders=tuple(row for policy in covering for row in policy.builders),
        policies=_files(sorted({policy.origin.rpartition(":")[0] for policy in covering})),
        verifier=verifier,
        version=__version__,
        at=datetime.now(UTC),
    )
    try:
        path.write_text(json.dumps(statement, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--vsa: cannot write {path}: {error.strerror}") from error
    return f"{path} holds the summary, unsigned: {statement['predicate']['verificationResult']}"


def _files(names: list[str]) -> Mapping[str, bytes]:
    return {name: Path(name).read_bytes() for name in names if Path(name).is_file()}
