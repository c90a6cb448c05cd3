from __future__ import annotations

import json
from collections.abc import Callable

import graphs
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from mcugen import interp, ir, passes
from mcugen.check import check, ranges
from mcugen.ir import DType, Graph, Out, Quant, encode
from mcugen.ops import OPS
from mcugen.ops.add import Add
from mcugen.ops.avgpool import AvgPool
from mcugen.ops.conv2d import Conv2d
from mcugen.ops.depthwise import DepthwiseConv2d
from mcugen.ops.linear import Linear
from mcugen.ops.maxpool import MaxPool
from mcugen.ops.requantize import Requantize
from mcugen.passes.bounds import bounds
from mcugen.passes.dead_channels import dead_channels
from mcugen.passes.dead_code import dead_code
from mcugen.passes.drop_flatten import drop_flatten
from mcugen.passes.fuse import fuse

Pass = Callable[[Graph], Graph]


def parse(source: str) -> Graph:
    return check(ir.parse(source, OPS))


def attributes(op: ir.Op) -> str:
    return json.dumps(encode(op))


def to(dtype: str = "u8", zero: int = 0, lo: int = 0, hi: int | None = None) -> Out:
    kind = DType(dtype)
    return Out(kind, Quant(1.0, zero), lo, kind.hi if hi is None else hi)


def quant(zero: int = 0) -> str:
    return json.dumps(encode(Quant(1.0, zero)))


def tail(name: str, mult: list[int], add: list[int], shift: list[int]) -> str:
    """Three lines of constants."""
    kinds = (("mult", "i16", mult), ("add", "i32", add), ("shift", "u8", shift))
    return "\n".join(f"const %{name}.{what}: {kind}[{len(v)}] = {v}" for what, kind, v in kinds)


def args(*names: str) -> str:
    """Values, and `name.*` for the three constants of a tail."""
    parts = [f"{n[:-2]}{c}" for n in names for c in ((".mult", ".add", ".shift") if n.endswith(".*") else ("",)) if c]
    plain = [n for n in names if not n.endswith(".*")]
    return ", ".join(f"%{n}" for n in (*plain, *parts))


def node(name: str, kind: str, op: ir.Op, *inputs: str, quantised: str = "") -> str:
    what = f"{kind} {quantised}".rstrip()
    return f"node %{name}: {what} = {type(op).__name__}({args(*inputs)}) {attributes(op)}"


def same_answers(before: Graph, after: Graph, count: int = 5) -> None:
    x = graphs.random_input(before, 1, count)
    for a, b in zip(interp.run(before, x), interp.run(after, x), strict=True):
        assert_array_equal(a, b)


def changed(step: Pass, before: str, after: str) -> None:
    """`step` makes `after` of `before`, and then nothing more; the answers stay."""
    graph = parse(before)
    result = check(step(graph))
    assert ir.text(result) == ir.text(parse(after))
    assert ir.text(step(result)) == ir.text(result)
    same_answers(graph, result)


def unchanged(step: Pass, source: str) -> None:
    changed(step, source, source)


# ---- fuse ----

RAW = f"""
graph g
input %x: u8[2] {quant()}
const %w: t[2,2] = "+0-+"
{tail("r", [1, 2], [0, 4], [0, 2])}
{node("sum", "i32[2]", Linear(), "x", "w")}
"""
FUSED = f"""
graph g
input %x: u8[2] {quant()}
const %w: t[2,2] = "+0-+"
{tail("r", [1, 2], [0, 4], [0, 2])}
{node("r", "u8[2]", Linear(to()), "x", "w", "r.*", quantised=quant())}
output %r
"""
THEN = node("r", "u8[2]", Requantize(to()), "sum", "r.*", quantised=quant())


def test_fuse_moves_a_requantisation_into_the_sum() -> None:
    changed(fuse, f"{RAW}\n{THEN}\noutput %r", FUSED)


def test_fuse_leaves_a_sum_with_two_readers() -> None:
    again = node("s", "u8[2]", Requantize(to(hi=9)), "sum", "r.*", quantised=quant())
    unchanged(fuse, f"{RAW}\n{THEN}\n{again}\noutput %r\noutput %s")


def test_fuse_leaves_a_sum_that_is_an_output() -> None:
    unchanged(fuse, f"{RAW}\n{THEN}\noutput %r\noutput %sum")


def test_fuse_never_breaks_the_rule_of_requantisation() -> None:
    # %a is within [3, 7], so a1 - a0 ends within [-4, 4] and reaches -7 on the way: only there 32 bits overflow.
    add = 2147483647 - 5 * 32767
    source = f"""
graph g
input %x: u8[2] {quant()}
{tail("a", [1], [0], [5])}
const %w: t[1,2] = "-+"
{tail("r", [-32767], [add], [0])}
{node("a", "u8[2]", Requantize(to(lo=3, hi=7)), "x", "a.*", quantised=quant())}
{node("sum", "i32[1]", Linear(), "a", "w")}
{node("r", "u8[1]", Requantize(to()), "sum", "r.*", quantised=quant())}
output %r
"""
    unchanged(fuse, source)
    fitting = parse(source.replace(str(add), str(2147483647 - 8 * 32767)))
    fused = check(fuse(fitting))
    assert [n.name for n in fused.nodes] == ["a", "r"]
    same_answers(fitting, fused)


def clamps(first: tuple[int, int], second: tuple[int, int]) -> str:
    return f"""
graph g
input %x: u8[2] {quant()}
const %w: t[2,2] = "+0-+"
{tail("a", [1, 2], [0, 4], [0, 2])}
{tail("b", [1], [0], [0])}
{node("a", "u8[2]", Linear(to(lo=first[0], hi=first[1])), "x", "w", "a.*", quantised=quant())}
{node("b", "u8[2]", Requantize(to(lo=second[0], hi=second[1])), "a", "b.*", quantised=quant())}
output %b
"""


@pytest.mark.parametrize("first", [(0, 255), (10, 100), (200, 250)])
@pytest.mark.parametrize("second", [(0, 255), (20, 50), (50, 150), (110, 120), (0, 5)])
def test_fuse_merges_clamps(first: tuple[int, int], second: tuple[int, int]) -> None:
    limits = [min(max(v, second[0]), second[1]) for v in first]
    after = f"""
graph g
input %x: u8[2] {quant()}
const %w: t[2,2] = "+0-+"
{tail("a", [1, 2], [0, 4], [0, 2])}
{node("b", "u8[2]", Linear(to(lo=limits[0], hi=limits[1])), "x", "w", "a.*", quantised=quant())}
output %b
"""
    changed(fuse, clamps(first, second), after)


@pytest.mark.parametrize(
    "old, new",
    [
        ('"zero_point": 0}, "lo": 20', '"zero_point": 7}, "lo": 20'),  # another scale or zero point
        ("%b.mult: i16[1] = [1]", "%b.mult: i16[1] = [2]"),  # no clamp
        ("%b.add: i32[1] = [0]", "%b.add: i32[1] = [1]"),
    ],
)
def test_fuse_leaves_what_does_more_than_clamp(old: str, new: str) -> None:
    source = clamps((0, 255), (20, 50))
    assert old in source
    source = source.replace(old, new)
    unchanged(fuse, source.replace(f"node %b: u8[2] {quant()}", f"node %b: u8[2] {quant(7 if 'zero' in old else 0)}"))


def test_fuse_leaves_a_clamp_whose_source_has_two_readers_or_is_an_output() -> None:
    unchanged(fuse, clamps((0, 255), (20, 50)) + "output %a\n")
    other = node("c", "u8[2]", Requantize(to(lo=3)), "a", "b.*", quantised=quant())
    unchanged(fuse, clamps((0, 255), (20, 50)).replace("output", f"{other}\noutput %c\noutput"))


# ---- drop_flatten, dead_code, bounds ----

FLAT = f"""
graph g
input %x: u8[2,2,1] {quant()}
const %w: t[1,4] = "+0-+"
node %f: u8[4] {quant()} = Flatten(%x) {{}}
"""


def test_drop_flatten() -> None:
    fc, direct = (node("y", "i32[1]", Linear(), v, "w") for v in ("f", "x"))
    changed(drop_flatten, f"{FLAT}{fc}\noutput %y", f"{FLAT}{direct}\noutput %y")
    changed(
        lambda g: dead_code(drop_flatten(g)), f"{FLAT}{fc}\noutput %y", f"{_without(FLAT, '%f')}{direct}\noutput %y"
    )


def test_drop_flatten_keeps_one_that_is_read_elsewhere() -> None:
    fc, direct = (node("y", "i32[1]", Linear(), v, "w") for v in ("f", "x"))
    changed(
        lambda g: dead_code(drop_flatten(g)),
        f"{FLAT}{fc}\noutput %y\noutput %f",
        f"{FLAT}{direct}\noutput %y\noutput %f",
    )


def test_drop_flatten_sees_through_two() -> None:
    twice = f"{FLAT}node %h: u8[4] {quant()} = Flatten(%f) {{}}\n"
    fc, direct = (node("y", "i32[1]", Linear(), v, "w") for v in ("h", "x"))
    changed(drop_flatten, f"{twice}{fc}\noutput %y", f"{twice}{direct}\noutput %y")


def _without(source: str, name: str) -> str:
    return "".join(line + "\n" for line in source.splitlines() if not line.startswith(f"node {name}:"))


def test_dead_code() -> None:
    fc = node("y", "i32[1]", Linear(), "x", "w")
    unused = node("z", "i32[1]", Linear(), "f", "w")
    changed(dead_code, f"{FLAT}{fc}\n{unused}\noutput %y", f"{_without(FLAT, '%f')}{fc}\noutput %y")
    unchanged(dead_code, f"{FLAT}{unused}\noutput %z\noutput %f")


def test_bounds() -> None:
    fc = node("y", "i32[1]", Linear(), "x", "w")
    changed(bounds, f"{FLAT}{fc}\noutput %y", f"{FLAT.rstrip()} acc [0, 255]\n{fc} acc [-255, 510]\noutput %y")


# ---- dead_channels ----


def layers(*lines: str, x: str = f"u8[2,4,3] {quant()}") -> str:
    return "\n".join(["graph g", f"input %x: {x}", *lines]) + "\n"


def producer(value: int, zero: int = 0, weights: str = "+-0000-+") -> list[str]:
    """A 1x1 convolution to four channels, of which 1 and 2 have no weights: 1 gives `value`, 2 gives `value` + 1."""
    return [
        f'const %w: t[4,2,1,1] = "{weights}"',
        tail("a", [1, 1, 1, 1], [128, value, value + 1, 128], [0, 0, 0, 0]),
        node("a", "u8[4,4,3]", Conv2d(to=to(zero=zero)), "x", "w", "a.*", quantised=quant(zero)),
    ]


def reader(
    name: str, source: str, pad: int, zero: int = 0, channels: int = 4, add: int = 512, to_: Out | None = None
) -> list[str]:
    """A 3x3 convolution with all weights +1 that pads `pad`."""
    op = Conv2d((1, 1), (pad, pad, pad, pad), pad_value=zero, to=to_ or to(zero=7))
    h, w = 4 + 2 * pad - 2, 3 + 2 * pad - 2
    return [
        f'const %{name}.w: t[1,{channels},3,3] = "{"+" * 9 * channels}"',
        tail(name, [16], [add], [6]),
        node(name, f"u8[1,{h},{w}]", op, source, f"{name}.w", f"{name}.*", quantised=quant(op.to.quant.zero_point)),  # type: ignore[union-attr]
    ]


def kept(source: str, name: str = "a") -> int:
    """Channels of `name` after the pass; the answers stay."""
    graph = parse(source)
    result = check(dead_channels(graph))
    same_answers(graph, result)
    assert ir.text(dead_channels(result)) == ir.text(result)
    return next(n for n in result.nodes if n.name == name).output.type.shape[0]


def test_dead_channels_as_text() -> None:
    before = layers(*producer(5), *reader("b", "a", 0), "output %b")
    after = layers(
        'const %w: t[2,2,1,1] = "+--+"',
        tail("a", [1, 1], [128, 128], [0, 0]),
        node("a", "u8[2,4,3]", Conv2d(to=to()), "x", "w", "a.*", quantised=quant()),
        *reader("b", "a", 0, channels=2, add=512 + 16 * 9 * (5 + 6)),
        "output %b",
    )
    changed(dead_channels, before, after)


@pytest.mark.parametrize(
    "value, zero, pad, channels",
    [
        (0, 0, 0, 2),  # zero, no padding: both go
        (0, 0, 1, 3),  # zero is the pad value, one is not
        (5, 0, 0, 2),
        (5, 0, 1, 4),
        (128, 128, 1, 3),
        (127, 128, 1, 3),  # channel 2 holds 128
        (3, 128, 1, 4),
        (3, 128, 0, 2),
    ],
)
def test_dead_channels_and_padding(value: int, zero: int, pad: int, channels: int) -> None:
    assert kept(layers(*producer(value, zero), *reader("b", "a", pad, zero), "output %b")) == channels


def test_dead_channels_of_a_channel_that_is_always_clamped() -> None:
    lines = [line.replace("[128, 5, 6, 128]", "[-600, 5, 6, 128]") for line in producer(5)]
    assert kept(layers(*lines, *reader("b", "a", 0), "output %b")) == 1


def test_dead_channels_with_several_readers() -> None:
    both = [*reader("b", "a", 0), *reader("c", "a", 1), "output %b", "output %c"]
    assert kept(layers(*producer(0), *both)) == 3
    assert kept(layers(*producer(5), *both)) == 4
    pooled = [*reader("b", "a", 0), node("p", "u8[4,2,1]", MaxPool((2, 2), (2, 2)), "a", quantised=quant())]
    assert kept(layers(*producer(5), *pooled, "output %b", "output %p")) == 4


def test_dead_channels_of_a_graph_output_or_an_add_stay() -> None:
    assert kept(layers(*producer(5), *reader("b", "a", 0), "output %b", "output %a")) == 4
    op = Add(1, 1, 0, 0, to())
    added = [node("s", "u8[4,4,3]", op, "a", "a", quantised=quant()), *reader("b", "s", 0), "output %b"]
    assert kept(layers(*producer(5), *added)) == 4


def depthwise(value: int, pad: int, zero: int = 0) -> list[str]:
    op = DepthwiseConv2d((1, 1), (pad,) * 4, pad_value=zero, to=to())
    return [
        f'const %d.w: t[4,3,3] = "{"+" * 36}"',
        tail("d", [1], [0], [0]),
        node("d", f"u8[4,{2 + 2 * pad},{1 + 2 * pad}]", op, "a", "d.w", "d.*", quantised=quant()),
    ]


def fully(source: str, n: int, channels: int = 3) -> list[str]:
    return [
        f'const %y.w: t[{channels},{n}] = "{"+-0+" * (channels * n // 4)}"',
        tail("y", [1] * channels, [7] * channels, [3] * channels),
        node("y", f"i16[{channels}]", Linear(to("i16", lo=-32768)), source, "y.w", "y.*", quantised=quant()),
        "output %y",
    ]


@pytest.mark.parametrize("value, pad, channels", [(5, 0, 2), (0, 1, 3), (5, 1, 4)])
def test_dead_channels_through_a_depthwise_convolution(value: int, pad: int, channels: int) -> None:
    size = 4 * (2 + 2 * pad) * (1 + 2 * pad)
    assert kept(layers(*producer(value), *depthwise(value, pad), *fully("d", size))) == channels


def test_dead_channels_through_pooling() -> None:
    for op, size in (
        (MaxPool((2, 3), (2, 1)), 8),
        (MaxPool((2, 2), (2, 2), (1, 1, 1, 1)), 24),  # padding never wins
        (AvgPool((4, 3), (1, 1), 85, 512, 10, to()), 4),
        (AvgPool((2, 3), (1, 1), 85, 512, 9, to()), 12),
    ):
        shape = op.infer(ir.Tensor(DType.U8, (4, 4, 3), Quant(1.0))).shape
        pool = node("p", f"u8[{','.join(map(str, shape))}]", op, "a", quantised=quant())
        assert kept(layers(*producer(5), pool, *fully("p", size))) == 2
    padded = AvgPool((3, 3), (1, 1), 85, 512, 9, to(), (1, 1, 1, 1))
    pool = node("p", "u8[4,4,3]", padded, "a", quantised=quant())
    assert kept(layers(*producer(5), pool, *fully("p", 48))) == 4
    assert kept(layers(*producer(0), pool, *fully("p", 48))) == 3


def test_dead_channels_through_requantise_and_flatten() -> None:
    for constants in (tail("r", [3], [64], [2]), tail("r", [3, 2, 1, 5], [64, 0, 0, 8], [2, 1, 0, 3])):
        lines = [constants, node("r", "u8[4,4,3]", Requantize(to()), "a", "r.*", quantised=quant())]
        assert kept(layers(*producer(5), *lines, *fully("r", 48))) == 2
        flat = [*lines, f"node %f: u8[48] {quant()} = Flatten(%r) {{}}"]
        assert kept(layers(*producer(5), *flat, *fully("f", 48))) == 2
    flat = [f"node %f: u8[48] {quant()} = Flatten(%a) {{}}"]
    after = node("r", "u8[48]", Requantize(to()), "f", "r.*", quantised=quant())
    each = tail("r", [1 + i % 5 for i in range(48)], [i % 9 for i in range(48)], [i % 3 for i in range(48)])
    assert kept(layers(*producer(5), *flat, tail("r", [3], [64], [2]), after, *fully("r", 48))) == 2
    assert kept(layers(*producer(5), *flat, each, after, *fully("r", 48))) == 4  # different constants in one channel
    alike = tail("r", [1 + i // 12 for i in range(48)], [9 - i // 12 for i in range(48)], [0] * 48)
    assert kept(layers(*producer(5), *flat, alike, after, *fully("r", 48))) == 2


def test_dead_channels_fold_into_accumulators_only_if_nothing_is_lost() -> None:
    sums = [f'const %y.w: t[2,48] = "{"+-0+" * 24}"', node("y", "i32[2]", Linear(), "a", "y.w"), "output %y"]
    assert kept(layers(*producer(5), *sums)) == 4  # an I32 output has no add to fold into
    assert kept(layers(*producer(-1), *sums)) == 2  # clamped to zero, both
    assert kept(layers(*producer(0), *[s.replace("+-0+", "+-+-") for s in sums])) == 2  # the weights cancel


def test_dead_channels_of_accumulators_that_are_requantised_later_stay() -> None:
    lines = [
        'const %w: t[4,2,1,1] = "+-0000-+"',
        node("a", "i32[4,4,3]", Conv2d(), "x", "w"),
        tail("r", [1], [0], [0]),
        node("r", "u8[4,4,3]", Requantize(to()), "a", "r.*", quantised=quant()),
    ]
    assert kept(layers(*lines, *reader("b", "r", 0), "output %b")) == 4


def test_dead_channels_keep_one_of_a_layer_that_is_constant() -> None:
    source = layers(*producer(5, weights="00000000"), *reader("b", "a", 0), "output %b")
    assert kept(source) == 1
    assert parse(ir.text(dead_channels(parse(source)))).nodes[1].inputs[1].type.shape == (1, 1, 3, 3)


def inexact(add: int) -> str:
    """The reader computes (x + 1 + add) >> 16 for 0 <= x <= 255, where 1 is the constant channel and `add` is even."""
    return layers(
        'const %w: t[2,1,1,1] = "+0"',
        tail("a", [1, 1], [0, 1], [0, 0]),
        node("a", "u8[2,1,1]", Conv2d(to=to()), "x", "w", "a.*", quantised=quant()),
        'const %b.w: t[1,2,1,1] = "++"',
        tail("b", [1], [add], [16]),
        node("b", "i16[1,1,1]", Conv2d(to=to("i16", lo=-32768)), "a", "b.w", "b.*", quantised=quant()),
        "output %b",
        x=f"u8[1,1,1] {quant()}",
    )


def test_dead_channels_that_do_not_fold_exactly_stay() -> None:
    def folds(add: int) -> bool:
        want = [(x + 1 + add) >> 16 for x in range(256)]
        return any([(x + a) >> 16 for x in range(256)] == want for a in (add, add + 2))

    found = {add: kept(inexact(add)) == 1 for add in (-1000, -258, -256, -254, -128, -4, -2, 0, 2, 65278, 65300, 65600)}
    assert found == {add: folds(add) for add in found}
    assert set(found.values()) == {True, False}


def test_dead_channels_of_constants_that_other_nodes_share() -> None:
    # %w and %a.* belong to two layers; only the first loses channels.
    other = node("o", "u8[4,4,3]", Conv2d(to=to()), "x", "w", "a.*", quantised=quant())
    source = layers(*producer(5), other, *reader("b", "a", 0), "output %b", "output %o")
    assert kept(source) == 2
    assert kept(source, "o") == 4


def test_dead_channels_whose_readers_share_weights() -> None:
    first = reader("b", "a", 0)
    second = node("c", "u8[1,2,1]", Conv2d(to=to(zero=7)), "a", "b.w", "b.*", quantised=quant(7))
    assert kept(layers(*producer(5), *first, second, "output %b", "output %c")) == 2


# ---- random graphs ----

STEPS: dict[str, Pass] = {p.__name__: p for p in passes.PIPELINE} | {"run": passes.run}


@pytest.mark.parametrize("name", STEPS)
def test_random_graphs(name: str) -> None:
    step, counts = STEPS[name], {"changed": 0, "channels": 0}
    for seed in range(250):
        graph = graphs.random_graph(seed, unfused=0.6 * (seed % 2), several=seed % 4 == 1)
        before = ir.text(graph)
        after = check(step(graph))
        assert ir.text(graph) == before, f"seed {seed}: the pass changed its input"
        assert ir.text(step(after)) == ir.text(after), f"seed {seed}: not idempotent"
        x = graphs.random_inputs(graph, seed, 4)
        assert [v.name for v in after.inputs] == [v.name for v in graph.inputs]
        assert [v.name for v in after.outputs] == [v.name for v in graph.outputs]
        for a, b in zip(interp.run(graph, *x), interp.run(after, *x), strict=True):
            assert_array_equal(a, b, err_msg=f"seed {seed}")
        counts["changed"] += ir.text(after) != before
    assert counts["changed"] >= {"dead_code": 0, "drop_flatten": 20, "dead_channels": 40}.get(name, 80)


def test_bounds_hold_for_random_graphs() -> None:
    for seed in range(120):
        graph = passes.run(graphs.random_graph(seed))
        found = ranges(graph)
        values = interp.trace(graph, graphs.random_input(graph, seed, 8))
        for n in graph.nodes:
            assert n.acc == found[n][0].span
            lo, hi = found[n][1].span
            assert lo <= int(values[n.output].min()) and int(values[n.output].max()) <= hi, (seed, n.name)


def test_the_pipeline_says_what_it_does() -> None:
    assert [p.__name__ for p in passes.PIPELINE] == ["fuse", "drop_flatten", "dead_code", "dead_channels", "bounds"]
    assert all(np.all(n.acc is not None) for n in passes.run(graphs.random_graph(3)).nodes)
