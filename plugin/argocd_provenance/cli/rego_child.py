"""The process that evaluates one Rego policy: JSON in, JSON out, and nothing else of this program.

regopy aborts where a binding is missing, and its numbers and sets print as they like; so the question is asked in Rego
itself, whose answer is a text. policy-controller: pkg/policy/rego.go; stricter: every entry of a set must be good.
"""

import json
import sys

_QUESTION = """package argocd_provenance_question

verdict = "yes" { data.sigstore.isCompliant == true }

# The library holds a partial set as an object: its entries are the keys.
entries := [entry | data.sigstore.isCompliant[entry]]

verdict = "yes" {
  count(entries) > 0
  count([entry | entry := entries[_]; good(entry)]) == count(entries)
}

good(entry) { entry.result == true; object.get(entry, "warning", "") == "" }

why[text] { entry := entries[_]; text := object.get(entry, "error", "") }

why[text] { entry := entries[_]; text := object.get(entry, "warning", "") }
"""


def main() -> None:
    """Answer the question on standard input."""
    from regopy import Interpreter

    asked = json.loads(sys.stdin.read())
    rego = Interpreter()
    rego.strict_built_in_errors = True
    try:
        rego.add_module("policy", asked["policy"])
        rego.add_module("question", _QUESTION)
        rego.set_input(asked["input"])
        verdict = _said(rego.query("data.argocd_provenance_question.verdict"))
        if verdict == "yes":
            print(json.dumps({"verdict": "yes"}))  # noqa: T201 - the answer
            return
        why = _said(rego.query('concat("; ", [text | data.argocd_provenance_question.why[text]; text != ""])'))
        print(json.dumps({"verdict": "no", "why": why or ""}))  # noqa: T201 - the answer
    except Exception as error:  # noqa: BLE001 - whatever it is, it is no yes
        print(json.dumps({"fault": " ".join(str(error).split())[:300] or type(error).__name__}))  # noqa: T201 - the answer


def _said(output: object) -> str:
    """The one text that a query gave; empty for anything else."""
    try:
        value = json.loads(str(output))["expressions"][0]
    except (ValueError, KeyError, IndexError, TypeError):
        return ""
    return value if isinstance(value, str) else ""


if __name__ == "__main__":
    main()
