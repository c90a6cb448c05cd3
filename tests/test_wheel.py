"""A wheel has all that a compile needs, and works from where it was installed."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ARCHIVE = ROOT / "examples" / "digits" / "digits.mcugen"
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
LEFT_OUT = shutil.ignore_patterns("__pycache__", ".pio")

pytestmark = pytest.mark.skipif(
    not all(importlib.util.find_spec(m) for m in ("hatchling", "pip")),
    reason="no hatchling or no pip in this environment",
)


def call(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    """Runs a program that must succeed; its standard output."""
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of a copy of the tree: a build must not see what lies about in a checkout."""
    tree, out = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("wheel")
    for directory in ("mcugen", "templates", "firmware"):
        shutil.copytree(ROOT / directory, tree / directory, ignore=LEFT_OUT)
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, tree)
    call(*PIP, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", out, tree, cwd=out)
    (found,) = out.glob("mcugen-*.whl")
    return found


def below(directory: str) -> set[str]:
    """The files of a directory of the tree."""
    root = ROOT / directory
    return {
        str(p.relative_to(root))
        for p in root.rglob("*")
        if p.is_file() and not {"__pycache__", ".pio"} & set(p.relative_to(root).parts)
    }


def test_wheel_contents(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as z:
        names = {n for n in z.namelist() if not n.split("/")[0].endswith(".dist-info")}
        licence = [n for n in z.namelist() if n.endswith("LICENSE")]
    wanted = {f"mcugen/{n}" for n in below("mcugen")}
    wanted |= {f"mcugen/{d}/{n}" for d in ("templates", "firmware") for n in below(d)}
    assert names == wanted
    assert {"mcugen/py.typed", "mcugen/targets/cores.toml", "mcugen/templates/model.c.j2"} <= names
    assert len(licence) == 1


def test_wheel_works_where_it_is_installed(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "installed"
    call(*PIP, "install", "--no-deps", "--no-index", "--target", target, wheel, cwd=tmp_path)
    env = {**os.environ, "PYTHONPATH": str(target)}
    where = "import mcugen, mcugen.resources as r; print(mcugen.__file__, r.TEMPLATES, r.FIRMWARE, sep='\\n')"
    places = call(sys.executable, "-c", where, cwd=tmp_path, env=env).split("\n")
    assert places[:3] == [str(target / "mcugen" / n) for n in ("__init__.py", "templates", "firmware")]
    mcugen = target / "bin" / "mcugen"
    call(mcugen, "generate", ARCHIVE, "--target", "cortex-m4", "-o", "firmware", cwd=tmp_path, env=env)
    assert "PASS  50 of 50" in call(
        mcugen, "validate", "firmware", "--on", "host", "--count", "50", cwd=tmp_path, env=env
    )
    if shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm"):
        assert "PASS  5 of 5" in call(
            mcugen, "validate", "firmware", "--on", "qemu", "--count", "5", cwd=tmp_path, env=env
        )
