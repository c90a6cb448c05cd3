"""What `analyze --explain` says is what selection does: forced kernels, limits, refusals."""

from __future__ import annotations

import itertools
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from test_select import chain

from mcugen import cli, driver, explain, plan, report, select, shrink, targets
from mcugen.archive import Archive
from mcugen.explain import Explanation
from mcugen.ir import Graph, Node, Range
from mcugen.kernels import KERNELS
from mcugen.kernels.conv2d_flat import Conv2dFlat
from mcugen.pack import BASE3, I8
from mcugen.select import Objective

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "bench"))
import networks  # noqa: E402

MODEL = str(ROOT / "examples" / "digits" / "digits.mcugen")


def compiled(graph: Graph, **options: object) -> driver.Artifact:
    samples = tuple(np.zeros((0, *v.type.shape), v.type.dtype.numpy) for v in graph.inputs)
    return driver.compile(Archive(graph, samples), target="cortex-m4", **options)  # type: ignore[arg-type]


def explained(optimize: str = "balanced", **options: object) -> tuple[driver.Artifact, Explanation]:
    artifact = compiled(networks.network("kws", 0.2, "int8-first-dw").graph, optimize=optimize, **options)
    return artifact, explain.explain(artifact)


@pytest.mark.parametrize("optimize", driver.OPTIMIZE)
def test_what_is_chosen_costs_least_and_comes_first(optimize: str) -> None:
    artifact, found = explained(optimize)
    steps = {s.name: s for s in artifact.program.steps if s.node is not None}
    assert [x.name for x in found.layers] == list(steps) and not found.limited
    for layer in found.layers:
        first, *others = [c for c in layer.candidates if not c.refused]
        step = steps[layer.name]
        assert first.kernel == layer.chosen == step.kernel.name
        assert first.cost == 0.0 and first.network == found.network
        assert (first.table_bytes, first.scratch_bytes) == (step.bound.bytes, step.bound.scratch)
        assert [c.cost for c in others] == sorted(c.cost for c in others if c.cost is not None)
        assert all(c.cost is not None and c.cost >= 0 for c in others), layer
        assert {c.kernel for c in layer.candidates} == {k.name for k in KERNELS if isinstance(step.node.op, k.op)}  # type: ignore[union-attr]
    assert found.network.arena_bytes == artifact.plan.arena and found.network.flash_bytes == report.flash(
        artifact.program
    )


def test_a_candidates_network_is_the_best_one_with_that_kernel() -> None:
    """Against selection that may use nothing else for this layer, and anything for the others."""
    artifact, found = explained("speed")
    graph, core = artifact.program.graph, artifact.target.core
    options = select.options(graph, core, Objective())
    compared = 0
    for layer, node in zip(found.layers, graph.nodes, strict=True):
        for c in layer.candidates:
            if c.refused:
                continue
            best = min(
                (
                    select.solve(graph, {**options, node: (o,)}, core, Objective())
                    for o in options[node]
                    if o.kernel.name == c.kernel
                ),
                key=lambda choices: _cycles(choices, core),
            )
            program = shrink.shrunk(select.program(graph, best, core), Objective())
            assert c.network is not None and c.network.cycles == round(program.cycles), (layer.name, c.kernel)
            assert c.network.arena_bytes == plan.plan(program).arena
            compared += 1
    assert compared > 25


def _cycles(choices: tuple[select.Choice, ...], core: select.Core) -> float:
    moves = [select.move(*m, core, Objective()) for c in choices for m in c.moves]
    return sum(c.option.cost for c in choices) + sum(m for m in moves if m is not None)


def test_refusals() -> None:
    _, found = explained()
    said = {(x.name, c.kernel): c.refused for x in found.layers for c in x.candidates if c.refused}
    assert said["conv", "sparse/lists16"] == "not for these weights, shapes or layouts"
    assert ("pw1", "sparse/lists16") not in said


@dataclass(frozen=True)
class Wary(Conv2dFlat):
    """A kernel that trusts no sum."""

    def accepts(self, node: Node, acc: Range) -> bool:
        return False


def test_a_kernel_whose_sums_are_not_proven_is_refused() -> None:
    artifact = compiled(chain(6, [1, 1]))
    for layer in explain.explain(artifact, (*KERNELS, Wary(I8))).layers:  # its weights are ternary
        assert not any("proven" in c.refused for c in layer.candidates)
    for layer in explain.explain(artifact, (*KERNELS, Wary(BASE3))).layers:
        assert [c.refused for c in layer.candidates].count("its sums are not proven to fit") == 1


def test_limits_that_bind() -> None:
    graph = chain(16, [1, 2, 1], classes=5)
    limit = report.flash(compiled(graph, optimize="speed").program) - 100
    found = explain.explain(compiled(graph, optimize="speed", max_flash=limit))
    assert found.limited and found.limits.flash == limit and found.network.flash_bytes <= limit
    networks_ = [c for x in found.layers for c in x.candidates if not c.refused]
    assert all(c.network is None or c.network.flash_bytes <= limit for c in networks_)
    assert any("limits of flash and arena bind" in line for line in explain.text(found).splitlines())
    for layer in found.layers:
        first, *others = [c for c in layer.candidates if not c.refused]
        assert first.network is not None and first.cost == 0.0
        assert all(c.cost is None or c.cost > -1e-5 for c in others), layer


def test_limits_that_nothing_keeps() -> None:
    artifact = compiled(chain(16, [1, 2], classes=5), optimize="speed", max_flash=500)
    found = explain.explain(artifact)
    assert found.limited and report.flash(artifact.program) > 500
    assert all(
        x.why == "no choice keeps the limits; this is of about the smallest" or len(_able(x)) == 1 for x in found.layers
    )
    assert "exceeds the limits" in explain.text(found)


def _able(layer: explain.Layer) -> list[explain.Candidate]:
    return [c for c in layer.candidates if not c.refused]


def test_the_reason_names_what_is_faster_alone() -> None:
    """One layer in lanes between two that are flat would be faster, were it not for the way there and back."""
    graph, seen = chain(9, [1], classes=3), 0
    for target, optimize in itertools.product(("cortex-m4", "cortex-m0"), driver.OPTIMIZE):
        artifact = replace(compiled(graph, optimize=optimize), target=targets.get(target))
        for layer in explain.explain(artifact).layers:
            first, *others = _able(layer)
            faster = [c for c in others if c.cycles < first.cycles]  # type: ignore[operator]
            seen += bool(faster)
            assert bool(faster) == ("alone takes" in layer.why), layer
            assert not faster or layer.why.startswith(f"{faster[0].kernel} alone takes")
    assert seen


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    line = ["analyze", MODEL, "--target", "cortex-m0plus", "--estimate", "--explain"]
    assert cli.main([*line, "--json"]) == cli.OK
    document = json.loads(capsys.readouterr().out)
    assert [x["chosen"] for x in document["explained"]["layers"]] == [
        s["kernel"] for s in document["steps"] if s["kernel"] != "relayout"
    ]
    assert cli.main(line) == cli.OK
    said = capsys.readouterr().out
    for layer in document["explained"]["layers"]:
        assert f"why {layer['chosen']}: {layer['why']}" in said
    assert cli.main(["analyze", MODEL, "--all-targets", "--explain"]) == cli.ERROR
    assert "--explain wants one --target" in capsys.readouterr().err
