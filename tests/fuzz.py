"""Random layers through every kernel that takes them, compared with the reference in every byte, as long as asked.

    python tests/fuzz.py [--minutes 5] [--seed 1] [--machines host mps2-an386 ...]
    python tests/fuzz.py --replay 123456 --machines microbit

A layer is a node that its number alone decides: operator, geometry, types, weights, requantisation. It runs in every
kernel that accepts it, each in one of its layouts and in place where that is possible, on four inputs: lowest, highest,
one-hot, random. Kernels are built once a machine; the time is shared evenly between the host and the emulated cores.
Exit status 1 if a byte was wrong; the layer's number is printed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import harness
import numpy as np
from harness import Harness, Program

from mcugen import targets
from mcugen.ir import Array, DType, Node, Out, Quant, Value
from mcugen.kernels import KERNELS
from mcugen.kernels.base import candidates
from mcugen.ops import CASES
from mcugen.ops import base as ops
from mcugen.ops.conv2d import Conv2d
from mcugen.ops.depthwise import DepthwiseConv2d
from mcugen.ops.linear import Linear

EMULATED = ("microbit", "mps2-an385", "mps2-an386", "mps2-an500", "mps2-an505", "mps3-an547")
LARGE = "-large"  # a machine with more memory that runs the same code
BATCH = 100  # layers of one run; an emulator starts for each
OTHERS = tuple(k for k in KERNELS if k.stem and k.op not in (Conv2d, DepthwiseConv2d, Linear))
MOST = 6000  # elements of an image, and of a layer's weights

_BUILT = {name: tuple(cases()) for name, cases in CASES.items()}


# ---- a layer ----


def layer(number: int) -> tuple[Node, harness.Limits]:
    """A node, and limits of its input that are known beforehand (None: the type's)."""
    rng = np.random.default_rng(number)
    kind = rng.random()
    if kind < 0.4:
        return _conv(rng)
    if kind < 0.6:
        return _depthwise(rng)
    if kind < 0.75:
        return _linear(rng)
    return _case(rng), None


def _case(rng: np.random.Generator) -> Node:
    """A case of another operator, drawn so that each of the kernels gets its share."""
    kernel = OTHERS[rng.integers(len(OTHERS))]
    cases = _BUILT[kernel.op.__name__]
    for _ in range(24):
        node = cases[rng.integers(len(cases))].build(rng)
        if harness.signatures(kernel, node):
            break
    return node


def _input(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[Value, harness.Limits]:
    dtype = DType.U8 if rng.random() < 0.7 else DType(f"u{rng.integers(1, 9)}")
    zero = int(rng.choice([0, 0, dtype.hi // 2 + 1, dtype.hi, rng.integers(0, dtype.hi + 1)]))
    limits = tuple(sorted(map(int, rng.integers(0, dtype.hi + 1, 2)))) if rng.random() < 0.15 else None
    return ops.activation("x", shape, zero, dtype), limits  # type: ignore[return-value]


def _weights(rng: np.random.Generator, shape: tuple[int, ...]) -> Value:
    """Ternary ones mostly; of any density, each channel with its own share of -1, some channels empty."""
    dtype = DType.T if rng.random() < 0.75 else DType.I8
    if dtype is DType.I8 or rng.random() < 0.2:
        return ops.draw_weights(rng, dtype, shape, ops.WEIGHT_KINDS[rng.integers(len(ops.WEIGHT_KINDS))])
    rows = (shape[0], *(1,) * (len(shape) - 1))
    share = rng.choice([0.0, 0.5, 1.0, 1.2], rows, p=[0.1, 0.2, 0.5, 0.2])
    density = share * rng.choice([0.05, 0.1, 0.2, 0.35, 0.5, 0.8])
    minus = rng.choice([0.0, 0.1, 0.5, 0.5, 0.9, 1.0], rows)
    w = (rng.random(shape) < density) * np.where(rng.random(shape) < minus, -1, 1)
    return ops.constant("w", dtype, w)


def _tail(rng: np.random.Generator, raw: Node, limits: harness.Limits) -> Node:
    """With a requantisation, if not as plain sums."""
    kind = rng.random()
    if kind < 0.05:
        return raw
    if raw.inputs[0].type.dtype.hi < 16 and rng.random() < 0.7:  # for lanes of nibbles
        dtype = DType(f"u{rng.choice([1, 2, 3, 4, 4, 4])}")
        to = Out(dtype, Quant(0.1, 0), int(rng.integers(0, 2)), dtype.hi)
    elif kind < 0.6:
        to = Out.full(DType.U8)
    elif kind < 0.7:
        to = Out.full(DType.I16)
    else:
        dtype = DType.U8 if kind < 0.9 else DType(f"u{rng.integers(1, 9)}")
        lo, hi = sorted(map(int, rng.integers(0, dtype.hi + 1, 2)))
        to = Out(dtype, Quant(0.1, int(rng.integers(lo, hi + 1))), lo, hi)
    tail = ops.draw_tail(rng, harness.accumulators(raw, limits), to)
    return ops.make(type(raw.op)(**{**vars(raw.op), "to": to}), *raw.inputs, *tail)


Pair = tuple[int, int]


def _window(rng: np.random.Generator, h: int, w: int) -> tuple[Pair, Pair, ops.Padding, Pair]:
    """Kernel, stride, padding and dilation; mostly what networks have."""
    usual = rng.random() < 0.7
    kernels = ((1, 1), (3, 3), (3, 3), (5, 5), (5, 1), (1, 5), (3, 1), (2, 2))
    kernel = kernels[rng.integers(len(kernels))] if usual else (int(rng.integers(1, 8)), int(rng.integers(1, 6)))
    stride = (int(rng.choice([1, 1, 2])),) * 2 if usual else (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    dilation = (1, 1) if rng.random() < 0.85 else (int(rng.integers(1, 4)), int(rng.integers(1, 3)))
    reach = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
    if usual:
        top, left = reach[0] // 2, reach[1] // 2
        bottom, right = reach[0] - top, reach[1] - left
        if stride[0] == 2 and rng.random() < 0.5:  # as TensorFlow pads
            top, left, bottom, right = top - top // 2, left - left // 2, bottom, right
    else:
        top, left, bottom, right = (int(rng.integers(0, r + 2)) for r in (*reach, *reach))
    bottom += max(0, reach[0] + 1 - h - top - bottom)
    right += max(0, reach[1] + 1 - w - left - right)
    return kernel, stride, (top, left, bottom, right), dilation


def _image(rng: np.random.Generator, channels: int) -> tuple[int, int, int]:
    h = int(rng.choice([1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 16, 17, 25, 32, 48]))
    w = int(rng.choice([1, 1, 2, 3, 4, 5, 6, 7, 8, 10, 13, 16, 24]))
    while channels * h * w > MOST:
        h, w = (h + 1) // 2, (w + 1) // 2
    return channels, h, w


def _conv(rng: np.random.Generator) -> tuple[Node, harness.Limits]:
    groups = int(rng.choice([1, 1, 1, 1, 2, 3]))
    inside = int(rng.choice([1, 2, 3, 4, 7, 8, 16, 33, 64, 130]))
    shape = _image(rng, groups * inside)
    kernel, stride, padding, dilation = _window(rng, *shape[1:])
    outside = int(min(rng.choice([1, 2, 3, 4, 8, 12]), max(1, MOST // (inside * kernel[0] * kernel[1]))))
    x, limits = _input(rng, shape)
    op = Conv2d(stride, padding, dilation, groups, x.type.zero_point)
    return _tail(rng, ops.make(op, x, _weights(rng, (groups * outside, inside, *kernel))), limits), limits


def _depthwise(rng: np.random.Generator) -> tuple[Node, harness.Limits]:
    shape = _image(rng, int(rng.choice([1, 2, 3, 5, 8, 16])))
    kernel, stride, padding, dilation = _window(rng, *shape[1:])
    x, limits = _input(rng, shape)
    op = DepthwiseConv2d(stride, padding, dilation, pad_value=x.type.zero_point)
    return _tail(rng, ops.make(op, x, _weights(rng, (shape[0], *kernel))), limits), limits


def _linear(rng: np.random.Generator) -> tuple[Node, harness.Limits]:
    n = int(rng.integers(1, 700) if rng.random() < 0.5 else rng.choice([64, 128, 255, 256, 257, 640, 1030]))
    shape = _image(rng, int(rng.integers(1, 9))) if rng.random() < 0.3 else (n,)
    x, limits = _input(rng, shape)
    rows = int(min(rng.choice([1, 2, 3, 10, 17, 32]), max(1, MOST // x.type.size)))
    return _tail(rng, ops.make(Linear(), x, _weights(rng, (rows, x.type.size))), limits), limits


# ---- its programs ----


def programs(number: int, machine: str = "host") -> Iterator[Program]:
    """A layer in each kernel that accepts it, with the tables for the machine's core where those depend on it."""
    node, limits = layer(number)
    rng = np.random.default_rng([number, 1])
    inputs = harness.samples(node, rng, limits=limits)
    want: Array = harness.evaluate(node, inputs)
    acc = harness.accumulators(node, limits)
    helium = targets.get("cortex-m55")
    known = tuple(k.on(helium.core) for k in KERNELS) if machine == helium.machine else KERNELS
    for kernel in candidates(known, node):
        found = harness.signatures(kernel, node) if kernel.stem else ()
        if not found or not kernel.accepts(node, acc):
            continue
        required = found[rng.integers(len(found))]
        larger = [s for s in harness.larger(required, node) if kernel.reaches(node, s)]
        sig, place = larger[rng.integers(len(larger))], None
        if kernel.in_place and rng.random() < 0.5:
            shared = ((i, s) for i in kernel.in_place for s in harness.shared(required, i, node))
            together = [(i, s) for i, s in shared if kernel.reaches(node, s)]
            if together:
                place, sig = together[rng.integers(len(together))]
        name = f"{number}: {node.op} {kernel.name} {'+'.join(map(str, sig.inputs))}>{sig.output}"
        bound = kernel.bind(node, sig, acc)
        yield harness.kernel_program(name, kernel, bound, (*sig.inputs, sig.output), (*inputs, want), in_place=place)


# ---- machines ----


@dataclass
class Tally:
    """What one machine did; seconds of all processes together."""

    machine: str
    layers: int = 0
    calls: int = 0
    left_out: int = 0  # layers that have a program which no memory of this machine holds
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)
    kernels: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        rate = self.layers / self.seconds if self.seconds else 0.0
        more = f", {self.left_out} too large" if self.left_out else ""
        return (
            f"{self.machine:<12}{self.layers:9,} layers, {self.calls:9,} calls of {len(self.kernels)} kernels"
            f" on 4 inputs each, {rate:6.1f} layers a second, {len(self.failures)} fail{more}"
        )

    def add(self, other: Tally) -> None:
        """What another process did."""
        for name in ("layers", "calls", "left_out", "seconds"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.failures += other.failures
        for kernel, n in other.kernels.items():
            self.kernels[kernel] = self.kernels.get(kernel, 0) + n


def fuzz(machine: str, numbers: Iterable[int], harnesses: dict[str, Harness]) -> Tally:
    """Runs layers on a machine, those that are too large for it on the larger one with its code, if there is one."""
    began = time.monotonic()
    tally = Tally(machine)
    made = [p for n in numbers for p in programs(n, machine)]
    report = harnesses[machine].run(made)
    failures, ran = [*report.failures], [*report.ran]
    if report.left_out and machine + LARGE in harnesses:
        rest = harnesses[machine + LARGE].run(report.left_out)
        failures, ran = [*failures, *rest.failures], [*ran, *rest.ran]
    here = {p.name for p in ran}
    incomplete = {_number(p) for p in made if p.name not in here}
    tally.layers, tally.left_out = len({_number(p) for p in made} - incomplete), len(incomplete)
    tally.calls = len(ran)
    for p in ran:
        tally.kernels[p.label] = tally.kernels.get(p.label, 0) + 1
    tally.failures = [f"{machine}: {f}" for f in failures]
    tally.seconds = time.monotonic() - began
    return tally


def _number(p: Program) -> str:
    return p.name.split(":")[0]


def build(machines: Sequence[str], work: Path) -> dict[str, Harness]:
    """A harness for each machine, and for the larger one where there is one."""
    found = {}
    for name in (n for m in machines for n in (m, m + LARGE) if n in harness.TARGETS):
        (work / name).mkdir()
        found[name] = Harness(name, work / name)
    return found


_HARNESSES: dict[str, Harness] = {}  # of the processes, which are forked when it is full


def _task(machine: str, first: int, count: int) -> Tally:
    return fuzz(machine, range(first, first + count), _HARNESSES)


def run(machines: Sequence[str], seed: int, minutes: float, jobs: int) -> list[Tally]:
    """Layers from seed * 10^9 on, on all machines in turn, until the time is over or a byte was wrong."""
    tallies = {m: Tally(m) for m in machines}
    following = dict.fromkeys(machines, seed * 10**9)
    with tempfile.TemporaryDirectory(prefix="mcugen-") as work:
        _HARNESSES.update(build(machines, Path(work)))
        end = time.monotonic() + 60 * minutes
        with ProcessPoolExecutor(jobs, get_context("fork")) as pool:
            running: set[Future[Tally]] = set()
            while running or time.monotonic() < end:
                while len(running) <= jobs and time.monotonic() < end and not any(t.failures for t in tallies.values()):
                    m = min(machines, key=lambda m: tallies[m].seconds + 1e-9 * following[m])
                    tallies[m].seconds += 1e-3  # its turn is taken
                    running.add(pool.submit(_task, m, following[m], BATCH))
                    following[m] += BATCH
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for f in done:
                    tally = f.result()
                    tallies[tally.machine].add(tally)
                if any(t.failures for t in tallies.values()) and not running:
                    break
    return list(tallies.values())


def main(argv: Sequence[str] | None = None) -> int:
    """Prints what each machine did; exit status 1 if a byte was wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    cross = shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm")
    linux = tuple(m for m in harness.LINUX if harness.has_linux(m))
    default = ("host", *(EMULATED if cross else ()), *linux)
    known = ("host", "sanitised", *EMULATED, *harness.LINUX)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1, help="another seed is other layers")
    parser.add_argument("--machines", nargs="+", default=default, choices=known, metavar="M", help=", ".join(known))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--replay", type=int, metavar="N", help="only the layer of this number")
    args = parser.parse_args(argv)
    if args.replay is not None:
        with tempfile.TemporaryDirectory(prefix="mcugen-") as work:
            made = build(args.machines, Path(work))
            tallies = [fuzz(m, [args.replay], made) for m in args.machines]
        node, limits = layer(args.replay)
        print(node.op, *(v.type for v in node.inputs), f"limits {limits}" if limits else "")
    else:
        tallies = run(args.machines, args.seed, args.minutes, args.jobs)
    for t in tallies:
        print(t)
        for failure in t.failures[:5]:
            print(f"  {failure}")
    if any(t.failures for t in tallies):
        print("again: python tests/fuzz.py --replay NUMBER --machines MACHINE")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
