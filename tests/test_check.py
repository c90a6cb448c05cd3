"""What a valid graph is: each rule of mcugen/check.py is broken once, and the error names the place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from mcugen import interp
from mcugen.check import CHANNELS, check, ranges
from mcugen.errors import GraphError, McugenError
from mcugen.ir import DType, Graph, Node, Out, Quant, Tensor, Value
from mcugen.ops import CASES, base
from mcugen.ops.add import Add
from mcugen.ops.avgpool import AvgPool
from mcugen.ops.conv2d import Conv2d
from mcugen.ops.flatten import Flatten
from mcugen.ops.linear import Linear
from mcugen.ops.maxpool import MaxPool
from mcugen.ops.requantize import Requantize

U8 = Out.full(DType.U8)


def value(name: str, *shape: int, dtype: DType = DType.U8, quant: Quant | None = None) -> Value:
    return Value(name, Tensor(dtype, shape, quant))


def tail(prefix: str, mult: int = 16384, add: int = 1 << 15, shift: int = 16) -> tuple[Value, Value, Value]:
    """Constants that divide by four."""
    return (
        base.constant(f"{prefix}.mult", DType.I16, np.array([mult])),
        base.constant(f"{prefix}.add", DType.I32, np.array([add])),
        base.constant(f"{prefix}.shift", DType.U8, np.array([shift])),
    )


def named(node: Node, name: str) -> Node:
    return replace(node, output=replace(node.output, name=name))


X = value("x", 3)
W = base.constant("w", DType.T, np.array([[1, -1, 0], [0, 1, 1]]))
FC = named(base.make(Linear(U8), X, W, *tail("fc")), "fc")
VALID = Graph("g", (X,), (FC,), (FC.output,))
IMAGE = value("image", 2, 4, 4)
POOL = MaxPool((2, 2), (2, 2))


def test_a_valid_graph_is_returned() -> None:
    assert check(VALID) is VALID
    assert check(Graph("g", (X,), (), (X,))).nodes == ()


@pytest.mark.parametrize("name", CASES)
def test_every_case_is_valid(name: str) -> None:
    rng = np.random.default_rng(1)
    for case in CASES[name]():
        node = case.build(rng)
        check(Graph("g", tuple(dict.fromkeys(node.args)), (node,), (node.output,)))


def fc(*inputs: Value, op: Linear | None = None, out: Tensor | None = None) -> Graph:
    """VALID with other inputs, operator or output type of its node."""
    node = Node(op or Linear(U8), inputs or FC.inputs, Value("fc", out or FC.output.type))
    return Graph("g", (X,), (node,), (node.output,))


def with_weights(data: np.ndarray, dtype: DType = DType.T, shape: tuple[int, ...] = (2, 3)) -> Graph:
    return fc(X, Value("w", Tensor(dtype, shape), data), *tail("fc"))


def wide(x: int) -> Graph:
    """A sum of 16 * x terms of 255 * 127."""
    source = value("x", 16 * x)
    node = named(base.make(Linear(), source, base.constant("w", DType.I8, np.full((1, 16 * x), 127))), "fc")
    return Graph("g", (source,), (node,), (node.output,))


def pooled(**attributes: object) -> Graph:
    """Average pooling over IMAGE with other attributes."""
    op = AvgPool((2, 2), (2, 2), 16384, 1 << 15, 16, U8)
    node = Node(replace(op, **attributes), (IMAGE,), value("y", 2, 2, 2, quant=U8.quant))  # type: ignore[arg-type]
    return Graph("g", (IMAGE,), (node,), (node.output,))


def added(**attributes: object) -> Graph:
    op = Add(16384, 16384, 1 << 15, 15, U8)
    node = Node(replace(op, **attributes), (X, X), value("y", 3, quant=U8.quant))  # type: ignore[arg-type]
    return Graph("g", (X,), (node,), (node.output,))


def dynamic_weights() -> Graph:
    """A node whose multiplier is computed, not constant."""
    logits = named(base.make(Linear(Out.full(DType.I16)), X, W, *tail("logits")), "logits")
    node = Node(Linear(U8), (X, W, logits.output, *tail("fc")[1:]), FC.output)
    return Graph("g", (X,), (logits, node), (node.output,))


def constant_source(op: MaxPool | Flatten | Conv2d) -> Graph:
    """A node that reads a constant where it wants an activation."""
    source = base.constant("source", DType.U8, np.zeros((2, 4, 4)))
    weights = (base.constant("k", DType.T, np.zeros((1, 2, 3, 3))),) if isinstance(op, Conv2d) else ()
    node = base.make(op, source, *weights)
    return Graph("g", (X,), (node,), (node.output,))


# what is broken: (graph, code, where, a part of the message)
BROKEN: dict[str, tuple[Callable[[], Graph], str, str, str]] = {
    "graph without a name": (lambda: replace(VALID, name=""), "E202", "", "C identifier"),
    "graph with a bad name": (lambda: replace(VALID, name="a-b"), "E202", "a-b", "C identifier"),
    "graph that starts with a digit": (lambda: replace(VALID, name="2net"), "E202", "2net", "C identifier"),
    "graph named in Greek": (lambda: replace(VALID, name="αβ"), "E202", "αβ", "C identifier"),
    "no inputs": (lambda: replace(VALID, inputs=()), "E202", "g", "inputs and outputs"),
    "no outputs": (lambda: replace(VALID, outputs=()), "E202", "g", "inputs and outputs"),
    "an input of weights": (
        lambda: replace(VALID, inputs=(X, value("t", 3, dtype=DType.T))),
        "E201",
        "t",
        "an input is an activation",
    ),
    "an input with data": (lambda: replace(VALID, inputs=(X, tail("a")[2])), "E201", "a.shift", "activation"),
    "an input twice": (lambda: replace(VALID, inputs=(X, X)), "E202", "x", "twice"),
    "an output named like an input": (lambda: fc_named("x"), "E202", "x", "twice"),
    "an output named like a constant": (lambda: fc_named("w"), "E202", "w", "twice"),
    "two constants of a name": (
        lambda: fc(X, replace(W, name="fc.mult"), *tail("fc")),
        "E202",
        "fc.mult",
        "twice",
    ),
    "a node twice": (lambda: replace(VALID, nodes=(FC, FC)), "E202", "fc", "twice"),
    "a bad name": (lambda: replace(VALID, inputs=(X, value("a b", 3))), "E202", "a b", "not a name"),
    "an empty name": (lambda: replace(VALID, inputs=(X, value("", 3))), "E202", "", "not a name"),
    "read before it is defined": (
        lambda: Graph("g", (X,), (base.make(Flatten(), FC.output), FC), (FC.output,)),
        "E202",
        "y",
        "%fc is read before",
    ),
    "another value of the name": (
        lambda: fc(value("x", 3), *FC.inputs[1:]),
        "E202",
        "fc",
        "%x is read before",
    ),
    "an output of nothing": (lambda: replace(VALID, outputs=(value("z", 3),)), "E202", "g", "%z is not defined"),
    "a constant output": (lambda: replace(VALID, outputs=(W,)), "E202", "g", "%w is not defined"),
    "no shape": (lambda: replace(VALID, inputs=(X, value("s"))), "E201", "s", "no elements"),
    "an empty shape": (lambda: replace(VALID, inputs=(X, value("s", 3, 0))), "E201", "s", "no elements"),
    "a negative shape": (lambda: replace(VALID, inputs=(X, value("s", -3, -1))), "E201", "s", "no elements"),
    "too many elements": (
        lambda: replace(VALID, inputs=(X, value("s", 1, 1 << 16, 1 << 15))),
        "E201",
        "s",
        r"more than 2\^31",
    ),
    "too many channels": (
        lambda: replace(VALID, inputs=(X, value("s", CHANNELS, 1, 1))),
        "E201",
        "g",
        f"more than {CHANNELS} channels",
    ),
    "a scale of zero": (lambda: scaled(0.0), "E201", "s", "scale"),
    "a negative scale": (lambda: scaled((0.1, -0.1, 0.1)), "E201", "s", "scale"),
    "a scale that is no number": (lambda: scaled(float("nan")), "E201", "s", "scale"),
    "an infinite scale": (lambda: scaled((0.1, float("inf"), 1.0)), "E201", "s", "scale"),
    "a zero point above": (lambda: scaled(0.1, 256), "E201", "s", "zero point 256 is not a u8"),
    "a zero point below": (lambda: scaled(0.1, -1), "E201", "s", "zero point -1 is not a u8"),
    "data of another numpy type": (lambda: with_weights(np.zeros((2, 3), np.int16)), "E203", "w", "data is int16"),
    "data of another shape": (lambda: with_weights(np.zeros((3, 2), np.int8)), "E203", "w", r"int8\[3, 2\]"),
    "a ternary weight of 2": (lambda: with_weights(np.full((2, 3), 2, np.int8)), "E203", "w", r"leaves \[-1, 1\]"),
    "a ternary weight of -2": (lambda: with_weights(np.full((2, 3), -2, np.int8)), "E203", "w", r"leaves \[-1, 1\]"),
    "four bits of 8": (
        lambda: with_weights(np.full((2, 3), 8, np.int8), DType.I4),
        "E203",
        "w",
        r"leaves \[-8, 7\]",
    ),
    "inputs that do not fit": (lambda: fc(X, transposed(), *tail("fc")), "E201", "fc", "wants 2 unsigned"),
    "too few inputs": (lambda: fc(X), "E201", "fc", "Linear"),
    "too many inputs": (lambda: fc(*FC.inputs, W), "E201", "fc", "wanted mult"),
    "constants without a type": (lambda: fc(op=Linear()), "E201", "fc", "no output type"),
    "an output of another shape": (lambda: fc(out=Tensor(DType.U8, (3,), U8.quant)), "E201", "fc", "the output is"),
    "an output of another type": (lambda: fc(out=Tensor(DType.U4, (2,), U8.quant)), "E201", "fc", "the output is"),
    "an output of another scale": (lambda: fc(out=Tensor(DType.U8, (2,), Quant(2.0))), "E201", "fc", "quantisation"),
    "an output with data": (
        lambda: Graph("g", (X,), (replace(FC, output=base.constant("fc", DType.U8, np.zeros(2))),), (X,)),
        "E201",
        "fc",
        "the output is",
    ),
    "a computed multiplier": (dynamic_weights, "E201", "fc", "mixed up"),
    "max pooling of a constant": (lambda: constant_source(POOL), "E201", "y", "mixed up"),
    "a flattened constant": (lambda: constant_source(Flatten()), "E201", "y", "mixed up"),
    "a convolution of a constant": (lambda: constant_source(Conv2d()), "E201", "y", "mixed up"),
    "a sum beyond 32 bits": (lambda: wide(4145), "E205", "fc", "beyond 32 bits"),
    "bounds that are too small": (
        lambda: replace(VALID, nodes=(replace(FC, acc=(-255, 509)),)),
        "E205",
        "fc",
        r"do not cover the proven \[-255, 510\]",
    ),
    "bounds that start too late": (
        lambda: replace(VALID, nodes=(replace(FC, acc=(-254, 510)),)),
        "E205",
        "fc",
        "do not cover",
    ),
    "mult -32768": (lambda: fc(X, W, *tail("fc", mult=-32768)), "E204", "fc", "symmetric"),
    "shift 32": (lambda: fc(X, W, *tail("fc", shift=32)), "E204", "fc", "shift is outside"),
    "add off the grain": (lambda: fc(X, W, *tail("fc", add=(1 << 15) + 1)), "E204", "fc", "multiple"),
    "a product beyond 32 bits": (
        lambda: fc(X, W, *tail("fc", mult=32767, add=(1 << 31) - (1 << 20), shift=15)),
        "E204",
        "fc",
        "leave 32 bits",
    ),
    "pooling with mult 40000": (lambda: pooled(mult=40000), "E201", "y", "symmetric"),
    "pooling with an absurd mult": (lambda: pooled(mult=10**30), "E201", "y", "AvgPool"),
    "pooling with shift 99": (lambda: pooled(shift=99), "E201", "y", "shift"),
    "pooling with an odd add": (lambda: pooled(add=1), "E201", "y", "multiple"),
    "pooling beyond 32 bits": (
        lambda: pooled(mult=32767, add=(1 << 31) - (1 << 20), shift=15),
        "E204",
        "y",
        "leave 32 bits",
    ),
    "an absurd kernel": (lambda: pooled(kernel=(10**30, 1), padding=(10**30, 0, 0, 0)), "E201", "y", "kernel"),
    "a stride of 0": (lambda: pooled(stride=(0, 1)), "E201", "y", "stride"),
    "adding with mult 40000": (lambda: added(mult_a=40000), "E201", "y", "symmetric"),
    "adding with an absurd mult": (lambda: added(mult_b=10**30), "E201", "y", "Add"),
    "adding with an odd add": (lambda: added(shift=17, add=1), "E201", "y", "multiple"),
    "adding beyond 32 bits": (lambda: added(add=(1 << 31) - 1), "E205", "y", "beyond 32 bits"),
    "limits outside the type": (lambda: fc(op=Linear(replace(U8, hi=256))), "E201", "fc", "clamp"),
    "limits turned round": (lambda: fc(op=Linear(replace(U8, lo=9, hi=8))), "E201", "fc", "clamp"),
    "signed bytes": (lambda: fc(op=Linear(Out.full(DType.I8))), "E201", "fc", "activations are unsigned"),
    "a zero point outside the type": (
        lambda: fc(op=Linear(replace(U8, quant=Quant(1.0, 300)))),
        "E201",
        "fc",
        "zero point",
    ),
}


def fc_named(name: str) -> Graph:
    node = named(FC, name)
    return Graph("g", (X,), (node,), (node.output,))


def scaled(scale: float | tuple[float, ...], zero_point: int = 0) -> Graph:
    return replace(VALID, inputs=(X, value("s", 3, quant=Quant(scale, zero_point))))


def transposed() -> Value:
    return base.constant("w", DType.T, np.zeros((3, 2)))


@pytest.mark.parametrize("name", BROKEN)
def test_each_rule_broken_once(name: str) -> None:
    make, code, where, message = BROKEN[name]
    graph = make()
    with pytest.raises(GraphError, match=message) as e:
        check(graph)
    assert e.value.code == code
    assert e.value.where == where


def test_the_limit_of_32_bits_is_exact() -> None:
    """255 + add reaches 2^31 - 1 at most."""
    check(added(mult_a=1, mult_b=0, add=2**31 - 256, shift=0))
    check(added(mult_a=-1, mult_b=0, add=-(2**31) + 255, shift=0))
    for mult, add in ((1, 2**31 - 255), (-1, -(2**31) + 254)):
        with pytest.raises(GraphError, match="E205"):
            check(added(mult_a=mult, mult_b=0, add=add, shift=0))


def test_the_largest_sums_of_bytes() -> None:
    """255 * 127 * n terms: 66304 of them are 2^31 - 4544, one more 16 are beyond."""
    assert 255 * 127 * 66304 < 2**31 <= 255 * 127 * 66320
    check(wide(4144))
    negative = wide(4144)
    w = base.constant("w", DType.I8, np.full((1, 66304), -127))
    node = base.make(Linear(), negative.inputs[0], w)
    check(Graph("g", negative.inputs, (node,), (node.output,)))


def test_bounds_that_cover_are_taken() -> None:
    for acc in ((-255, 510), (-1000, 1000), (-(2**31), 2**31 - 1)):
        check(replace(VALID, nodes=(replace(FC, acc=acc),)))


def test_ranges_pass_from_node_to_node() -> None:
    """A clamp narrows what the next node can reach; a flatten repeats the channels' ranges."""
    image = value("image", 2, 2, 2)
    limits = Out(DType.U8, Quant(1.0), 10, 20)
    mult = base.constant("rq.mult", DType.I16, np.array([16384, 16384]))
    add = base.constant("rq.add", DType.I32, np.array([0, 12 << 14]))
    shift = base.constant("rq.shift", DType.U8, np.array([14, 14]))
    rq = named(base.make(Requantize(limits), image, mult, add, shift), "rq")
    flat = named(base.make(Flatten(), rq.output), "flat")
    w = base.constant("w", DType.T, np.array([[1] * 8, [1, 1, 1, 1, -1, -1, -1, -1]]))
    fc = named(base.make(Linear(), flat.output, w), "fc")
    graph = check(Graph("g", (image,), (rq, flat, fc), (fc.output,)))
    found = ranges(graph)
    assert [v.tolist() for v in (found[rq][1].lo, found[rq][1].hi)] == [[10, 12], [20, 20]]
    assert found[fc][1].lo.tolist() == [4 * 10 + 4 * 12, 4 * 10 - 4 * 20]
    assert found[fc][1].hi.tolist() == [160, 4 * 20 - 4 * 12]
    assert found[fc][0].lo.tolist() == [0, -80]


# ---- interp ----


def test_interp_runs_batches_of_any_size() -> None:
    x = np.random.default_rng(0).integers(0, 256, (interp.CHUNK * 2 + 3, 3)).astype(np.uint8)
    (whole,) = interp.run(VALID, x)
    assert whole.shape == (len(x), 2)
    assert np.array_equal(np.concatenate([interp.run(VALID, row[None])[0] for row in x]), whole)
    assert interp.run(VALID, x[:0])[0].shape == (0, 2)


@pytest.mark.parametrize(
    "x",
    [
        np.zeros((1, 4), np.uint8),
        np.zeros(3, np.uint8),
        np.zeros((1, 3), np.int16),
        np.zeros((1, 3), np.float32),
    ],
)
def test_interp_refuses_what_does_not_fit(x: np.ndarray) -> None:
    with pytest.raises(McugenError, match=r"\[E704\] x: ") as e:
        interp.run(VALID, x)
    assert e.value.code == "E704"


def test_interp_refuses_values_beyond_the_type() -> None:
    x = value("x", 3, dtype=DType.U4)
    node = base.make(Flatten(), x)
    with pytest.raises(McugenError, match="E704"):
        interp.run(Graph("g", (x,), (node,), (node.output,)), np.full((1, 3), 16, np.uint8))
