"""``policy test``, put together: each case judged by the policies as they are now, from what was recorded."""

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

from argocd_provenance.cli import edges, gate, operator
from argocd_provenance.cli.cases import Case, Replay, load_cases
from argocd_provenance.cli.operator import Operator
from argocd_provenance.deadline import Deadline
from argocd_provenance.evidence.verify import Verifier
from argocd_provenance.pipeline import Decided, Rules, Run
from argocd_provenance.records import dataclass, replace


@dataclass(frozen=True, slots=True)
class Tested:
    """A case, and what was decided now."""

    case: Case
    decided: Decided

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of the findings, in order, each once."""
        return tuple(sorted({finding.code for finding in self.decided.decision.findings}))

    @property
    def passed(self) -> bool:
        """Whether verdict and codes are those that were expected."""
        return (self.case.verdict, self.case.codes) == (str(self.decided.decision.outcome), self.codes)

    def __str__(self) -> str:
        """What was expected, and what was found."""
        expected = f"{self.case.verdict} [{', '.join(self.case.codes)}]"
        found = f"{self.decided.decision.outcome} [{', '.join(self.codes)}]"
        reasons = "; ".join(
            f"{f.message} (expected {f.expected or '-'}, found {f.found or '-'})"
            for f in self.decided.decision.findings
        )
        return f"expected {expected}, found {found}" + (f": {reasons}" if reasons else "")


def judge_cases(folder: Path, ruled: Operator) -> tuple[Tested, ...]:
    """Every case of `folder`, judged. Raises `OperatorError` for faults of the files."""
    cases = load_cases(folder)
    ruled = operator.check_domains(ruled)
    made: list[Verifier] = []

    def verifier() -> Verifier:
        if not made:
            made.append(edges.verifier(ruled))
        return made[0]

    policies = tuple(replace(policy, applications=None) for policy in ruled.policies)
    return tuple(
        Tested(case, _decided(case, Rules(policies, ruled.config.unmatched, None, _day(case)), verifier))
        for case in cases
    )


def _decided(case: Case, rules: Rules, verifier: Callable[[], Verifier]) -> Decided:
    # A file answers at once: a limit is for a policy that never ends.
    run = Run(rules, Replay(case), verifier, Deadline(60), lambda _done, _total: None)
    return run.decide([case.image])[case.image]


def _day(case: Case) -> date:
    return case.today or gate.today()


def render(tested: Sequence[Tested], form: str) -> str:
    """The results as ``text``, ``json`` or ``junit``."""
    from argocd_provenance.report import casereport

    rows = [casereport.Row(one.case.name, one.case.image, one.passed, str(one)) for one in tested]
    return casereport.render(rows, form)
