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
from ..ir import Array, DType, Node, Op, Out, Range, Tensor
from ..layout import FLAT, LANES, Layout
from ..ops.avgpool import AvgPool
from ..ops.base import tail_constants
from ..ops.conv2d import Conv2d
from ..ops.depthwise import DepthwiseConv2d
from ..ops.maxpool import MaxPool
from ..pack import I8, Encoding


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
    """A piece of assembler that a kernel finds by its struct, or by a table: then the model says which ones it uses."""

    stem: str  # of its file, and its function
    code_bytes: int  # rough, Armv7-M with DSP, or what the core has
    # MVE: linked only where Helium is; OTHER: only where there is none; THUMB2: nor on Armv6-M; THUMB1: only on that
    only: str = ""


@dataclass(frozen=True)
class Bound:
    """A kernel with everything filled in for one node."""

    fields: tuple[Field, ...]
    scratch: int = 0  # bytes, word aligned
    needs: tuple[str, ...] = ()  # stems of helper sources beyond the kernel's own
    parts: tuple[Part, ...] = ()

    @property
    def members(self) -> Iterator[Field]:
        """The fields, and in place of a nested struct its own."""
        for f in self.fields:
            yield from f.value if isinstance(f.value, tuple) else (f,)

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
    # From lanes to lanes of as many channels, plane by plane in order: while plane i of y is written, no plane of x
    # before plane i is read any more, and sealing reads only y. Then they may overlap (plan.slide).
    by_plane: bool = field(default=False, init=False)
    weights: str = field(default="", init=False)  # how they are stored, where no Encoding says so
    variadic: bool = field(default=False, init=False)  # the C function takes an array of pointers to its inputs
    runs: bool = field(default=False, init=False)  # goes pixel by pixel, in runs too
    nibbles: bool = field(default=False, init=False)  # knows lanes of nibbles, on the core it is for

    @property
    def name(self) -> str:
        """How reports call it: the stem, and the weight encoding where it takes several."""
        encoding: Encoding | None = getattr(self, "encoding", None)
        weights = encoding.name if encoding else self.weights
        return (self.stem or "no code") + (f"/{weights}" if weights else "")

    def on(self, core: Core) -> Kernel:
        """The kernel as it is for a core: some have more in their tables there, or take nothing where they are slow."""
        return self

    def offered(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> Signature | None:
        """`layouts`, but None for runs, and for nibbles, if the kernel does not know them."""
        ends = (*inputs, output)
        if (not self.runs and any(lay.runs for lay in ends)) or (not self.nibbles and any(lay.nibbles for lay in ends)):
            return None
        sig = self.layouts(node, inputs, output)
        return sig if sig is not None and self.reaches(node, sig) else None

    def layouts(self, node: Node, inputs: tuple[Layout, ...], output: Layout) -> Signature | None:
        """The layouts needed, with halos, if the kernel can run `node` on layouts like these; else None."""
        raise NotImplementedError

    def reaches(self, node: Node, sig: Signature) -> bool:
        """True if the kernel's offsets count as far as these layouts lie, which are as `layouts` says or larger.

        Larger by the halos of other readers: selection asks for the largest that a value can have.
        """
        return True

    def accepts(self, node: Node, acc: Range) -> bool:
        """True if what the kernel computes with holds the node's proven accumulators; asked where layouts are found.

        acc: limits of every partial sum in any order, not of whole sums alone (Op.bounds).
        """
        return True

    def bind(self, node: Node, sig: Signature, acc: Range) -> Bound:
        """The struct's members for the final layouts; acc: the node's proven accumulator limits per channel."""
        raise NotImplementedError

    def cycles(self, node: Node, sig: Signature, acc: Range, core: Core) -> float:
        """Estimated cycles of one call."""
        raise NotImplementedError


@dataclass(frozen=True)
class NibbleKernel(Kernel):
    """A kernel on lanes of nibbles, where they are worth their while."""

    nibbles: bool = True

    def on(self, core: Core) -> Kernel:
        return replace(self, nibbles=takes_nibbles(core))


def same_lanes(node: Node, inputs: tuple[Layout, ...], output: Layout) -> Signature | None:
    """Signature of an operator that goes element by element through an image in lanes; None where it cannot."""
    x, y = node.inputs[0].type, node.output.type
    if inputs[0].flat or output.flat or not y.dtype.unsigned or not fits(x):
        return None
    if not in_step(inputs[0], output):
        return None
    return Signature((bare(inputs[0], x),), bare(output, y))


def in_step(a: Layout, b: Layout) -> bool:
    """True if lanes of images of one size hold the same pixels."""
    return (a.kind, a.bits, a.rows_per_lane) == (b.kind, b.bits, b.rows_per_lane)


def simulated(core: Core, dsp: tuple[float, ...], m3: tuple[float, ...], m0: tuple[float, ...]) -> tuple[float, ...]:
    """The constants of a cost function, fitted to simulated cycles of Cortex-M4, M3 and M0+; for M7 a share of M4's.

    That share is rough, as the timings of the Cortex-M7 are. The Cortex-M0 takes a cycle more for a taken branch.
    """
    if core.name == "cortex-m7":
        return tuple(0.6 * v for v in dsp)
    if core.name == "cortex-m0":
        return tuple(1.05 * v for v in m0)
    return dsp if "dsp" in core.isa else m3 if "m3" in core.isa else m0


def step_cycles(core: Core) -> float:
    """Cycles of a model's step round its kernel, as simulated: finding it, and the call."""
    return 0.0 if "mve" in core.isa else simulated(core, (53,), (53,), (80,))[0]


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


def pixel_cycles(node: Node, acc: Range, core: Core, narrow: float, wide: float) -> float:
    """Cycles of all outputs that take as many each as bytes, narrow or wide; memcpy stores 16 bits on Armv6-M."""
    constants = tail_constants(node)
    proven = constants is None or fixed.narrow(acc.lo, acc.hi, constants[0], constants[1])
    y = node.output.type
    store = simulated(core, (3,), (3,), (50,))[0] if y.dtype.bytes > 1 else 0.0
    return y.size * ((narrow if proven else wide) + store)


def tail_range(node: Node, acc: Range) -> Range:
    """Accumulator limits with as many entries as the tail has constants: one for all channels, or one for each."""
    n = max((c.size for c in tail_constants(node) or ()), default=acc.lo.size)
    if n == 1:
        return Range(acc.lo.min(keepdims=True), acc.hi.max(keepdims=True))
    return Range(acc.lo.repeat(n // acc.lo.size), acc.hi.repeat(n // acc.hi.size))


def tail32(lo: int, hi: int, mult: int, add: int, shift: int, widest: int) -> tuple[int, int] | None:
    """Scale (mult << 16 | bits that weights are scaled by << 8 | up) and more of a channel with these limits of sums,
    constants and greatest weight (in magnitude); None if 32 bits are not proven to suffice.

    direct.py has the argument.
    """
    while shift < fixed.MAX_SHIFT and abs(2 * mult) < 1 << 15 and abs(2 * add) < fixed.INT32 and mult:
        mult, add, shift = 2 * mult, 2 * add, shift + 1
    up = 32 - shift if mult and (lo or hi) else 0
    more = add << 16 - shift if shift < 16 else add >> shift - 16
    ends = [(acc << up) * mult >> 16 for acc in (lo, hi)]
    numbers = [lo << up, hi << up, more, *ends, *(e + more for e in ends)]
    if up > 31 or add % (1 << max(0, shift - 16)) or not all(-fixed.INT32 <= n < fixed.INT32 for n in numbers):
        return None
    scaled = up if widest << up < 1 << 15 else 0
    return mult << 16 | scaled << 8 | up - scaled, more


def tail32_numbers(node: Node, acc: Range) -> list[tuple[int, int, int, int, int, int]]:
    """What `tail32` takes, for each channel."""
    constants = tail_constants(node)
    assert constants is not None
    w = node.inputs[1].const
    widest = np.abs(w.reshape(len(w), -1).astype(np.int64)).max(axis=1)
    columns = (acc.lo, acc.hi, *(np.broadcast_to(c, acc.lo.shape) for c in constants), widest)
    return [tuple(map(int, row)) for row in zip(*columns, strict=True)]  # type: ignore[misc]


def tails32(node: Node, acc: Range) -> list[tuple[int, int]]:
    """`tail32` of each channel, all of which are proven."""
    found = [tail32(*numbers) for numbers in tail32_numbers(node, acc)]
    assert None not in found
    return [t for t in found if t]


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


# Geometry of windows over images.


def pool_layouts(node: Node, inputs: tuple[Layout, ...], output: Layout) -> Signature | None:
    """lanes_window for a pooling."""
    op, x, y = node.op, node.inputs[0].type, node.output.type
    assert isinstance(op, AvgPool | MaxPool)
    return lanes_window(x, y, Signature(inputs, output), op.kernel, op.stride, op.padding) if fits(x, y) else None


def pool_bound(node: Node, sig: Signature, *first: Field) -> Bound:
    """What a pooling from lanes to lanes, of bytes or nibbles, is bound to: first in its struct, then what all have."""
    op = node.op
    assert isinstance(op, AvgPool | MaxPool)
    images = (lanes_field("in", sig.inputs[0], node.inputs[0].type), lanes_field("out", sig.output, node.output.type))
    needs = ("nibbles_seal", "nibble_words") if sig.output.nibbles else ()
    return Bound(
        (*first, *images, *window_fields(op.kernel, op.stride, op.padding)), needs=("lanes", "mcugen_words", *needs)
    )


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
    """struct mcugen_lanes: an image in lanes, as they see it."""
    c, h, w = layout.seen(lay, t.shape)  # a flat image has rows = 0 (relayout.h)
    values = (
        ("channels", "uint16_t", c),
        ("height", "uint16_t", h),
        ("width", "uint16_t", w),
        ("rows", "uint16_t", lay.rows_per_lane),
        ("halo_top", "uint8_t", lay.halo_top),
        ("halo_bottom", "uint8_t", lay.halo_bottom),
        ("pad_cols", "uint8_t", lay.pad_cols),
        ("pad_value", "uint8_t", lay.pad_value * (17 if lay.nibbles else 1)),
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
    """Layouts for a sliding window whose lanes run in step, or None where they cannot; both of bytes, or of nibbles.

    Output row l * R_out + r reads input rows l * R_in + (r * stride + ky * dilation - top): the lanes stay what they
    are if and only if R_in = stride * R_out. Halo rows serve r = 0 and r = R_out - 1, pad columns both ends of a row.
    In runs windows are single pixels.
    """
    a, b = like.inputs[0], like.output
    if a.runs or b.runs:
        alike = in_step(a, b) and x.shape[1:] == y.shape[1:] and y.dtype.unsigned
        return like if alike and max(*kernel, *stride) == 1 and not any(padding) else None
    if a.flat or b.flat or a.bits != b.bits or a.rows_per_lane != stride[0] * b.rows_per_lane or not y.dtype.unsigned:
        return None
    top, left = padding[0], padding[1]
    last_row = (b.rows_per_lane - 1) * stride[0] + (kernel[0] - 1) * dilation[0] - top
    last_col = (y.shape[2] - 1) * stride[1] + (kernel[1] - 1) * dilation[1] - left
    bottom = max(0, last_row - (a.rows_per_lane - 1))
    cols = max(left, last_col - (x.shape[2] - 1), 0)
    if max(top, bottom, cols) > 255:
        return None
    return Signature((layout.lanes(x, a.rows_per_lane, top, bottom, cols, a.bits),), bare(b, y))


def bare(lay: Layout, t: Tensor) -> Layout:
    """The layout without halos and pads."""
    return lay if lay.flat or lay.runs else layout.lanes(t, lay.rows_per_lane, bits=lay.bits)


def takes_nibbles(core: Core) -> bool:
    """True if nibbles are worth their while on the core: it has Thumb-2, and no vectors of bytes."""
    return ("dsp" in core.isa or "m3" in core.isa) and "mve" not in core.isa


def words(lay: Layout, t: Tensor) -> int:
    """32-bit words of a buffer."""
    return -(-layout.size(lay, t) // LANES)


def word_runs(lay: Layout, t: Tensor, *others: Layout) -> tuple[int, int]:
    """Runs of words of a channel of `t`, and words of each: rows, or all of them where pad columns are as many."""
    _, _, w = layout.seen(lay, t.shape)
    if any(other.pad_cols != lay.pad_cols for other in others):
        return lay.rows_per_lane, w
    return 1, lay.rows_per_lane * lay.pitch - lay.pad_cols


def lookup_cycles(runs: int, words: int, core: Core) -> float:
    """Of mcugen1_lookup_nibbles for runs of words."""
    (word,) = (44.0,) if core.name == "cortex-m33" else simulated(core, (35,), (44,), (66,))
    return runs * (32 + word * words)


def seal_cycles(lay: Layout, t: Tensor, core: Core) -> float:
    """Cycles of mcugen1_lanes_seal, and of mcugen1_nibbles_seal, as simulated: pad columns, garbage rows, halo rows."""
    c, h, w = layout.seen(lay, t.shape)
    rows, cols = lay.rows_per_lane, lay.pad_cols
    if "mve" in core.isa:
        return _seal_instructions(lay, c, h, w)
    # Of each part: once, for a channel, for each word (or byte), for each group of them.
    call, *parts = simulated(
        core,
        (106, 53, 8, 3, 3, 45, 8, 1, 5, 62, 11, 0, 18),
        (103, 53, 8, 3, 3, 45, 8, 1, 5, 62, 11, 0, 18),
        (123, 56, 7, 3, 3, 51, 7, 2, 4, 69, 11, 0, 21),
    )

    def part(costs: list[float], words: int, group: int) -> float:
        once, channel, each, groups = costs
        return once + c * (channel + each * words + groups * -(-words // group))

    total = call + 30 * lay.nibbles + cols * part(parts[:4], 1 + lay.halo_top + rows + lay.halo_bottom, 4)
    for lane in range(0, lay.lanes, lay.lanes // LANES):  # the first of a byte
        kept = min(rows, max(0, h - lane * rows))
        if kept < rows:
            total += part(parts[4:8], (rows - kept) * lay.pitch - cols, 8)
        upper = min(rows, max(0, h - (lane + 1) * rows)) if lay.nibbles else kept
        if upper < kept:  # in C
            total += 30 + c * (12 + 11 * ((kept - upper) * lay.pitch - cols))
    for halo in filter(None, (lay.halo_top, lay.halo_bottom)):
        words = halo * lay.pitch
        if words - cols >= 4:  # the last pad columns have their value
            words -= cols
        if 4 <= words <= rows * lay.pitch:
            total += part(parts[8:], words, 4)
        else:
            total += c * (8 + 11.5 * words) * core.pressure**0.5
    return total


def _seal_instructions(lay: Layout, c: int, h: int, w: int) -> float:
    """Of lanes_mve.S."""
    halo, garbage, four = lay.halo_top + lay.halo_bottom, LANES * lay.rows_per_lane - h, -(-w // 4)
    channel = 19 + lay.pad_cols * (5 + 3 * -(-(halo + lay.rows_per_lane + 1) // 4)) + halo * (7 + 4 * four)
    return 55.0 + c * (channel + garbage * (7 + 3 * four) + 6 * (garbage > 0))


# Weights.


def weight_fields(w: Array, encoding: Encoding) -> tuple[Field, Field]:
    """The packed weights and the function that unpacks any run of them."""
    return (
        Field("weights", "uint8_t", encoding.pack(w)),
        Field("unpack", "mcugen_unpack_fn", f"mcugen1_unpack_{encoding.name}"),
    )


FARTHEST = 0xFFFF  # words of a plane that kernels by multiplication count


def products_layouts(
    node: Node, inputs: tuple[Layout, ...], output: Layout, dtypes: tuple[DType, ...]
) -> Signature | None:
    """Lanes for a convolution by multiplication; None for other weights, or without a tail."""
    op, (x, w), y = node.op, (v.type for v in node.inputs[:2]), node.output.type
    assert isinstance(op, Conv2d | DepthwiseConv2d)
    if w.dtype not in dtypes or op.to is None or op.stride[1] > 2 or not fits(x, w, y):
        return None
    return lanes_window(x, y, Signature(inputs, output), w.shape[-2:], op.stride, op.padding, op.dilation)


def planes_reach(sig: Signature) -> bool:
    """True if no plane has more words than FARTHEST."""
    return max(lay.plane for lay in (*sig.inputs, sig.output)) <= FARTHEST


def limit_cycles(to: Out, lay: Layout, planes: int, core: Core) -> float:
    """Of mcugen_limit, which takes bytes to lo .. hi where an end knows 0 .. 255 only."""
    if (to.lo, to.hi) == (0, 255):
        return 0.0
    word = simulated(core, (13.1,), (32.1,), (54.3,)) if to.lo else simulated(core, (8.4,), (18.2,), (32.0,))
    return planes * (lay.plane * word[0] + 20)


def plain_weight_fields(w: Array, encoding: Encoding) -> tuple[Field, Field]:
    """As weight_fields, but bytes are read where they are: their unpack is 0."""
    weights, unpack = weight_fields(w, encoding)
    return weights, Field("unpack", unpack.ctype, NULL) if encoding == I8 else unpack


def plain_scratch(weights: int, encoding: Encoding) -> int:
    """Bytes for the unpacked weights of a channel, if they are not read where they are; word aligned."""
    return 0 if encoding == I8 else -(-weights // 4) * 4


def row_bytes(w: Tensor) -> int:
    """Scratch for the unpacked weights of one output channel, word aligned."""
    return -(-(w.size // w.shape[0]) // 4) * 4


def unpack_cycles(encoding: Encoding, count: int, core: Core) -> float:
    """Cycles to unpack `count` weights."""
    if "mve" in core.isa:  # instructions of the C
        return count * {"i8": 0.7, "planes": 9.1, "base3": 11.9}[encoding.name]
    costs = simulated(core, (0.3, 10.8, 17.2), (0.3, 10.5, 15.3), (1.4, 16, 19.8))
    return count * dict(zip(("i8", "planes", "base3"), costs, strict=True))[encoding.name]


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

SUMS = 32  # MCUGEN_SUMS of linear_sums.h


FINISH = ("linear_sums", "linear_bytes", "linear_halves", "linear_wide", "linear_bytes_thumb2", "linear_halves_thumb2")


def sums_fields(node: Node, acc: Range) -> tuple[Field, Field]:
    """The function of linear_sums.h that finishes the sums, and struct mcugen_tail as it wants it."""
    tail = tail_field(node, acc)
    members = _members(tail)
    mult, add, shift = (np.asarray(members[name].value).astype(np.int64) for name in ("mult", "add", "shift"))
    wide, function = bool(members["wide"].value), "sums"
    addend = np.where(shift < 15, add << np.maximum(15 - shift, 0), add >> np.maximum(shift - 15, 0))  # exact
    if members["bytes"].value == 2 and not wide and np.all(np.abs(add) < 1 << 26):
        function, addend, low = "halves", add, shift
    elif members["bytes"].value == 1 and not wide and np.all(shift >= 15) and np.all(np.abs(addend) < 1 << 26):
        function, low = "bytes", shift - 15
    elif members["bytes"].value == 1 and np.all(np.abs(addend) < 1 << 26) and _fits_wide(acc, mult, addend, 31 - shift):
        function, low = "wide", 31 - shift
    if function != "sums":
        members["add"] = replace(members["add"], value=(addend << 5 | low).astype(np.int32))
        members["shift"] = replace(members["shift"], value=np.zeros(1, np.uint8))
    return (
        Field("finish", "mcugen_finish_fn", f"mcugen1_linear_{function}"),
        replace(tail, value=tuple(members.values())),
    )


def _fits_wide(acc: Range, mult: Array, addend: Array, up: Array) -> bool:
    """True if 32 bits hold what linear_wide.c computes."""
    ends = [limit.astype(np.int64) << up for limit in (acc.lo, acc.hi)]
    products = [end * mult >> 16 for end in ends]
    numbers = (*ends, *products, *(p + addend for p in products))
    return all(bool(np.all(np.abs(n) < fixed.INT32)) for n in numbers)


def sums_layouts(node: Node, inputs: tuple[Layout, ...], output: Layout, dtype: DType) -> Signature | None:
    """From any layout, as it lies, to a flat one; None for other weights and for too many outputs."""
    x, w = (v.type for v in node.inputs[:2])
    if not output.flat or w.dtype is not dtype or w.shape[0] > 0xFFFF:
        return None
    return Signature((bare(inputs[0], x),), FLAT)


def sums_bound(
    node: Node,
    acc: Range,
    shape: tuple[int, ...],
    weights: Field,
    *more: Field,
    needs: tuple[str, ...],
    scratch: int = 0,
) -> Bound:
    """What a kernel is bound to that reads all bytes of x: shape is (outputs, bytes); more follows in its struct."""
    outputs, n = shape
    fields = (*sums_fields(node, acc), weights, Field("n", "uint32_t", n), Field("outputs", "uint16_t", outputs), *more)
    return Bound(fields, scratch=scratch, needs=(*FINISH, *needs))


@dataclass(frozen=True)
class BlockCosts:
    """Cycles of four outputs at a time over blocks of 16 inputs; bench/linear.py compares with the simulation."""

    layer: float
    batch: float
    total: float  # of a block: its inputs added up once
    rest: float  # of a layer whose inputs do not end with a block
    group: float  # of four outputs
    block: float  # of such a group


def block_cycles(costs: BlockCosts, node: Node, sig: Signature, acc: Range, core: Core) -> float:
    """Cycles of a layer with them."""
    n, outputs = layout.size(sig.inputs[0], node.inputs[0].type), node.inputs[1].type.shape[0]
    blocks, groups = -(-n // 16), -(-outputs // 4)
    calls = groups * (2 if n % 16 and n > 16 else 1)
    layer = costs.layer + costs.total * (n // 16) + (costs.rest if n % 16 else 0)
    each = costs.batch * -(-outputs // SUMS) + costs.group * calls + costs.block * blocks * groups
    return sums_cycles(node, acc, core) + layer + each


def sums_cycles(node: Node, acc: Range, core: Core, batch: int = SUMS) -> float:
    """Cycles of the tails of all outputs, of which a kernel finishes `batch` at a time, as simulated."""
    finish, tail = sums_fields(node, acc)
    members, outputs = _members(tail), node.output.type.size
    if "mve" in core.isa:
        return _sums_instructions(finish.function.removeprefix("mcugen1_linear_"), outputs, batch, members)
    m0, m7, bytes_ = "m0" in core.isa, core.name == "cortex-m7", members["bytes"].value
    call, each = {
        "bytes": (44, 19 + 2 * core.branch) if m0 else (22, 10) if m7 else (29, 16),
        "halves": (50, 18 + 2 * core.branch) if m0 else (24, 10) if m7 else (31, 16),
        "wide": (44, 25 + 2 * core.branch) if m0 else (26, 13.5) if m7 else (35, 25),
        "sums": (47, 49 if bytes_ == 1 else 111) if m0 else (23, 24) if m7 else (29, 40),
    }[finish.function.removeprefix("mcugen1_linear_")]
    if finish.function.endswith("sums"):
        each += (50 if m0 else 7 if m7 else 14) + core.long_multiply if members["wide"].value else 0
    elif not finish.function.endswith("wide") and not m0:
        full = (0, 255) if bytes_ == 1 else (-(1 << 15), (1 << 15) - 1)
        each += 0 if (members["lo"].value, members["hi"].value) == full else 4 if m7 else 6
    return each * outputs + call * -(-outputs // batch)


def plain_sums_instructions(node: Node, acc: Range) -> float:
    """Of mcugen1_linear_sums with Helium, for all outputs."""
    return _sums_instructions("sums", node.output.type.size, SUMS, _members(tail_field(node, acc)))


def _sums_instructions(function: str, outputs: int, batch: int, members: dict[str, Field]) -> float:
    """With Helium: four at a time, but for products of 64 bits."""
    calls, fours = -(-outputs // batch), 4 * -(-outputs // 4)
    if function == "sums" and members["wide"].value:
        return 31.5 * outputs + 29 * calls
    each, call = {"bytes": (3.5, 21), "wide": (3.5, 21), "halves": (4.25, 23), "sums": (3.0, 34)}[function]
    return each * fours + call * calls


def _members(f: Field) -> dict[str, Field]:
    assert isinstance(f.value, tuple)
    return {m.name: m for m in f.value}
