from __future__ import annotations

import pytest
from hypothesis import settings

settings.register_profile("mcugen", derandomize=True, deadline=None, print_blob=True, database=None)
settings.load_profile("mcugen")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite tests/golden from what the compiler emits")


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """True if goldens are to be rewritten instead of compared."""
    return bool(request.config.getoption("--update-golden"))
