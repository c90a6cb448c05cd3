from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings
from objects import compiled_once

from mcugen import toolchain

settings.register_profile("mcugen", derandomize=True, deadline=None, print_blob=True, database=None)
settings.load_profile("mcugen")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite tests/golden from what the compiler emits")


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """True if goldens are to be rewritten instead of compared."""
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture(scope="session")
def bench() -> ModuleType:
    """bench/kernels.py."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "bench"))
    return importlib.import_module("kernels")


@pytest.fixture(scope="session", autouse=True)
def objects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One store of objects for all processes of a run."""
    base = tmp_path_factory.getbasetemp()
    store = (base.parent if base.name.startswith("popen-") else base) / "objects"
    store.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(toolchain, "compile", compiled_once(store))
        yield
