"""Cycles of the kernels for fully connected layers, as simulated, beside what the cost model says.

    python bench/linear.py [--core cortex-m4] [--densities 0.1 0.35] [--kernels linear_lists/lists8 ...] [LAYER...]

Every result is checked too. A figure is the cycles of a whole layer on memory without wait states, divided by the
multiply-accumulates that a dense layer would take. Density 1 stands for weights of 8 bits. run.py runs the fastest
kernel of each layer and writes it down.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from kernels import FLASH, RAM, accumulators, placed

from mcugen import fixed, resources, targets
from mcugen.errors import MismatchError
from mcugen.ir import DType, Node, Out
from mcugen.kernels import KERNELS
from mcugen.kernels.base import FINISH, Core, Kernel, Signature
from mcugen.layout import FLAT
from mcugen.ops import base as ops
from mcugen.ops.linear import Linear
from mcugen.pack import entropy_bits
from mcugen.sim import cycles

LAYERS = {  # inputs, outputs, their type
    "fc640_128": (640, 128, "u8"),
    "fc128_128": (128, 128, "u8"),
    "fc128_8": (128, 8, "u8"),
    "fc8_128": (8, 128, "u8"),
    "fc128_640": (128, 640, "i16"),
    "fc256_10": (256, 10, "u8"),
    "fc256_2": (256, 2, "i16"),
    "fc64_10": (64, 10, "i16"),
}
DENSITIES = (0.05, 0.1, 0.2, 0.35, 0.5, 0.67)
# The figures to reach: the best prototype of these kernels on the same layers, in the same simulation.
BAR = {
    "cortex-m4": {
        "fc640_128": (0.425, 0.629, 1.022, 1.505, 1.505, 1.505),
        "fc128_128": (0.818, 1.014, 1.432, 1.773, 1.773, 1.773),
    },
    "cortex-m3": {
        "fc640_128": (0.425, 0.628, 1.022, 1.535, 1.535, 1.535),
        "fc128_128": (0.818, 1.014, 1.432, 1.849, 1.849, 1.849),
    },
    "cortex-m0plus": {
        "fc640_128": (0.605, 0.926, 1.527, 2.427, 2.569, 2.569),
        "fc128_128": (1.049, 1.408, 2.029, 2.927, 2.935, 2.935),
    },
}
OUTS = {"u8": Out.full(DType.U8), "i16": Out.full(DType.I16)}


@dataclass(frozen=True)
class Row:
    """One layer at one density."""

    layer: str
    density: float
    kernel: str
    core: str
    macs: int
    cycles: int
    estimated: int
    weight_bytes: int
    table_bytes: int
    buffer_bytes: int  # input and output
    scratch_bytes: int
    entropy: float  # bits that a weight takes at least
    bar: float | None

    @property
    def per_mac(self) -> float:
        """Cycles per dense multiply-accumulate."""
        return self.cycles / self.macs

    @property
    def record(self) -> dict[str, Any]:
        """As run.py writes it; a layer's kernel is its variant."""
        return {
            "network": self.layer,
            "core": self.core,
            "density": self.density,
            "variant": self.kernel,
            "optimize": "speed",
            "input": "u8",
            "macs": self.macs,
            "cycles": self.cycles,
            "cycles_per_mac": round(self.per_mac, 4),
            "cycles_per_mac_to_reach": self.bar,
            "predicted_cycles": self.estimated,
            "seal_cycles": 0,
            "seal_predicted_cycles": 0,
            "flash_bytes": self.table_bytes,
            "arena_bytes": self.buffer_bytes + self.scratch_bytes,
            "arena_bound_bytes": self.buffer_bytes + self.scratch_bytes,
            "logical_bound_bytes": self.buffer_bytes,
            "bits_per_weight": round(8 * self.weight_bytes / self.macs, 4),
            "entropy_bits_per_weight": round(self.entropy, 4),
        }


def layer(name: str, density: float) -> Node:
    """A layer with as many weights at random places, half of them -1; density 1: with weights of 8 bits."""
    n, outputs, kind = LAYERS[name]
    to = OUTS[kind]
    rng = np.random.default_rng([n, outputs, round(100 * density)])
    w = np.zeros(n * outputs, np.int8)
    places = rng.permutation(w.size)[: round(density * w.size)]
    w[places] = rng.choice([-1, 1], places.size)
    if density == 1:
        w = np.clip(np.rint(rng.normal(0, 40, w.size)), -127, 127)
    dtype = DType.I8 if density == 1 else DType.T
    raw = ops.make(Linear(), ops.activation("x", (n,)), ops.constant("w", dtype, w.reshape(outputs, n)))
    acc = accumulators(raw)
    scale = (to.hi - to.lo) / 4 / np.sqrt((w**2.0).sum() / outputs) / 256
    offset = (to.hi + to.lo) / 2 + 0.1
    tail = fixed.lower(np.full(outputs, scale), np.full(outputs, offset), acc.lo, acc.hi, to.lo, to.hi)
    named = zip("mas", (DType.I16, DType.I32, DType.U8), tail, strict=True)
    return ops.make(Linear(to=to), *raw.inputs, *(ops.constant(*c) for c in named))


def kernels(names: Sequence[str] = ()) -> list[Kernel]:
    """The kernels for fully connected layers, or those of them."""
    return [k for k in KERNELS if k.op is Linear and (not names or k.name in names)]


def ternary(kernel: Kernel) -> bool:
    """False if its weights have 8 bits."""
    return kernel.layouts(layer("fc256_10", 0.1), (FLAT,), FLAT) is not None


def fastest(name: str, density: float, some: Sequence[Kernel], core: Core) -> list[Kernel]:
    """Of some kernels the one that the cost model expects to be the fastest."""
    node = layer(name, density)
    acc, sig = accumulators(node), Signature((FLAT,), FLAT)
    able = [k for k in some if k.layouts(node, (FLAT,), FLAT)]
    return [min(able, key=lambda k: k.cycles(node, sig, acc, core))]


def measured(name: str, density: float, kernel: Kernel, machine: cycles.Machine, core: Core) -> Row:
    """One row; MismatchError E601 if a byte of the output is not the reference's."""
    node = layer(name, density)
    acc, sig = accumulators(node), Signature((FLAT,), FLAT)
    bound = kernel.bind(node, sig, acc)
    bound_weights = next(f.value for f in bound.fields if f.name == "weights")
    assert isinstance(bound_weights, np.ndarray)
    x = np.random.default_rng(1).integers(0, 256, (1, *node.inputs[0].type.shape)).astype(np.uint8)
    want = node.op.eval(x, *(v.const for v in node.inputs[1:]))[0].tobytes()
    y_at = RAM + -(-x.size // 8) * 8
    scratch_at = y_at + -(-len(want) // 8) * 8
    memory = {RAM: x.tobytes(), y_at: bytes(len(want)), scratch_at: bytes(max(bound.scratch, 4))}
    placed(bound.fields, memory, FLASH, machine.address)
    args = [FLASH, RAM, y_at, *([scratch_at] if kernel.uses_scratch else [])]
    call = machine.call(f"mcugen1_{kernel.stem}_ref", args, memory)
    if call.memory[y_at] != want:
        raise MismatchError("E601", f"wrong result at density {density} by {kernel.name}", where=name)
    bar = dict(zip(DENSITIES, BAR.get(core.name, {}).get(name, ()), strict=False)).get(density)
    return Row(
        *(name, density, kernel.name, core.name, node.inputs[1].const.size),
        *(call.cycles, round(kernel.cycles(node, sig, acc, core)), bound_weights.nbytes, bound.table_bytes),
        *(x.size + len(want), bound.scratch),
        *(entropy_bits(node.inputs[1].const) / node.inputs[1].const.size if density < 1 else 8.0, bar),
    )


def rows(
    core: Core,
    layers: Sequence[str],
    densities: Sequence[float],
    some: Sequence[Kernel] | None = None,
    every: bool = True,
) -> list[Row]:
    """A row for each layer, density and kernel, or if not `every`, for the fastest kernel."""
    some = kernels() if some is None else some
    with tempfile.TemporaryDirectory(prefix="mcugen-") as work:
        pointed = ("unpack_planes", "unpack_base3", "unpack_i8", *(f for f in FINISH if "thumb2" not in f))
        names = {f"mcugen1_{k.stem}_ref" for k in some} | {f"mcugen1_{f}" for f in pointed}
        globs = ("linear*", "lists8*", "rice*", "codes2*", "tables4*", "pairs8*", "dots8*", "dot*", "unpack*")
        sources = sorted(p for g in globs for p in resources.KERNELS.glob(g) if p.suffix in (".c", ".S"))
        elf = cycles.build_elf(sources, min(names), Path(work) / "kernels.elf", core.name, keep=sorted(names))
        machine = cycles.Machine(elf, core.name)
        return [
            measured(name, d, k, machine, core)
            for name in layers
            for d in (*densities, 1.0)
            for k in (some if every else fastest(name, d, some, core))
            if ternary(k) == (d < 1)
        ]


def table(found: Sequence[Row]) -> Iterator[str]:
    """The rows as text."""
    yield "layer      density  kernel                 cycles    /MAC   to reach  ratio   estimate   bits a weight"
    for r in found:
        bar = f"{r.bar:8.3f}  {r.per_mac / r.bar:5.2f}" if r.bar else " " * 15
        yield (
            f"{r.layer:10} {r.density:7}  {r.kernel:20} {r.cycles:8}  {r.per_mac:6.3f}  {bar}"
            f"  {100 * (r.estimated / r.cycles - 1):+6.1f} %  {8 * r.weight_bytes / r.macs:6.3f}"
        )


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("layers", nargs="*", default=[*LAYERS], help=f"of {', '.join(LAYERS)}")
    parser.add_argument("--core", default="cortex-m4")
    parser.add_argument("--densities", nargs="+", type=float, default=DENSITIES)
    parser.add_argument("--kernels", nargs="+", default=[])
    args = parser.parse_args()
    found = rows(targets.get(args.core).core, args.layers, args.densities, kernels(args.kernels))
    print("\n".join(table(found)))


if __name__ == "__main__":
    main()
