"""What a kernel is: a C function that runs one operator in given layouts, with a struct of parameters and a cost.

Conventions of all kernels (firmware/kernels/mcugen.h): `void mcugen1_<stem>(const struct mcugen_<stem> *k,
const void *x..., void *y, void *scratch)`; scratch is passed only where the kernel asks for some, and a variadic kernel
takes `const void *const *x`, an array with a pointer to each input.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from .. import fixed, layout
from ..ir import Array, Node, Op, Range, Tensor
from ..layout import LANES, Layout
from ..ops.base import tail_constants
from ..pack import Encoding


@dataclass(frozen=True)
class Core:
    """A processor core as kernels see it."""

    name: str
    isa: tuple[str, ...]  # file suffixes of kernel variants it can run, best first; `ref` always works
    load: float  # cycles of a load from memory
    branch: float  # cycles of a taken branch
    multiply: float
    pressure: float  # how many more instructions than on Armv7-M the reference kernels' inner loops take
    long_multiply: float  # a 32 x 32 -> 64 multiply-accumulate


NULL = "0"  # a pointer to nothing


@dataclass(frozen=True)
class Field:
    """One member of a parameter struct: an integer, a table in flash, a function, NULL, or a nested struct."""

    name: str
    ctype: (
        str  # uint8_t, int16_t, ..., of a table's elements too; the type of a function or NULL; a nested struct's tag
    )
    value: int | Array | str | tuple[Field, ...]

    @property
    def pointer(self) -> bool:
        """True for tables, functions and NULL."""
        return isinstance(self.value, np.ndarray | str)

    @property
    def function(self) -> str:
        """The function's name, if it is one."""
        return self.value if isinstance(self.value, str) and self.value != NULL else ""


@dataclass(frozen=True)
class Part:
    """A piece of assembler that a kernel finds by a table; the model says which ones it uses."""

    stem: str  # of its file, and its function
    code_bytes: int  # rough, Armv7-M with DSP, or what the core has
    only: str = ""  # MVE: linked only where there is Helium; OTHER: only where there is none


@dataclass(frozen=True)
class Bound:
    """A kernel with everything filled in for one node."""

    fields: tuple[Field, ...]
    scratch: int = 0  # bytes, word aligned
    needs: tuple[str, ...] = ()  # stems of helper sources beyond the kernel's own
    parts: tuple[Part, ...] = ()

    @property
    def table_bytes(self) -> int:
        """Bytes of all tables in flash."""
        return _table_bytes(self.fields)

    @property
    def bytes(self) -> int:
        """Bytes in flash: tables and the struct, without padding."""
        return self.table_bytes + _struct_bytes(self.fields)


def _struct_bytes(fields: tuple[Field, ...]) -> int:
    n = 0
    for f in fields:
        if isinstance(f.value, tuple):
            n += _struct_bytes(f.value)
        else:
            n += 4 if f.pointer else int(f.ctype.removeprefix("u").removeprefix("int").removesuffix("_t")) // 8
    return n


def _table_bytes(fields: tuple[Field, ...]) -> int:
    n = 0
    for f in fields:
        if isinstance(f.value, np.ndarray):
            n += f.value.nbytes
        elif isinstance(f.value, tuple):
            n += _table_bytes(f.value)
    return n


@dataclass(frozen=True)
class Signature:
    """The layouts in which a kernel reads its activations and writes its output."""

    inputs: tuple[Layout, ...]
    output: Layout


@dataclass(frozen=True)
class Kernel:
    """One way to run one operator. Subclasses are frozen; their instances stand in KERNELS."""

    stem: str = field(default="", init=False)  # of firmware/kernels/<stem>.h; empty: no code runs
    op: type[Op] = field(default=Op, init=False)
    code_bytes: int = field(default=0, init=False)  # rough, -O2 on Armv7-M, for the choice only
    uses_scratch: bool = field(default=False, init=False)  # the C function takes a scratch pointer
    in_place: tuple[int, ...] = field(default=(), init=False)  # inputs whose buffer the output may take over
    weights: str = field(default="", init=False)  # how they are stored, where no Encoding says so
    variadic: bool = field(default=False, init=False)  # the C function takes an array of pointers to its inputs

    @property
    def name(self) -> str:
        """How reports call it: the stem, and the weight encoding where it takes several."""
        encoding: Encoding | None = getattr(self, "encoding", None)
        weights = encoding.name if encoding else self.weights
        return (self.stem or "no code") + (f"/{weights}" if weights else "")

    def on(self, core: Core) -> Kernel:
        """The kernel as it is for a core: itself, unless its tables hold more for that core."""
        return self

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> Signature | None:
        """The layouts needed, with halos, if the kernel can run `node` on layouts like these; else None."""
        raise NotImplementedError

    def accepts(self, node: Node, acc: Range) -> bool:
        """True if what the kernel computes with holds the node's proven accumulators; asked where layouts are found."""
        return True

    def bind(self, node: Node, sig: Signature, acc: Range) -> Bound:
        """The struct's members for the final layouts; acc: the node's proven accumulator limits per channel."""
        raise NotImplementedError

    def cycles(self, node: Node, sig: Signature, acc: Range, core: Core) -> float:
        """Estimated cycles of one call."""
        raise NotImplementedError


def same_lanes(node: Node, inputs: tuple[Layout, ...], output: Layout) -> Signature | None:
    """Signature of an operator that goes element by element through an image in lanes; None where it cannot."""
    x, y = node.inputs[0].type, node.output.type
    if inputs[0].flat or output.flat or not y.dtype.unsigned or not fits(x):
        return None
    if inputs[0].rows_per_lane != output.rows_per_lane:
        return None
    return Signature((bare(inputs[0], x),), bare(output, y))


def simulated(core: Core, dsp: tuple[float, ...], m3: tuple[float, ...], m0: tuple[float, ...]) -> tuple[float, ...]:
    """The constants of a cost function, fitted to simulated cycles of Cortex-M4, M3 and M0+; for M7 a share of M4's.

    That share is rough, as the timings of the Cortex-M7 are.
    """
    if core.name == "cortex-m7":
        return tuple(0.6 * v for v in dsp)
    return dsp if "dsp" in core.isa else m3 if "m3" in core.isa else m0


def all_flat(sig_inputs: tuple[Layout, ...], output: Layout) -> bool:
    """True if nothing lies in lanes."""
    return output.flat and all(i.flat for i in sig_inputs)


# The tail of a sum (mcugen_tail in mcugen_fixed.h).


def tail_field(node: Node, acc: Range) -> Field:
    """struct mcugen_tail for a node; one entry per channel in each table."""
    channels = acc.lo.size
    constants = tail_constants(node)
    if constants is None:  # plain accumulators: (acc * 1 + 0) >> 0
        mult, add, shift = (np.full(channels, v) for v in (1, 0, 0))
        lo, hi = -(1 << 31), (1 << 31) - 1
    else:
        mult, add, shift = (np.broadcast_to(c, (channels,)) for c in constants)
        to = node.op.to  # type: ignore[attr-defined]
        lo, hi = to.lo, to.hi
    return Field(
        "tail",
        "mcugen_tail",
        (
            Field("mult", "int16_t", mult.astype(np.int16)),
            Field("add", "int32_t", add.astype(np.int32)),
            Field("shift", "uint8_t", shift.astype(np.uint8)),
            Field("lo", "int32_t", lo),
            Field("hi", "int32_t", hi),
            Field("bytes", "uint8_t", node.output.type.dtype.bytes),
            Field("wide", "uint8_t", int(not fixed.narrow(acc.lo, acc.hi, mult, add))),
        ),
    )


def tail_cycles(node: Node, acc: Range, core: Core) -> float:
    """Cycles to requantise and store one output."""
    constants = tail_constants(node)
    if constants is None:
        return 4 * core.load
    narrow = fixed.narrow(acc.lo, acc.hi, constants[0], constants[1])
    return 6 * core.load + 10 + (core.multiply if narrow else core.long_multiply)


def tail_range(node: Node, acc: Range) -> Range:
    """Accumulator limits with as many entries as the tail has constants: one for all channels, or one for each."""
    n = max((c.size for c in tail_constants(node) or ()), default=acc.lo.size)
    if n == 1:
        return Range(acc.lo.min(keepdims=True), acc.hi.max(keepdims=True))
    return Range(acc.lo.repeat(n // acc.lo.size), acc.hi.repeat(n // acc.hi.size))


def add_cycles(core: Core) -> float:
    """Cycles of one element of a residual sum."""
    return 3 * core.load + 2 * core.multiply + core.branch + 9


# One rule per input (concatenation).


def rule_fields(
    mults: tuple[int, ...], adds: tuple[int, ...], shifts: tuple[int, ...], copied: tuple[bool, ...]
) -> tuple[Field, ...]:
    """The rule of each input, as tables, and whether it is the identity."""
    return (
        Field("mult", "int16_t", np.array(mults, np.int16)),
        Field("add", "int32_t", np.array(adds, np.int32)),
        Field("shift", "uint8_t", np.array(shifts, np.uint8)),
        Field("copy", "uint8_t", np.array(copied, np.uint8)),
    )


def rule_cycles(copied: bool, core: Core) -> float:
    """Cycles to bring one element over."""
    return core.load if copied else 3 * core.load + core.multiply + core.branch + 10


# Geometry of windows over images.


def fits(*tensors: Tensor) -> bool:
    """True if every dimension fits the 16-bit members of the parameter structs."""
    return all(d <= 0xFFFF for t in tensors for d in t.shape)


def image_fields(name: str, t: Tensor) -> tuple[Field, ...]:
    """Channels, height and width of a flat image."""
    return tuple(Field(f"{name}_{d}", "uint16_t", n) for d, n in zip("chw", t.shape, strict=True))


def window_fields(
    kernel: tuple[int, ...],
    stride: tuple[int, int],
    padding: tuple[int, int, int, int],
    dilation: tuple[int, int] | None = None,
) -> tuple[Field, ...]:
    """Kernel size, strides, dilation (if any is given), and the padding at the top and the left."""
    values = [
        ("kernel_h", kernel[0]),
        ("kernel_w", kernel[1]),
        ("stride_h", stride[0]),
        ("stride_w", stride[1]),
    ]
    if dilation is not None:
        values += [("dilation_h", dilation[0]), ("dilation_w", dilation[1])]
    values += [("top", padding[0]), ("left", padding[1])]
    return tuple(Field(n, "uint16_t", v) for n, v in values)


def lanes_field(name: str, lay: Layout, t: Tensor) -> Field:
    """struct mcugen_lanes: an image in lanes."""
    c, h, w = t.shape  # a flat image has rows = 0 (relayout.h)
    values = (
        ("channels", "uint16_t", c),
        ("height", "uint16_t", h),
        ("width", "uint16_t", w),
        ("rows", "uint16_t", lay.rows_per_lane),
        ("halo_top", "uint8_t", lay.halo_top),
        ("halo_bottom", "uint8_t", lay.halo_bottom),
        ("pad_cols", "uint8_t", lay.pad_cols),
        ("pad_value", "uint8_t", lay.pad_value),
        ("plane", "uint32_t", lay.plane),
    )
    return Field(name, "mcugen_lanes", tuple(Field(n, c_type, v) for n, c_type, v in values))


def lanes_window(
    x: Tensor,
    y: Tensor,
    like: Signature,
    kernel: tuple[int, ...],
    stride: tuple[int, int],
    padding: tuple[int, int, int, int],
    dilation: tuple[int, int] = (1, 1),
) -> Signature | None:
    """Layouts for a sliding window whose four lanes run in step, or None where they cannot; the output is bytes.

    Output row l * R_out + r reads input rows l * R_in + (r * stride + ky * dilation - top): the lanes stay what they
    are if and only if R_in = stride * R_out. Halo rows serve r = 0 and r = R_out - 1, pad columns both ends of a row.
    """
    a, b = like.inputs[0], like.output
    if a.flat or b.flat or a.rows_per_lane != stride[0] * b.rows_per_lane or not y.dtype.unsigned:
        return None
    top, left = padding[0], padding[1]
    last_row = (b.rows_per_lane - 1) * stride[0] + (kernel[0] - 1) * dilation[0] - top
    last_col = (y.shape[2] - 1) * stride[1] + (kernel[1] - 1) * dilation[1] - left
    bottom = max(0, last_row - (a.rows_per_lane - 1))
    cols = max(left, last_col - (x.shape[2] - 1), 0)
    if max(top, bottom, cols) > 255:
        return None
    return Signature((layout.lanes(x, a.rows_per_lane, top, bottom, cols),), layout.lanes(y, b.rows_per_lane))


def bare(lay: Layout, t: Tensor) -> Layout:
    """The layout without halos and pads."""
    return lay if lay.flat else layout.lanes(t, lay.rows_per_lane)


def words(lay: Layout, t: Tensor) -> int:
    """32-bit words of a buffer."""
    return -(-layout.size(lay, t) // LANES)


def seal_cycles(lay: Layout, t: Tensor, core: Core) -> float:
    """Cycles of mcugen1_lanes_seal, as simulated: it visits pad columns, garbage rows and halo rows."""
    c, h, w = t.shape
    halo, garbage = lay.halo_top + lay.halo_bottom, LANES * lay.rows_per_lane - h
    rows = halo + lay.rows_per_lane
    if "mve" in core.isa:  # lanes_mve.S
        four = -(-w // 4)
        channel = 19 + lay.pad_cols * (5 + 3 * -(-(rows + 1) // 4)) + halo * (7 + 4 * four)
        return 55.0 + c * (channel + garbage * (7 + 3 * four) + 6 * (garbage > 0))
    step = core.load + core.branch
    division = 0.8 * core.long_multiply  # a library call on Armv6-M, as long multiplications are
    pads = rows * (3 + 2 * core.branch) + lay.pad_cols * (1 + rows) * 1.5 * core.load
    halos = halo * (28 + w * (3 + step))
    gone = garbage * (21 + w * (3.5 + step))
    return c * ((50 + 4 * step + pads + halos + gone) * core.pressure + (halo + garbage) * division)


# Weights.


def weight_fields(w: Array, encoding: Encoding) -> tuple[Field, Field]:
    """The packed weights and the function that unpacks any run of them."""
    return (
        Field("weights", "uint8_t", encoding.pack(w)),
        Field("unpack", "mcugen_unpack_fn", f"mcugen1_unpack_{encoding.name}"),
    )


def row_bytes(w: Tensor) -> int:
    """Scratch for the unpacked weights of one output channel, word aligned."""
    return -(-(w.size // w.shape[0]) // 4) * 4


def unpack_cycles(encoding: Encoding, count: int, core: Core) -> float:
    """Cycles to unpack `count` weights."""
    each = {"i8": 1.0, "planes": 13.0, "base3": 17.0}[encoding.name]
    return count * each * (0.7 if "mve" in core.isa else core.pressure)  # instructions with Helium


def candidates(kernels: tuple[Kernel, ...], node: Node) -> Iterator[Kernel]:
    """The kernels for a node's operator."""
    return (k for k in kernels if type(node.op) is k.op)


# Fully connected layers.


def in_buffer_order(w: Array, lay: Layout, x: Tensor) -> Array:
    """(O, N) weights as (O, bytes of the buffer): each at its element's own place, zeros at all other bytes."""
    out = np.zeros((w.shape[0], layout.size(lay, x)), w.dtype)
    out[:, layout.home(lay, x.shape)] = w
    return out


# Fully connected kernels that make sums and leave the tail to linear_sums.h.

SUMS = 16  # MCUGEN_SUMS of linear_sums.h


def sums_field(node: Node, acc: Range) -> Field:
    """struct mcugen_linear_tail: add and shift in one word where outputs are bytes and 32 bits are enough."""
    tail = tail_field(node, acc)
    members = _members(tail)
    add, shift = (np.asarray(members[name].value).astype(np.int64) for name in ("add", "shift"))
    low = shift - 15
    packed = members["bytes"].value == 1 and members["wide"].value == 0 and bool(np.all(low >= 0))
    if packed := packed and bool(np.all(np.abs(add >> low) < 1 << 26)):
        words = ((add >> low) << 5 | low).astype(np.int32)  # add is a multiple of 2^low
        members["add"] = replace(members["add"], value=words)
        members["shift"] = replace(members["shift"], value=np.zeros(1, np.uint8))
    fields = (replace(tail, value=tuple(members.values())), Field("packed", "uint8_t", int(packed)))
    return Field("tail", "mcugen_linear_tail", fields)


def sums_cycles(node: Node, acc: Range, core: Core) -> float:
    """Cycles of the tails and of the loop over outputs, as simulated."""
    members = _members(sums_field(node, acc))
    outputs = node.output.type.size
    if "m0" in core.isa:
        each, batch, layer = 25.0, 105.0, 44.0
    elif "mve" in core.isa:
        return _sums_instructions(outputs, bool(members["packed"].value), members["tail"], core)
    elif core.name == "cortex-m7":
        each, batch, layer = 12.0, 60.0, 20.0
    else:
        each, batch, layer = 21.0, 95.0, 37.0
    if not members["packed"].value:
        each = 101.0 if "m0" in core.isa else 1.85 * each
        if _members(members["tail"])["wide"].value:
            each += 3 * core.long_multiply + 18 * core.pressure
    return each * outputs + batch * -(-outputs // SUMS) + layer


def _sums_instructions(outputs: int, packed: bool, tail: Field, core: Core) -> float:
    """With Helium: 14 or 12 instructions for four outputs; products of 64 bits are not in vectors."""
    wide = bool(_members(tail)["wide"].value)
    each = 3.5 if packed else 29.0 + 3 * core.long_multiply if wide else 3.0
    return each * (-(-outputs // 4) * 4) + (42 if packed else 54) * -(-outputs // SUMS) + 25


def _members(f: Field) -> dict[str, Field]:
    assert isinstance(f.value, tuple)
    return {m.name: m for m in f.value}
