"""The documents are right: what they show runs, what they name exists, what exists is named."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen import cli, errors, ir
from mcugen.ops import base

ROOT = Path(__file__).parent.parent
ARM = bool(shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm"))
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
README = ROOT / "README.md"
COMMANDS = ("targets", "ops", "analyze", "generate", "pio-offline", "validate", "profile")


def blocks(path: Path) -> list[tuple[str, str]]:
    """The fenced blocks of a document: (language, text)."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", path.read_text(), re.M | re.S)
    assert 2 * len(found) == len(re.findall(r"^```", path.read_text(), re.M)), f"{path.name}: an open block"
    return found


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


# ---- what is shown runs ----


def runnable(path: Path) -> list[tuple[str, str]]:
    """Python blocks, and the mcugen commands of shell blocks, in their order; design sketches are looked at below."""
    found: list[tuple[str, str]] = []
    for language, text in blocks(path):
        if language == "python" and path.name != "DESIGN.md":
            found.append((language, text))
        elif language == "sh":
            joined = text.replace("\\\n", " ")
            found += [(language, line) for line in joined.splitlines() if line.startswith("mcugen ")]
    return found


@pytest.mark.parametrize("path", [p for p in DOCUMENTS if runnable(p)], ids=name)
def test_what_is_shown_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of a document in one directory, where the examples lie as in the repository."""
    todo = runnable(path)
    if any("torch" in text for _, text in todo):
        pytest.importorskip("torch")
    if not ARM and any(word in text for _, text in todo for word in ("--on all", "--on qemu")):
        pytest.skip("no arm-none-eabi-gcc or no qemu-system-arm")
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    names: dict[str, Any] = {"__name__": "__main__"}
    for language, text in todo:
        if language == "python":
            exec(compile(text, f"{path.name}, a python block", "exec"), names)
        else:
            argv = shlex.split(text.partition("|")[0], comments=True)[1:]
            assert cli.main(argv) == cli.OK, text


def test_readme_shows_python_and_commands() -> None:
    languages = [language for language, _ in runnable(README)]
    assert "python" in languages and languages.count("sh") >= 3
    assert "@@" not in README.read_text(), "a place was not filled in"


def test_the_sketch_of_the_ir_is_the_ir() -> None:
    (text,) = (text for language, text in blocks(ROOT / "docs" / "DESIGN.md") if language == "python")
    sketch: dict[str, Any] = {"dataclass": dataclass, "np": np, "DType": ir.DType}
    exec(text, sketch)
    for real in (ir.Quant, ir.Tensor, ir.Value):
        drawn = sketch[real.__name__]
        assert is_dataclass(drawn) and [f.name for f in fields(drawn)] == [f.name for f in fields(real)]
    assert all(hasattr(base.Op, m) for m in vars(sketch["Op"]) if not m.startswith("_"))


# ---- what is named exists ----


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_commands_in_the_text_parse(path: Path) -> None:
    """`mcugen COMMAND ...` in running text and tables; in DESIGN.md also what is planned."""
    for line in re.findall(r"`mcugen ([a-z][^`\n]*)`", path.read_text()):
        words = shlex.split(line)
        assert words[0] in COMMANDS or path.name == "DESIGN.md", line
        if len(words) > 1:
            assert cli._parser().parse_args(words)


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_make_targets_exist(path: Path) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.M))
    text = path.read_text()
    lines = re.findall(r"`make ([^`\n]+)`", text)
    for block in (*(t for _, t in blocks(path)), *re.findall(r"(?:^ {4}.*\n)+", text, re.M)):
        lines += re.findall(r"^ *make ([^#\n]*)", block, re.M)
    for line in lines:
        words = re.split(r"\s{2,}", line.strip())[0].split()
        assert words and all(w in targets or "=" in w for w in words), f"make {line}"


def slug(heading: str) -> str:
    """The anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.M | re.S)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?://|mailto:", link):
            continue
        file, _, anchor = link.partition("#")
        target = path.parent / file if file else path
        assert target.exists(), link
        assert target.resolve().is_relative_to(ROOT), link
        if anchor:
            assert anchor in map(slug, re.findall(r"^#+ (.*)$", target.read_text(), re.M)), link


def test_files_that_verified_names_exist() -> None:
    for file in re.findall(
        r"`((?:tests|mcugen|firmware|docs|examples)/[\w./-]+)`", (ROOT / "docs/VERIFIED.md").read_text()
    ):
        assert (ROOT / file).exists(), file


def tracked() -> list[Path]:
    """The files of the repository, those that are new included."""
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("no git checkout")
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [p for n in listed.split("\0") if n and (p := ROOT / n).is_file()]


def test_no_absolute_paths() -> None:
    """No file says where somebody's checkout lies."""
    somewhere = re.compile(rb"(?<![\w.~$}])/(?:work|home|root|Users)/\w|\b[A-Z]:\\\\?(?:Users|home)")
    found = []
    for path in tracked():
        content = path.read_bytes()
        if b"\0" not in content[:8000]:
            found += [f"{name(path)}: {m[0].decode()}" for m in somewhere.finditer(content)]
    assert not found


# ---- what exists is named ----


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented(command: str) -> None:
    assert f"`mcugen {command}" in README.read_text()


def test_the_commands_here_are_all() -> None:
    text = cli._parser().format_help()
    assert tuple(re.findall(r"^    ([a-z-]+)(?: {2,}|$)", text.split("COMMAND")[2], re.M)) == COMMANDS


def test_every_error_is_documented() -> None:
    rows = re.findall(r"^\| (E\d+) \| (.*?) \| (.*?) \|$", (ROOT / "docs" / "ERRORS.md").read_text(), re.M)
    assert [(code, meaning) for code, meaning, _ in rows] == list(errors.CODES.items())
    assert all(len(advice) > 15 and advice.endswith(".") for *_, advice in rows)
