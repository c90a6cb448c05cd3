"""Lanes of images that are seen as a column: relayouts on every core, what they cost, networks that take them."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

import graphs
import numpy as np
import pytest

from mcugen import driver, interp, layout, resources, targets
from mcugen.archive import Archive
from mcugen.ir import DType, Graph, Out, Quant, Tensor
from mcugen.layout import FLAT, Layout
from mcugen.ops.conv2d import Conv2d
from mcugen.ops.linear import Linear
from mcugen.select import RELAYOUT
from mcugen.sim import cycles, host

BENCH = Path(__file__).parent.parent / "bench"
sys.path.insert(0, str(BENCH))

from kernels import placed  # noqa: E402

PACKAGES = all(importlib.util.find_spec(name) for name in ("unicorn", "capstone"))
needs_simulator = pytest.mark.skipif(
    not (PACKAGES and shutil.which("arm-none-eabi-gcc")), reason="no unicorn, capstone or arm-none-eabi-gcc"
)
FLASH, RAM = 0x30000000, 0x34000000
GUARD = b"\xa5" * 16
NAMES = "relayout_ref.c", "relayout_thumb.S", "relayout_dsp.S", "lanes.c", "lanes_ref.c", "lanes_thumb.S"


def image(c: int, h: int, w: int, zero_point: int = 0) -> Tensor:
    return Tensor(DType.U8, (c, h, w), Quant(0.1, zero_point))


def rows(t: Tensor, *more: int) -> Layout:
    return layout.lanes(t, layout.rows_for(t.shape[1]), *more)


@needs_simulator
@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m3", "cortex-m4"])
def test_relayouts_and_their_cost(core: str, tmp_path: Path) -> None:
    sources = [resources.KERNELS / name for name in NAMES]
    own = ("12to9", "9to12", "9to12_halos") if "dsp" in targets.get(core).core.isa else ()
    functions = [f"mcugen1_relayout_{name}" for name in ("ref", *own)]
    elf = cycles.build_elf(sources, functions[0], tmp_path / "r.elf", core, keep=functions)
    machine = cycles.Machine(elf, core)
    for t in (image(64, 6, 6, 3), image(128, 6, 6), image(64, 25, 5, 128), image(3, 5, 3, 7)):
        x = np.random.default_rng(1).integers(0, 256, t.shape).astype(np.uint8)
        runs, lanes = layout.runs(t), rows(t, 1, 1, 1)
        for src, dst in ((FLAT, runs), (runs, FLAT), (lanes, runs), (runs, lanes)):
            memory: dict[int, bytes] = {RAM: layout.store(src, x).tobytes()}
            want = layout.store(dst, x).tobytes()
            to = RAM + -(-len(memory[RAM]) // 8) * 8
            memory[to] = GUARD + bytes(len(want)) + GUARD
            bound = RELAYOUT.bind(t, src, dst)
            function = bound.fields[-1].function if bound.fields[-1].function in functions else functions[0]
            placed(bound.fields, memory, FLASH, lambda _: 0)
            call = machine.call(function, [FLASH, RAM, to + len(GUARD)], memory)
            assert call.memory[to] == GUARD + want + GUARD, (t, src, dst)
            estimate = RELAYOUT.cycles(t, src, dst, targets.get(core).core)
            if t.shape[0] > 3:
                assert estimate == pytest.approx(call.cycles, rel=0.15), (t, src, dst)


def pointwise() -> Graph:
    """A convolution with a stride, three pointwise ones on 6 x 6 pixels, a fully connected layer."""
    b = graphs.Builder(np.random.default_rng(5), (3, 12, 12))
    v = b.x
    for outputs, size, stride in ((32, 3, 2), (32, 1, 1), (32, 1, 1), (24, 1, 1)):
        w = graphs.constant("w", DType.T, b.rng.integers(-1, 2, (outputs, v.type.shape[0], size, size)))
        v = b.sum(Conv2d((stride, stride), (0, 0, size // 2, size // 2)), v, w, Out.full(DType.U8))
    return b.graph(b.sum(Linear(), v, b.weights((10, v.type.size)), Out.full(DType.I16)))


@pytest.mark.parametrize("target", ["cortex-m4", "cortex-m0"])
def test_pointwise_layers_of_a_network_take_runs(target: str, tmp_path: Path) -> None:
    graph = pointwise()
    artifact = driver.compile(Archive(graph, graphs.random_inputs(graph, 1, 2)), target=target, optimize="speed")
    artifact.save(tmp_path / "out")
    taken = [str(s.output.layout) for s in artifact.program.steps]
    assert taken.count("runs9") >= 3, taken
    x = graphs.random_inputs(graph, 2, 20)
    want = layout.vectors([v.type for v in graph.outputs], interp.run(graph, *x))
    given = layout.vectors([v.type for v in graph.inputs], x)
    np.testing.assert_array_equal(host.HostModel(tmp_path / "out", "net").run(given), want)
