"""Cycles of the instructions of the Cortex-M cores, and programs decoded into the rows that counter.c adds up.

Sources: the tables of instruction timings in Arm's technical reference manuals, on memory without wait states.

    M0   DDI 0432C, table 3-1    M3   DDI 0337I and 100165, table 3-1 and section 3.3.2 (load/store timings)
    M0+  DDI 0484C, table 3-1    M4   DDI 0439D, tables 3-1, 3-2 and 7-1, and section 3.3.2

P, the refill of the pipeline after a taken branch, is 1 to 3 cycles in the manuals of M3 and M4, by the alignment and
width of the target instruction; here it is 2. A conditional branch that is not taken takes 1 cycle. Between the bounds
that the manuals give for divisions and M3's long multiplications counter.c interpolates by the operands. Arm publishes
no such table for M33, which gets the M4's, nor for M7: that row is an estimate with two instructions a cycle.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import TargetError

_PIPELINED, _EARLY_LONG, _DUAL = 1, 2, 4  # enum rule of counter.c
REFILL = 2  # P


@dataclass(frozen=True)
class Timing:
    """Cycles of one core; a class of instructions that it does not name takes 1."""

    core: str
    basis: str  # manual, estimate: how far the figures can be trusted
    source: str
    load: int = 2
    store: int = 2  # address from base and offset; with an index register on Armv7-M the same as a load
    multiple: int = 1  # + N registers, of LDM, STM, PUSH, POP, LDRD, STRD
    taken: int = 3  # a branch, taken
    call: int = 3  # BL
    indirect: int = 3  # BX, BLX, and moves and additions to pc
    pop_pc: int = 2  # more than the load
    table: int = 2 + REFILL  # TBB, TBH
    accumulate: int = 1  # MLA, MLS
    system: int = 1  # MRS, MSR, barriers
    rules: int = 0


TIMINGS = {
    t.core: t
    for t in (
        Timing("cortex-m0", "manual", "DDI 0432C, table 3-1", call=4, pop_pc=3, system=4),
        Timing("cortex-m0plus", "manual", "DDI 0484C, table 3-1", taken=2, indirect=2, system=3),
        Timing(
            "cortex-m3",
            "manual",
            "DDI 0337I and 100165, table 3-1 and section 3.3.2",
            store=1,
            accumulate=2,
            rules=_PIPELINED | _EARLY_LONG,
        ),
        Timing("cortex-m4", "manual", "DDI 0439D, tables 3-1, 3-2, 7-1 and section 3.3.2", store=1, rules=_PIPELINED),
        Timing("cortex-m33", "estimate", "the Cortex-M4's table", store=1, rules=_PIPELINED),
        Timing(
            "cortex-m7",
            "rough",
            "no table is published: two instructions a cycle where neither depends on the other",
            load=1,
            store=1,
            multiple=0,
            taken=1,
            call=1,
            indirect=2,
            pop_pc=2,
            table=4,
            rules=_DUAL,
        ),
    )
}


def timing(core: str) -> Timing:
    """The timings of a core; TargetError E401 where there are none."""
    if core not in TIMINGS:
        hint = "instructions can be counted for it" if core == "cortex-m55" else ""
        raise TargetError("E401", f"no instruction timings; there are {', '.join(TIMINGS)}", where=core, hint=hint)
    return TIMINGS[core]


# ---- struct insn of counter.c ----

_OTHER, _ALU, _LOAD, _STORE, _STORE_INDEXED, _MULTIPLE, _IT, _DIVIDE, _DIVIDE_SIGNED, _LONG, _LONG_SIGNED = range(11)
BRANCH, CALL, ENTRY, STEP, UPDATE, ACCUMULATE, KNOWN, FLASH_ONLY = (1 << i for i in range(8))
_LITERAL, _NONE = 255, 254

ROW = np.dtype(
    [
        *((n, "u1") for n in ("kind", "flags", "size", "cost", "taken", "access", "count", "rn", "rm", "shift")),
        *((n, "<u2") for n in ("function", "written", "base", "read")),
        ("pad", "<u2"),
        ("disp", "<i4"),
    ]
)
Rows = npt.NDArray[Any]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ONE = _words(
    """
    adc add adr addw and asr bfc bfi bic clz cmn cmp cpy eor lsl lsr mov movt movw mvn neg nop orn orr pkhbt pkhtb
    qadd qadd16 qadd8 qasx qdadd qdsub qsax qsub qsub16 qsub8 rbit rev rev16 revsh ror rrx rsb sadd16 sadd8 sasx sbc
    sbfx sel shadd16 shadd8 shasx shsax shsub16 shsub8 ssat ssat16 ssax ssub16 ssub8 sub subw sxtab sxtab16 sxtah sxtb
    sxtb16 sxth teq tst uadd16 uadd8 uasx ubfx uhadd16 uhadd8 uhasx uhsax uhsub16 uhsub8 uqadd16 uqadd8 uqasx uqsax
    uqsub16 uqsub8 usad8 usada8 usat usat16 usax usub16 usub8 uxtab uxtab16 uxtah uxtb uxtb16 uxth mul smulbb smulbt
    smultb smultt smulwb smulwt smlabb smlabt smlatb smlatt smlawb smlawt smlad smladx smlsd smlsdx smmla smmlar smmls
    smmlsr smmul smmulr smuad smuadx smusd smusdx smlalbb smlalbt smlaltb smlaltt smlald smlaldx smlsld smlsldx umaal
    cps sev wfe wfi yield pld pli clrex hint vabs vadd vsub vmul vneg vnmul vcmp vcmpe vcvt vcvtr vcvtb vcvtt vmov
    vmrs vmsr
    """
)
_FLOAT = dict.fromkeys(_words("vmla vmls vnmla vnmls vfma vfms vfnma vfnms"), 3) | {"vdiv": 14, "vsqrt": 14}
_COMPARES = _words("cmp cmn tst teq nop pld pli")
_MOVES = _words("mov movw mvn sxtb sxth uxtb uxth rev rev16 revsh rbit clz")  # two operands, one is read
_CHANGES = _words("bfi bfc movt")  # read what they write
_SINGLE = {"": 4, "b": 1, "sb": 1, "h": 2, "sh": 2, "t": 4, "ex": 4, "exb": 1, "exh": 2}
_SYSTEM = _words("mrs msr dmb dsb isb")
_LONGS = {"umull": 0, "smull": 1, "umlal": 0, "smlal": 1}


@lru_cache(maxsize=32)
def decode(core: str, code: tuple[tuple[int, bytes], ...]) -> tuple[int, Rows, dict[int, str]]:
    """Address of the first halfword, a row for each halfword of runs of code, and address -> mnemonic of instructions
    that no table names.

    Those take 1 cycle. Halfwords that are no instruction have no KNOWN.
    """
    t = timing(core)
    base = min((at for at, _ in code), default=0)
    end = max((at + len(b) for at, b in code), default=0)
    rows = np.zeros((end - base + 1) // 2, ROW)
    unknown: dict[int, str] = {}
    for start, content in code:
        at, left = start, 0
        while at < start + len(content):
            conditional = 0  # instructions left of an IT block
            for insn in _disassembler().disasm(content[at - start :], at):
                name = insn.insn_name()
                row = _row(t, insn, name, bool(conditional), unknown)
                rows[(insn.address - base) // 2] = row
                conditional = len(insn.mnemonic) - 1 if name == "it" else max(0, conditional - 1)
                left = insn.address + insn.size
            at = max(left, at + 2)
    rows.setflags(write=False)
    return base, rows, unknown


@cache
def _disassembler() -> Any:
    import capstone

    found = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    found.detail = True
    return found


@cache
def _numbers() -> dict[int, int]:
    """Core registers: capstone's number -> the architecture's."""
    from capstone import arm

    low = {getattr(arm, f"ARM_REG_R{i}"): i for i in range(13)}
    return low | {arm.ARM_REG_SP: 13, arm.ARM_REG_LR: 14, arm.ARM_REG_PC: 15}


def _mask(registers: Sequence[int]) -> int:
    return sum(1 << r for r in set(registers) if r < 15)


def _row(t: Timing, insn: Any, name: str, in_it: bool, unknown: dict[int, str]) -> tuple[int, ...]:
    """One struct insn."""
    from capstone import arm

    name = re.sub(r"^(lsl|lsr|asr|ror|mov|add|sub|and|bic|mvn|adc|sbc|rsb|eor|orr|mul)s$", r"\1", name)
    operands = insn.operands
    numbers = _numbers()
    registers = [numbers.get(o.reg, 16) for o in operands if o.type == arm.ARM_OP_REG]
    memory = next((o for o in operands if o.type == arm.ARM_OP_MEM), None)
    kind, flags, cost, taken, access, count = _ALU, KNOWN, 1, 0, 0, 0
    rn, rm, shift, disp = _NONE, _NONE, 0, 0
    base: list[int] = []
    written = registers[:1] if name not in _COMPARES else []
    single = re.fullmatch(r"(ld|st)r(b|sb|h|sh|t|ex|exb|exh)?", name)

    if single or name in ("vldr", "vstr", "ldrd", "strd"):
        store = name[0] == "s" or name == "vstr"
        double = name in ("ldrd", "strd")
        access, count = (_SINGLE[single[2] or ""], 1) if single else (4, 2 if double else 1)
        written = [] if store else registers[: 2 if double else 1]
        flags |= UPDATE if insn.writeback else 0
        if memory is not None:
            base = [numbers.get(r, 16) for r in (memory.mem.base, memory.mem.index) if r]
            rn, rm, shift, disp = _address(insn, memory, base)
        if double:
            kind, cost = _MULTIPLE, t.multiple + 2
        elif store:
            indexed = len(base) > 1
            kind, cost = (_STORE_INDEXED, t.load) if indexed and t.rules & _PIPELINED else (_STORE, t.store)
        else:
            kind, cost = _LOAD, t.load
        if not store and 15 in written:
            cost, flags = cost + REFILL, flags | BRANCH
        if store and access == 1:
            rn = _NONE  # no bytes of flash are written
        if access == 1 or double or rn == _LITERAL:
            flags |= FLASH_ONLY
    elif name in ("push", "pop", "vpush", "vpop") or re.fullmatch(r"v?(ld|st)m(db|ia|dbx|iax)?", name):
        stack = name.lstrip("v") in ("push", "pop")
        moved = len(operands) - (0 if stack else 1)
        count = 2 * moved if name[0] == "v" and insn.op_str.count("d") else moved
        kind, cost, access = _MULTIPLE, t.multiple + count, 4
        loaded = [] if stack and name.endswith("push") else registers[0 if stack else 1 :]
        base = [13] if stack else registers[:1]
        written = loaded if "pop" in name or "ld" in name else []
        flags |= FLASH_ONLY
        if "ld" in name:
            rn, disp = base[0], -4 * count if "db" in name else 0
        if 15 in written:
            cost, flags = cost + t.pop_pc, flags | BRANCH
    elif name in ("b", "bl", "bx", "blx", "cbz", "cbnz", "tbb", "tbh"):
        kind, flags, written = _OTHER, flags | BRANCH, []
        if name in ("cbz", "cbnz") or (name == "b" and insn.cc != arm.ARM_CC_AL and not in_it):
            taken = t.taken - 1
        elif name in ("tbb", "tbh"):
            cost = t.table
        else:
            cost = {"b": t.taken, "bl": t.call}.get(name, t.indirect)
        if name in ("bl", "blx"):
            flags |= CALL
    elif name == "it":
        kind, written = _IT, []
    elif name in ("udiv", "sdiv"):
        kind, cost = (_DIVIDE, 2) if name == "udiv" else (_DIVIDE_SIGNED, 2)
        rn, rm = registers[-2:]
    elif name in _LONGS:
        kind, written = (_LONG_SIGNED if _LONGS[name] else _LONG), registers[:2]
        rn, rm = registers[2:4]
        flags |= ACCUMULATE if name.endswith("al") else 0
    elif name in ("mla", "mls"):
        cost = t.accumulate
    elif name in _SYSTEM:
        kind, cost = _OTHER, t.system
    elif name in _FLOAT:
        kind, cost = _OTHER, _FLOAT[name]
    else:
        if name.partition(".")[0] not in _ONE:
            unknown[insn.address] = insn.mnemonic
        if 15 in written:
            kind, flags, cost = _OTHER, flags | BRANCH, t.indirect
    alone = len(operands) > 2 or name in _MOVES or kind in (_LOAD, _MULTIPLE)
    read = _mask(
        registers[1:] if alone and name not in _CHANGES and kind not in (_STORE, _STORE_INDEXED) else registers
    )
    return (
        *(kind, flags, insn.size, cost, taken, access, count, rn, rm, shift),
        *(0, _mask(written), _mask(base), read, 0),
        disp,
    )


def _address(insn: Any, memory: Any, base: Sequence[int]) -> tuple[int, int, int, int]:
    """rn, rm, shift and disp of a single load or store."""
    disp = 0 if insn.post_index else memory.mem.disp
    if base[0] == 15:
        at = ((insn.address + 4) & ~3) + disp
        return _LITERAL, _NONE, 0, at - (1 << 32 if at >= 1 << 31 else 0)
    if base[0] == 13 and len(base) == 1 and disp % 4 == 0:
        return _NONE, _NONE, 0, 0  # the stack is aligned, and not in flash
    return base[0], base[1] if len(base) > 1 else _NONE, memory.shift.value if len(base) > 1 else 0, disp


def disassembly(start: int, code: bytes) -> Iterator[tuple[int, str]]:
    """Address and text of the instructions of a run of code."""
    for insn in _disassembler().disasm(code, start):
        yield insn.address, f"{insn.mnemonic:<8} {insn.op_str}".rstrip()
