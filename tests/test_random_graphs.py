"""Random networks through the whole compiler: what C computes equals the interpreter on the graph before the passes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import graphs
import harness
import numpy as np
import pytest

from mcugen import driver, interp, layout, passes, plan, report, select, targets
from mcugen.archive import Archive
from mcugen.ir import Array, Graph
from mcugen.kernels import KERNELS, Kernel
from mcugen.ops.linear import Linear
from mcugen.plan import Plan
from mcugen.program import Buffer, Program
from mcugen.select import Objective
from mcugen.sim import host, qemu
from mcugen.sim.host import Bytes

ARM = bool(shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm"))
needs_arm = pytest.mark.skipif(not ARM, reason="no arm-none-eabi-gcc or no qemu-system-arm")
OBJECTIVES = (Objective(), Objective(1.0, 5.0, 20.0), Objective(0.0, 1.0, 1.0), Objective(0.0, 0.0, 1.0))
# Lanes of nibbles where they are known, so that small networks have them too; else flat images.
LOW_KERNELS = tuple(k for k in KERNELS if k.nibbles or not k.stem or k.stem.endswith("flat") or k.op is Linear)

Factory = pytest.TempPathFactory


def usable(first: int) -> Iterator[tuple[int, Graph]]:
    """Random graphs; one of four has several inputs and outputs, one of five lower bits."""
    for seed in range(first, first + 10_000):
        layers = graphs.LAYERS if seed % 3 == 1 else graphs.MORE
        several = seed % 4 == 1
        yield (
            seed,
            graphs.random_graph(
                seed, unfused=0.3 * (seed % 2), layers=layers, ends=seed % 3 == 0, several=several, low=seed % 5 == 2
            ),
        )


# ---- kernels called from structs: no compiler runs per graph ----


def expectations(graph: Graph, compiled: Graph, x: tuple[Array, ...]) -> dict[str, Array]:
    """By name, what the graph before the passes computes; after them, where they changed a value's shape."""
    values = {v.name: a for v, a in interp.trace(compiled, *x).items()}
    return values | {
        v.name: a for v, a in interp.trace(graph, *x).items() if v.name in values and values[v.name].shape == a.shape
    }


def call_list(
    name: str, graph: Graph, program: Program, memory: Plan, x: tuple[Array, ...], seed: int = 1
) -> harness.Program:
    """The program's steps for every input in turn; each step's output is compared when it has been written."""
    values = expectations(graph, program.graph, x)
    ports: dict[tuple[str, int], int] = {}
    end = -(-memory.arena // 4) * 4
    for i, v in enumerate(graph.inputs):
        ports["x", i] = end + 16 + (seed + i) % 4
        end = -(-(ports["x", i] + v.type.bytes) // 4) * 4
    for i, v in enumerate(graph.outputs):
        ports["y", i] = end + 16
        end = -(-(ports["y", i] + v.type.bytes) // 4) * 4

    def span(b: Buffer) -> harness.Span:
        return harness.Span(ports[b.place, b.port] if b.place != "arena" else memory.offsets[b], b.bytes)

    steps = [
        harness.Step(s.kernel.stem, s.bound, tuple(map(span, s.inputs)), span(s.output), memory.scratch.get(i, 0))
        for i, s in enumerate(program.steps)
    ]
    actions: list[harness.Action] = []
    for k in range(len(x[0])):
        expected = [
            (i, span(s.output).at, layout.store(s.output.layout, values[s.value.name][k]).tobytes())
            for i, s in enumerate(program.steps)
        ]
        for i, v in enumerate(graph.outputs):
            last = np.ascontiguousarray(values[v.name][k]).view(np.uint8).tobytes()
            expected.append((-1, ports["y", i], last))
        given = [(ports["x", i], rows[k].tobytes()) for i, rows in enumerate(x)]
        one = harness.program(name, steps, end + 16, given, expected, seed=seed + k)
        actions += one.actions
    return harness.Program(name, one.arena, tuple(actions), skew=seed % 2)


def call_lists(
    first: int, count: int, core: str, inputs: int, kernels: tuple[Kernel, ...] = KERNELS
) -> Iterator[harness.Program]:
    for seed, graph in islice(usable(first), count):
        some = LOW_KERNELS if seed % 10 == 2 and kernels is KERNELS else kernels
        program = select.select(passes.run(graph), targets.get(core).core, OBJECTIVES[seed % len(OBJECTIVES)], some)
        x = graphs.random_inputs(graph, seed, inputs)
        yield call_list(f"graph {seed}", graph, program, plan.plan(program), x, seed)


@pytest.mark.parametrize(
    "machine, first, count, inputs",
    [
        ("host", 0, 500, 3),
        ("sanitised", 500, 40, 2),
        pytest.param("microbit", 600, 60, 1, marks=needs_arm),
        pytest.param("mps2-an386", 700, 60, 3, marks=needs_arm),
        pytest.param("mps2-an385", 800, 20, 2, marks=needs_arm),
        pytest.param("mps2-an500", 830, 20, 2, marks=needs_arm),
        pytest.param("mps2-an505", 860, 20, 2, marks=needs_arm),
        pytest.param("mps3-an547", 890, 20, 2, marks=needs_arm),
    ],
)
def test_every_step_of_random_graphs(
    machine: str, first: int, count: int, inputs: int, tmp_path_factory: Factory
) -> None:
    core = qemu.MACHINES[machine].core if machine in qemu.MACHINES else "cortex-m4"
    report = harness.on(machine, tmp_path_factory).run(call_lists(first, count, core, inputs))
    print(report)
    assert not report.failures, str(report)
    assert len(report.ran) + len(report.left_out) == count
    assert len(report.left_out) <= (0.5 if machine == "microbit" else 0.0) * count  # 16 KB of RAM, noise and copies
    if report.left_out:
        large = harness.on(f"{machine}-large", tmp_path_factory).run(report.left_out)
        assert not large.failures and not large.left_out, str(large)


def test_random_graphs_reach_every_kernel() -> None:
    seen = {a.stem for p in call_lists(0, 250, "cortex-m4", 1) for a in p.actions if isinstance(a, harness.Step)}
    missing = {k.stem for k in KERNELS if k.stem and k.op.__name__ in GRAPH_OPS} - seen
    # What `direct` refuses, more channels than these have, dense layers without the DSP extension, and windows and pads
    # that few of those of 4 bits have: test_kernels.py, test_paired.py, test_chunks.py and test_low_bits.py have these.
    nibbles = {"avgpool_nibbles", "depthwise_nibbles", "pad_nibbles", "window_nibbles"}
    assert missing <= {"conv2d_lanes", "depthwise_lanes", "linear_tables", "paired", "chunks"} | nibbles


GRAPH_OPS = ("Conv2d", "DepthwiseConv2d", "Linear", "Add", "MaxPool", "AvgPool", "Requantize")
GRAPH_OPS += ("Mul", "Concat", "Pad", "Upsample", "ArgMax", "Softmax", "Lookup")


# ---- generated code ----


def generated(seed: int, graph: Graph, target: str, directory: Path, count: int = 6) -> tuple[Bytes, Bytes]:
    """Generates code for the graph; test inputs and what it owes for them."""
    archive = Archive(graph, graphs.random_inputs(graph, seed + 1, 2))
    artifact = driver.compile(archive, target=target, optimize=driver.OPTIMIZE[seed % 3])
    artifact.save(directory)
    x = graphs.random_inputs(graph, seed, count)
    outputs = layout.vectors([v.type for v in graph.outputs], interp.run(graph, *x))
    return layout.vectors([v.type for v in graph.inputs], x), outputs


@pytest.mark.parametrize("seed, graph", [pytest.param(s, g, id=f"graph{s}") for s, g in islice(usable(2000), 24)])
def test_generated_code_on_the_host(seed: int, graph: Graph, tmp_path: Path) -> None:
    target = ("cortex-m0", "cortex-m4")[seed % 2]
    x, want = generated(seed, graph, target, tmp_path / "out", 40)
    np.testing.assert_array_equal(host.HostModel(tmp_path / "out", "net").run(x), want)
    if seed % 2:
        embedded = host.run_kat(tmp_path / "out", "net")  # under sanitisers
        assert embedded.passed, embedded.text
    else:
        streamed = host.run_kat(tmp_path / "out", "net", x, want)
        assert streamed.passed, streamed.text


@needs_arm
@pytest.mark.parametrize("machine", qemu.MACHINES)
def test_generated_code_on_emulated_cores(machine: str, tmp_path: Path) -> None:
    target = qemu.MACHINES[machine].core
    done, enough = 0, 5 if machine in ("microbit", "mps2-an386") else 2
    for seed, graph in usable(3000):
        directory = tmp_path / str(seed)
        x, want = generated(seed, graph, target, directory)
        small = report.ports(graph) < 1500
        if not small or driver.compile(directory / "net.mcugen", target=target).plan.arena > 5000:
            continue
        result = qemu.run_kat(directory, "net", machine, x, want)
        assert result.passed, (seed, result.text)
        assert qemu.run_kat(directory, "net", machine).passed, seed
        done += 1
        if done == enough:
            return


def test_a_network_that_is_only_a_flatten_copies(tmp_path: Path) -> None:
    b = graphs.Builder(np.random.default_rng(0), (2, 2, 2))
    x, want = generated(0, b.graph(b.node(graphs.Flatten(), b.x)), "cortex-m4", tmp_path / "out")
    np.testing.assert_array_equal(x, want)
    assert host.run_kat(tmp_path / "out", "net", x, want).passed


def test_random_graphs_have_outputs_of_every_kind() -> None:
    kinds = set()
    for _, graph in islice(usable(0), 200):
        made = {n.output: n for n in graph.nodes}
        for y in graph.outputs:
            kinds |= {"input"} if y in graph.inputs else {y.type.dtype.value}
            kinds |= {"twice"} if graph.outputs.count(y) > 1 else set()
            kinds |= {"read"} if graph.uses(y) else set()
            flat = y in made and isinstance(made[y].op, graphs.Flatten)
            kinds |= {"view of an output"} if flat and made[y].inputs[0] in graph.outputs else set()
        kinds |= {"unused input"} if any(not graph.uses(v) and v not in graph.outputs for v in graph.inputs) else set()
    assert kinds >= {"input", "u8", "i16", "i32", "twice", "read", "view of an output", "unused input"}
