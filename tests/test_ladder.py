"""Imports go only up the list of docs/DESIGN.md, section 1, and each foreign package has its own few files."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "mcugen"

LADDER = (
    "errors",
    "datasets",
    "resources",
    "ir",
    "fixed",
    "pack",
    "layout",
    "ops",
    "kernels",
    "check",
    "interp",
    "archive",
    "image",
    "results",
    "frontends",
    "passes",
    "targets",  # data: select and plan read a target, so it stands before them
    "program",
    "select",
    "plan",
    "emit",
    "toolchain",
    "sim",
    "report",
    "shrink",
    "budget",
    "driver",
    "project",
    "measure",
    "explain",
    "validate",
    "profile",
    "cli",
    "__main__",
)
# beside the ladder: the training library, and what of the compiler it may use
QAT = {"errors", "ir", "fixed", "pack", "archive", "image", "frontends"}

# who may import what is neither the standard library nor numpy
FOREIGN = {
    "torch": ("frontends/torch.py", "qat/"),
    "tqdm": ("qat/",),
    "matplotlib": ("report.py", "qat/"),
    "jinja2": ("emit.py",),
    "scipy": ("budget.py", "kernels/paired.py", "qat/allocate.py"),
    "onnx": ("frontends/onnx.py",),
    "tflite": ("frontends/tflite.py",),
    "ai_edge_litert": ("frontends/tflite.py",),
    "unicorn": ("sim/",),
    "capstone": ("sim/",),
    "serial": ("sim/", "validate.py"),
}


def files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imports(path: Path, source: str | None = None) -> Iterator[tuple[int, str]]:
    """(line, dotted module) of every import, wherever it stands in the file; relative ones made absolute."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    for node in ast.walk(ast.parse(source if source is not None else path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(parts[: len(parts) - node.level]) if node.level else ""
            module = ".".join(p for p in (start, node.module) if p)
            for alias in node.names:
                yield node.lineno, f"{module}.{alias.name}"


def unit(module: str) -> str | None:
    """The rung of a module of mcugen, or None for the package itself and its names."""
    name = module.split(".")[1] if "." in module else ""
    return name if name and ((PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file()) else None


def climbs(path: Path, source: str | None = None) -> list[str]:
    """The imports of a file that break the ladder, in words."""
    own = path.relative_to(PACKAGE).with_suffix("").parts[0]
    bad = []
    for line, module in imports(path, source):
        other = unit(module) if module.split(".")[0] == "mcugen" else None
        if other is None or other == own or own == "__init__":
            continue
        if own == "qat":
            fits = other in QAT
        else:
            fits = other in LADDER and LADDER.index(other) < LADDER.index(own)
        if not fits:
            bad.append(f"{path.relative_to(ROOT)}:{line}: {own} imports {other}")
    return bad


def foreign(path: Path, source: str | None = None) -> list[str]:
    """The imports of a file that are not its business, in words."""
    own = path.relative_to(PACKAGE).as_posix()
    bad = []
    for line, module in imports(path, source):
        top = module.split(".")[0]
        if top in sys.stdlib_module_names or top in ("mcugen", "numpy"):
            continue
        if not any(own == place or (place.endswith("/") and own.startswith(place)) for place in FOREIGN.get(top, ())):
            bad.append(f"{path.relative_to(ROOT)}:{line}: {top}")
    return bad


def test_every_file_has_its_rung() -> None:
    rungs = {p.relative_to(PACKAGE).with_suffix("").parts[0] for p in files()}
    assert rungs - {*LADDER, "qat", "__init__"} == set(), "a new module wants a place in the ladder and in DESIGN.md"


@pytest.mark.parametrize("path", files(), ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_imports_go_up(path: Path) -> None:
    assert climbs(path) == []


@pytest.mark.parametrize("path", files(), ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_foreign_packages_stay_where_they_belong(path: Path) -> None:
    assert foreign(path) == []


@pytest.mark.parametrize("package", ["ops", "kernels", "passes"])
def test_one_file_each_shares_only_base(package: str) -> None:
    """One operator, kernel or pass knows no other; what they share stands in a file that has none."""
    shared = {"base", "rewrite", "strips"}
    for path in sorted((PACKAGE / package).glob("*.py")):
        if path.stem in (*shared, "__init__"):
            continue
        others = {m.split(".")[2] for _, m in imports(path) if m.startswith(f"mcugen.{package}.")}
        assert others <= shared, path


def test_every_foreign_package_is_declared() -> None:
    declared = (ROOT / "pyproject.toml").read_text()
    used = {m.split(".")[0] for p in files() for _, m in imports(p)}
    for name in used & FOREIGN.keys():
        assert re.search(rf'"{name.replace("_", "-")}[>=<]', declared), name


def test_no_file_imports_itself_late() -> None:
    """An import within a function hides a cycle, unless it is for a foreign package that may be missing.

    The package itself is excepted: its public names come when they are asked for. So are front ends, which need
    packages that compiling an archive does not.
    """
    for path in set(files()) - {PACKAGE / "__init__.py"}:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for inner in ast.walk(node):
                    if isinstance(inner, ast.ImportFrom) and inner.level:
                        assert inner.module == "frontends", f"{path}:{inner.lineno}"


@pytest.mark.parametrize(
    "name,source",
    [
        ("ir.py", "from .fixed import lower"),
        ("ir.py", "from . import fixed"),
        ("ir.py", "import mcugen.fixed"),
        ("ops/add.py", "from ..kernels.base import Kernel"),
        ("ops/add.py", "def f():\n    from .. import kernels"),
        ("kernels/base.py", "from ..select import select"),
        ("emit.py", "from . import cli"),
        ("qat/weights.py", "from ..select import select"),
        ("driver.py", "from .qat import prepare"),
    ],
)
def test_the_test_bites_on_climbers(name: str, source: str) -> None:
    assert len(climbs(PACKAGE / name, source)) == 1


@pytest.mark.parametrize(
    "name,source",
    [
        ("ir.py", "import torch"),
        ("archive.py", "from torch import nn"),
        ("frontends/onnx.py", "import torch"),
        ("plan.py", "import jinja2"),
        ("ir.py", "import scipy.optimize"),
        ("pack.py", "import bitstring"),
        ("interp.py", "def f():\n    import numba"),
    ],
)
def test_the_test_bites_on_strangers(name: str, source: str) -> None:
    assert len(foreign(PACKAGE / name, source)) == 1
