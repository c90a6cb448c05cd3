from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import graphs
import numpy as np
import pytest

from mcugen import check, driver, layout, passes, plan, report, select, targets
from mcugen.errors import TargetError
from mcugen.ir import DType, Graph, Node, Out, Quant, Tensor, Value
from mcugen.kernels import KERNELS, Kernel
from mcugen.kernels.base import Core, bare
from mcugen.ops.conv2d import Conv2d
from mcugen.ops.linear import Linear
from mcugen.pack import BASE3, I8
from mcugen.program import Program
from mcugen.select import RELAYOUT, Key, Objective, Option

CORES = {name: targets.get(name).core for name in ("cortex-m0", "cortex-m4")}
CORE = CORES["cortex-m4"]
# Two encodings are choice enough, and brute force remains possible.
IN_LANES = ("lanes", "sparse", "paired", "nibbles", "direct", "im2col", "kronecker")
FLAT_KERNELS = tuple(k for k in KERNELS if not any(part in k.stem for part in IN_LANES))
SOME = tuple(k for k in KERNELS if getattr(k, "encoding", BASE3) in (BASE3, I8))


def chain(height: int, strides: list[int], *, ternary: bool = True, classes: int = 0, to: DType = DType.U8) -> Graph:
    """Padded 3x3 convolutions of two channels, then a fully connected layer if there are classes."""
    b = graphs.Builder(np.random.default_rng(0), (1, height, 6))
    v = b.x
    for s in strides:
        dtype = DType.T if ternary else DType.I8
        w = graphs.constant("w", dtype, b.rng.integers(-1, 2, (2, v.type.shape[0], 3, 3)))
        v = b.sum(Conv2d((s, 1), (1, 1, 1, 1)), v, w, Out.full(to))
    if classes:
        v = b.sum(Linear(), v, b.weights((classes, v.type.size)), Out.full(DType.I16))
    return b.graph(v)


def steady(core: Core, v: Value, source: Key, to: Key) -> float | None:
    """The cycles of a relayout, or None where there is none."""
    a, b = select.layout_of(v, source), select.layout_of(v, to)
    return RELAYOUT.cycles(v.type, a, b, core) if RELAYOUT.accepts(v.type, a, b) else None


def options_of(graph: Graph, core: Core, objective: Objective, kernels: tuple[Kernel, ...]) -> list[list[Option]]:
    return list(map(list, select.options(graph, core, objective, kernels).values()))


def brute_force(graph: Graph, core: Core, objective: Objective, kernels: tuple[Kernel, ...]) -> float:
    """The least cost over all options of all nodes, with every way to make missing layouts."""
    least = float("inf")
    for combination in itertools.product(*options_of(graph, core, objective, kernels)):
        least = min(least, _cost(graph, combination, core, objective))
    return least


def _cost(graph: Graph, combination: tuple[Option, ...], core: Core, objective: Objective) -> float:
    total = sum(o.cost for o in combination)
    have: dict[Value, set[Key]] = {v: {0} for v in graph.inputs}
    for o in combination:
        have[o.node.output] = {o.output}
    for v, born in have.items():
        wanted = {k for o in combination for u, k in zip(o.node.args, o.inputs, strict=True) if u is v} - born
        # Every order in which the missing layouts can be made, each from any that is there.
        best = float("inf") if wanted else 0.0
        for order in itertools.permutations(wanted):
            there, cost = set(born), 0.0
            for k in order:
                ways = [c for s in there if (c := steady(core, v, s, k)) is not None]
                cost += min(ways, default=float("inf")) * objective.cycles
                cost += objective.ram * layout.size(select.layout_of(v, k), v.type)
                there.add(k)
            best = min(best, cost)
        total += best
    return total


def chosen(graph: Graph, core: Core, objective: Objective, kernels: tuple[Kernel, ...] = KERNELS) -> float:
    """The cost of what select chooses, as select counts it."""
    groups = options_of(graph, core, objective, kernels)
    options = {n: tuple(found) for n, found in zip(graph.nodes, groups, strict=True)}
    choices = select.solve(graph, options, core, objective)
    total = sum(c.option.cost for c in choices)
    for c in choices:
        for v, source, to in c.moves:
            cycles = steady(core, v, source, to)
            assert cycles is not None
            total += objective.cycles * cycles + objective.ram * layout.size(select.layout_of(v, to), v.type)
    return total


def small(most: int = 1500) -> Iterator[tuple[int, Graph]]:
    """Random graphs with at most so many combinations."""
    for seed in range(400):
        graph = passes.run(graphs.random_graph(seed, depth=3, several=seed % 4 == 1))
        counts = [len(found) for found in options_of(graph, CORE, Objective(), SOME)]
        if len(counts) >= 2 and 8 <= np.prod(counts, dtype=np.float64) <= most:
            yield seed, graph


def test_dynamic_programming_is_exact() -> None:
    objectives = [Objective(), Objective(1.0, 0.0, 50.0), Objective(1.0, 20.0, 3.0), Objective(0.0, 0.0, 1.0)]
    compared = lanes = 0
    for k, (seed, graph) in enumerate(small()):
        if compared == 60:
            break
        objective, core = objectives[k % 4], CORES["cortex-m0" if k % 3 else "cortex-m4"]
        want = brute_force(graph, core, objective, SOME)
        assert chosen(graph, core, objective, SOME) == pytest.approx(want, rel=1e-12), f"seed {seed}"
        lanes += any(not b.layout.flat for b in select.select(graph, core, objective, SOME).buffers)
        compared += 1
    assert compared == 60
    assert lanes > 5  # the choice is none if lanes never win


# ---- programs ----


def random_programs(count: int) -> Iterator[tuple[int, Program]]:
    for seed in range(count):
        graph = passes.run(graphs.random_graph(seed, several=seed % 4 == 1))
        for objective in (Objective(), Objective(1.0, 0.0, 30.0)):
            yield seed, select.select(graph, CORE, objective)


def test_values_are_read_in_the_layout_in_which_they_were_written() -> None:
    relayouts = copies = 0
    for seed, program in random_programs(150):
        written = {b for b in program.buffers if b.place == "x"}
        for s in program.steps:
            assert set(s.inputs) <= written, (seed, s.name)
            assert s.output not in written, (seed, s.name)
            written.add(s.output)
            if s.node is None:
                relayouts += 1
                copy = s.inputs[0].layout == s.output.layout
                copies += copy
                assert not copy or (s.output.layout.flat and s.output.place == "y" and s.inputs[0].place != "arena")
                assert s.inputs[0].type.size == s.output.type.size
            else:
                shapes = [v.type.size for v in s.node.args]
                assert [b.type.size for b in s.inputs] == shapes and s.output.type.size == s.node.output.type.size
        assert sorted(b.port for b in written if b.place == "y") == list(range(len(program.graph.outputs)))
        assert len({(b.value, b.layout, b.place, b.port) for b in program.buffers}) == len(program.buffers)
        runs = {s.node for s in program.steps if s.node}
        assert runs == {n for n in program.graph.nodes if type(n.op).__name__ != "Flatten"}
    assert relayouts > 20 and copies > 5


def test_kernels_accept_the_layouts_they_are_given() -> None:
    """And find in them at least the halos that they ask for."""
    for seed, program in random_programs(150):
        for s in program.steps:
            if s.node is None:
                continue
            assert isinstance(s.kernel, Kernel)
            given = (*s.inputs, s.output)
            lays = [bare(b.layout, b.type) for b in given]
            sig = s.kernel.offered(s.node, tuple(lays[:-1]), lays[-1])
            assert sig is not None, (seed, s.name)
            for b, need in zip(given, (*sig.inputs, sig.output), strict=True):
                assert layout.join(b.layout, need) == b.layout, (seed, s.name, b.name)


def test_halos_are_joined_over_the_readers() -> None:
    b = graphs.Builder(np.random.default_rng(0), (1, 16, 8))
    b.zeros = 0.0

    def conv(x: Value, k: int, top: int, bottom: int, name: int = 2) -> Value:
        w = graphs.constant("w", DType.T, b.rng.integers(-1, 2, (name, x.type.shape[0], k, k)))
        return b.sum(Conv2d((1, 1), (top, k // 2, bottom, k // 2)), x, w, Out.full(DType.U8))

    a = conv(b.x, 3, 1, 1)
    left, right = conv(a, 5, 4, 0), conv(a, 3, 0, 2)
    graph = b.graph(b.add(left, right))
    lanes = tuple(k for k in KERNELS if k.stem in ("conv2d_lanes", "add_flat"))
    program = select.select(graph, CORE, kernels=lanes)
    (shared,) = [buf for buf in program.buffers if buf.value.name == "v0"]
    assert str(shared.layout) == f"lanes{shared.layout.rows_per_lane}+4+2p2"
    (sums,) = [s for s in program.steps if s.name == "v0"]
    assert sums.output is shared


@pytest.mark.parametrize("k", [3, 9])
def test_kernels_reach_what_other_readers_make_of_a_layout(k: int) -> None:
    """Offsets of `chunks` count 16,383 words: those of 40 planes with the halos of 3x3 windows, not of 9x9."""
    b = graphs.Builder(np.random.default_rng(0), (40, 32, 32), dtype=DType.U4)
    b.zeros = 0.0

    def conv(k: int) -> Value:
        w = graphs.constant("w", DType.T, b.rng.integers(-1, 2, (2, 40, k, k)))
        return b.sum(Conv2d((1, 1), (k // 2,) * 4), b.x, w, Out.full(DType.U4))

    graph = b.graph(b.add(conv(3), conv(k)))
    core = CORES["cortex-m0"]
    offered = {o.kernel.stem for o in select.options(graph, core)[graph.nodes[0]]}
    assert ("chunks" in offered) == (k == 3) and "sparse" in offered
    assert any(buffer.layout.halo_top == k // 2 for buffer in select.select(graph, core).buffers)


def test_candidates_for_four_strides_of_two() -> None:
    graph = chain(48, [2, 2, 2, 2, 1])
    found = select.candidates(graph)
    heights = {v.type.shape[1]: keys for v, keys in found.items() if v not in graph.outputs}
    assert set(heights) == {48, 24, 12, 6, 3}
    for height, rows in ((48, 16), (24, 8), (12, 4), (6, 2), (3, 1)):
        assert heights[height][0] == 0
        assert rows in heights[height]
        assert all(
            layout.rows_for(height) <= k <= 2 * layout.rows_for(height) + 1 for k in heights[height][1:] if k > 0
        )
    assert found[graph.outputs[0]] == (0,)


def test_candidates_of_nibbles_are_for_types_of_four_bits() -> None:
    eight, four = chain(25, [1, 1, 1]), chain(25, [1, 1, 1], to=DType.U4)
    assert select.candidates(eight, nibbles=True) == select.candidates(eight)
    found = select.candidates(four, nibbles=True)
    assert all(k < select.NIBBLES for v in four.inputs for k in found[v])  # of 8 bits
    for v in (n.output for n in four.nodes[:-1]):
        assert select.NIBBLES + 4 in found[v] and 8 in found[v]  # 8 rows of bytes are 4 of nibbles
        lay = select.layout_of(v, select.NIBBLES + 4)
        assert (lay.lanes, lay.bits, lay.rows_per_lane) == (8, 4, 4)
        assert all(k < select.NIBBLES for k in select.candidates(four)[v])


def test_a_chain_of_strides_stays_in_lanes() -> None:
    strides = [1, 2, 2, 2, 2, 1]
    lanes = tuple(k for k in KERNELS if k.stem in ("conv2d_lanes", "linear"))
    with pytest.raises(TargetError, match=r"E402.*v5: no kernel runs Conv2d"):
        select.select(chain(48, strides), CORE, kernels=lanes)  # the output is flat
    graph = chain(48, strides, classes=3)
    program = select.select(graph, CORE, kernels=lanes)
    convs = [s for s in program.steps if s.kernel.stem == "conv2d_lanes"]
    rows = [(s.inputs[0].layout.rows_per_lane, s.output.layout.rows_per_lane) for s in convs]
    assert [a // b for a, b in rows] == strides
    assert program.cycles < select.select(graph, CORE, kernels=FLAT_KERNELS).cycles
    assert program.cycles >= select.select(graph, CORE).cycles


# ---- refusals ----


def test_node_that_nothing_runs() -> None:
    graph = chain(8, [1, 1])
    without = tuple(k for k in KERNELS if k.op is not Conv2d)
    with pytest.raises(TargetError) as error:
        select.select(graph, CORE, kernels=without)
    assert (error.value.code, error.value.where) == ("E402", "v0")
    assert "no kernel runs Conv2d(u8[1,8,6], t[2,1,3,3], i16[2], i32[2], u8[2])" in error.value.message
    ternary = tuple(k for k in KERNELS if getattr(k, "encoding", None) is BASE3)
    with pytest.raises(TargetError, match=r"E402.*v0: no kernel runs Conv2d\(u8\[1,8,6\], i8"):
        select.select(chain(8, [1], ternary=False), CORE, kernels=ternary)


def test_copies_that_are_too_large() -> None:
    x = Value("x", Tensor(DType.U8, (65_536,), Quant(1.0)))
    with pytest.raises(TargetError, match=r"E403.*x: u8\[65536\] is too large to be copied"):
        select.select(check.check(Graph("g", (x,), (), (x,))), CORE)


# ---- outputs ----


def test_an_output_is_an_input_a_view_of_another_output_or_the_same_twice() -> None:
    b = graphs.Builder(np.random.default_rng(0), (2, 4, 4))
    v = b.same(b.x, 3)
    flat, view = b.node(graphs.Flatten(), v), b.node(graphs.Flatten(), b.x)
    last = b.requantize(v)
    program = select.select(passes.run(b.graph(flat, v, last, v, b.x, view)), CORE)
    found = [(s.name, s.inputs[0].place, s.inputs[0].port, s.output.port) for s in program.steps if s.node is None]
    assert found == [
        (f"{v.name}.copy", "y", 0, 1),
        (f"{v.name}.copy", "y", 0, 3),
        ("x.copy", "x", 0, 4),
        (f"{view.name}.copy", "x", 0, 5),
    ]
    assert [(s.node.name, s.output.port) for s in program.steps if s.node] == [(v.name, 0), (last.name, 2)]
    assert {b.place for b in program.buffers} == {"x", "y"}  # v is read where it is given out


# ---- objectives ----


def parts(graph: Graph, objective: Objective) -> tuple[float, float, float]:
    """(cycles, table bytes, bytes of layouts) of the choice, as select counts them."""
    units = [Objective(1.0, 0.0, 0.0), Objective(0.0, 1.0, 0.0), Objective(0.0, 0.0, 1.0)]

    def same(o: Option) -> tuple[Node, Kernel, tuple[Key, ...], Key]:
        return o.node, o.kernel, o.inputs, o.output

    options = select.options(graph, CORE, objective)
    choices = select.solve(graph, options, CORE, objective)
    totals = []
    for unit in units:
        priced = {same(o): o.cost for some in select.options(graph, CORE, unit).values() for o in some}
        total = sum(priced[same(c.option)] for c in choices)
        for c in choices:
            for v, source, to in c.moves:
                total += unit.cycles * (steady(CORE, v, source, to) or 0.0)
                total += unit.ram * layout.size(select.layout_of(v, to), v.type)
        totals.append(total)
    return totals[0], totals[1], totals[2]


def test_what_costs_more_is_used_less() -> None:
    for seed in range(25):
        graph = passes.run(graphs.random_graph(seed))
        by_ram = [parts(graph, Objective(1.0, 0.0, r)) for r in (0.0, 1.0, 10.0, 100.0, 1e4)]
        assert [p[2] for p in by_ram] == sorted((p[2] for p in by_ram), reverse=True), seed
        assert [p[0] for p in by_ram] == sorted(p[0] for p in by_ram), seed
        by_flash = [parts(graph, Objective(1.0, f, 0.0)) for f in (0.0, 1.0, 30.0, 1e4)]
        assert [p[1] for p in by_flash] == sorted((p[1] for p in by_flash), reverse=True), seed
        assert [p[0] for p in by_flash] == sorted(p[0] for p in by_flash), seed


def test_goals_do_what_they_are_called() -> None:
    target = targets.get("cortex-m4")
    smaller = leaner = 0
    for seed, fast in itertools.islice(random_programs(40), 0, None, 2):
        made = {goal: driver.choose(fast.graph, target, goal) for goal in driver.OPTIMIZE}
        cycles = {goal: program.cycles for goal, (program, _) in made.items()}
        assert cycles["speed"] <= fast.cycles
        # Halos, which come last, cost cycles that select does not see.
        assert cycles["speed"] <= 1.05 * cycles["balanced"] <= 1.1 * cycles["size"], (seed, cycles)
        first, memory = made["speed"]
        scale = report.flash(first), max(1, memory.bound)
        bytes_ = {goal: report.flash(p) / scale[0] + m.bound / scale[1] for goal, (p, m) in made.items()}
        assert bytes_["size"] <= 1.1 * bytes_["balanced"] <= 1.2 * bytes_["speed"], (seed, bytes_)
        smaller += made["size"][0].table_bytes < made["speed"][0].table_bytes
        leaner += made["size"][1].arena < made["speed"][1].arena
    assert smaller > 5 and leaner > 5


def test_ram_of_the_target_is_kept_where_that_is_possible() -> None:
    target = targets.get("cortex-m4")
    graph = chain(48, [1, 2, 1, 1, 1])
    _, free = driver.choose(graph, target, "speed")
    least = plan.plan(select.select(graph, CORE, Objective(0.0, 0.0, 1.0))).arena
    assert least < free.arena
    for ram in (free.arena, free.arena - 1, least):
        assert driver.choose(graph, replace(target, ram=ram), "speed")[1].arena <= ram
    assert driver.choose(graph, replace(target, ram=least - 1), "speed")[1].arena == least
