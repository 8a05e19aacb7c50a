"""The closed list of finding codes and ``docs/findings.md`` are one list."""

import re
from pathlib import Path

import pytest

from argocd_provenance.verdict import CODES

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "findings.md").read_text()
SECTIONS = dict(re.findall(r"^### ([a-z-]+)\n(.*?)(?=^##|\Z)", TEXT, re.MULTILINE | re.DOTALL))


class TestFindings:
    def test_every_code_has_a_section_and_every_section_a_code(self) -> None:
        """In the order of the list."""
        assert list(SECTIONS) == list(CODES)

    @pytest.mark.parametrize("code", CODES)
    def test_a_section_says_what_why_and_what_to_do(self, code: str) -> None:
        """And shows a before and an after."""
        section = SECTIONS.get(code, "")

        assert [
            word for word in ("**What.**", "**Why.**", "**Do.**", "**Before.**", "**After.**") if word not in section
        ] == []
