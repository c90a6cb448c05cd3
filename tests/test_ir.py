"""The IR's text form and its JSON values: what is written reads back, and what is wrong is refused with its line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcugen import interp
from mcugen.check import check, ranges
from mcugen.errors import GraphError
from mcugen.ir import DType, Graph, Node, Op, Out, Quant, Range, Tensor, Value, decode, encode, parse, text
from mcugen.ops import CASES, OPS, base
from mcugen.ops.add import Add
from mcugen.ops.avgpool import AvgPool
from mcugen.ops.conv2d import Conv2d
from mcugen.ops.depthwise import DepthwiseConv2d
from mcugen.ops.flatten import Flatten
from mcugen.ops.linear import Linear
from mcugen.ops.maxpool import MaxPool
from mcugen.ops.requantize import Requantize


def alone(node: Node) -> Graph:
    """A graph of one node."""
    return Graph("alone", tuple(dict.fromkeys(node.args)), (node,), (node.output,))


def assert_same(a: Graph, b: Graph) -> None:
    """Equal in everything but the identity of the values."""
    assert a.name == b.name
    for these, those in (
        (a.inputs, b.inputs),
        (tuple(a.constants), tuple(b.constants)),
        (a.outputs, b.outputs),
        (tuple(n.output for n in a.nodes), tuple(n.output for n in b.nodes)),
    ):
        assert [(v.name, v.type) for v in these] == [(v.name, v.type) for v in those]
        for v, w in zip(these, those, strict=True):
            assert (v.data is None) == (w.data is None)
            if v.data is not None:
                assert v.const.dtype == w.const.dtype
                assert np.array_equal(v.const, w.const)
    for n, m in zip(a.nodes, b.nodes, strict=True):
        assert (n.op, n.acc, [v.name for v in n.inputs]) == (m.op, m.acc, [v.name for v in m.inputs])


def attempt(call: Callable[[], Any]) -> Any:
    """The result, or the GraphError."""
    try:
        return call()
    except GraphError as e:
        return e


# ---- small random graphs; test_archive.py draws from them too ----

NAMES = st.text("abcXYZ019_.:/-", min_size=1, max_size=12)
SCALES = st.floats(1e-30, 1e30)
OUTS = (Out.full(DType.U8), Out(DType.U8, Quant(0.1, 128), 3, 250), Out.full(DType.U3, 0.7), Out.full(DType.I16))


def _step(kind: str, x: Value, rng: np.random.Generator, to: Out) -> Node | None:
    """A node that reads x, or None where x does not suit it."""
    t, dtype = x.type, (DType.T, DType.I8)[rng.integers(2)]
    if kind == "requantize":
        return base.make(Requantize(to), x, *base.draw_tail(rng, base.input_range(x), to))
    if not t.dtype.unsigned:
        return None
    if kind == "linear":
        node = base.make(Linear(), x, base.draw_weights(rng, dtype, (int(rng.integers(1, 6)), t.size)))
        return node if rng.random() < 0.2 else base.requantized(node, rng, to)
    if kind == "flatten":
        return base.make(Flatten(), x)
    if kind == "add":
        return base.make(Add(20000, -3000, 1 << 16, 16, to), x, x)
    if len(t.shape) != 3:
        return None
    c, h, w = t.shape
    k = (int(rng.integers(1, min(h, 3) + 1)), int(rng.integers(1, min(w, 3) + 1)))
    stride = (int(rng.integers(1, 3)), int(rng.integers(1, 3)))
    pad = (k[0] - 1, k[1] // 2, k[0] // 2, 0)
    if kind == "maxpool":
        return base.make(MaxPool(k, stride, pad), x)
    if kind == "avgpool":
        return base.make(AvgPool(k, stride, 20000, 1 << 16, 17, to, pad, t.zero_point), x)
    if kind == "depthwise":
        op: Op = DepthwiseConv2d(stride, pad, pad_value=t.zero_point)
        return base.requantized(base.make(op, x, base.draw_weights(rng, dtype, (c, *k))), rng, to)
    groups = c if rng.random() < 0.2 else 1
    op = Conv2d(stride, pad, groups=groups, pad_value=t.zero_point)
    node = base.make(op, x, base.draw_weights(rng, dtype, (groups * int(rng.integers(1, 4)), c // groups, *k)))
    return base.requantized(node, rng, to)


KINDS = ("conv", "conv", "depthwise", "maxpool", "avgpool", "add", "requantize", "flatten", "linear")


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Chains of up to six nodes over all operators, with odd names, scales and shapes."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dtype = draw(st.sampled_from((DType.U8, DType.U4, DType.U1)))
    zero_point = draw(st.integers(0, dtype.hi))
    shape = tuple(draw(st.lists(st.integers(1, 7), min_size=3, max_size=3)))
    prefix = draw(NAMES)
    quant = Quant(draw(st.one_of(SCALES, st.tuples(SCALES, SCALES))), zero_point)
    x = Value(prefix, Tensor(dtype, shape, quant))
    values, nodes = [x], []
    for i, kind in enumerate(draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=6))):
        node = _step(kind, values[-1], rng, draw(st.sampled_from(OUTS)))
        if node is None:
            continue
        named = [v if v.data is None else replace(v, name=f"{prefix}/{i}.{v.name}") for v in node.inputs]
        node = Node(node.op, tuple(named), replace(node.output, name=f"{prefix}:{i}"))
        nodes.append(node)
        values.append(node.output)
    outputs = (values[-1],) if draw(st.booleans()) else (*values[1:], values[0])
    graph = check(Graph("net", (x,), tuple(nodes), outputs))
    if draw(st.booleans()):
        spans = {n: acc.span for n, (acc, _) in ranges(graph).items()}
        graph = replace(graph, nodes=tuple(replace(n, acc=spans[n]) for n in nodes))
    return graph


def test_ranges_of_equal_limits_are_one_key() -> None:
    a, b = (Range(np.array([-5, 0]), np.array([7, 9])) for _ in range(2))
    others = Range(np.array([-5, 1]), a.hi), Range(a.lo, np.array([7, 8])), Range(a.lo[:1], a.hi[:1])
    assert a == b and len({a, b, *others}) == 4 and a not in others


# ---- text ----


@pytest.mark.parametrize("name", CASES)
def test_text_round_trips_on_every_case(name: str) -> None:
    rng = np.random.default_rng(1)
    for case in CASES[name]():
        graph = check(alone(case.build(rng)))
        written = text(graph)
        again = parse(written, OPS)
        assert text(again) == written, case.name
        assert_same(check(again), graph)


@given(graphs())
@settings(max_examples=80, deadline=None)
def test_text_round_trips_on_random_graphs(graph: Graph) -> None:
    again = check(parse(text(graph), OPS))
    assert_same(again, graph)
    x = np.random.default_rng(0).integers(0, graph.inputs[0].type.dtype.hi + 1, (3, *graph.inputs[0].type.shape))
    for a, b in zip(interp.run(graph, x.astype(np.uint8)), interp.run(again, x.astype(np.uint8)), strict=True):
        assert np.array_equal(a, b)


LITERAL = """\
graph tiny
# a comment, and an empty line

input %x: u8[3] {"scale": 0.5, "zero_point": 0}
const %w: t[2,3] = "+-00++"
const %m: i16[2] = [16384, -16384]
const %a: i32[1] = [65536]
const %s: u8[1] = [16]
node %y: u8[2] {"scale": 1.0, "zero_point": 0} = Linear(%x, %w, %m, %a, %s) \
{"to": {"dtype": "u8", "quant": {"scale": 1.0, "zero_point": 0}, "lo": 0, "hi": 255}} acc [-255, 510]
output %y
"""


def test_literal_text() -> None:
    graph = parse(LITERAL, OPS)
    assert graph.nodes[0].acc == (-255, 510)
    assert graph.nodes[0].inputs[1].const.tolist() == [[1, -1, 0], [0, 1, 1]]
    assert text(parse(text(graph), OPS)) == text(graph)


def test_literal_text_means_what_it_says() -> None:
    graph = parse(LITERAL.replace("[16384, -16384]", "[16384, 16384]"), OPS)
    with pytest.raises(GraphError, match="wanted mult i16"):
        check(parse(LITERAL.replace("i32[1] = [65536]", "i32[3] = [0, 0, 0]"), OPS))
    (y,) = interp.run(check(graph), np.array([[200, 100, 9], [1, 255, 0]], np.uint8))
    assert y.tolist() == [[(100 * 16384 + 65536) >> 16, (109 * 16384 + 65536) >> 16], [0, (255 + 4) // 4]]


def test_elided_constants_do_not_read_back() -> None:
    graph = parse(LITERAL, OPS)
    short = text(graph, elide=5)
    assert "const %w: t[2,3] = ...\n" in short
    assert "const %m: i16[2] = [16384, -16384]\n" in short
    with pytest.raises(GraphError, match=r"\[E206\] line 3: "):
        parse(short, OPS)


@pytest.mark.parametrize(
    "line,old,new",
    [
        (1, "graph tiny", "graph"),
        (1, "graph tiny", "grph tiny"),
        (4, "input %x", "input x"),
        (4, "u8[3]", "u9[3]"),
        (4, "u8[3]", "u8[a]"),
        (4, '"scale": 0.5', '"scale": NaN'),
        (4, '"scale": 0.5', '"scale": 1e400'),
        (4, '"scale": 0.5', f'"scale": 1{"0" * 400}'),
        (4, '"scale": 0.5', '"scale": "0.5"'),
        (4, '"scale": 0.5', '"scale": true'),
        (4, '"scale": 0.5, ', ""),
        (4, '"scale": 0.5', '"scale": 0.5, "more": 1'),
        (4, '"zero_point": 0', '"zero_point": 0.0'),
        (4, '{"scale": 0.5, "zero_point": 0}', "[1]"),
        (5, '"+-00++"', '"+-00+"'),
        (5, '"+-00++"', '"+-00+1"'),
        (5, '"+-00++"', "..."),
        (6, "[16384, -16384]", "[16384]"),
        (6, "[16384, -16384]", "[16384, 99999]"),
        (6, "[16384, -16384]", "[16384, 1.5]"),
        (6, "[16384, -16384]", "[16384, true]"),
        (6, "[16384, -16384]", "[16384, null]"),
        (6, "[16384, -16384]", "[[1], [2, 3]]"),
        (6, "[16384, -16384]", "[" * 5000 + "]" * 5000),
        (6, "i16[2]", "i16[99999999999999999999]"),
        (9, "Linear(", "Lnear("),
        (9, "%w, %m", "%v, %m"),
        (9, '"to": {', '"two": {'),
        (9, '"lo": 0', '"lo": "0"'),
        (9, '"lo": 0, ', ""),
        (9, '"dtype": "u8"', '"dtype": "u16"'),
        (9, '"hi": 255}}', '"hi": 255}'),
        (9, "acc [-255, 510]", "acc [-255]"),
        (10, "output %y", "output %z"),
        (10, "output %y", "output y"),
        (10, "output %y", "output %y %y"),
    ],
)
def test_parse_errors_name_the_line(line: int, old: str, new: str) -> None:
    # the lines of LITERAL count from 1, with the comment and the empty line
    assert old in LITERAL.splitlines()[line - 1]
    lines = LITERAL.splitlines()
    lines[line - 1] = lines[line - 1].replace(old, new, 1)
    with pytest.raises(GraphError) as e:
        parse("\n".join(lines), OPS)
    assert e.value.code == "E206"
    assert e.value.where.split(".")[0] == f"line {line}"


def test_parse_refuses_a_name_twice() -> None:
    with pytest.raises(GraphError, match=r"\[E202\] line 5: "):
        parse(LITERAL.replace("const %w", "const %x"), OPS)


@given(st.text(max_size=200), st.integers(0, len(LITERAL)), st.integers(0, 30))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_graph_or_a_graph_error(insert: str, at: int, drop: int) -> None:
    error = attempt(lambda: parse(LITERAL[:at] + insert + LITERAL[at + drop :], OPS))
    assert isinstance(error, Graph) or error.code in ("E202", "E206")


# ---- encode, decode ----


@pytest.mark.parametrize("name", CASES)
def test_attributes_round_trip_through_json(name: str) -> None:
    rng = np.random.default_rng(2)
    for case in CASES[name]():
        op = case.build(rng).op
        again = decode(type(op), json.loads(json.dumps(encode(op))), "")
        assert again == op
        assert all(type(getattr(again, f.name)) is type(getattr(op, f.name)) for f in fields(op))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "value",
    [
        Quant(0.1, 128),
        Quant((0.1, 2.0, 3e-9), 0),
        Out(DType.U8, Quant((1.0,), 128), 128, 255),
        Tensor(DType.T, (3, 4)),
        Tensor(DType.I8, (), Quant(5e-324)),
        Tensor(DType.U8, (1,), Quant(1.7976931348623157e308, 255)),
    ],
)
def test_dataclasses_round_trip_through_json(value: Quant | Out | Tensor) -> None:
    assert decode(type(value), json.loads(json.dumps(encode(value))), "") == value


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(10**300, 10**400) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["dtype", "shape", "quant", "scale", "zero_point", "to", "lo"]), inner)
    ),
    max_leaves=12,
)


@given(JSON, st.sampled_from([Tensor, Quant, Out, DType, int, float, bool, str, tuple[int, int], *OPS.values()]))
@settings(max_examples=400, deadline=None)
def test_decode_gives_the_type_or_e206(x: object, hint: type) -> None:
    found = attempt(lambda: decode(hint, x, "here"))
    if isinstance(found, GraphError):
        assert found.code == "E206"
        assert found.where.startswith("here")
    else:
        assert encode(found) == x


def test_decode_refuses_deep_nesting() -> None:
    deep: object = 0
    for _ in range(100_000):
        deep = [deep]
    for hint in (Tensor, int, Quant, tuple[int, ...]):
        with pytest.raises(GraphError, match="E206"):
            decode(hint, deep, "")
    while deep:  # taken apart by hand: not every Python frees such a list without recursion
        deep = deep[0]  # type: ignore[index]


# ---- types ----


@pytest.mark.parametrize(
    "dtype,lo,hi,bytes_",
    [
        (DType.U1, 0, 1, 1),
        (DType.U4, 0, 15, 1),
        (DType.U8, 0, 255, 1),
        (DType.I4, -8, 7, 1),
        (DType.I8, -128, 127, 1),
        (DType.T, -1, 1, 1),
        (DType.I16, -32768, 32767, 2),
        (DType.I32, -(2**31), 2**31 - 1, 4),
    ],
)
def test_limits_of_types(dtype: DType, lo: int, hi: int, bytes_: int) -> None:
    assert (dtype.lo, dtype.hi, dtype.bytes) == (lo, hi, bytes_)
    assert np.iinfo(dtype.numpy).min <= lo and hi <= np.iinfo(dtype.numpy).max


def test_graph_lists_constants_once_and_uses() -> None:
    graph = parse(LITERAL, OPS)
    assert [v.name for v in graph.constants] == ["w", "m", "a", "s"]
    assert graph.uses(graph.inputs[0]) == graph.nodes
    assert graph.uses(graph.outputs[0]) == ()
