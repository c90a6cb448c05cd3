"""What lies around images in lanes: every byte on every core, within its bounds, and what it costs."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

from mcugen import layout, resources, targets
from mcugen.ir import DType, Quant, Tensor
from mcugen.kernels.base import seal_cycles, takes_nibbles
from mcugen.sim import cycles

needs_gcc = pytest.mark.skipif(not shutil.which("arm-none-eabi-gcc"), reason="no arm-none-eabi-gcc")
CORES = ["cortex-m0", "cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m33"]
FLASH, RAM = 0x30000000, 0x34000000
FUNCTION = "mcugen1_nibbles_seal"
GUARD = b"\xa5" * 16
# (C, H, W), rows per lane, halo above and below, pad columns
NETWORKS = (
    *(((3, 96, 96), 24, 0, 1, 1), ((8, 48, 48), 12, 1, 1, 1), ((32, 24, 24), 6, 1, 1, 1), ((64, 12, 12), 4, 0, 1, 1)),
    *(((64, 6, 6), 2, 0, 0, 0), ((128, 6, 6), 2, 1, 1, 1), ((256, 3, 3), 1, 1, 1, 1), ((1, 49, 10), 14, 4, 4, 1)),
    *(((64, 25, 5), 7, 1, 1, 1), ((16, 32, 32), 8, 1, 1, 1), ((32, 16, 16), 4, 1, 1, 1), ((64, 8, 8), 2, 1, 1, 1)),
)
# Halos beyond the rows of a lane or below four words, all remainders of fours and eights, several lanes of garbage.
CORNERS = (
    *(((2, 1, 1), 1, 5, 4, 0), ((3, 3, 1), 1, 5, 4, 2), ((2, 2, 2), 1, 3, 5, 0), ((2, 9, 5), 3, 2, 2, 2)),
    *(((2, 5, 3), 2, 3, 2, 1), ((1, 2, 3), 1, 3, 3, 2), ((5, 3, 2), 4, 0, 2, 0), ((5, 1, 1), 2, 5, 1, 2)),
    *(((2, 4 * rows - 1, width), rows, 1, 1, 1) for rows in range(1, 6) for width in range(1, 10)),
)


@needs_gcc
@pytest.mark.parametrize("core", CORES)
def test_every_byte_and_the_cost(core: str, tmp_path: Path) -> None:
    sources = [resources.KERNELS / name for name in ("lanes.c", "lanes_ref.c", "lanes_thumb.S")]
    machine = cycles.Machine(cycles.build_elf(sources, "mcugen1_lanes_seal", tmp_path / "seal.elf", core), core)
    for case in (*NETWORKS, *CORNERS):
        shape, rows, top, bottom, cols = case
        t = Tensor(DType.U8, shape, Quant(1.0, 7))
        lay = layout.lanes(t, rows, top, bottom, cols)
        x = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
        want = layout.store(lay, x)
        image = np.full(want.size, 0xA5, np.uint8)
        image[layout.home(lay, shape)] = x.ravel()
        k = struct.pack("<4H4BI", *shape, rows, top, bottom, cols, 7, lay.plane)
        memory = {FLASH: k, RAM: GUARD + image.tobytes() + GUARD}
        call = machine.call("mcugen1_lanes_seal", [FLASH, RAM + len(GUARD)], memory)
        assert call.memory[RAM] == GUARD + want.tobytes() + GUARD, case
        if case in NETWORKS:
            assert seal_cycles(lay, t, targets.get(core).core) == pytest.approx(call.cycles, rel=0.05), case


# The same of nibbles: garbage that begins in an upper nibble, and in a lower one.
NIBBLES = (
    *(((16, 48, 48), 6, 1, 1, 1), ((32, 24, 24), 3, 1, 1, 1), ((64, 12, 12), 2, 0, 1, 1), ((64, 6, 6), 1, 0, 0, 0)),
    *(((128, 6, 6), 1, 1, 1, 1), ((64, 25, 5), 4, 1, 1, 1), ((64, 25, 5), 4, 0, 0, 0), ((1, 49, 10), 8, 4, 4, 1)),
    *(((16, 32, 32), 4, 1, 1, 1), ((32, 16, 16), 2, 1, 1, 1), ((64, 8, 8), 1, 1, 1, 1), ((64, 26, 5), 4, 1, 1, 1)),
)
NIBBLE_CORNERS = (
    *(((2, 1, 1), 1, 9, 8, 0), ((3, 3, 1), 1, 5, 4, 2), ((2, 2, 2), 1, 3, 5, 0), ((2, 17, 5), 3, 2, 2, 2)),
    *(((2, 5, 3), 2, 3, 2, 1), ((1, 2, 3), 1, 3, 3, 2), ((5, 3, 2), 4, 0, 2, 0), ((5, 1, 1), 2, 5, 1, 2)),
    *(((2, 8 * rows - less, 5), rows, 1, 1, 1) for rows in range(1, 5) for less in range(8 * rows)),
    *(((2, 8 * rows - 1, width), rows, 1, 1, 1) for rows in range(1, 4) for width in range(1, 10)),
)


@needs_gcc
@pytest.mark.parametrize("core", CORES)
def test_every_nibble_and_the_cost(core: str, tmp_path: Path) -> None:
    names = "nibbles_seal.c", "nibbles_seal_ref.c", "nibbles_seal_thumb.S", "lanes_ref.c", "lanes_thumb.S"
    elf = cycles.build_elf([resources.KERNELS / n for n in names], FUNCTION, tmp_path / "seal.elf", core)
    machine, processor = cycles.Machine(elf, core), targets.get(core).core
    for case in (*NIBBLES, *NIBBLE_CORNERS):
        shape, rows, top, bottom, cols = case
        t = Tensor(DType.U4, shape, Quant(1.0, 7))
        lay = layout.lanes(t, rows, top, bottom, cols, 4)
        x = np.random.default_rng(1).integers(0, 16, shape).astype(np.uint8)
        want = layout.store(lay, x)
        inside = np.zeros(2 * want.size, bool)
        inside[layout.home(lay, shape)] = True
        image = layout.elements(lay, np.full(want.size, 0xA5, np.uint8))
        image[inside] = layout.elements(lay, want)[inside]
        data = (image[::2] | image[1::2] << 4).astype(np.uint8)
        k = struct.pack("<4H4BI", *shape, rows, top, bottom, cols, 0x77, lay.plane)
        memory = {FLASH: k, RAM: GUARD + data.tobytes() + GUARD}
        call = machine.call(FUNCTION, [FLASH, RAM + len(GUARD)], memory)
        assert call.memory[RAM] == GUARD + want.tobytes() + GUARD, case
        if case in NIBBLES and takes_nibbles(processor):
            assert seal_cycles(lay, t, processor) == pytest.approx(call.cycles, rel=0.05), case
