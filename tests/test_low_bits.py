"""Networks with activations of 4 bits between layers of 8: what they compute, and how they lie in memory."""

from __future__ import annotations

import shutil
from pathlib import Path

import graphs
import numpy as np
import pytest

from mcugen import driver, layout, plan, select, shrink, targets, validate
from mcugen.archive import Archive
from mcugen.driver import Artifact
from mcugen.ir import DType, Out, Quant, Value
from mcugen.kernels import KERNELS
from mcugen.kernels.base import takes_nibbles
from mcugen.ops.conv2d import Conv2d
from mcugen.ops.depthwise import DepthwiseConv2d
from mcugen.ops.linear import Linear
from mcugen.ops.maxpool import MaxPool
from mcugen.ops.pad import Pad
from mcugen.ops.upsample import Upsample

ARM = bool(shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm"))
CORES = ("cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m33", "cortex-m55")


def mixed(low: DType) -> Archive:
    """int8, then ternary: depthwise, sum, pool, concatenation, int8 depthwise, pads, upsampling; the last one to u8."""
    b = graphs.Builder(np.random.default_rng(5), (3, 24, 12), 128)
    to = Out.full(low)

    def weights(*shape: int, dtype: DType = DType.T) -> Value:
        w = b.rng.integers(-1, 2, shape) if dtype is DType.T else b.rng.integers(-127, 128, shape)
        return graphs.constant("w", dtype, w)

    first = b.sum(Conv2d((1, 1), (1,) * 4, pad_value=128), b.x, weights(16, 3, 3, 3, dtype=DType.I8), to)
    v = b.sum(DepthwiseConv2d((1, 1), (1,) * 4), first, weights(16, 3, 3), to)
    v = b.sum(Conv2d(), v, weights(16, 16, 1, 1), Out(low, Quant(0.1, 3), 0, low.hi))
    b.out = lambda: to  # type: ignore[method-assign]
    v = b.node(MaxPool((2, 2), (2, 2)), b.add(v, first))
    v = b.concat(v, b.sum(Conv2d((1, 1), (1,) * 4), v, weights(8, 16, 3, 3), to))
    v = b.sum(DepthwiseConv2d((1, 1), (1,) * 4), v, weights(24, 3, 3, dtype=DType.I8), to)
    v = b.sum(Conv2d(), v, weights(8, 24, 1, 1), to)
    v = b.node(Upsample((1, 2)), b.node(Pad((1, 1, 1, 1)), v))
    v = b.sum(Conv2d(), v, weights(4, 8, 1, 1), Out.full(DType.U8))
    v = b.average(v, (14, 16), (1, 1))
    graph = b.graph(b.sum(Linear(), v, weights(4, 4), Out.full(DType.I16)))
    return Archive(graph, graphs.random_inputs(graph, 1, 4))


def compiled(core: str, low: DType = DType.U4, optimize: str = "balanced") -> Artifact:
    return driver.compile(mixed(low), target=core, optimize=optimize)


@pytest.mark.parametrize("core", CORES)
def test_nibbles_are_for_cores_that_take_words_apart(core: str) -> None:
    artifact = compiled(core)
    found = {s.kernel.stem for s in artifact.program.steps if s.output.layout.nibbles}
    if takes_nibbles(targets.get(core).core):
        operators = ("concat", "window", "pad", "upsample") if core != "cortex-m3" else ()  # there bytes are as good
        assert found >= {"relayout", "nibbles", "binary_nibbles", *(f"{name}_nibbles" for name in operators)}
        halved = artifact.report["totals"]["arena_bytes"] / compiled(core, DType.U8).report["totals"]["arena_bytes"]
        assert halved < 0.6
    else:
        assert not found


@pytest.mark.parametrize(
    "core, optimize", [("cortex-m3", "balanced"), *(("cortex-m4", goal) for goal in driver.OPTIMIZE)]
)
def test_a_mixed_network_is_exact(core: str, optimize: str, tmp_path: Path) -> None:
    artifact = compiled(core, optimize=optimize)
    artifact.save(tmp_path / "net")
    for place in ("host", "sanitize", *(["qemu"] if ARM else [])):
        verdict = validate.validate(tmp_path / "net", artifact, place, artifact.archive.samples[0])
        assert verdict.passed, validate.text(verdict)


@pytest.mark.parametrize("core", ["cortex-m3", "cortex-m4"])
def test_the_first_layer_writes_nibbles(core: str) -> None:
    """From the input as it is: neither an image in lanes of it nor bytes of its output are ever in the arena."""
    artifact = compiled(core)
    step = artifact.program.steps[0]
    assert step.inputs[0].place == "x" and step.kernel.stem == "im2col_nibbles" and step.output.layout.nibbles
    assert artifact.report["totals"]["arena_bytes"] < 2 * step.output.bytes


def test_bytes_are_packed_over_themselves() -> None:
    """A layer's bytes and the nibbles they become share memory: no more than the bytes is live."""
    kernels = tuple(k for k in KERNELS if k.stem != "im2col_nibbles")
    graph, target = compiled("cortex-m4").program.graph, targets.get("cortex-m4")
    ways = select.options(graph, target.core, kernels=kernels)
    objective = driver.goal(graph, target, "balanced", ways)
    program = shrink.shrunk(select.select(graph, target.core, objective, ways=ways), objective)
    step = next(s for s in program.steps if s.output.layout.nibbles)
    assert layout.halves(step.output.layout, step.inputs[0].layout) and step.name.startswith("v0.")
    offsets = plan.plan(program).offsets
    x, y = offsets[step.inputs[0]], offsets[step.output]
    assert y < x + step.inputs[0].bytes and x < y + step.output.bytes
