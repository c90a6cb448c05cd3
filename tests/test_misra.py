"""The findings of cppcheck's MISRA addon are those of docs/MISRA.md, or fewer."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from test_emit import golden

from mcugen import resources, toolchain

DOCUMENT = Path(__file__).parent.parent / "docs" / "MISRA.md"
MODEL = "residual"


def documented() -> dict[str, int]:
    row = r"^\| (\d+\.\d+) \| (?:required|advisory|mandatory) \| (\d+) \| .+ \| .+ \|$"
    rows = re.findall(row, DOCUMENT.read_text(), re.M)
    return {rule: int(count) for rule, count in rows}


def findings(work: Path) -> dict[str, set[str]]:
    """rule -> places, each place once however many files include it."""
    if not shutil.which("cppcheck"):
        pytest.skip("no cppcheck")
    golden(MODEL).save(work / "src")
    for path in resources.KERNELS.iterdir():
        shutil.copy(path, work / "src")
    command = ["cppcheck", "-q", "--std=c99", "--platform=arm32-wchar_t4", "--addon=misra", "-D__ARM_FEATURE_DSP=1"]
    command += ["--template={id} {file}:{line}:{column}", *sorted(p.name for p in (work / "src").glob("*.c"))]
    status, text = toolchain.call(command, code="E502", cwd=work / "src")
    if status or "misra.py" in text or "Did not find addon" in text:
        pytest.skip(f"cppcheck has no working MISRA addon: {toolchain.first_lines(text, 2)}")
    assert not [line for line in text.splitlines() if not line.startswith("misra-")], text
    places: dict[str, set[str]] = {}
    for rule, place in re.findall(r"^misra-c2012-(\d+\.\d+) (.+)$", text, re.M):
        places.setdefault(rule, set()).add(place)
    return places


def test_the_list_only_shrinks(tmp_path: Path) -> None:
    places, limits = findings(tmp_path), documented()
    grown = {r: sorted(p) for r, p in places.items() if len(p) > limits.get(r, 0)}
    assert not grown, f"more than docs/MISRA.md says: { {r: (len(p), limits.get(r, 0), p) for r, p in grown.items()} }"
    less = {r: len(places.get(r, ())) for r, n in limits.items() if len(places.get(r, ())) < n}
    if less:
        print(f"docs/MISRA.md can shrink: {less}")


def test_the_document_is_in_order() -> None:
    rules = [tuple(map(int, r.split("."))) for r in documented()]
    assert len(rules) > 10 and rules == sorted(set(rules))
    assert len(re.findall(r"^\| \d", DOCUMENT.read_text(), re.M)) == len(rules)
