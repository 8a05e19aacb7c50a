"""What all tests share."""

import os

import pytest
from hypothesis import HealthCheck, settings

# The same examples every time, and no opinion about a busy machine; HYPOTHESIS_PROFILE=explore looks for new ones.
settings.register_profile("house", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("explore", deadline=None, max_examples=2000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--update-golden`` rewrites what the golden folders expect."""
    parser.addoption("--update-golden", action="store_true", help="rewrite expected files of tests/golden")
