"""What mcugen.h lets a build decide: where hot code and weights go, and what is done round each step."""

from __future__ import annotations

import re
import shutil
from functools import cache
from pathlib import Path

import pytest

from mcugen import archive, driver, emit, resources, toolchain
from mcugen.driver import Artifact
from mcugen.sim import host, qemu

needs_arm = pytest.mark.skipif(
    not (shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm")),
    reason="no arm-none-eabi-gcc or no qemu-system-arm",
)
DIGITS = Path(__file__).parent.parent / "examples" / "digits" / "digits.mcugen"
MACHINES = {"cortex-m0": "microbit", "cortex-m3": "mps2-an385", "cortex-m4": "mps2-an386"}
ISA = {"cortex-m0": "m0", "cortex-m3": "m3", "cortex-m4": "dsp"}
RAM = 0x20000000
QSPI = 0x00020000  # an address that these machines have, for tables


@cache
def artifact(core: str) -> Artifact:
    """A convolutional network whose kernels are assembled on every core."""
    return driver.compile(archive.load(DIGITS), target=core, optimize="speed")


def run(a: Artifact, directory: Path, *options: str) -> tuple[str, Path]:
    """What kat.c prints on the machine of the artifact's core, and the program."""
    machine, elf = MACHINES[a.target.core.name], directory / "kat.elf"
    sources = [*host.sources_of(directory, (".c", ".S")), resources.TEST / "kat.c"]
    defines = host.kat_defines(directory, a.name)
    qemu.build_elf(sources, [directory], defines, machine, elf, optimize=(*qemu.OPTIMIZE, *options))
    return qemu.run_elf(elf, machine, directory)[1], elf


@needs_arm
@pytest.mark.parametrize("core", MACHINES)
def test_hot_code_in_ram(core: str, tmp_path: Path) -> None:
    a = artifact(core)
    a.save(tmp_path)
    text, elf = run(a, tmp_path, "-DMCUGEN_HOT_SECTION=.ramfunc")
    assert "PASS" in text, text
    code = {s.name: s.address for s in toolchain.symbols(elf) if s.kind == "function" and s.name.startswith("mcugen1_")}
    compiled = {
        n for p in tmp_path.glob("*.c") for n in re.findall(r"^MCUGEN_WEAK \w+ (mcugen1_\w+)", p.read_text(), re.M)
    }
    assert {n for n, at in code.items() if at >= RAM} == code.keys() - compiled
    stem = "sparse" if ISA[core] == "m0" else "paired"
    assert {
        f"mcugen1_{stem}_{ISA[core]}",
        f"mcugen1_{stem}_next",
        "mcugen1_lanes_below_thumb",
    } <= code.keys() - compiled


@needs_arm
def test_weights_in_a_section(tmp_path: Path) -> None:
    a = artifact("cortex-m4")
    a.save(tmp_path)
    text, elf = run(a, tmp_path, "-DMCUGEN_WEIGHTS_SECTION=.qspi", f"-Wl,--section-start=.qspi={QSPI:#x}")
    assert "PASS" in text, text
    tables = {s.name: s.address for s in toolchain.symbols(elf) if re.fullmatch("digits_[a-z0-9]+_[a-z0-9]+", s.name)}
    assert {"digits_conv2_weights", "digits_fc_weights"} <= tables.keys() and min(tables.values()) >= QSPI


def test_steps_are_told(tmp_path: Path) -> None:
    a = artifact("cortex-m4")
    a.save(tmp_path)
    (tmp_path / "hooks.h").write_text(
        "#ifndef __ASSEMBLER__\nvoid begins(const char *model, unsigned step);\nvoid ends(const char *, unsigned);\n"
        "#define MCUGEN_STEP_BEGINS(model, step) begins(model, step)\n"
        "#define MCUGEN_STEP_ENDS(model, step) ends(model, step)\n#endif\n"
    )
    (tmp_path / "main.c").write_text(
        '#include <stdio.h>\n#include "hooks.h"\n#include "digits.h"\n'
        "static const char *const names[] = {DIGITS_STEP_NAMES};\nstatic struct digits m;\n"
        "static uint8_t x[DIGITS_IN_LEN];\nstatic int16_t y[DIGITS_OUT_LEN];\n"
        'void begins(const char *model, unsigned step) { printf("%s %u %s", model, step, names[step]); }\n'
        'void ends(const char *model, unsigned step) { printf(" %s %u\\n", model, step); }\n'
        "int main(void) { digits_run(&m, x, y); return 0; }\n"
    )
    cc = toolchain.host_cc()
    flags = ["-include", str(tmp_path / "hooks.h")]
    objects = toolchain.compile(cc, sorted(tmp_path.glob("*.c")), tmp_path, flags=flags, include=[tmp_path])
    program = toolchain.link(cc, objects, tmp_path / "told", flags=[])
    _, text = toolchain.call([str(program)], code="E503", timeout=10, cwd=tmp_path)
    steps = a.program.steps
    assert text.splitlines() == [f"digits {i} {s.name} digits {i}" for i, s in enumerate(steps)]


def test_names_are_literals(tmp_path: Path) -> None:
    strange = 'a "b"\\ ??/ \u00e9\n1'
    (tmp_path / "q.c").write_text(
        f"#include <stdio.h>\nint main(void) {{ fputs({emit._quoted(strange)}, stdout); return 0; }}\n"
    )
    cc = toolchain.host_cc()
    objects = toolchain.compile(cc, [tmp_path / "q.c"], tmp_path)
    program = toolchain.link(cc, objects, tmp_path / "q", flags=[])
    assert toolchain.call([str(program)], code="E503", timeout=10, cwd=tmp_path)[1] == strange
