"""The cycle simulator: every timing rule by hand, instructions against QEMU's, slow flash in closed form."""

from __future__ import annotations

import importlib.util
import json
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import test_emit as emitted

from mcugen import cli, driver, profile, targets, toolchain
from mcugen.errors import McugenError, MismatchError, OutputError, TargetError, ToolError
from mcugen.sim import cycles, qemu, timing
from mcugen.sim.cycles import Flash

PACKAGES = all(importlib.util.find_spec(p) for p in ("unicorn", "capstone"))
ARM = bool(shutil.which("arm-none-eabi-gcc"))
pytestmark = pytest.mark.skipif(not (PACKAGES and ARM), reason="no unicorn, capstone or arm-none-eabi-gcc")
needs_qemu = pytest.mark.skipif(not shutil.which("qemu-system-arm"), reason="no qemu-system-arm")

M0, PLUS, M3, M4, M33 = "cortex-m0", "cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m33"
P = 2  # refill
# r0 and r1: 64 bytes of zeros each, aligned to 8; r2 = 7, r3 = 3, all others 0. The sums are by hand from the table or
# the section that is named: DDI 0432C (M0), DDI 0484C (M0+), DDI 0337I (M3), DDI 0439D (M4).
V6 = {
    # table 3-1 of both
    "adds r2, r2, r3; lsls r2, r2, #3; muls r2, r3": {M0: 3, PLUS: 3},
    "ldr r2, [r0]; ldr r3, [r1]; ldrb r2, [r0, r3]": {M0: 6, PLUS: 6},
    "str r2, [r0]; strh r2, [r0, #2]; strb r2, [r1, r3]": {M0: 6, PLUS: 6},
    "ldm r0!, {r2, r3}": {M0: 1 + 2, PLUS: 1 + 2},
    "stm r0!, {r2, r3, r4}": {M0: 1 + 3, PLUS: 1 + 3},
    "push {r4, r5}; pop {r4, r5}": {M0: 6, PLUS: 6},
    "b 1f; nop; 1:": {M0: 3, PLUS: 2},
    "cmp r2, #9; beq 1f; nop; 1: nop": {M0: 4, PLUS: 4},
    "cmp r2, #7; beq 1f; nop; 1: nop": {M0: 1 + 3 + 1, PLUS: 1 + 2 + 1},
    "mov r12, lr; bl 1f; b 2f; 1: bx lr; 2: mov lr, r12": {M0: 1 + 4 + 3 + 3 + 1, PLUS: 1 + 3 + 2 + 2 + 1},
    "mov r12, lr; bl 1f; b 2f; 1: push {r4, lr}; pop {r4, pc}; 2: mov lr, r12": {
        M0: 1 + 4 + 3 + (4 + 2) + 3 + 1,
        PLUS: 1 + 3 + 3 + (3 + 2) + 2 + 1,
    },
    "adr r2, 1f; mov pc, r2; .balign 4; 1:": {M0: 1 + 3, PLUS: 1 + 2},
    "dmb; mrs r2, primask": {M0: 4 + 4, PLUS: 3 + 3},
    "ldr r2, =0x12345678": {M0: 2, PLUS: 2},
}
V7 = {
    # table 3-1
    "add r2, r2, r3, lsl #3; bfi r2, r3, #1, #2; clz r2, r3; movw r2, #999": {M3: 4, M4: 4},
    "mul r2, r2, r3": {M3: 1, M4: 1},
    "mla r2, r2, r3, r3; mls r2, r2, r3, r3": {M3: 4, M4: 2},
    "smull r4, r5, r2, r3": {M3: 3, M4: 1},  # 3 to 5: short operands
    "umlal r4, r5, r2, r3": {M3: 4, M4: 1},  # 4 to 7
    "mvn r4, #0; lsr r4, r4, #1; smlal r5, r6, r4, r4": {M3: 2 + 7, M4: 2 + 1},
    "udiv r2, r4, r3": {M3: 2, M4: 2},  # 2 to 12: 0 / 3
    "mvn r4, #0; movs r5, #1; udiv r2, r4, r5": {M3: 2 + 12, M4: 2 + 12},
    "mvn r4, #0; movs r5, #1; sdiv r2, r4, r5": {M3: 2 + 4, M4: 2 + 4},  # -1 / 1: a quotient of one bit
    "b 1f; nop; 1:": {M3: 1 + P, M4: 1 + P},
    "cmp r2, #9; beq 1f; nop; 1: nop": {M3: 4, M4: 4},
    "cmp r2, #7; beq 1f; nop; 1: nop": {M3: 1 + 1 + P + 1, M4: 1 + 1 + P + 1},
    "cbz r2, 1f; nop; 1: cbz r4, 2f; nop; 2:": {M3: 1 + 1 + 1 + P, M4: 1 + 1 + 1 + P},
    "mov r12, lr; bl 1f; b 2f; 1: bx lr; 2: mov lr, r12": {M3: 2 + 3 * (1 + P), M4: 2 + 3 * (1 + P)},
    "mov r12, lr; bl 1f; b 2f; 1: push {r4, lr}; pop {r4, pc}; 2: mov lr, r12": {
        M3: 2 + 2 * (1 + P) + 3 + (3 + P),
        M4: 2 + 2 * (1 + P) + 3 + (3 + P),
    },
    "adr r2, 1f; mov pc, r2; .balign 4; 1:": {M3: 1 + 1 + P, M4: 1 + 1 + P},
    "tbb [pc, r4]; 1: .byte (2f - 1b) / 2, 0; 2:": {M3: 2 + P, M4: 2 + P},
    "adr r2, 1f; nop; ldr pc, [r2]; .balign 4; 1: .word 2f + 1; 2:": {M3: 1 + 1 + 2 + P, M4: 1 + 1 + 2 + P},
    "push {r4-r7}; pop {r4-r7}": {M3: 10, M4: 10},
    "ldm r0, {r2-r5}; stm r1, {r2, r3}": {M3: 1 + 4 + 1 + 2, M4: 1 + 4 + 1 + 2},
    "ldrd r4, r5, [r0]; strd r4, r5, [r1]": {M3: 6, M4: 6},
    # an IT instruction is folded onto a 16-bit instruction before it; what it skips takes a cycle
    "cmp r2, r3; ite hi; addhi r2, #1; addls r2, #2": {M3: 1 + 0 + 2, M4: 1 + 0 + 2},
    "cmp.w r2, r3; it hi; addhi r2, #1": {M3: 1 + 1 + 1, M4: 1 + 1 + 1},
    "cmp r2, r3; ite ls; ldrls r2, [r0]; movhi r2, r3": {M3: 1 + 0 + 1 + 1, M4: 1 + 0 + 1 + 1},
    "cmp r2, r3; it ls; bxls lr": {M3: 1 + 0 + 1, M4: 1 + 0 + 1},
    # section 3.3.2, load/store timings, with the manuals' own examples
    "ldr r2, [r0]; ldr r3, [r1]": {M3: 3, M4: 3},
    "ldr r2, [r0, r4]; str r2, [r1, #20]": {M3: 3, M4: 3},
    "ldr r2, [r0, r4]; str r3, [r1, r4]": {M3: 3, M4: 3},
    "ldr r2, [r0, r5]; ldr r3, [r1]; ldr r12, [r0, #4]": {M3: 4, M4: 4},
    "ldr r4, [r0]; ldr r5, [r4]": {M3: 4, M4: 4},  # the address is the first one's result
    "str r2, [r0]; str r3, [r1, #4]": {M3: 2, M4: 2},  # base and offset: always one cycle
    "str r2, [r0, r4]": {M3: 2, M4: 2},
    "str r2, [r0]; ldr r3, [r1]": {M3: 3, M4: 3},  # nothing is pipelined after a store
    "ldr r2, [r0], #4; ldr r3, [r1]": {M3: 4, M4: 4},  # nor round a base update (DDI 0337I alone)
    "ldr r2, [r0]; nop; ldr r3, [r1]": {M3: 5, M4: 5},
    "ldr r2, [r0]; ldm r1, {r3, r4}": {M3: 2 + 3, M4: 2 + 3},
    "add r0, r0, #4; ldr r2, [r0]": {M3: 1 + 3, M4: 1 + 3},  # no forwarding to the address
    "add r0, r0, #4; nop; ldr r2, [r0]": {M3: 4, M4: 4},
    "ldr r2, [r0, #2]; ldr.w r12, [r0, #1]": {M3: 2 + 1 + 1 + 2, M4: 2 + 1 + 1 + 2},  # unaligned: 1, 2 cycles more
    "ldrh r2, [r0, #2]; nop; ldrh r12, [r0, #1]; nop; strh r12, [r0, #3]": {M3: 8 + 1, M4: 8 + 1},
    # table 3-2, the DSP extension; table 7-1, the FPU
    "smlad r4, r2, r3, r4; smlawb r5, r2, r3, r4; uxtab16 r4, r4, r3, ror #8; usat r5, #8, r5, asr #15": {M4: 4},
    "vadd.f32 s0, s1, s2; vldr s3, [r0]; vmla.f32 s0, s1, s2; vdiv.f32 s4, s1, s2": {M4: 1 + 2 + 3 + 14},
}
V7 = {code: {**want, M33: want[M4]} for code, want in V7.items()}  # the M33 has the M4's table
RULES = [(core, code, want) for table in (V6, V7) for code, each in table.items() for core, want in each.items()]


@cache
def rules(core: str) -> cycles.Machine:
    """A program with a function for each sequence of a core; rule_0 is empty."""
    text = ".syntax unified\n.thumb\n.text\n"
    for i, code in enumerate(["", *(c for k, c, _ in RULES if k == core)]):
        text += f".balign 16\n.global rule_{i}\n.type rule_{i}, %function\nrule_{i}:\n{code}\nbx lr\n.ltorg\n"
        text += f".size rule_{i}, . - rule_{i}\n"
    return assembled(text, core)


def assembled(text: str, core: str, flash: Flash | None = None) -> cycles.Machine:
    with tempfile.TemporaryDirectory() as work:
        source = Path(work) / "text.S"
        source.write_text(text)
        elf = cycles.build_elf([source], "rule_0", Path(work) / "text.elf", core)
        return cycles.Machine(elf, core, flash)


def spent(machine: cycles.Machine, function: str) -> int:
    zeros = np.zeros(64, np.uint8)
    return machine.call(function, [zeros, zeros, 7, 3]).cycles


@pytest.mark.parametrize("core", [M0, PLUS, M3, M4, M33])
def test_the_timing_of_each_rule(core: str) -> None:
    machine = rules(core)
    nothing = spent(machine, "rule_0")
    assert nothing == {M0: 3, PLUS: 2}.get(core, 1 + P)  # BX
    found = {
        code: (spent(machine, f"rule_{i}") - nothing, want)
        for i, (code, want) in enumerate([(c, w) for k, c, w in RULES if k == core], 1)
    }
    assert {code: pair for code, pair in found.items() if pair[0] != pair[1]} == {}


INNER = """
    ldm     r3, {r0-r3}
    uxtab16 r10, r10, r3
    uxtab16 r11, r11, r3, ror #8
    ldrh    r3, [r12], #2
    uxtab16 r4, r4, r0
    uxtab16 r5, r5, r0, ror #8
    add     r3, lr
    uxtab16 r6, r6, r1
    uxtab16 r7, r7, r1, ror #8
    uxtab16 r8, r8, r2
    uxtab16 r9, r9, r2, ror #8
"""


@pytest.mark.parametrize("entries", [1, 16])
def test_an_entry_of_the_sparse_kernel_takes_16_cycles(entries: int, tmp_path: Path) -> None:
    """Sixteen multiply-accumulates of one weight: 5 + 2 + 8 + 1, and nothing stalls."""
    source = tmp_path / "inner.S"
    head = ".syntax unified\n.thumb\n.global inner\n.type inner, %function\ninner: push {r4-r11, lr}\n"
    head += "mov r12, r1\nmov lr, r0\nmov r3, r0\nnop\n"
    source.write_text(head + entries * INNER + "pop {r4-r11, pc}\n.size inner, . - inner\n")
    run = cycles.call(source, "inner", [np.zeros(16, np.uint8), np.zeros(16, np.uint16)])
    assert run.cycles == (1 + 9) + 4 + 16 * entries + (1 + 9 + P)
    assert run.instructions == 5 + 11 * entries + 1 and run.functions[0].calls == 1


def test_m7_is_rough_and_issues_two_at_a_time() -> None:
    head = ".syntax unified\n.thumb\n.global rule_0\n.type rule_0, %function\nrule_0:\n"
    took = {
        code: spent(assembled(f"{head}{code}\nbx lr\n", "cortex-m7"), "rule_0")
        for code in ("", "movs r2, #1; movs r3, #2; movs r1, #1; movs r0, #2", "adds r2, #1; adds r2, #1; adds r2, #1")
    }
    nothing, independent, chain = took.values()
    assert (independent - nothing, chain - nothing) == (2, 3)
    assert timing.TIMINGS["cortex-m7"].basis == "rough" and timing.TIMINGS["cortex-m33"].basis == "estimate"


# ---- instructions ----


@needs_qemu
@pytest.mark.parametrize(
    "core, machine, name",
    [
        (M0, "mps2-an385", "residual"),  # Armv6-M code, in the memory of a larger machine
        (M3, "mps2-an385", "separable"),
        (M4, "mps2-an386", "residual"),
        ("cortex-m7", "mps2-an500", "mlp"),
        (M33, "mps2-an505", "int8"),
        (M4, "mps3-an547", "residual"),
    ],
)
def test_as_many_instructions_as_qemu_executes(core: str, machine: str, name: str, tmp_path: Path) -> None:
    """The same program, step by step and as a whole, to the instruction."""
    artifact = driver.compile(emitted.golden(name).archive, target=core)
    artifact.save(tmp_path / name)
    elf = qemu.build_count(tmp_path / name, name, machine, tmp_path / "count.elf", flags=targets.get(core).flags)
    x = driver.vectors(artifact.archive, 1)[0]
    counted = qemu.count(elf, machine, x.tobytes())
    y = np.zeros(len(counted.y), np.uint8)
    arena = np.zeros(artifact.plan.arena + 8, np.uint8)
    run = cycles.Machine(elf, core, step=f"{name}_step").call(f"{name}_run", [arena, x, y], parts=len(counted.steps))
    assert run.instructions == counted.total
    steps = [sum(f.instructions for f in row if f.name != f"{name}_run") for row in run.rows]
    assert steps == [0, *counted.steps] and run.rows[0][0].name == f"{name}_run"
    assert run.arrays[2].tobytes() == counted.y and run.unknown == ()


# ---- flash ----


@pytest.mark.parametrize(
    "waits, line, prefetch", [(5, 16, True), (11, 16, True), (3, 8, False), (2, 16, True), (0, 8, True)]
)
def test_straight_code_in_slow_flash(waits: int, line: int, prefetch: bool) -> None:
    """The first line is waited for; a later one, if prefetched, beyond the work in the line before."""
    count = 16 * line // 2 - 1  # and BX: 16 lines
    text = f".syntax unified\n.thumb\n.balign 16\n.global rule_0\n.type rule_0, %function\nrule_0:\n.rept {count}\n"
    text += "movs r2, #1\n.endr\nbx lr\n"
    run = assembled(text, M4, Flash(waits, line, prefetch)).call("rule_0")
    later = max(0, 1 + waits - line // 2) if prefetch else waits
    assert run.waits == waits + 15 * later
    assert run.cycles == count + 1 + P + run.waits == assembled(text, M4).call("rule_0").cycles + run.waits


def test_a_cache_ends_the_waits_of_a_loop() -> None:
    text = ".syntax unified\n.thumb\n.balign 16\n.global rule_0\n.type rule_0, %function\nrule_0: mov r2, r0\n"
    text += "1: .rept 40\nadds r3, #1\n.endr\nsubs r2, #1\nbne 1b\nbx lr\n"
    for n in (1, 10):
        lines = -(-2 * (1 + 40 + 3) // 16)
        cached = assembled(text, M4, Flash(4, 16, False, 8)).call("rule_0", [n])
        assert cached.waits == 4 * lines
        again = assembled(text, M4, Flash(4, 16, False, 2)).call("rule_0", [n])
        assert again.waits == 4 * lines * n


@pytest.mark.parametrize("lines, misses", [(0, 7), (1, 7), (2, 4), (3, 3)])
def test_the_line_used_longest_ago_makes_room(lines: int, misses: int) -> None:
    """Lines 0, 1, 0, 2, 0, 1, 0: with two kept, 1 makes room for 2 and is missed again, and 2 for it; 0 never."""
    text = ".syntax unified\n.thumb\n.global rule_0\n.type rule_0, %function\n.balign 16\nrule_0: adr r1, 2f\n"
    text += "".join(f"ldrb r3, [r1, #{16 * line}]\n" for line in (0, 1, 0, 2, 0, 1, 0))
    text += "bx lr\n.balign 16\n2: .space 64\n"
    waits = assembled(text, M4, Flash(3, 16, False, 64, lines)).call("rule_0").waits
    code = -(-(2 + 7 * 2 + 2) // 16)
    assert waits == 3 * code + 3 * misses


@pytest.mark.parametrize("lines", [0, 1, 4])
def test_constants_come_from_flash_too(lines: int) -> None:
    """Each byte of 64 is waited for, or each line once."""
    text = ".syntax unified\n.thumb\n.global rule_0\n.type rule_0, %function\n.balign 16\nrule_0: adr r1, 2f\n"
    text += "movs r2, #64\n1: ldrb r3, [r1], #1\nsubs r2, #1\nbne 1b\nbx lr\n.balign 16\n2: .space 64\n"
    code = assembled(text, M4, Flash(0, 16, False, 64)).call("rule_0")
    run = assembled(text, M4, Flash(3, 16, False, 64, lines)).call("rule_0")
    assert run.waits - 3 == 3 * (64 if lines == 0 else 4)  # the code is one line
    assert run.cycles - run.waits == code.cycles == 2 + 64 * (2 + 1 + 1 + P) - P + 1 + P


# ---- calls ----

CODE = """
#include <stdint.h>
int32_t mix(const int16_t *a, int32_t *out, uint32_t n, int32_t b, int32_t c, int32_t d);
int32_t mix(const int16_t *a, int32_t *out, uint32_t n, int32_t b, int32_t c, int32_t d)
{
    for (uint32_t i = 0; i < n; i++) {
        out[i] = a[i] * b + c - d;
    }
    *(volatile uint32_t *)0x20004000u += n;
    return out[n - 1] / c;
}
void hang(void);
void hang(void) { for (;;) { } }
void wild(void);
void wild(void) { *(volatile uint32_t *)0xA0000000u = 1; }
uint32_t misaligned(const uint8_t *p);
uint32_t misaligned(const uint8_t *p) { return *(const volatile uint32_t *)(p + 1); }
"""


@pytest.mark.parametrize("core", [M0, M3, M4, M33, "cortex-m7"])
def test_a_function_is_called_with_arrays_and_memory(core: str, tmp_path: Path) -> None:
    source = tmp_path / "mix.c"
    source.write_text(CODE)
    a = np.arange(-4, 4, dtype=np.int16)
    args: list[Any] = [a, np.zeros((2, 4), np.int32), 8, 1000, 10, -7]
    memory = {0x20004000: (5).to_bytes(4, "little")}
    run = cycles.call(source, "mix", args, memory, core=core)
    want = a.astype(np.int32).reshape(2, 4) * 1000 + 17
    assert np.array_equal(run.arrays[1], want) and np.array_equal(run.arrays[0], a)
    assert run.value == want[1, 3] // 10 and run.memory == {0x20004000: (13).to_bytes(4, "little")}
    assert (
        sum(f.cycles for f in run.functions) == run.cycles
        and sum(f.instructions for f in run.functions) == run.instructions
    )
    again = cycles.call(source, "mix", args, memory, core=core)
    assert (again.cycles, again.functions) == (run.cycles, run.functions)
    elf = cycles.build_elf([source], "mix", tmp_path / "mix.elf", core)
    same = cycles.call(elf, "mix", args, memory, core=core)
    assert same.cycles == run.cycles
    shown = same.listing(elf).splitlines()
    assert shown[0] == "mix:" or "mix:" in shown
    assert sum(int(line.split()[2].replace(",", "")) for line in shown if not line.endswith(":")) == same.cycles


def test_a_struct_with_pointers(tmp_path: Path) -> None:
    """What a kernel takes: a struct in memory that points to tables and functions."""
    source = tmp_path / "kernel.c"
    source.write_text(
        "struct k { const short *table; int (*f)(int); int n; };\n"
        "int twice(int v);\nint twice(int v) { return 2 * v; }\n"
        "int run(const struct k *k);\n"
        "int run(const struct k *k) { int s = 0; for (int i = 0; i < k->n; i++) s += k->f(k->table[i]); return s; }\n"
    )
    elf = cycles.build_elf([source], "run", tmp_path / "kernel.elf", keep=["twice"])
    machine = cycles.Machine(elf, M4)
    table = np.array([3, -1, 5], np.int16)
    words = np.array([0x30000000, machine.address("twice"), 3], np.uint32)
    run = machine.call("run", [words], {0x30000000: table.tobytes()})
    assert run.value == 14
    assert {f.name: f.calls for f in run.functions} == {"run": 1, "twice": 3}


def test_calls_that_cannot_be(tmp_path: Path) -> None:
    source = tmp_path / "mix.c"
    source.write_text(CODE)
    with pytest.raises(ToolError, match=r"\[E503\].*did not return in 0.1 s.* in hang"):
        cycles.call(source, "hang", timeout=0.1)
    with pytest.raises(ToolError, match=r"\[E503\].* in wild"):
        cycles.call(source, "wild")
    elf = cycles.build_elf([source], "mix", tmp_path / "mix.elf")
    with pytest.raises(OutputError, match=r"\[E701\].*has no other"):
        cycles.call(elf, "other")
    with pytest.raises(TargetError, match=r"\[E401\] cortex-m55"):
        cycles.call(elf, "mix", core="cortex-m55")
    with pytest.raises(ToolError, match=r"\[E503\].* in misaligned"):
        cycles.call(source, "misaligned", [np.zeros(8, np.uint8)], core=M0)
    with pytest.raises(ToolError, match=r"\[E503\].*is no Armv6-M instruction"):
        cycles.call(cycles.build_elf([source], "mix", tmp_path / "m4.elf", M4), "mix", core=M0)
    with pytest.raises(OutputError, match=r"\[E703\]"):
        cycles.call(elf, "mix", flash=Flash(1, 2))
    source.write_text("int mix(void) { return }")
    with pytest.raises(ToolError, match=r"\[E502\]"):
        cycles.call(source, "mix")


@pytest.mark.parametrize("package", ["unicorn", "capstone"])
def test_without_its_packages_it_says_so(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n, *a: None if n == package else real(n, *a))
    with pytest.raises(ToolError, match=rf"\[E501\] {package}"):
        cycles.require()


# ---- profiles ----


@cache
def profiled(core: str, waits: int | bool = False) -> profile.Profile:
    return profile.profile(driver.compile(emitted.golden("residual").archive, target=core), wait_states=waits)


@pytest.mark.parametrize("core", [M0, PLUS, M3, M4, M33, "cortex-m7"])
def test_layers_and_functions_add_up(core: str) -> None:
    p = profiled(core)
    assert sum(x.cycles or 0 for x in p.layers) == sum(f.cycles for f in p.functions) == p.cycles
    assert sum(x.instructions for x in p.layers) == sum(f.instructions for f in p.functions) == p.instructions
    artifact = driver.compile(emitted.golden("residual").archive, target=core)
    assert [x.name for x in p.layers[:-1]] == [s.name for s in artifact.program.steps]
    assert all(x.cycles for x in p.layers) and p.unknown == () and p.waits == 0
    if core == M4:
        assert profile.profile(artifact) == p
    calls = {f.name: f.calls for f in p.functions}
    assert calls["residual_run"] == 1 and calls["residual_step"] == len(artifact.program.steps)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="no ziglang")
def test_zigs_clang_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise ToolError("E501", "taken away", where="arm-none-eabi-gcc")

    by_gcc = profiled(M4)  # before it is taken away
    monkeypatch.delenv("MCUGEN_ARM_GCC", raising=False)
    monkeypatch.setattr(toolchain, "arm_gcc", missing)
    p = profile.profile(driver.compile(emitted.golden("residual").archive, target=M4))
    assert sum(x.cycles or 0 for x in p.layers) == p.cycles and p.cycles != by_gcc.cycles


def test_wait_states_only_add(capsys: pytest.CaptureFixture[str]) -> None:
    plain, slow = profiled(M4), profiled(M4, 5)
    assert slow.cycles and plain.cycles and slow.cycles - slow.waits == plain.cycles
    assert slow.instructions == plain.instructions and slow.waits > 0
    assert profiled(M4, 0).cycles == plain.cycles
    art = profile.flash_of(targets.get("nucleo-f446re"))
    assert (art.wait_states, art.code_lines, art.data_lines) == (targets.get("nucleo-f446re").wait_states, 64, 8)
    with pytest.raises(OutputError, match=r"\[E703\] cortex-m4: the wait states"):
        profile.flash_of(targets.get(M4))


@needs_qemu
def test_helium_has_instructions_only() -> None:
    p = profiled("cortex-m55")
    assert p.cycles is None and p.ms is None and p.basis == "instructions" and p.functions == ()
    assert sum(x.instructions for x in p.layers) == p.instructions and all(x.cycles is None for x in p.layers)
    assert "instructions/MAC" in profile.text(p)
    with pytest.raises(TargetError, match=r"\[E401\]"):
        profiled("cortex-m55", 1)


def test_a_wrong_answer_is_no_measurement(tmp_path: Path) -> None:
    artifact = driver.compile(emitted.golden("mlp").archive, target=M4)
    artifact.save(tmp_path / "mlp")
    path = tmp_path / "mlp" / "mcugen_fixed.h"
    path.write_text(path.read_text().replace("acc * t->mult[c]", "(acc + 4000) * t->mult[c]"))
    with pytest.raises(MismatchError, match=r"\[E601\] mlp on Unicorn: output byte"):
        profile.profile(tmp_path / "mlp")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    directory = tmp_path / "residual"
    driver.compile(emitted.golden("residual").archive, target=M4).save(directory)
    model = str(directory / "residual.mcugen")
    assert cli.main(["profile", model, "--target", M4, "--functions"]) == cli.OK
    said = capsys.readouterr()
    assert "sparse" in said.out and "mcugen1_" in said.out and "ms at cortex-m4's clock" in said.out
    assert "(manual)" in said.out and said.err == ""
    assert cli.main(["profile", str(directory), "--wait-states", "5", "--json"]) == cli.OK
    found = json.loads(capsys.readouterr().out)
    assert found["flash"]["wait_states"] == 5 and found["cycles"] == sum(x["cycles"] for x in found["layers"])
    assert cli.main(["profile", str(directory), "--target", "nucleo-f446re", "--wait-states"]) == cli.OK
    assert "nucleo-f446re" in capsys.readouterr().out
    monkeypatch.setattr(profile, "LONG", 0)
    assert cli.main(["profile", str(directory), "--json"]) == cli.OK
    said = capsys.readouterr()
    assert said.err.startswith("mcugen: simulating about ") and json.loads(said.out)["cycles"]
    for bad, code in (
        (["profile", model], "E703"),
        (["profile", model, "--target", "none"], "E401"),
        (["profile", str(directory), "--target", M0], "E703"),
        (["profile", str(tmp_path / "absent.mcugen"), "--target", M0], "E701"),
        (["profile", model, "--target", M0, "--wait-states"], "E703"),
        (["profile", model, "--target", M0, "--wait-states", "x"], "E703"),
    ):
        assert cli.main(bad) == cli.ERROR
        assert f"[{code}]" in capsys.readouterr().err


def test_an_input_of_the_callers_own() -> None:
    artifact = driver.compile(emitted.golden("mlp").archive, target=M4)
    x = driver.vectors(artifact.archive, 5)
    assert all(profile.profile(artifact, x=v[None]).cycles for v in x[0][3:])
    for wrong in (x[0][:1].astype(np.float32), x[0]):
        with pytest.raises(McugenError, match=r"\[E704\]"):
            profile.profile(artifact, x=wrong)


def test_several_inputs_and_outputs() -> None:
    source = emitted.golden("ports").archive
    found = profile.profile(driver.compile(source, target=M4))  # E601 if an output were wrong
    assert found.cycles == sum(x.cycles or 0 for x in found.layers) > 0
    with pytest.raises(McugenError, match=r"\[E404\].*one input and one output"):
        profile.profile(driver.compile(source, target="cortex-m55"))


def test_speed(tmp_path: Path) -> None:
    """Above all fast enough to be used: whole networks in seconds."""
    source = tmp_path / "sum.c"
    source.write_text(
        "unsigned sum(const unsigned char *x, unsigned n, unsigned rounds);\n"
        "unsigned sum(const unsigned char *x, unsigned n, unsigned rounds) { unsigned s = 0;\n"
        "while (rounds--) for (unsigned i = 0; i < n; i++) s = (s << 1) ^ (s + x[i] * i); return s; }\n"
    )
    run = cycles.call(source, "sum", [np.arange(256, dtype=np.uint8), 256, 20_000])
    print(f"{run.instructions / run.seconds / 1e6:.0f} million instructions a second")
    assert run.instructions > 20_000_000 and run.instructions / run.seconds > 10e6
