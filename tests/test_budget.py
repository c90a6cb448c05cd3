"""Selection under limits of flash and RAM: exact against brute force, and what it promises holds for the plan."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import graphs
import harness
import numpy as np
import pytest
import scipy.optimize  # noqa: F401  (half a second that is not selection's)
from test_random_graphs import call_list, usable
from test_select import CORE, CORES, SOME, small

from mcugen import budget, driver, passes, plan, report, select, targets
from mcugen.budget import Limits
from mcugen.ir import Graph, Value
from mcugen.kernels.base import Core
from mcugen.program import Program
from mcugen.select import Choice, Key, Objective

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "bench"))
import networks  # noqa: E402

FAST = Objective()


def programs(graph: Graph, core: Core) -> Iterator[tuple[float, Program]]:
    """Every program and its cost: all options of all nodes, every missing layout made from any that is there."""
    options = select.options(graph, core, FAST, SOME)
    for combination in itertools.product(*(options[n] for n in graph.nodes)):
        partial: list[tuple[float, tuple[Choice, ...], dict[Value, set[Key]]]]
        partial = [(0.0, (), {v: {0} for v in graph.inputs})]
        for o in combination:
            following = []
            for cost, made, there in partial:
                missing = [r for r in dict.fromkeys(zip(o.node.args, o.inputs, strict=True)) if r[1] not in there[r[0]]]
                for sources in itertools.product(*(sorted(there[v]) for v, _ in missing)):
                    moves = tuple((v, s, k) for (v, k), s in zip(missing, sources, strict=True))
                    costs = [select.move(*m, core, FAST) for m in moves]
                    if None in costs:
                        continue
                    now = {v: set(keys) for v, keys in there.items()} | {o.node.output: {o.output}}
                    for v, _, k in moves:
                        now[v].add(k)
                    total = cost + o.cost + sum(c for c in costs if c is not None)
                    following.append((total, (*made, Choice(o, moves)), now))
            partial = following
        for cost, made, _ in partial:
            yield cost, select.program(graph, made, core)


def test_limits_of_flash_are_kept_at_the_least_cost() -> None:
    compared = binding = impossible = 0
    for k, (seed, graph) in enumerate(small(300)):
        core = CORES["cortex-m0" if k % 3 else "cortex-m4"]
        problem = budget.Problem(graph, core, FAST, SOME)
        every = [(cost, report.flash(p)) for cost, p in programs(graph, core)]
        sizes = sorted({flash for _, flash in every})
        for limit in (sizes[0] - 1, sizes[0], sizes[len(sizes) // 3], sizes[-1]):
            want = min((cost for cost, flash in every if flash <= limit), default=None)
            found = budget.within(problem, Limits(flash=limit))
            if want is None:
                assert found is None, (seed, limit)
                impossible += 1
                continue
            assert found is not None and report.flash(found.program) <= limit, (seed, limit)
            assert found.cost == pytest.approx(want, rel=1e-6), (seed, limit)
            binding += want > min(cost for cost, _ in every)
        compared += 1
        if compared == 12:
            break
    assert compared == 12 and binding > 8 and impossible == 12


def test_limits_of_ram_are_kept_at_the_least_cost() -> None:
    """Against the arenas of all programs. In place a plan can take less than the integer program knows."""
    compared = binding = equal = 0
    for k, (seed, graph) in enumerate(small(60)):
        core = CORES["cortex-m0" if k % 3 else "cortex-m4"]
        problem = budget.Problem(graph, core, FAST, SOME)
        every = [(cost, plan.plan(p).arena) for cost, p in programs(graph, core)]
        arenas = sorted({arena for _, arena in every})
        for limit in dict.fromkeys((arenas[0] - 1, arenas[0], arenas[len(arenas) // 2], arenas[-1])):
            want = min((cost for cost, arena in every if arena <= limit), default=None)
            found = budget.within(problem, Limits(arena=limit))
            compared += 1
            if found is None:
                equal += want is None
                continue
            assert want is not None and found.plan.arena <= limit, (seed, limit)
            assert found.cost >= want * (1 - 1e-9), (seed, limit)
            equal += found.cost == pytest.approx(want, rel=1e-6)
            binding += want > min(cost for cost, _ in every)
        if k == 19:
            break
    assert compared > 40 and binding > 5, (compared, binding)
    assert equal >= 0.9 * compared, (equal, compared)


def test_without_limits_it_is_what_select_chooses() -> None:
    for objective in (FAST, Objective(1.0, 20.0, 3.0), Objective(0.0, 0.0, 1.0)):
        for seed in range(12):
            graph = passes.run(graphs.random_graph(seed, several=seed % 4 == 1))
            problem = budget.Problem(graph, CORE, objective)
            choices = problem.solve(None, None)
            assert choices is not None
            best = select.solve(graph, problem.options, CORE, objective)

            assert problem.made(choices).cost == pytest.approx(problem.made(best).cost, rel=1e-6), (seed, objective)


@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m0plus"])
def test_a_network_of_thirty_layers_takes_less_than_a_second(core: str) -> None:
    target = targets.get(core)
    graph = passes.run(networks.network("vww", 0.2, "int8-first-dw").graph)
    assert len(graph.nodes) == 29
    began = time.process_time()
    fast = select.select(graph, target.core)
    took = time.process_time() - began
    arena, flash = plan.plan(fast).arena, report.flash(fast)
    began = time.process_time()
    found = budget.within(budget.Problem(graph, target.core, FAST), Limits(flash * 9 // 10, arena * 98 // 100))
    took_within = time.process_time() - began
    assert found is not None and found.plan.arena <= arena * 0.98 and report.flash(found.program) <= flash * 0.9
    began = time.process_time()
    driver.choose(graph, target, "balanced")
    took_all = time.process_time() - began
    assert max(took, took_within, took_all) < 1.0, (took, took_within, took_all)


def test_what_is_chosen_computes_the_same(tmp_path_factory: pytest.TempPathFactory) -> None:
    lists = []
    for seed, graph in itertools.islice(usable(5000), 25):
        compiled = passes.run(graph)
        free = select.select(compiled, CORE)
        limits = Limits(report.flash(free) * 9 // 10, plan.plan(free).arena * 9 // 10)
        for some in (limits, Limits(limits.flash), Limits(None, limits.arena)):
            if found := budget.within(budget.Problem(compiled, CORE, FAST), some):
                lists.append(
                    call_list(
                        f"graph {seed}", graph, found.program, found.plan, graphs.random_inputs(graph, seed, 2), seed
                    )
                )
    assert len(lists) > 20
    ran = harness.on("host", tmp_path_factory).run(lists)
    assert not ran.failures and not ran.left_out, str(ran)
    assert np.unique([p.name for p in lists]).size > 9
