"""The linked image and the stack: measured against emulators, against the estimate, against broken call graphs."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import test_emit as emitted

from mcugen import cli, driver, measure, report, targets, toolchain
from mcugen.errors import ToolError
from mcugen.sim import qemu

sys.path.insert(0, str(Path(__file__).parent.parent / "bench"))
import networks

ARCHIVE = Path(__file__).parent.parent / "examples" / "digits" / "digits.mcugen"
ARM = bool(shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm"))
needs_arm = pytest.mark.skipif(not ARM, reason="no arm-none-eabi-gcc or no qemu-system-arm")
MAIN = 300  # bytes of stack that the test firmware may take round the model


@needs_arm
@pytest.mark.parametrize("target, goal", [("cortex-m0", "size"), ("cortex-m4", "speed")])
def test_digits_on_an_emulated_core(target: str, goal: str, tmp_path: Path) -> None:
    """The bound holds what is seen, and is not far above it."""
    artifact = driver.compile(ARCHIVE, target=target, optimize=goal)
    found = measure.measure(artifact)
    assert found.stack is not None
    artifact.save(tmp_path / "digits")
    result = qemu.run_kat(tmp_path / "digits", "digits", artifact.target.machine, flags=artifact.target.flags)
    assert result.passed and result.stack_bytes is not None
    # A pointer in a layer's struct may be any that some layer has: the bound can be above what main() and it took.
    assert result.stack_bytes - MAIN <= found.stack <= result.stack_bytes + MAIN
    assert found.weights == artifact.report["totals"]["weight_bytes"]
    assert found.total == found.weights + found.tables + found.kernels + found.library
    assert min(found.tables, found.kernels, found.library) > 0


@needs_arm
@pytest.mark.parametrize("name", ["mlp", "residual", "separable", "requantize", "int8", "digits"])
def test_the_estimates_error_is_as_stated(name: str) -> None:
    artifact = driver.compile(ARCHIVE, target="cortex-m4") if name == "digits" else emitted.golden(name)
    estimate, linked = artifact.report["totals"]["flash_bytes_estimated"], measure.measure(artifact).total
    low, high = report.ESTIMATE_RANGE
    assert low <= 100 * (estimate - linked) / linked <= high


@needs_arm
@pytest.mark.parametrize("target", ["cortex-m3", "cortex-m4", "nucleo-g0b1re"])
def test_functions_that_only_some_cores_have(target: str) -> None:
    """Elsewhere their names are macros for the definition in C, which is in the call graph."""
    graph = networks.network("vww", 0.2, "int8-first-dw")
    artifact = driver.compile(graph, target=target, optimize="speed")
    names = {f.function for s in artifact.program.steps for f in s.bound.fields}
    assert "mcugen1_relayout_3to4" in names
    assert 300 < (measure.measure(artifact).stack or 0) < 1000


@needs_arm
@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m3"])
def test_code_for_one_core_links_for_another(core: str, tmp_path: Path) -> None:
    """As a whole, without leaving out what is not used."""
    graph = networks.network("vww", 0.2, "int8-first-dw")
    artifact = driver.compile(graph, target="cortex-m4", optimize="speed")
    names = {f.function for s in artifact.program.steps for f in s.bound.fields}
    assert {"mcugen1_relayout_12to9", "mcugen1_relayout_3to4"} < names
    artifact.save(tmp_path)
    (tmp_path / "main.c").write_text(
        '#include "vww.h"\nvoid *volatile m;\nint main(void) { vww_run(m, m, m); return 0; }\n'
    )
    cc, flags = toolchain.arm_gcc(), targets.get(core).flags
    sources = sorted(p for p in tmp_path.iterdir() if p.suffix in (".c", ".S"))
    objects = toolchain.compile(cc, sources, tmp_path, flags=[*flags, "-O1"], include=[tmp_path], warnings=())
    toolchain.link(cc, objects, tmp_path / "image", flags=[*flags, "-nostartfiles", "-Wl,--entry=main"])


@needs_arm
def test_symbols_and_library(tmp_path: Path) -> None:
    source = tmp_path / "a.c"
    source.write_text("unsigned f(unsigned a, unsigned b) { return a / b; }\nint main(void) { return (int)f(7, 2); }\n")
    cc = toolchain.arm_gcc()
    flags = ["-mcpu=cortex-m0", "-mthumb", "-O0"]
    objects = toolchain.compile(cc, [source], tmp_path, flags=flags, warnings=())
    image = toolchain.link(cc, objects, tmp_path / "a", flags=[*flags, "-nostartfiles", "-Wl,--entry=main"])
    kind, size = toolchain.symbol_sizes(image)["f"]
    assert kind == "function" and size > 4
    frames, calls = measure._library(toolchain.disassemble(cc, image))
    assert "f" in calls["main"] and "__udivsi3" in " ".join(calls["f"]) + " ".join(frames) and frames["f"] >= 16
    assert measure.deepest("main", frames, calls) >= frames["main"] + frames["f"]


LISTING = """00000000 <f>:
   0:\tpush\t{r4, r5-r7, lr}
   2:\tsub\tsp, #24
   4:\tbl\t10 <g>
   8:\tb.n\t4 <f+0x4>
00000010 <g>:
  10:\tstmdb\tsp!, {r4, lr}
  14:\tvpush\t{d8-d9}
  18:\tstr\tr0, [sp, #-8]!
  1c:\tbeq.n\t0 <h>
  20:\tblx\tr3
"""


def test_frames_of_instructions() -> None:
    assert measure._library(LISTING) == ({"f": 44, "g": 32}, {"f": {"g"}, "g": {"h", measure.INDIRECT}})


def test_call_graphs() -> None:
    frames = {"run": 8, "a": 16, "b": 32, "p": 64}
    assert measure.deepest("run", frames, {"run": {"a", "b"}, "a": {measure.INDIRECT}, measure.INDIRECT: {"p"}}) == 88
    with pytest.raises(ToolError, match=r"E504.*recursion: a -> b -> a"):
        measure.deepest("run", frames, {"run": {"a"}, "a": {"b"}, "b": {"a"}})
    with pytest.raises(ToolError, match=r"E504.*stack of unknown"):
        measure.deepest("run", frames, {"run": {"unknown"}})
    with pytest.raises(ToolError, match=r"E504.*stack of __indirect_call"):
        measure.deepest("run", frames, {"run": {measure.INDIRECT}, measure.INDIRECT: set()})
    text = """node: { title: "f" label: "f\\na.c:1:2\\n40 bytes (static)" }
edge: { sourcename: "f" targetname: "g" label: "a.c:3:4" }
"""
    assert measure._graph(text) == ({"f": 40}, {"f": {"g"}})
    with pytest.raises(ToolError, match=r"E504.*f: its frame is dynamic"):
        measure._graph(text.replace("static", "dynamic"))


def run(capsys: pytest.CaptureFixture[str], *line: str) -> tuple[int, Any]:
    status = cli.main(["analyze", str(ARCHIVE), *line, "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_every_targets_verdict_is_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    status, document = run(capsys, "--all-targets", "--estimate")
    rows = document["targets"]
    assert [r["target"] for r in rows] == list(targets.names()) and status == cli.OK
    for r in rows:
        t = targets.get(r["target"])
        assert (r["flash"], r["ram"]) == (t.flash, t.ram) and not r["flash_measured"] and r["stack_bytes"] is None
        assert r["fits"] == (r["flash_bytes"] <= t.flash and r["ram_total_bytes"] <= t.ram) == (not r["over"])
    assert run(capsys, "--all-targets", "--estimate", "--max-flash", "1K")[0] == cli.NO
    assert cli.main(["analyze", str(ARCHIVE), "--all-targets", "--estimate", "--max-ram", "100"]) == cli.NO
    text = capsys.readouterr().out
    assert text.count("ram by ") == len(rows) and report.ESTIMATE_ERROR in text


def test_a_compiler_that_is_missing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> toolchain.Compiler:
        raise ToolError("E501", "is not on PATH")

    monkeypatch.setattr(toolchain, "arm_gcc", missing)
    assert cli.main(["analyze", str(ARCHIVE), "--target", "cortex-m0"]) == cli.OK
    text = capsys.readouterr().out
    assert "estimated: tables" in text and report.ESTIMATE_ERROR in text and "\nstack" not in text


def test_milliseconds(capsys: pytest.CaptureFixture[str]) -> None:
    target = targets.get("cortex-m0")
    _, document = run(capsys, "--target", "cortex-m0", "--estimate")
    ms = document["totals"]["ms_estimated"]
    assert ms == pytest.approx(1000 * document["totals"]["cycles_estimated"] / target.clock, abs=1e-3)
    line = ("--target", "cortex-m0", "--estimate", "--max-ms")
    assert run(capsys, *line, str(ms + 1))[0] == cli.OK
    status, document = run(capsys, *line, str(ms - 1))
    assert status == cli.NO and document["over"] == [{"what": "ms", "used": ms, "limit": ms - 1, "over": 1.0}]
    for wrong in (("--max-ms", "x"), ("--max-ms", "-1"), ("--max-ms", "nan"), ()):
        target_words = ("--target", "cortex-m0") if wrong else ()
        status, document = run(capsys, *target_words, *wrong)
        assert status == cli.ERROR and document["error"]["code"] == "E703"
