from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcugen import resources, toolchain
from mcugen.errors import McugenError, MismatchError, OutputError, TargetError, ToolError
from mcugen.sim import armv6m, host, qemu
from mcugen.sim.host import Bytes, HostModel, Result

HEADER = """
#include <stdint.h>
#define FAKE_IN_LEN %(length)s
#define FAKE_OUT_LEN %(length)s
struct fake {
    uint32_t arena[%(words)s];
};
void fake_step(struct fake *m, unsigned step, const uint8_t *x, int16_t *y);
void fake_run(struct fake *m, const uint8_t *x, int16_t *y);
"""

# Two steps over the values, the last bytes of the arena unused: y = 3 * table[x] - 100.
SOURCE = """
#include "fake.h"

static const uint8_t table[256] = {%(table)s};

void fake_step(struct fake *m, unsigned step, const uint8_t *x, int16_t *y)
{
    uint8_t *const t = (uint8_t *)m->arena;
    volatile int far = 0; /* what the compiler cannot see, it cannot warn of */

    (void)far;
    for (unsigned i = 0; step == 0 && i < FAKE_IN_LEN; i++)
        t[i] = table[x[i]];
    for (unsigned i = 0; step == 1 && i < FAKE_OUT_LEN; i++)
        y[i] = (int16_t)(3 * t[i] - 100);
    if (step == 1) {
        %(extra)s
    }
}

void fake_run(struct fake *m, const uint8_t *x, int16_t *y)
{
    fake_step(m, 0, x, y);
    fake_step(m, 1, x, y);
}
"""

KAT = """
#include "fake.h"
#define KAT_MODEL_NAME "fake"
#define KAT_IN_BYTES FAKE_IN_LEN
#define KAT_OUT_BYTES (2 * FAKE_OUT_LEN)
#define KAT_STEPS 2
#define KAT_ARENA_BYTES %(arena)s
#define KAT_COUNT %(count)s
static const uint8_t kat_x[KAT_COUNT][KAT_IN_BYTES] = {%(x)s};
static const uint8_t kat_y[KAT_COUNT][KAT_OUT_BYTES] = {%(y)s};
typedef struct fake kat_model;
static inline void kat_run(kat_model *m, const uint8_t *x, uint8_t *y)
{
    fake_run(m, x, (int16_t *)(void *)y);
}
static inline void kat_step(kat_model *m, unsigned step, const uint8_t *x, uint8_t *y)
{
    fake_step(m, step, x, (int16_t *)(void *)y);
}
"""

TABLE = np.random.default_rng(1).permutation(256).astype(np.uint8)
X = np.random.default_rng(2).integers(0, 256, (300, 5)).astype(np.uint8)

ARM = bool(shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm"))
needs_arm = pytest.mark.skipif(not ARM, reason="no arm-none-eabi-gcc or no qemu-system-arm")

needs_unicorn = pytest.mark.skipif(not armv6m.installed(), reason="no package unicorn: pip install 'mcugen[sim]'")

MACHINES = [
    "plain",
    "sanitised",
    pytest.param("microbit", marks=needs_arm),
    pytest.param("mps2-an386", marks=needs_arm),
    pytest.param("armv6m", marks=[needs_arm, needs_unicorn]),
]
EMULATED = MACHINES[2:]
EVERY_CORE = [*(pytest.param(name, marks=needs_arm) for name in qemu.MACHINES), EMULATED[-1]]


def fake_outputs(x: Bytes) -> Bytes:
    return (3 * TABLE[x].astype("<i2") - 100).view(np.uint8)


def c_rows(rows: Bytes) -> str:
    return ",\n".join("{" + ", ".join(map(str, row)) + "}" for row in rows.tolist())


def generate(directory: Path, *, extra: str = "", x: Bytes = X[:7], want: Bytes | None = None) -> Path:
    directory.mkdir(exist_ok=True)
    y = fake_outputs(x) if want is None else want
    words = x.shape[1] // 4 + 1
    kat = {"count": len(x), "x": c_rows(x), "y": c_rows(y), "arena": 4 * words}
    (directory / "fake.h").write_text(HEADER % {"length": x.shape[1], "words": words})
    (directory / "fake.c").write_text(SOURCE % {"table": ", ".join(map(str, TABLE)), "extra": extra})
    (directory / "fake_kat.h").write_text(KAT % kat)
    return directory


def run_on(
    machine: str,
    directory: Path,
    x: Bytes | None = None,
    want: Bytes | None = None,
    trace: bool = False,
    timeout: float = 30.0,
) -> Result:
    if machine == "plain":
        return host.run_kat(directory, "fake", x, want, trace, flags=host.OPTIMIZE, timeout=timeout)
    if machine == "sanitised":
        return host.run_kat(directory, "fake", x, want, trace, timeout=timeout)
    if machine == "armv6m":
        return armv6m.run_kat(directory, "fake", x, want, trace, timeout=timeout)
    return qemu.run_kat(directory, "fake", machine, x, want, trace, timeout=timeout)


def run_program(machine: str, source: Path, cwd: Path) -> tuple[int, str]:
    """Exit status and text of a program of one file on an emulated core."""
    if machine == "armv6m":
        return armv6m.run_elf(armv6m.build_elf([source], [], {}, cwd / "elf"), cwd)
    return qemu.run_elf(qemu.build_elf([source], [], {}, machine, cwd / "elf"), machine, cwd)


@pytest.mark.parametrize("machine", MACHINES)
def test_embedded_vectors(tmp_path: Path, machine: str) -> None:
    result = run_on(machine, generate(tmp_path))
    assert result.passed, result.text
    assert result.text.splitlines()[-1] == "PASS 7"
    assert result.failures == ()
    assert result.trace is None


@pytest.mark.parametrize("machine", MACHINES)
def test_wrong_embedded_vector(tmp_path: Path, machine: str) -> None:
    want = fake_outputs(X[:7])
    want[4, 3] ^= 0x80
    want[4, 9] ^= 1
    result = run_on(machine, generate(tmp_path, want=want))
    assert not result.passed
    (failure,) = result.failures
    right = int(fake_outputs(X[:7])[4, 3])
    assert (failure.vector, failure.index, failure.got, failure.want) == (4, 3, right, right ^ 0x80)
    assert result.text.splitlines()[-1] == "FAIL 1 of 7"


@pytest.mark.parametrize("machine", MACHINES)
def test_streamed_vectors(tmp_path: Path, machine: str) -> None:
    want = fake_outputs(X)
    wrong = want.copy()
    wrong[299, 9] += 1
    result = run_on(machine, generate(tmp_path), X, wrong)
    assert [failure.vector for failure in result.failures] == [299]
    assert result.text.splitlines()[-1] == "FAIL 1 of 300"
    np.testing.assert_array_equal(result.outputs, want)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("streamed", [False, True])
def test_every_byte_is_compared(tmp_path: Path, machine: str, streamed: bool) -> None:
    x = np.tile(X[:66, :1], (1, 33))
    want = fake_outputs(x)
    want[np.arange(66), np.arange(66)] ^= 1
    directory = generate(tmp_path, x=x, want=want)
    result = run_on(machine, directory, x, want) if streamed else run_on(machine, directory)
    assert [(failure.vector, failure.index) for failure in result.failures] == [(i, i) for i in range(66)]


@pytest.mark.parametrize("machine", EMULATED)
def test_stack_is_measured(tmp_path: Path, machine: str) -> None:
    extra = "volatile uint8_t big[1000]; for (unsigned i = 0; i < sizeof big; i++) big[i] = 1;"
    small = run_on(machine, generate(tmp_path / "small")).stack_bytes
    large = run_on(machine, generate(tmp_path / "large", extra=extra)).stack_bytes
    assert small is not None
    assert large is not None
    assert 64 <= small <= 512
    assert 900 <= large - small <= 1100


@pytest.mark.parametrize("machine", MACHINES)
def test_trace(tmp_path: Path, machine: str) -> None:
    directory = generate(tmp_path)
    result = run_on(machine, directory, X[:9], fake_outputs(X[:9]), trace=True)
    assert result.passed, result.text
    assert result.trace is not None
    assert result.trace.arena.shape == (9, 2, 8)
    for step in range(2):
        np.testing.assert_array_equal(result.trace.arena[:, step, :5], TABLE[X[:9]])
    np.testing.assert_array_equal(result.trace.y[:, 1], fake_outputs(X[:9]))
    for noise in (result.trace.arena[:, 0, 5:], result.trace.y[:, 0]):  # of bytes that nobody has written yet
        assert len(np.unique(noise, axis=0)) == 9
    assert (result.trace.y[1:, 0] != result.trace.y[:-1, 1]).any(axis=1).all()  # nor left from the last run
    other = HostModel(directory, "fake").trace(X[:9])  # the noise in unused bytes included
    np.testing.assert_array_equal(result.trace.arena, other.arena)
    np.testing.assert_array_equal(result.trace.y, other.y)


WILD = {
    "behind the model": ("((uint8_t *)m)[8 + far] = x[0];", "wrote outside of the model struct"),
    "before the model": ("((uint8_t *)m)[far - 1] = x[0];", "wrote outside of the model struct"),
    "behind y": ("((uint8_t *)y)[2 * FAKE_OUT_LEN + far] = x[0];", "wrote outside of y"),
    "before y": ("((uint8_t *)y)[far - 1] = x[0];", "wrote outside of y"),
    "the input": ("((uint8_t *)(uintptr_t)x)[far] = (uint8_t)(x[far] + 1);", "changed its input"),
}


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("where", WILD)
def test_wild_write(tmp_path: Path, machine: str, where: str) -> None:
    extra, message = WILD[where]
    result = run_on(machine, generate(tmp_path, extra=extra))
    assert not result.passed
    said = " ".join(failure.text for failure in result.failures)
    if machine != "sanitised" or where == "the input":
        assert message in said
        assert result.text.splitlines()[-1] == "FAIL 7 of 7"
    else:
        assert "AddressSanitizer" in said


@pytest.mark.parametrize("machine", EMULATED)
def test_trace_names_the_step_of_a_wild_write(tmp_path: Path, machine: str) -> None:
    directory = generate(tmp_path, extra=WILD["behind the model"][0])
    result = run_on(machine, directory, X[:1], fake_outputs(X[:1]), trace=True)
    assert "vector 0: damage in step 1" in result.text
    assert {failure.vector for failure in result.failures} == {0}


@pytest.mark.parametrize("where", WILD)
def test_wild_write_in_library(tmp_path: Path, where: str) -> None:
    extra, message = WILD[where]
    model = HostModel(generate(tmp_path, extra=extra), "fake")
    with pytest.raises(MismatchError, match=rf"E601.*fake: vector 0: .*{message}"):
        model.run(X[:3])


@pytest.mark.parametrize("memory", ["(uint8_t *)m + 8", "(uint8_t *)m - 1", "(uint8_t *)y + 10", "x + 5"])
def test_wild_read_is_seen_by_the_sanitiser(tmp_path: Path, memory: str) -> None:
    read = f"*(const volatile uint8_t *)({memory} + far)"
    directory = generate(tmp_path, extra=f"y[0] = (int16_t)(y[0] + ({read} & 0));")
    assert run_on("plain", directory).passed
    result = run_on("sanitised", directory)
    assert not result.passed
    assert "AddressSanitizer" in result.failures[0].text


@pytest.mark.parametrize("machine", MACHINES)
def test_uninitialised_arena(tmp_path: Path, machine: str) -> None:
    result = run_on(machine, generate(tmp_path, extra="y[0] = (int16_t)(y[0] + t[7]);"))
    assert not result.passed
    assert all(failure.index in (0, 1) for failure in result.failures)
    assert len(result.failures) >= 6  # one in 256 finds a zero


@pytest.mark.parametrize("machine", MACHINES)
def test_output_never_written(tmp_path: Path, machine: str) -> None:
    directory = generate(tmp_path)
    source = directory / "fake.c"
    source.write_text(source.read_text().replace("i < FAKE_OUT_LEN", "i < FAKE_OUT_LEN - 1"))
    result = run_on(machine, directory)
    assert {failure.index for failure in result.failures} <= {8, 9}
    assert len(result.failures) >= 6


@pytest.mark.parametrize("machine", MACHINES)
def test_hanging_firmware(tmp_path: Path, machine: str) -> None:
    with pytest.raises(ToolError, match=r"E503.*did not finish in 0.5 s"):
        run_on(machine, generate(tmp_path, extra="while (far == 0) { }"), timeout=0.5)


@pytest.mark.parametrize("machine", ["plain", "sanitised"])
def test_crash_on_the_host(tmp_path: Path, machine: str) -> None:
    result = run_on(machine, generate(tmp_path, extra="*(volatile uint8_t *)(uintptr_t)(far + 16) = 1;"))
    assert not result.passed
    assert "killed by signal" in result.failures[0].text or "Sanitizer" in result.failures[0].text


@pytest.mark.parametrize("machine", EVERY_CORE)
def test_fault(tmp_path: Path, machine: str) -> None:
    result = run_on(machine, generate(tmp_path, extra='__asm__ volatile("udf #0");'), X, fake_outputs(X))
    assert not result.passed
    assert len(result.outputs) == 0
    said = result.failures[0].text  # the step may be inlined
    assert re.match(r"FAULT exception 3 at pc 0x[0-9a-f]{8} in fake_(step|run)(: |$)", said)


@needs_arm
def test_unaligned_access_faults_on_cortex_m0(tmp_path: Path) -> None:
    extra = "y[0] = (int16_t)(y[0] + (int16_t)(*(const volatile uint32_t *)(const void *)x & 0u));"
    directory = generate(tmp_path, extra=extra)
    assert run_on("mps2-an386", directory).passed
    result = run_on("microbit", directory)
    assert "FAULT" in result.failures[0].text


UNALIGNED = {
    "load": "*(const volatile uint32_t *)(const void *)(p + 2) + 1u",
    "load of a half": "*(const volatile uint16_t *)(const void *)(p + 1) + 1u",
    "store": "*(volatile uint32_t *)(void *)(p + 1) = 1u",
    "store of a half": "*(volatile uint16_t *)(void *)(p + 3) = 1u",
}


@needs_arm
@needs_unicorn
@pytest.mark.parametrize("what", UNALIGNED)
def test_unaligned_access_faults_in_unicorn(tmp_path: Path, what: str) -> None:
    extra = f"uint8_t *const p = t + 4 * far; (void)({UNALIGNED[what]});"
    result = run_on("armv6m", generate(tmp_path, extra=extra))
    said = result.failures[0].text
    assert re.fullmatch(r"FAULT exception 3 at pc 0x[0-9a-f]{8} in fake_(step|run): unaligned access", said)
    assert not result.passed


@needs_arm
@needs_unicorn
@pytest.mark.parametrize(
    "code", ["ldm %0!, {r1, r2}", "stm %0!, {r1, r2}", "ldr r1, [%0, #4]", "strh r1, [%0]", "ldrsh r1, [%0, r1]"]
)
def test_multiple_access_is_checked_too(tmp_path: Path, code: str) -> None:
    source = tmp_path / "main.c"
    source.write_text(
        "#include <stdint.h>\nint main(void)\n{\n    static uint8_t block[16];\n    uint8_t *p = block + 1;\n"
        f'    __asm__ volatile(".syntax unified\\nmovs r1, #0\\n{code}"'
        ' : "+l"(p) : : "r1", "r2", "memory", "cc");\n    return 0;\n}\n'
    )
    status, text = run_program("armv6m", source, tmp_path)
    assert status == 3 and "unaligned access" in text


@needs_arm
@needs_unicorn
@pytest.mark.parametrize("address", ["0x20040000", "0x1ffffffc", "0x00100000", "0x40000000"])
def test_access_outside_of_the_memories(tmp_path: Path, address: str) -> None:
    result = run_on(
        "armv6m", generate(tmp_path, extra=f"*(volatile uint8_t *)(uintptr_t)({address}u + (unsigned)far);")
    )
    assert f"1 bytes at {address}" in result.failures[0].text


@needs_arm
@needs_unicorn
def test_write_to_flash(tmp_path: Path) -> None:
    result = run_on("armv6m", generate(tmp_path, extra="*(volatile uint8_t *)(uintptr_t)(far + 16) = 1;"))
    assert "1 bytes at 0x00000010" in result.failures[0].text


@needs_arm
@needs_unicorn
def test_code_of_another_core_is_refused(tmp_path: Path) -> None:
    flags = ("-mcpu=cortex-m3", "-mthumb")
    with pytest.raises(ToolError, match=r"E503.*unicorn(.|\n)*FAULT.*is no Armv6-M instruction"):
        armv6m.run_kat(generate(tmp_path), "fake", flags=flags)


NARROW = "cbz r0, 1f; cbnz r1, 1f; it eq; addeq r0, r0, r1"
WIDE = (
    "movw r0, #5; ldr.w r0, [r1, #300]; udiv r0, r1, r2; ldrd r0, r1, [r2]; b.w 1f; tbb [pc, r0]; strex r0, r1, [r2]; "
    "add.w r0, r1, r8; mls r0, r1, r2, r3; smull r0, r1, r2, r3; ubfx r0, r1, #2, #3; clz r0, r1; push.w {r4, r9}; "
    "clrex; bfc r0, #1, #2; rbit r0, r1; ssat r0, #8, r1; beq.w 1f"
)
V6M = (
    "lsls r0, r1, #3; adds r0, r1, r2; subs r0, #200; muls r0, r1; bics r0, r1; mov r8, r1; cmp r8, r9; add r8, r1; "
    "bx lr; blx r3; ldr r0, 2f; str r0, [r1, r2]; ldrsb r0, [r1, r2]; ldrsh r0, [r1, r2]; strb r0, [r1, #31]; "
    "ldr r0, [sp, #8]; add r0, sp, #16; add sp, #508; sub sp, #8; sxth r0, r1; sxtb r0, r1; uxth r0, r1; uxtb r0, r1; "
    "push {r0-r7, lr}; pop {r0-r7, pc}; rev r0, r1; rev16 r0, r1; revsh r0, r1; cpsid i; cpsie i; bkpt 0xab; nop; wfe; "
    "wfi; sev; yield; stm r0!, {r1, r2}; ldm r0!, {r1, r2}; beq 1f; svc 3; udf #1; b 1f; bl 1f; mrs r0, msp; "
    "msr primask, r0; dmb; dsb; isb; adr r0, 2f; rsbs r0, r1, #0; mvns r0, r1; sbcs r0, r1; rors r0, r1; tst r0, r1"
)


@needs_arm
@pytest.mark.parametrize(
    "core, lines, foreign", [("cortex-m3", NARROW, 3), ("cortex-m3", WIDE, 18), ("cortex-m0", V6M, 0)]
)
def test_instructions_of_armv6m_are_told_from_others(tmp_path: Path, core: str, lines: str, foreign: int) -> None:
    source = tmp_path / "code.S"
    body = lines.replace("; ", "\n")
    source.write_text(f".syntax unified\n.thumb\n.text\n{body}\n.balign 4\n1: nop\nnop\n2: .word 0xb100b100\n")
    (made,) = toolchain.compile(
        toolchain.arm_gcc(), [source], tmp_path, flags=[f"-mcpu={core}", "-mthumb"], warnings=()
    )
    assert len(list(armv6m.foreign_instructions(armv6m.read_image(made)))) == foreign


@needs_arm
def test_stack_overflow(tmp_path: Path) -> None:
    extra = "volatile uint8_t big[20000]; for (unsigned i = 0; i < sizeof big; i++) big[i] = 1;"
    result = run_on("microbit", generate(tmp_path, extra=extra))
    assert not result.passed
    assert any("FAULT" in failure.text or "Lockup" in failure.text for failure in result.failures)


@needs_arm
def test_stack_that_grows_into_data(tmp_path: Path) -> None:
    source = tmp_path / "deep.c"
    source.write_text(
        '#include "port.h"\n'
        "extern uint32_t __stack_limit__[];\n"
        "int main(void)\n{\n    __stack_limit__[0] = 0;\n    return 0;\n}\n"
    )
    elf = qemu.build_elf([source], [], {}, "microbit", tmp_path / "deep.elf")
    assert qemu.run_elf(elf, "microbit", tmp_path) == (3, "FAULT stack overflow\n")


@needs_arm
def test_model_too_large_for_the_machine(tmp_path: Path) -> None:
    directory = generate(tmp_path)
    header = directory / "fake.h"
    header.write_text(header.read_text().replace("arena[2]", "arena[5000]"))
    with pytest.raises(ToolError, match=r"E502(.|\n)*RAM"):
        run_on("microbit", directory)
    small_core = qemu.MACHINES["microbit"].flags  # its code, on a machine with the memory for it
    assert qemu.run_kat(directory, "fake", "mps2-an386", flags=small_core).passed


@needs_arm
def test_assembly_is_built_and_sizes_are_read(tmp_path: Path) -> None:
    directory = generate(tmp_path, extra="y[0] = (int16_t)(y[0] + same(0));")
    header = directory / "fake.h"
    header.write_text(header.read_text() + "int same(int v);\n")
    (directory / "same.S").write_text(
        ".syntax unified\n.thumb\n.text\n.global same\n.type same, %function\nsame:\n    bx lr\n"
    )
    for machine in ("microbit", "mps2-an386"):
        assert run_on(machine, directory).passed
    sources = [directory / "fake.c", directory / "same.S", resources.TEST / "kat.c"]
    defines = host.kat_defines(directory, "fake")
    elf = qemu.build_elf(sources, [directory], defines, "microbit", tmp_path / "kat.elf")
    sizes = toolchain.object_sizes(elf)
    assert sizes["data"] == 0
    assert 256 + 7 * 15 <= sizes["rodata"] < 2000  # the table and the vectors
    assert 60 <= sizes["bss"] < 400
    assert 500 < sizes["text"] < 6000


PORT_TEST = r"""
#include "port.h"
int main(void)
{
    uint8_t data[5];
    const int in = port_open_read("in");
    const int out = port_open_write("out");

    port_print_u32(4294967295u);
    port_print(" ");
    port_print_u32(0);
    port_print(" ");
    port_print_i32(-2147483647 - 1);
    port_print(" ");
    port_print_i32(port_open_read("absent"));
    port_print(" ");
    port_print_i32(port_read(in, data, 5));
    port_print_i32(port_write(out, data, 5));
    port_print_i32(port_read(in, data, 5));
    port_print_i32(port_write(out, data, 2));
    port_print_i32(port_read(in, data, 5));
    port_close(in);
    port_close(out);
    port_exit(77);
}
"""


@pytest.mark.parametrize("machine", [MACHINES[0], *EVERY_CORE])
def test_port(tmp_path: Path, machine: str) -> None:
    source = tmp_path / "main.c"
    source.write_text(PORT_TEST)
    (tmp_path / "in").write_bytes(b"\0\1\2\n\r\x1a\xff")
    if machine == "plain":
        exe = host.build_exe([source], [], {}, tmp_path / "exe")
        status, text = host.run_exe(exe, tmp_path)
    else:
        status, text = run_program(machine, source, tmp_path)
    assert (status, text) == (77, "4294967295 0 -2147483648 -1 55220")
    assert (tmp_path / "out").read_bytes() == b"\0\1\2\n\r\x1a\xff"


# An emulator's memory is zero when it starts, a board's is not: so spoil it and start again.
RESTART = """
#include "port.h"
void Reset_Handler(void);
static volatile unsigned char odd[3] = {1, 2, 3};
static volatile unsigned zero[5];
int main(void)
{
    if (port_open_read("restarted") < 0) {
        port_close(port_open_write("restarted"));
        odd[0] = odd[2] = 99;
        zero[0] = zero[4] = 99;
        Reset_Handler();
    }
    return odd[0] + odd[1] * 2 + odd[2] * 3 + (int)zero[0] + (int)zero[4];
}
"""


@pytest.mark.parametrize("machine", EVERY_CORE)
def test_data_and_bss_are_set_up(tmp_path: Path, machine: str) -> None:
    source = tmp_path / "main.c"
    source.write_text(RESTART)
    assert run_program(machine, source, tmp_path) == (14, "")


# The part number of the core's identification register (CPUID), and one instruction of each unit that start-up enables.
PARTS = {
    "microbit": 0xC20,
    "mps2-an385": 0xC23,
    "mps2-an386": 0xC24,
    "mps2-an500": 0xC27,
    "mps2-an505": 0xD21,
    "mps3-an547": 0xD22,
}
UNITS = r"""
#include "port.h"
int main(void)
{
    int sum = 0;
#if defined(__ARM_FP) && __ARM_FP
    volatile float half = 0.5f;
    __asm__ volatile("" ::: "memory");
    sum += (int)(half * 4.0f);
#endif
#if defined(__ARM_FEATURE_DSP)
    uint32_t product;
    __asm__ volatile("smuad %0, %1, %2" : "=r"(product) : "r"(0x00020003), "r"(0x00050007));
    sum += (int)product;
#endif
#if defined(__ARM_FEATURE_MVE)
    uint32_t total;
    __asm__ volatile("vdup.8 q0, %1\n\tvaddv.u8 %0, q0" : "=r"(total) : "r"(3));
    sum += (int)total;
#endif
    port_print_u32(*(volatile uint32_t *)0xE000ED00u >> 4 & 0xFFFu);
    return sum;
}
"""


def test_every_machine_is_tested() -> None:
    assert set(PARTS) == set(qemu.MACHINES)
    for name in qemu.MACHINES:
        memory = (resources.PORT / name / "link.ld").read_text()
        found = re.findall(r"LENGTH = (\d+)([KM])", memory)
        flash, ram = (int(n) << {"K": 10, "M": 20}[unit] for n, unit in found)
        assert (flash, ram) == (qemu.MACHINES[name].flash, qemu.MACHINES[name].ram), name


@pytest.mark.parametrize("machine", EVERY_CORE[:-1])
def test_the_core_and_its_units(tmp_path: Path, machine: str) -> None:
    source = tmp_path / "main.c"
    source.write_text(UNITS)
    elf = qemu.build_elf([source], [], {}, machine, tmp_path / "elf")
    units = {"microbit": 0, "mps2-an385": 0, "mps3-an547": 2 + 31 + 48}.get(machine, 2 + 31)
    assert qemu.run_elf(elf, machine, tmp_path) == (units, str(PARTS[machine]))


def test_library(tmp_path: Path) -> None:
    model = HostModel(generate(tmp_path / "one"), "fake")
    assert (model.in_bytes, model.out_bytes, model.steps, model.arena_bytes) == (5, 10, 2, 8)
    np.testing.assert_array_equal(model.run(X), fake_outputs(X))
    np.testing.assert_array_equal(model.run(X[::2, ::-1]), fake_outputs(X[::2, ::-1]))
    assert model.run(X[:0]).shape == (0, 10)
    other = HostModel(generate(tmp_path / "two", extra="y[0] = 0;"), "fake")  # same name, other code
    assert not other.run(X)[:, :2].any()
    np.testing.assert_array_equal(model.run(X), fake_outputs(X))


def test_library_refuses_other_inputs(tmp_path: Path) -> None:
    model = HostModel(generate(tmp_path), "fake")
    wrong: Any
    for wrong in (X[0], X[:, :4], X.view(np.int8)):
        with pytest.raises(OutputError, match="E704"):
            model.run(wrong)
        with pytest.raises(OutputError, match="E704"):
            model.trace(wrong)


def test_vectors_of_another_model(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"E704.*another size"):
        run_on("plain", generate(tmp_path), X[:, :4], fake_outputs(X))
    with pytest.raises(OutputError, match=r"E704.*not uint8"):
        run_on("plain", generate(tmp_path), X, fake_outputs(X)[1:])
    with pytest.raises(OutputError, match=r"E704.*come together"):
        run_on("plain", generate(tmp_path), X)


@pytest.mark.parametrize("size, message", [(3, "ends too early"), (24, "no file of"), (30, "no file of")])
def test_damaged_vectors(tmp_path: Path, size: int, message: str) -> None:
    directory = generate(tmp_path / "model")
    sources = [directory / "fake.c", resources.TEST / "kat.c"]
    exe = host.build_exe(sources, [directory], host.kat_defines(directory, "fake"), tmp_path / "exe")
    (tmp_path / "kat.bin").write_bytes(bytes(size))
    with pytest.raises(ToolError, match=rf"E503(.|\n)*{message}"):
        host.read_result(tmp_path, *host.run_exe(exe, tmp_path))
    host.write_vectors(tmp_path / "kat.bin", X, fake_outputs(X))
    whole = (tmp_path / "kat.bin").read_bytes()
    (tmp_path / "kat.bin").write_bytes(whole[:-1])
    with pytest.raises(ToolError, match=r"E503(.|\n)*ends too early"):
        host.read_result(tmp_path, *host.run_exe(exe, tmp_path))


def test_compile_error_is_reported(tmp_path: Path) -> None:
    directory = generate(tmp_path, extra="y[0] = undeclared;")
    for machine in ["plain", "microbit"] if ARM else ["plain"]:
        with pytest.raises(ToolError, match=r"E502.*fake.c(.|\n)*undeclared"):
            run_on(machine, directory)


def test_not_a_generated_directory(tmp_path: Path) -> None:
    for wrong in (tmp_path, tmp_path / "absent"):
        with pytest.raises(OutputError, match="E701"):
            HostModel(wrong, "fake")
    with pytest.raises(OutputError, match=r"E701.*other_kat.h"):
        HostModel(generate(tmp_path), "other")


def test_missing_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = generate(tmp_path)
    for name in ("CC", "MCUGEN_ARM_GCC", "PLATFORMIO_CORE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))

    def code(run: object) -> str:
        assert callable(run)
        with pytest.raises(McugenError) as error:
            run()
        return error.value.code

    assert code(lambda: HostModel(directory, "fake")) == "E501"
    assert code(lambda: run_on("sanitised", directory)) == "E501"
    assert code(lambda: run_on("microbit", directory)) == "E501"
    assert code(lambda: qemu.run_elf(tmp_path / "x.elf", "microbit", tmp_path)) == "E501"


def test_unknown_machine(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"E401.*toaster.*microbit"):
        run_on("toaster", generate(tmp_path))


@needs_arm
def test_emulator_that_fails(tmp_path: Path) -> None:
    status, text = qemu.run_elf(tmp_path / "absent.elf", "microbit", tmp_path)
    assert status != 0
    assert "absent.elf" in text
    with pytest.raises(ToolError, match=r"E503.*no verdict"):
        host.read_result(tmp_path, status, text)
