"""What all tests share."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--update-golden`` rewrites what the golden folders expect."""
    parser.addoption("--update-golden", action="store_true", help="rewrite expected files of tests/golden")
