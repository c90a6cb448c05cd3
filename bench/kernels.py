"""Cycles of the kernels on fixed layers, as simulated, beside what the cost model says. Every result is checked too.

    python bench/kernels.py [--core cortex-m4] [--encoding rice] [--densities 0.1 0.35] [LAYER...]

run.py runs these and whole networks, and writes both down.

A figure is the cycles of a whole layer on memory without wait states, but for the seal of its output, which has a
column of its own, divided by the multiply-accumulates that a dense layer would take.
"""

from __future__ import annotations

import argparse
import re
import struct
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mcugen import fixed, layout, resources, targets
from mcugen.errors import MismatchError
from mcugen.ir import DType, Node, Out, Quant, Range, Tensor, Value
from mcugen.kernels.base import Core, Field, Kernel, Signature, seal_cycles, takes_nibbles
from mcugen.kernels.chunks import Chunks
from mcugen.kernels.direct import Direct, DirectDepthwise
from mcugen.kernels.im2col import (
    FlatPairs,
    FlatQuads,
    Im2colFlat,
    Im2colNibbles,
    Im2colPairs,
    Im2colQuads,
    NibblePairs,
    NibbleQuads,
)
from mcugen.kernels.kronecker import Kronecker
from mcugen.kernels.nibbles import Nibbles
from mcugen.kernels.paired import Paired
from mcugen.kernels.sparse import DECODED, Sparse
from mcugen.kernels.window import Window
from mcugen.ops import base as ops
from mcugen.ops.conv2d import Conv2d
from mcugen.ops.depthwise import DepthwiseConv2d
from mcugen.pack import I8, entropy_bits
from mcugen.sim import cycles

# Channels, height, width, kernel; 3 x 3 layers write the layout that they read, pointwise layers write no halo.
LAYERS = {
    "pw64_25x5": (64, 25, 5, 1),
    "c3_16_32": (16, 32, 32, 3),
    "c3_32_16": (32, 16, 16, 3),
    "c3_64_8": (64, 8, 8, 3),
    "pw128_6": (128, 6, 6, 1),
    "pw256_3": (256, 3, 3, 1),
}
# The figures to reach: prototypes of these kernels on the same layers, in the same simulation.
DENSITIES = (0.1, 0.2, 0.35, 0.5)
Bars = dict[str, dict[str, tuple[float, ...]]]  # by core, layer, density
LISTS16: Bars = {
    "cortex-m4": {
        "pw64_25x5": (0.223, 0.327, 0.481, 0.638),
        "c3_16_32": (0.146, 0.248, 0.402, 0.556),
        "c3_32_16": (0.125, 0.228, 0.381, 0.535),
        "c3_64_8": (0.117, 0.219, 0.373, 0.526),
        "pw128_6": (0.206, 0.313, 0.477, 0.640),
        "pw256_3": (0.243, 0.392, 0.615, 0.838),
    },
    "cortex-m3": {
        "pw64_25x5": (0.322, 0.451, 0.644, 0.840),
        "c3_16_32": (0.203, 0.330, 0.521, 0.713),
        "c3_32_16": (0.166, 0.294, 0.485, 0.676),
        "c3_64_8": (0.150, 0.277, 0.468, 0.659),
        "pw128_6": (0.267, 0.399, 0.601, 0.801),
        "pw256_3": (0.299, 0.482, 0.754, 1.027),
    },
    "cortex-m0plus": {
        "pw64_25x5": (0.609, 0.803, 1.086, 1.378),
        "c3_16_32": (0.355, 0.542, 0.832, 1.116),
        "c3_32_16": (0.279, 0.474, 0.765, 1.056),
        "c3_64_8": (0.242, 0.436, 0.727, 1.018),
        "pw128_6": (0.410, 0.595, 0.882, 1.165),
        "pw256_3": (0.446, 0.699, 1.077, 1.456),
    },
}
# Layers of 8-bit weights, a row for each kernel that has assembler for the core: (channels, height, width), output
# channels (none: depthwise), kernel, stride, padding.
DIRECT = {
    "dw64_25x5": ((64, 25, 5), 0, (3, 3), 1, (1, 1, 1, 1)),
    "dw256_3": ((256, 3, 3), 0, (3, 3), 1, (1, 1, 1, 1)),
    "dw128_6": ((128, 6, 6), 0, (3, 3), 1, (1, 1, 1, 1)),
    "dw128_6s2": ((128, 6, 6), 0, (3, 3), 2, (0, 0, 1, 1)),
    "dw64_12": ((64, 12, 12), 0, (3, 3), 1, (1, 1, 1, 1)),
    "dw64_12s2": ((64, 12, 12), 0, (3, 3), 2, (0, 0, 1, 1)),
    "dw8_48": ((8, 48, 48), 0, (3, 3), 1, (1, 1, 1, 1)),
    "dw8_48s2": ((8, 48, 48), 0, (3, 3), 2, (0, 0, 1, 1)),
    "dw16_16_5x5": ((16, 16, 16), 0, (5, 5), 1, (2, 2, 2, 2)),
    "first_kws": ((1, 49, 10), 64, (10, 4), 2, (4, 1, 5, 1)),
    "first_resnet": ((3, 32, 32), 16, (3, 3), 1, (1, 1, 1, 1)),
    "first_vww": ((3, 96, 96), 8, (3, 3), 2, (0, 0, 1, 1)),
}
RICE: Bars = {
    "cortex-m4": {
        "pw64_25x5": (0.253, 0.373, 0.551, 0.731),
        "c3_16_32": (0.150, 0.254, 0.411, 0.567),
        "c3_32_16": (0.137, 0.248, 0.414, 0.578),
        "c3_64_8": (0.159, 0.293, 0.493, 0.692),
        "pw128_6": (0.289, 0.452, 0.699, 0.943),
        "pw256_3": (0.530, 0.907, 1.458, 2.008),
    },
    "cortex-m3": {
        "pw64_25x5": (0.353, 0.500, 0.717, 0.937),
        "c3_16_32": (0.207, 0.336, 0.531, 0.725),
        "c3_32_16": (0.179, 0.315, 0.518, 0.721),
        "c3_64_8": (0.193, 0.354, 0.594, 0.833),
        "pw128_6": (0.353, 0.543, 0.832, 1.118),
        "pw256_3": (0.597, 1.019, 1.637, 2.253),
    },
}
BYTES: Bars = {
    "cortex-m4": {
        "pw64_25x5": (0.221, 0.325, 0.479, 0.637),
        "pw128_6": (0.203, 0.310, 0.475, 0.637),
        "pw256_3": (0.238, 0.387, 0.610, 0.833),
    },
    "cortex-m3": {
        "pw64_25x5": (0.320, 0.450, 0.643, 0.838),
        "pw128_6": (0.264, 0.396, 0.599, 0.799),
        "pw256_3": (0.294, 0.476, 0.749, 1.022),
    },
}
PAIRS16: Bars = {
    "cortex-m4": {
        "pw64_25x5": (0.217, 0.327, 0.463, 0.558),
        "c3_16_32": (0.149, 0.251, 0.368, 0.459),
        "c3_32_16": (0.126, 0.218, 0.328, 0.417),
        "c3_64_8": (0.115, 0.203, 0.314, 0.402),
    },
    "cortex-m3": {
        "pw64_25x5": (0.316, 0.449, 0.609, 0.726),
        "c3_16_32": (0.205, 0.329, 0.472, 0.586),
        "c3_32_16": (0.166, 0.279, 0.415, 0.527),
        "c3_64_8": (0.147, 0.256, 0.394, 0.504),
    },
}
CHUNKS16: Bars = {  # on pixels of 4 bits
    "cortex-m0plus": {
        "pw64_25x5": (0.351, 0.432, 0.630, 0.778),
        "c3_16_32": (0.183, 0.303, 0.460, 0.613),
        "c3_32_16": (0.153, 0.257, 0.412, 0.567),
        "c3_64_8": (0.145, 0.258, 0.428, 0.598),
        "pw128_6": (0.260, 0.384, 0.550, 0.712),
        "pw256_3": (0.328, 0.498, 0.750, 1.003),
    },
}
NIBBLES16: Bars = {  # pixels of 4 bits
    "cortex-m4": {
        "pw64_25x5": (0.184, 0.253, 0.407, 0.527),
        "c3_16_32": (0.112, 0.205, 0.323, 0.444),
        "c3_32_16": (0.103, 0.183, 0.304, 0.424),
        "c3_64_8": (0.095, 0.175, 0.295, 0.415),
        "pw128_6": (0.190, 0.303, 0.451, 0.596),
        "pw256_3": (0.283, 0.446, 0.689, 0.933),
    },
    "cortex-m3": {
        "pw64_25x5": (0.256, 0.326, 0.495, 0.622),
        "c3_16_32": (0.144, 0.246, 0.371, 0.500),
        "c3_32_16": (0.123, 0.209, 0.338, 0.466),
        "c3_64_8": (0.107, 0.193, 0.321, 0.449),
        "pw128_6": (0.230, 0.351, 0.509, 0.664),
        "pw256_3": (0.328, 0.498, 0.754, 1.015),
    },
}
CHUNKS_RICE: Bars = {
    "cortex-m0plus": {
        "pw64_25x5": (0.396, 0.495, 0.724, 0.912),
        "c3_16_32": (0.189, 0.312, 0.472, 0.630),
        "c3_32_16": (0.170, 0.284, 0.456, 0.621),
        "c3_64_8": (0.201, 0.356, 0.588, 0.804),
        "pw128_6": (0.385, 0.568, 0.847, 1.091),
        "pw256_3": (0.706, 1.170, 1.871, 2.451),
    },
}
BAR: dict[str, Bars] = {
    "lists16": LISTS16,
    "bytes": BYTES,
    "rice": RICE,
    "blocks": {},
    "base3": {},
    "pairs16": PAIRS16,
    "paired rice": {},
    "chunks16": CHUNKS16,
    "chunks rice": CHUNKS_RICE,
    "nibbles16": NIBBLES16,
    "nibbles rice": {},
}
LOW: dict[str, Kernel] = {  # by encoding: kernels for pixels of 4 bits
    "chunks16": Chunks(),
    "chunks rice": Chunks("rice"),
    "nibbles16": Nibbles(),
    "nibbles rice": Nibbles("rice"),
}
PAIRED = ("pairs16", "paired rice")
PRODUCTS = ("direct", "im2col", "kronecker", "window")  # stems of the kernels of 8-bit weights
LOOKS = ("relayout_spread", "relayout_run", "words_thumb", "lanes_blank", "lanes_pads")  # of what im2col_flat calls
FLASH, RAM = 0x30000000, 0x34000000  # of tables and of images: where the program has nothing
GUARD = b"\xa5" * 4  # behind scratch
_SIZES = {"int16_t": 2, "uint16_t": 2, "int32_t": 4, "uint32_t": 4}


@dataclass(frozen=True)
class Row:
    """One layer at one density; cycles of the whole layer, but for the seal."""

    layer: str
    density: float
    kernel: str
    core: str
    input: str  # type
    macs: int
    cycles: int
    estimated: int
    seal: int
    seal_estimated: int
    table_bytes: int
    image_bytes: int  # input and output in their layouts
    logical_bytes: int  # bare
    bits_per_weight: float
    entropy: float  # the same at least
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
            "input": self.input,
            "macs": self.macs,
            "cycles": self.cycles,
            "cycles_per_mac": round(self.per_mac, 4),
            "cycles_per_mac_to_reach": self.bar,
            "predicted_cycles": self.estimated,
            "seal_cycles": self.seal,
            "seal_predicted_cycles": self.seal_estimated,
            "flash_bytes": self.table_bytes,
            "arena_bytes": self.image_bytes,
            "arena_bound_bytes": self.image_bytes,
            "logical_bound_bytes": self.logical_bytes,
            "bits_per_weight": round(self.bits_per_weight, 4),
            "entropy_bits_per_weight": round(self.entropy, 4),
        }


def layer(name: str, density: float, unsplit: bool = False, low: DType = DType.U8) -> Node:
    """A layer with as many weights at random places, half of them -1, from pixels of that type to such.

    unsplit: on the widest input for which all sums fit 16 bits.
    """
    c, h, w, size = LAYERS[name]
    rng = np.random.default_rng([c, h, round(100 * density)])
    weights = np.zeros(c * c * size * size, np.int8)
    places = rng.permutation(weights.size)[: round(density * weights.size)]
    weights[places] = rng.choice([-1, 1], places.size)
    pad = size // 2
    op = Conv2d(padding=(pad,) * 4, to=Out.full(low))
    for dtype in (low, DType.U7, DType.U6):
        x = Value("x", Tensor(dtype, (c, h, w), Quant(0.05, 0)))
        kernel = Value("w", Tensor(DType.T, (c, c, size, size)), weights.reshape(c, c, size, size))
        acc = accumulators(ops.make(Conv2d(padding=op.padding), x, kernel))
        scale = (low.hi + 1) / 4 / np.sqrt(np.count_nonzero(weights) / c) / (dtype.hi + 1)
        tail = fixed.lower(np.full(c, scale), np.full(c, 100.0 / 255 * low.hi), acc.lo, acc.hi, 0, low.hi)
        constants = [
            ops.constant(n, d, v)
            for n, d, v in zip(("m", "a", "s"), (DType.I16, DType.I32, DType.U8), tail, strict=True)
        ]
        node = ops.make(op, x, kernel, *constants)
        limits = accumulators(node)
        if not unsplit or int((limits.hi - limits.lo).max()) < 1 << 16:
            return node
    raise AssertionError(f"{name} at {density} is too dense for 16 bits")


def accumulators(node: Node) -> Range:
    """The node's accumulator limits for all inputs of its type."""
    return node.op.bounds(*(ops.input_range(v) if v.data is None else v.data for v in node.inputs))[0]


def direct_layer(name: str, low: DType = DType.U8) -> Node:
    """A layer with normally distributed weights, whose results of that type fill its range."""
    shape, out, size, stride, padding = DIRECT[name]
    rng = np.random.default_rng(1)
    w_shape = (out, shape[0], *size) if out else (shape[0], *size)
    weights = np.clip(np.round(rng.normal(0, 40, w_shape)), -127, 127).astype(np.int8)
    op = Conv2d((stride, stride), padding) if out else DepthwiseConv2d((stride, stride), padding)
    x, w = Value("x", Tensor(DType.U8, shape, Quant(0.05, 0))), ops.constant("w", DType.I8, weights)
    acc = accumulators(ops.make(op, x, w))
    scale = (low.hi + 1) / 512 / np.sqrt((weights.astype(float) ** 2).reshape(len(weights), -1).sum(axis=1))
    tail = fixed.lower(scale, np.full(len(weights), 100 / 255 * low.hi), acc.lo, acc.hi, 0, low.hi)
    named = zip(("m", "a", "s"), (DType.I16, DType.I32, DType.U8), tail, strict=True)
    return ops.make(replace(op, to=Out.full(low)), x, w, *(ops.constant(*c) for c in named))


def offered(node: Node, kernel: Kernel) -> Signature | None:
    """Runs where they are shorter, lanes of as few rows as hold the image, or the flat image; the output is bare."""
    x, y = node.inputs[0].type, node.output.type
    bits = 4 if isinstance(kernel, Nibbles | Im2colNibbles) else 8
    flat = isinstance(kernel, Kronecker | Im2colFlat)
    runs = not flat and layout.shorter(y, bits)
    if runs and (found := kernel.offered(node, (layout.runs(x, bits),), layout.runs(y, bits))):
        return found
    stride = getattr(node.op, "stride", (1, 1))[0]
    rows = layout.rows_for(y.shape[1], 32 // bits)
    like = layout.FLAT if flat else layout.lanes(x, stride * rows, bits=bits)
    return kernel.layouts(node, (like,), layout.lanes(y, rows, bits=bits))


def signature(node: Node, kernel: Kernel) -> Signature:
    """As offered, but for a layer that pointwise ones do not follow the output has the halo of the input."""
    found, y = offered(node, kernel), node.output.type
    assert found is not None
    if found.inputs[0].flat or found.output.runs or isinstance(node.op, DepthwiseConv2d):
        return found
    if getattr(node.op, "stride", (1, 1))[0] > 1:
        return found
    rows = found.output.rows_per_lane
    a = found.inputs[0]
    return Signature((a,), layout.lanes(y, rows, a.halo_top, a.halo_bottom, a.pad_cols, a.bits))


def placed(fields: Sequence[Field], memory: dict[int, bytes], free: int, address: Callable[[str], int]) -> int:
    """Writes a struct, and what it points to, to `free` and behind; returns what is free. address: of a function."""
    tables = []
    data = bytearray()

    def put(members: Sequence[Field]) -> None:
        align = max(map(size, members))
        for f in members:
            data.extend(bytes(-len(data) % (4 if isinstance(f.value, tuple) else size(f))))
            if isinstance(f.value, tuple):
                put(f.value)
            elif isinstance(f.value, np.ndarray):
                tables.append((len(data), f.value))
                data.extend(bytes(4))
            elif isinstance(f.value, str):
                data.extend(struct.pack("<I", address(f.value) if f.function else 0))
            else:
                assert isinstance(f.value, int | np.integer), f
                data.extend(int(f.value).to_bytes(size(f), "little", signed=f.ctype.startswith("int")))
        data.extend(bytes(-len(data) % align))

    def size(f: Field) -> int:
        return max(map(size, f.value)) if isinstance(f.value, tuple) else 4 if f.pointer else _SIZES.get(f.ctype, 1)

    put(fields)
    at = free
    free += -(-len(data) // 8) * 8
    for offset, table in tables:
        struct.pack_into("<I", data, offset, free)
        memory[free] = np.ascontiguousarray(table).tobytes()
        free += -(-table.nbytes // 8) * 8
    memory[at] = bytes(data)
    return free


def variant(core: Core, stem: str = "sparse") -> str:
    """The function for a core of the sparse kernel, or of that for pairs of channels."""
    return f"mcugen1_{stem}_{next((isa for isa in core.isa if isa in ('dsp', 'm3', 'm0')), 'ref')}"


def kernels(name: str, core: Core, encoding: str) -> Iterator[Kernel]:
    """Those that a layer is measured with, as they are for the core."""
    if name not in DIRECT and encoding in LOW:
        yield LOW[encoding].on(core)
    elif name not in DIRECT:
        yield (Paired(encoding.removeprefix("paired ")) if encoding in PAIRED else Sparse(encoding)).on(core)
    elif not DIRECT[name][1]:
        yield next(k for k in (Window(I8, True), Window(I8), DirectDepthwise(I8)) if offered(direct_layer(name), k))
    else:
        yield Direct(I8)
        yield from (Im2colPairs(), FlatPairs()) if "dsp" in core.isa else (Im2colQuads(), FlatQuads())
        if takes_nibbles(core):
            yield NibblePairs() if "dsp" in core.isa else NibbleQuads()
        yield Kronecker().on(core)


def measured_layer(name: str, density: float, kernel: Kernel, unsplit: bool) -> Node:
    """The layer that a kernel is measured on; decoders know no channels that are split."""
    if name in DIRECT:
        return direct_layer(name, DType.U4 if isinstance(kernel, Im2colNibbles) else DType.U8)
    x = DType.U4 if kernel.stem in {low.stem for low in LOW.values()} else DType.U8
    return layer(name, density, unsplit or kernel.weights in DECODED, x)


def measured(
    name: str, density: float, machine: cycles.Machine, core: Core, kernel: Kernel, unsplit: bool = False
) -> Row:
    """One row; MismatchError E601 if a byte of the output is not the reference's."""
    of_two = {"paired/rice": "paired rice", "chunks/rice": "chunks rice", "nibbles/rice": "nibbles rice"}
    encoding = of_two.get(kernel.name, kernel.weights)
    node = measured_layer(name, density, kernel, unsplit)
    function = f"mcugen1_{kernel.stem}_ref" if name in DIRECT else variant(core, kernel.stem)
    sig, acc = signature(node, kernel), accumulators(node)
    assert kernel.accepts(node, acc)
    bound = kernel.bind(node, sig, acc)
    w, weights = node.inputs[1].const, next(f.value for f in bound.members if f.name == "weights")
    assert isinstance(weights, np.ndarray)
    rng = np.random.default_rng(1)
    x = rng.integers(0, node.inputs[0].type.dtype.hi + 1, (1, *node.inputs[0].type.shape)).astype(np.uint8)
    want = layout.store(sig.output, node.op.eval(x, *(v.const for v in node.inputs[1:]))[0])
    memory = {RAM: layout.store(sig.inputs[0], x[0]).tobytes()}
    y_at = RAM + -(-len(memory[RAM]) // 8) * 8
    memory[y_at] = bytes(range(256)) * (want.size // 256) + bytes(want.size % 256)
    scratch = y_at + -(-want.size // 8) * 8 + 4  # aligned as an arena is
    memory[scratch] = GUARD * (bound.scratch // len(GUARD) + 1)
    placed(bound.fields, memory, FLASH, machine.address)
    call = machine.call(function, [FLASH, RAM, y_at, scratch], memory)
    where = f"{name} on {core.name}"
    if call.memory[scratch][bound.scratch :] != GUARD:
        raise MismatchError("E601", f"wrote behind its scratch at density {density}", where=where)
    if call.memory[y_at] != want.tobytes():
        raise MismatchError("E601", f"wrong result at density {density}", where=where)
    layer_code = (
        "sparse",
        "paired",
        "chunks",
        *PRODUCTS,
        "unpack",
        "memcpy",
        "memset",
        *(LOOKS if isinstance(kernel, Im2colFlat) else ()),
    )  # the rest is the seal, and on Armv6-M its divisions
    others = (f for f in call.functions if not any(part in f.name for part in layer_code))
    seal = sum(f.cycles for f in others if not re.search(r"nibbles(\d|_dsp|_m3|_next|_shift|_rice)", f.name))
    estimated_seal = seal_cycles(sig.output, node.output.type, core)
    estimated = kernel.cycles(node, sig, acc, core) - estimated_seal
    bars = BAR.get(encoding, {}).get(core.name, {}).get(name, ())
    return Row(
        *(name, density, kernel.name, core.name, node.inputs[0].type.dtype.value),
        *(node.op.macs(*(v.type for v in node.inputs)), call.cycles - seal, round(estimated)),
        *(seal, round(estimated_seal), bound.table_bytes),
        *(len(memory[RAM]) + want.size, node.inputs[0].type.bytes + node.output.type.bytes),
        *(8 * weights.nbytes / w.size, entropy_bits(w) / w.size),
        dict(zip(DENSITIES, bars, strict=False)).get(density),
    )


def table(records: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Records of layers as text."""
    head = (
        "layer        kernel                density  in  cycles    /MAC   to reach  ratio   estimate   seal   estimate"
    )
    yield f"{head}    tables  bits/w  entropy"
    for r in records:
        bar, cycles, seal = r["cycles_per_mac_to_reach"], r["cycles"], r["seal_cycles"]
        reach = f"{bar:8.3f}  {r['cycles_per_mac'] / bar:5.2f}" if bar else " " * 15
        off, seal_off = (
            f"{100 * (a / b - 1):+6.1f} %" if b else " " * 8
            for a, b in ((r["predicted_cycles"], cycles), (r["seal_predicted_cycles"], seal))
        )
        yield (
            f"{r['network']:12} {r['variant']:20} {r['density']:7}  {r['input']} {cycles:8}  {r['cycles_per_mac']:6.3f}"
            f"  {reach}  {off}  {100 * seal / (cycles + seal):5.1f} %  {seal_off}  {r['flash_bytes']:7} B"
            f"  {r['bits_per_weight']:6.3f}  {r['entropy_bits_per_weight']:7.3f}"
        )


def ratios(low: Sequence[Row], others: Sequence[Row]) -> Iterator[str]:
    """How much faster layers of 4 bits are than the same on bytes, as text."""
    yield "layer         density    u8 /MAC    u4 /MAC  times as fast"
    for a, b in zip(low, others, strict=True):
        yield f"{a.layer:12}  {a.density:7}  {b.per_mac:9.3f}  {a.per_mac:9.3f}  {b.cycles / a.cycles:13.2f}"


def rows(
    core: Core, layers: Sequence[str], densities: Sequence[float], encoding: str = "lists16", unsplit: bool = False
) -> list[Row]:
    """A row for each layer and kernel that takes it: for each density, or one for 8-bit weights, whose density is 1."""
    with tempfile.TemporaryDirectory(prefix="mcugen-") as work:
        sparse = sorted(
            p
            for s in ("sparse", "paired", "chunks", "nibbles")
            for p in resources.KERNELS.glob(f"{s}*")
            if p.suffix in (".c", ".S")
        )
        products = sorted(p for s in PRODUCTS for p in resources.KERNELS.glob(f"{s}*") if p.suffix in (".c", ".S"))
        images = "lanes.c", "lanes_ref.c", "lanes_thumb.S", "limit_ref.c", "relayout_ref.c", "relayout_thumb.S"
        lanes = [resources.KERNELS / name for name in images]
        sources = [*sparse, *products, *lanes, resources.KERNELS / "unpack_i8.c"]
        kept = [
            "mcugen1_sparse_rice",
            "mcugen1_sparse_blocks",
            "mcugen1_sparse_base3",
            "mcugen1_paired_rice",
            "mcugen1_chunks_rice",
            "mcugen1_nibbles_rice",
            "mcugen1_unpack_i8",
            *(f"mcugen1_{s}_ref" for s in (*PRODUCTS, "im2col_flat", "im2col_nibbles")),
        ]
        kept += [f"mcugen1_{p.stem}" for p in products if p.suffix == ".S"]
        kept += [f"mcugen1_nibbles_{part}" for part in ("ref", "shift", "shift_sums")]
        if {"dsp", "m3"} & {*core.isa}:
            kept += [variant(core, "paired"), variant(core, "nibbles")]
        kept.append(variant(core, "chunks") if "m0" in core.isa else "mcugen1_chunks_ref")
        kept += ["mcugen1_im2col_pairs", "mcugen1_im2col_quads"]
        kept += [f"mcugen1_kronecker_{n}{step}" for n in ("four", "three") for step in (1, 2)]
        elf = cycles.build_elf(sources, variant(core), Path(work) / "kernels.elf", core.name, keep=kept)
        machine = cycles.Machine(elf, core.name)
        return [
            measured(name, d, machine, core, kernel, unsplit)
            for name in layers
            for kernel in kernels(name, core, encoding)
            for d in ((1.0,) if name in DIRECT else densities)
            if offered(node := measured_layer(name, d, kernel, unsplit), kernel)
            and kernel.accepts(node, accumulators(node))
        ]


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("layers", nargs="*", default=[*LAYERS, *DIRECT], help=f"of {', '.join([*LAYERS, *DIRECT])}")
    parser.add_argument("--core", default="cortex-m4")
    parser.add_argument("--encoding", choices=BAR, default="lists16")
    parser.add_argument("--densities", nargs="+", type=float, default=DENSITIES)
    parser.add_argument("--unsplit", action="store_true", help="inputs so narrow that all sums fit 16 bits")
    args = parser.parse_args()
    core = targets.get(args.core).core
    found = rows(core, args.layers, args.densities, args.encoding, args.unsplit)
    print("\n".join(table([r.record for r in found])))
    if args.encoding in LOW:
        print("\n".join(ratios(found, rows(core, args.layers, args.densities, "lists16", args.unsplit))))


if __name__ == "__main__":
    main()
