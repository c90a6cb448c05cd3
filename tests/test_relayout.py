"""What relayouts cost, beside their estimates, and every byte; test_kernels.py moves images between all layouts."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from mcugen import layout, resources, targets
from mcugen.ir import DType, Quant, Tensor
from mcugen.kernels import Relayout
from mcugen.kernels.base import takes_nibbles
from mcugen.layout import FLAT, Layout
from mcugen.sim import cycles

sys.path.insert(0, str(Path(__file__).parent.parent / "bench"))

from kernels import FLASH, RAM, placed

PACKAGES = all(importlib.util.find_spec(name) for name in ("unicorn", "capstone"))
pytestmark = pytest.mark.skipif(
    not (PACKAGES and shutil.which("arm-none-eabi-gcc")), reason="no unicorn, capstone or arm-none-eabi-gcc"
)
CORES = ["cortex-m0", "cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m33"]
GUARD = b"\xa5" * 16
NAMES = (
    *("relayout_ref.c", "relayout_thumb.S", "relayout_dsp.S", "lanes.c", "lanes_ref.c", "lanes_thumb.S"),
    *("relayout_nibbles_ref.c", "relayout_nibbles_thumb.S"),
    *("nibbles_seal.c", "nibbles_seal_ref.c", "nibbles_seal_thumb.S"),
)
Move = tuple[tuple[int, ...], tuple[int, ...], int, tuple[int, ...], int]
# (C, H, W); rows per lane, halo above and below, pad columns, before and after: none are a flat image, no rows runs
MOVES = (
    *(((64, 25, 5), (7, 0, 0, 0), (7, 1, 1, 1)), ((128, 6, 6), (2, 0, 0, 0), (2, 1, 1, 1))),
    *(((256, 3, 3), (1, 0, 0, 0), (1, 1, 1, 1)), ((64, 8, 8), (2, 0, 0, 0), (2, 0, 1, 1))),
    *(((32, 40, 1), (10, 1, 1, 0), (10, 1, 1, 1)), ((64, 2, 2), (1, 0, 0, 0), (1, 1, 0, 1))),
    *(((32, 16, 16), (4, 0, 0, 0), (4, 1, 1, 1)), ((16, 32, 32), (8, 0, 0, 0), (8, 1, 1, 1))),
    *(((32, 40, 1), (10, 0, 0, 0), (10, 2, 2, 0)), ((64, 25, 5), (7, 1, 1, 1), (7, 0, 0, 0))),
    *(((128, 6, 6), (2, 0, 0, 0), (0,)), ((128, 6, 6), (0,), (2, 0, 0, 0)), ((128, 6, 6), (0,), (2, 1, 1, 1))),
    *(((64, 6, 6), (0,), (2, 0, 1, 1)), ((64, 6, 6), (0,), (2, 1, 0, 1)), ((64, 6, 6), (0,), (2, 0, 0, 1))),
    *(((64, 12, 12), (3, 0, 0, 0), (4, 0, 1, 1)), ((64, 3, 3), (1, 0, 0, 0), (2, 1, 1, 1))),
    *(((1, 49, 10), (), (14, 4, 4, 1)), ((3, 96, 96), (), (24, 0, 1, 1)), ((3, 32, 32), (), (8, 1, 1, 1))),
    *(((64, 6, 6), (), (2, 0, 0, 0)), ((3, 21, 13), (), (6, 0, 0, 0)), ((64, 25, 5), (7, 0, 0, 0), ())),
)


# The same with the bits of each; of 4 bits (nibbles) rows per lane are half as many.
NIBBLE_MOVES = (
    *(((16, 32, 32), (8, 0, 0, 0), 8, (4, 1, 1, 1), 4), ((64, 25, 5), (8, 0, 0, 0), 8, (4, 1, 1, 1), 4)),
    *(((64, 25, 5), (4, 1, 1, 1), 4, (8, 1, 1, 1), 8), ((64, 25, 5), (4, 0, 0, 0), 4, (8, 0, 0, 0), 8)),
    *(
        ((64, 25, 5), (0,), 8, (0,), 4),
        ((64, 25, 5), (0,), 4, (0,), 8),
        ((128, 6, 6), (1, 0, 0, 0), 4, (2, 0, 0, 0), 8),
    ),
    *(((16, 48, 48), (12, 0, 0, 0), 8, (6, 0, 1, 1), 4), ((256, 3, 3), (2, 0, 0, 0), 8, (1, 1, 1, 1), 4)),
    *(((64, 9, 9), (2, 0, 0, 0), 4, (2, 1, 1, 1), 4), ((64, 6, 6), (1, 0, 0, 0), 4, (1, 1, 1, 1), 4)),
    *(((64, 3, 3), (1, 0, 0, 0), 4, (1, 1, 0, 1), 4), ((64, 16, 1), (2, 1, 1, 0), 4, (2, 1, 1, 1), 4)),
    *(((64, 25, 5), (4, 0, 0, 0), 4, (4, 1, 1, 1), 4), ((16, 32, 32), (4, 0, 0, 0), 4, (4, 1, 1, 1), 4)),
    *(
        ((64, 25, 5), (0,), 4, (4, 1, 1, 1), 4),
        ((64, 25, 5), (4, 0, 0, 0), 4, (0,), 4),
        ((64, 25, 5), (7, 1, 1, 1), 8, (0,), 4),
    ),
    *(
        ((128, 6, 6), (0,), 4, (1, 1, 1, 1), 4),
        ((128, 6, 6), (1, 0, 0, 0), 4, (0,), 4),
        ((16, 32, 32), (), 8, (4, 1, 1, 1), 4),
    ),
    *(
        ((64, 8, 8), (1, 0, 0, 0), 4, (), 8),
        ((64, 25, 5), (0,), 4, (), 8),
        ((64, 25, 5), (4, 0, 0, 0), 4, (7, 0, 0, 0), 8),
    ),
)


def _layout(t: Tensor, numbers: tuple[int, ...], bits: int = 8) -> Layout:
    if numbers == (0,):
        return layout.runs(t, bits)
    return layout.lanes(t, *numbers, bits=bits) if numbers else FLAT


@pytest.mark.parametrize("core", CORES)
def test_every_byte_and_the_cost(core: str, tmp_path: Path) -> None:
    own = ("3to4", "12to9", "9to12", "9to12_halos") if "dsp" in targets.get(core).core.isa else ()
    functions = [f"mcugen1_relayout_{n}" for n in ("ref", *(f"halos{w}" for w in range(1, 9)), *own)]
    moves = tuple((shape, before, 8, after, 8) for shape, before, after in MOVES)
    assert len(_run(core, moves, functions, tmp_path)) == 7 + len(own)


@pytest.mark.parametrize("core", CORES)
def test_every_nibble_and_the_cost(core: str, tmp_path: Path) -> None:
    functions = [f"mcugen1_relayout_{n}" for n in ("nibbles", "to_nibbles", "from_nibbles", "pack", "unpack")]
    halos = range(1, 9) if takes_nibbles(targets.get(core).core) else ()
    functions += [f"mcugen1_relayout_nibble_halos{w}" for w in halos]
    assert len(_run(core, NIBBLE_MOVES, functions, tmp_path)) == 5 + 4 * bool(halos)


def _run(core: str, moves: tuple[Move, ...], functions: list[str], tmp_path: Path) -> set[str]:
    """The functions that moved them."""
    sources = [resources.KERNELS / n for n in NAMES]
    elf = cycles.build_elf(sources, functions[0], tmp_path / "relayout.elf", core, keep=functions)
    machine, used = cycles.Machine(elf, core), set()
    for shape, before, from_bits, after, to_bits in moves:
        t = Tensor(DType.U4 if min(from_bits, to_bits) == 4 else DType.U8, shape, Quant(1.0, 7))
        src, dst = _layout(t, before, from_bits), _layout(t, after, to_bits)
        x = np.random.default_rng(1).integers(0, t.dtype.hi + 1, shape).astype(np.uint8)
        image, want = layout.store(src, x).tobytes(), layout.store(dst, x).tobytes()
        y = RAM + -(-len(image) // 8) * 8
        memory = {RAM: image, y: GUARD + bytes(len(want)) + GUARD}
        bound = Relayout().bind(t, src, dst)
        function = bound.fields[-1].function if bound.fields[-1].function in functions else functions[0]
        placed(bound.fields, memory, FLASH, lambda _: 0)
        call = machine.call(function, [FLASH, RAM, y + len(GUARD)], memory)
        assert call.memory[y] == GUARD + want + GUARD, (shape, src, dst)
        processor = targets.get(core).core
        estimate = Relayout().cycles(t, src, dst, processor)
        if not (src.nibbles or dst.nibbles) or takes_nibbles(processor):
            assert estimate == pytest.approx(call.cycles, rel=0.05), (shape, src, dst)
        used.add(function)
    return used
