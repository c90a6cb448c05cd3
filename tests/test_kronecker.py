"""The kernel that multiplies two pixels by two weights at once: its proofs, every function on every core, its cost."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import cache
from types import ModuleType

import harness
import numpy as np
import pytest
from harness import Program, Step, node_program
from test_im2col import geometry, tailed

from mcugen import layout, targets
from mcugen.ir import DType, Node, Out, Range
from mcugen.kernels import base, kronecker
from mcugen.kernels.kronecker import Kronecker
from mcugen.layout import FLAT
from mcugen.ops.conv2d import Conv2d

ARM = bool(shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm"))
needs_arm = pytest.mark.skipif(not ARM, reason="no arm-none-eabi-gcc or no qemu-system-arm")
MACHINES = [
    "host",
    "sanitised",
    *(pytest.param(m, marks=needs_arm) for m in ("microbit-large", "mps2-an386", "mps2-an505")),
]
KERNEL = Kronecker()
Factory = pytest.TempPathFactory


def proof(node: Node) -> tuple[Node, Range]:
    return node, harness.accumulators(node)


def signature(node: Node) -> base.Signature | None:
    return KERNEL.layouts(node, (FLAT,), layout.lanes(node.output.type, layout.rows_for(node.output.type.shape[1])))


# ---- the proof ----


@pytest.mark.parametrize(
    "plus, minus, accepted", [(2056, 0, True), (2057, 0, False), (0, 2056, True), (0, 2057, False)]
)
def test_a_sum_of_20_bits(plus: int, minus: int, accepted: bool) -> None:
    """255 * 2056 is just below 2^19, whatever the weights of the other sign are."""
    w = np.zeros((2, 1, 6, 6), int)
    for total, sign, taps in ((plus, 1, w[0].ravel()), (minus, -1, w[1].ravel())):
        taps[: total // 100] = 100 * sign
        taps[total // 100] = total % 100 * sign
        taps[30:] = -90 * sign
    w[0], w[1] = w[0] if plus else w[1], w[1] if minus else w[0]
    node = tailed(Conv2d(), (1, 9, 12), w, 1 / 9000)
    assert KERNEL.accepts(*proof(node)) == accepted


def limited(total: int) -> Node:
    """A layer whose weights of either sign have magnitudes of so many together; pads of 0 are behind its last place."""
    w = np.zeros((2, 1, 10, 4), int)
    for row, sign in ((w[0].ravel(), 1), (w[1].ravel(), -1)):
        for taps, s in ((row[0::2], sign), (row[1::2], -sign)):
            taps[: total // 120] = 120 * s
            taps[total // 120] = total % 120 * s
    return tailed(Conv2d(), (1, 12, 10), w, 1 / 9000)


BRIGHT = (200, 255)


@pytest.mark.parametrize("total, accepted", [(2056, True), (2057, False)])
def test_known_pixels_do_not_let_parts_of_a_sum_grow(total: int, accepted: bool) -> None:
    """Of pixels from 200 on whole sums are within 2^17: what one sign adds, the other takes away. Digits are parts."""
    node = limited(total)
    known = Range(np.array([BRIGHT[0]]), np.array([BRIGHT[1]]))
    _, whole = Conv2d().bounds(known, node.inputs[1].const)
    assert whole.span[0] > -(1 << 17) and whole.span[1] < 1 << 17
    assert KERNEL.accepts(node, harness.accumulators(node, BRIGHT)) == accepted


@pytest.mark.parametrize("scale, accepted", [(1 / 33, True), (1 / 31, False), (4.0, False)])
def test_the_factor_has_32_bits(scale: float, accepted: bool) -> None:
    node = tailed(Conv2d(), (1, 8, 8), np.full((2, 1, 1, 2), 5), scale, 0)
    acc = harness.accumulators(node)
    tails = [base.tail32(*numbers[:5], 1 << 15) for numbers in base.tail32_numbers(node, acc)]
    ups = {t[0] & 0xFF for t in tails if t}
    assert KERNEL.accepts(node, acc) == accepted == bool(ups and max(ups) <= kronecker.UP)
    if accepted:
        assert all(abs(int(v)) < 1 << 31 for v in kronecker._program(node, acc).astype(np.int64))


def test_what_is_refused() -> None:
    def refused(node: Node) -> bool:
        return signature(node) is None

    assert not refused(geometry((1, 9, 9), 2, (3, 3), Conv2d()))
    assert refused(geometry((1, 9, 9), 2, (3, 3), Conv2d((1, 3))))
    assert refused(geometry((1, 9, 9), 2, (3, 3), Conv2d(dilation=(1, 2))))
    assert refused(geometry((4, 9, 9), 2, (3, 3), Conv2d((1, 1), (1, 1, 1, 1))))  # 24 groups
    assert refused(geometry((1, 9, 4), 2, (3, 3), Conv2d()))  # 2 places of 6
    node = geometry((1, 9, 9), 2, (3, 3), Conv2d())
    assert KERNEL.layouts(node, (layout.lanes(node.inputs[0].type, 3),), layout.lanes(node.output.type, 2)) is None
    assert KERNEL.layouts(node, (FLAT,), FLAT) is None


@pytest.mark.parametrize("core, offered", [("cortex-m0", False), ("cortex-m3", False), ("cortex-m4", True)])
def test_it_is_offered_where_there_is_assembler(core: str, offered: bool) -> None:
    node = geometry((1, 9, 9), 2, (3, 3), Conv2d())
    like = layout.lanes(node.output.type, layout.rows_for(node.output.type.shape[1]))
    assert (KERNEL.on(targets.get(core).core).layouts(node, (FLAT,), like) is not None) == offered


# ---- programs ----


def geometries() -> Iterator[tuple[str, Node]]:
    """Rows of 3 to 15 places, windows of up to 10 rows and 5 columns, strides, pads at all sides, dilation of rows."""
    for width in range(3, 16):
        op = Conv2d((1, 1), (1, 1, 1, 1), pad_value=9)
        yield f"3x3 w{width}", geometry((1, 6, width), 2, (3, 3), op)
        if width > 4:
            yield f"3x3 s2 w{width}", geometry((1, 9, 2 * width), 1, (3, 3), Conv2d((2, 2), (0, 0, 1, 1), pad_value=9))
        yield f"valid w{width}", geometry((1, 5, width + 1), 2, (2, 2), Conv2d())
    for kw in range(1, 6):
        for s in (1, 2):
            op = Conv2d((1, s), (0, kw // 2, 1, kw - 1 - kw // 2), pad_value=200)
            yield f"2x{kw} s{s}", geometry((2, 5, 7 * s), 3, (2, kw), op)
    yield "10x4 s2", geometry((1, 49, 10), 3, (10, 4), Conv2d((2, 2), (4, 1, 5, 1), pad_value=128))
    yield "10x4 s2 w6", geometry((1, 29, 12), 3, (10, 4), Conv2d((2, 2), (4, 1, 5, 1), pad_value=128))
    yield "3 channels", geometry((3, 12, 8), 5, (3, 3), Conv2d((1, 1), (1, 1, 1, 1), pad_value=31))
    yield "3 channels s2", geometry((3, 16, 16), 4, (3, 3), Conv2d((2, 2), (0, 0, 1, 1)))
    yield "3 channels w12 s2", geometry((3, 12, 24), 4, (3, 3), Conv2d((2, 2), (1, 1, 0, 0), pad_value=77))
    yield "dilation", geometry((1, 14, 8), 2, (3, 3), Conv2d((2, 1), (2, 1, 2, 1), (3, 1), pad_value=5))
    yield "stride 3 of rows", geometry((1, 14, 8), 2, (2, 3), Conv2d((3, 1), (0, 1, 0, 1), pad_value=5))
    full = Out.full(DType.U8)
    yield "limits", geometry((1, 6, 8), 3, (3, 3), Conv2d((1, 1), (1,) * 4), Out(DType.U8, full.quant, 10, 240))
    yield "u4", geometry((2, 6, 5), 2, (3, 3), Conv2d(padding=(1, 1, 1, 1)), Out.full(DType.U4))


def edges() -> Iterator[tuple[str, Node, list[np.ndarray]]]:
    """Digits of all signs at both ends, and zero in the middle with a borrow from below."""
    rng = np.random.default_rng(5)
    w = rng.choice([-128, -127, 0, 1, 127], (12, 1, 4, 4), p=(0.2, 0.2, 0.2, 0.1, 0.3))
    w[0, 0] = np.where(np.indices((4, 4)).sum(axis=0) % 2, 127, -128)
    w[1] = -w[0] - 1
    w[2], w[3] = 127, -128
    w[4] = 0
    w[4, 0, 0, 3] = -1  # s0 = -1 or s1 = -1 where all others are 0
    w[5] = -w[4]
    for scale in (1 / 900, -1 / 3000):
        node = tailed(Conv2d((1, 2)), (1, 8, 20), w, scale)
        x = rng.choice([0, 1, 255], (24, 1, 8, 20)).astype(np.uint8)
        x[0], x[1] = 0, 255
        yield f"ends {scale}", node, [x]


@cache
def programs() -> tuple[Program, ...]:
    bright = limited(2056)
    x = harness.samples(bright, np.random.default_rng(4), limits=BRIGHT)
    sig, want = harness.signatures(KERNEL, bright)[0], harness.evaluate(bright, x)
    found = [node_program("bright", bright, KERNEL, sig, x, want, limits=BRIGHT)]
    inputs = [(name, node, harness.samples(node, np.random.default_rng(3))) for name, node in geometries()]
    for i, (name, node, x) in enumerate((*inputs, *edges())):
        if not KERNEL.accepts(*proof(node)):  # some tails are drawn too large
            continue
        want = harness.evaluate(node, x)
        required = harness.signatures(KERNEL, node)[0]
        for sig in (required, *harness.larger(required, node)[1 + i % 3 : 2 + i % 3]):
            found.append(node_program(f"{name} {sig.output}", node, KERNEL, sig, x, want))
    return tuple(found)


@pytest.mark.parametrize("machine", MACHINES)
def test_every_path(machine: str, tmp_path_factory: Factory) -> None:
    report = harness.on(machine, tmp_path_factory).run(programs())
    assert not report.failures and not report.left_out, str(report)


def test_programs_reach_every_path() -> None:
    seen, copied, constant, groups = set(), set(), set(), set()
    for p in programs():
        values = {f.name: f.value for f in next(a.bound for a in p.actions if isinstance(a, Step)).fields}
        for blocks, function in ((values["fours"], values["four"]), (values["threes"], values["three"])):
            if blocks:
                seen.add((str(function).removeprefix("mcugen1_kronecker"), values["groups"] == values["kernel_h"]))
        copied.add(values["copied"])
        constant.add(values["first"] is not base.NULL)
        groups.add(values["groups"])
    assert {f for f, _ in seen} == {"4", "4x2", "3", "3x2", "4g18", "4x2g18", "3x2g20"}
    assert copied == {0, 1} and constant == {False, True}
    assert groups >= {2, 4, 6, 8, 18, 20} and len(programs()) > 60


# ---- encoding and cost ----


def test_the_words_of_a_window() -> None:
    """A row of 1 2 3, with pads at both ends: 1 alone at column 0, then 2 as b and 3 as a at column 1."""
    w = np.array([1, -2, 3, 4, 5, -6])[None, None, :, None] * np.ones((2, 1, 1, 3), int)
    w[0, 0, 0], w[1, 0, 0] = (1, 2, 3), (-1, -2, -3)
    node = tailed(Conv2d(padding=(0, 1, 0, 1)), (1, 8, 8), w, 1 / 900)
    words = kronecker._program(*proof(node)).reshape(2, -1)
    assert words[:, :2].tolist() == [[1 << 21, (2 << 21) + 3], [-1 << 21, (-2 << 21) - 3]]
    assert kronecker._shape(node).columns == (0,) and kronecker._shape(node).groups[:2] == (
        (0, 0, 0, None, 0),
        (0, 0, 1, 2, 1),
    )


@needs_arm
@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m33", "cortex-m7"])
def test_estimates_are_what_is_simulated(core: str, bench: ModuleType) -> None:
    pytest.importorskip("unicorn")
    most = {"first_kws": 1.08, "first_resnet": 1.32, "first_vww": 1.41}  # cycles for a product
    found = [r for r in bench.rows(targets.get(core).core, list(most), [1.0]) if r.kernel.startswith("kronecker")]
    assert [r.layer for r in found] == list(most)
    for r in found:
        assert abs(r.estimated / r.cycles - 1) < 0.02, r
        assert core != "cortex-m4" or r.per_mac < most[r.layer], r
