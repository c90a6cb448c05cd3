"""The benchmark's networks are those of MLPerf Tiny, exact on every core, and its tables say what was measured."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import harness
import numpy as np
import pytest

from mcugen import driver, profile, resources, targets, validate
from mcugen.errors import MismatchError
from mcugen.ir import DType
from mcugen.ops.depthwise import DepthwiseConv2d
from mcugen.sim import host, qemu

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "bench"))
import networks  # noqa: E402
import others  # noqa: E402
import run as bench  # noqa: E402

ARM = bool(shutil.which("arm-none-eabi-gcc"))
QEMU = ARM and bool(shutil.which("qemu-system-arm"))
UNICORN = ARM and all(importlib.util.find_spec(p) for p in ("unicorn", "capstone"))
needs_qemu = pytest.mark.skipif(not QEMU, reason="no arm-none-eabi-gcc or no qemu-system-arm")
needs_unicorn = pytest.mark.skipif(not UNICORN, reason="no unicorn, capstone or arm-none-eabi-gcc")

MACS = {"kws": 2_656_768, "ic": 12_501_632, "vww": 7_489_664, "ad": 264_192}


@pytest.mark.parametrize("variant", networks.VARIANTS)
@pytest.mark.parametrize("name", networks.NETWORKS)
def test_networks(name: str, variant: str) -> None:
    graph = networks.network(name, 0.2, variant).graph
    nodes = [(n, n.inputs[1].const) for n in graph.nodes if len(n.inputs) > 2 and n.inputs[1].data is not None]
    assert sum(n.op.macs(*(v.type for v in n.inputs)) for n in graph.nodes) == MACS[name]
    for i, (n, w) in enumerate(nodes):
        int8 = variant == "int8-first-dw" and (i == 0 or isinstance(n.op, DepthwiseConv2d))
        assert n.inputs[1].type.dtype is (DType.I8 if int8 else DType.T), n.name
        if not int8:
            assert np.count_nonzero(w) == max(len(w), round(0.2 * w.size)), n.name
            assert w.reshape(len(w), -1).any(axis=1).all() and (w < 0).any() and (w > 0).any()


ARENAS = {"kws": 22_800, "ic": 54_996, "vww": 100_708, "ad": 2_580}  # of TensorFlow Lite Micro


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_arenas(name: str) -> None:
    source = networks.network(name, 0.2, "int8-first-dw")
    balanced, size = (driver.compile(source, target="cortex-m4", optimize=goal) for goal in ("balanced", "size"))
    assert balanced.plan.arena <= 1.35 * balanced.plan.logical_bound
    assert size.plan.arena <= ARENAS[name]
    assert size.program.cycles <= 2.5 * balanced.program.cycles


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_activations_are_spread(name: str) -> None:
    source = networks.network(name, 0.1, "all-ternary")
    rng = np.random.default_rng(5)
    x = rng.integers(0, 256, (2, *source.graph.inputs[0].type.shape)).astype(np.uint8)
    for node, y in driver.interp.trace(source.graph, x).items():
        if node.type.dtype is DType.U8 and node.type.size > 100:
            assert y.max() > 150 and np.mean((y > 10) & (y < 245)) > 0.25 and len(np.unique(y)) > 60, node.name


# Every core that QEMU has; M0+ runs in the cycle simulator below. The M0's machine has memory for one of them.
ON = (
    *(("ad", "cortex-m0"), ("ic", "cortex-m3"), ("kws", "cortex-m4")),
    *(("kws", "cortex-m7"), ("vww", "cortex-m33"), ("ic", "cortex-m55")),
)


@needs_qemu
@pytest.mark.parametrize("name, core", ON)
def test_networks_are_exact_on_emulated_cores(name: str, core: str, tmp_path: Path) -> None:
    artifact = driver.compile(networks.network(name, 0.2, "int8-first-dw"), target=core)
    artifact.save(tmp_path / name)
    verdict = validate.validate(tmp_path / name, artifact, "qemu", driver.vectors(artifact.archive, 3))
    assert verdict.passed and verdict.vectors == 3, validate.text(verdict)


@needs_qemu
@pytest.mark.parametrize("name, optimize", [("kws", "speed"), ("kws", "size"), ("ad", "speed")])
def test_instructions_with_helium_are_what_is_estimated(name: str, optimize: str) -> None:
    """And at density 0.2 at most half of what TensorFlow Lite Micro with CMSIS-NN takes."""
    artifact = driver.compile(networks.network(name, 0.2, "int8-first-dw"), target="cortex-m55", optimize=optimize)
    found = profile.profile(artifact)
    assert optimize == "size" or found.instructions <= {"kws": 1_787_265, "ad": 149_869}[name] / 2
    for layer, step in zip(found.layers, artifact.report["steps"], strict=False):
        if layer.instructions > 0.02 * found.instructions:
            assert abs(step["cycles_estimated"] / layer.instructions - 1) < 0.05, (layer, step["cycles_estimated"])


@needs_qemu
def test_dense_networks_with_helium() -> None:
    """At density 0.5, where products of codes cost less than lists, less than half of what CMSIS-NN takes."""
    artifact = driver.compile(networks.network("ic", 0.5, "int8-first-dw"), target="cortex-m55", optimize="speed")
    found = profile.profile(artifact)
    assert found.instructions <= 4_812_347 * 0.42
    blocks = {layer.kernel for layer in found.layers if layer.macs > 1_000_000}
    assert blocks == {"im2col/codes"} and "im2col/bytes" in {layer.kernel for layer in found.layers}


@needs_qemu
@pytest.mark.parametrize("target, core", [("cortex-m55", "cortex-m4"), ("cortex-m4", "cortex-m55")])
def test_code_for_helium_runs_without_it_and_the_reverse(target: str, core: str, tmp_path: Path) -> None:
    artifact = driver.compile(networks.network("kws", 0.1, "all-ternary"), target=target, optimize="speed")
    artifact.save(tmp_path / "kws")
    on = targets.get(core)
    elf = qemu.build_count(tmp_path / "kws", "kws", on.machine, tmp_path / "count.elf", flags=on.flags)
    x = driver.vectors(artifact.archive, 1)
    want = driver.interp.run(artifact.archive.graph, *x)[0]
    assert qemu.count(elf, on.machine, x[0].tobytes()).y == want.tobytes()


@pytest.mark.parametrize("machine", harness.linux_params())
def test_networks_are_exact_on_linux(machine: str, tmp_path: Path) -> None:
    """What runs there is the code generated for a microcontroller, with NEON where it has it."""
    artifact = driver.compile(networks.network("ic", 0.2, "int8-first-dw"), target="cortex-m4")
    artifact.save(tmp_path)
    sources = [*host.sources_of(tmp_path, (".c", ".S")), resources.TEST / "kat.c"]
    flags, defines = [*harness.LINUX[machine], "-static"], host.kat_defines(tmp_path, "ic")
    exe = host.build_exe(sources, [tmp_path], defines, tmp_path / "kat", flags=flags, cc=harness.linux_cc(machine))
    status, text = harness.run_linux(machine, exe, tmp_path, 60)
    assert status == 0 and "PASS" in text, text
    names = subprocess.run([f"{harness.TARGETS[machine].machine}-nm", exe], capture_output=True, check=True).stdout
    assert b"mcugen1_sparse_neon" in names


@needs_unicorn
def test_a_record_and_its_wait_states() -> None:
    job = networks.Job("ad", "cortex-m0plus", 0.2, "all-ternary")
    record = networks.record(job)
    artifact = driver.compile(networks.network("ad", 0.2, "all-ternary"), target="nucleo-g0b1re")
    fast, slow = (profile.profile(artifact, wait_states=w) for w in (False, True))
    # One run with wait states has the cycles without them too.
    assert (record["cycles"], record["cycles_with_wait_states"]) == (fast.cycles, slow.cycles)
    assert record["cycles"] < record["cycles_with_wait_states"]
    assert sum(x["cycles"] for x in record["layers"]) == record["cycles"]
    assert record["ms"] == pytest.approx(fast.cycles / 64e3, abs=1e-3) and record["macs"] == MACS["ad"]
    assert record["cycles_per_mac"] == pytest.approx(fast.cycles / MACS["ad"], abs=1e-4)
    assert record["ram_bytes"] - record["arena_bytes"] == 640 + 2 * 640
    assert 256 == record["logical_bound_bytes"] <= record["arena_bound_bytes"] <= record["arena_bytes"]
    assert {*bench.KEY, *bench.COMPARED} <= record.keys()


@needs_qemu
def test_a_record_of_instructions() -> None:
    r = networks.record(networks.Job("ad", "cortex-m55", 0.2, "all-ternary"))
    assert r["cycles"] is None and r["ms"] is None and r["timing"] == "instructions"
    assert (bench.unit(r), bench.spent(r)) == ("instructions", r["instructions"])
    assert sum(x["instructions"] for x in r["layers"]) == r["instructions"]
    title, head, _, ours, theirs, *_ = "\n".join(bench.network_tables([r])).splitlines()
    assert "instructions" in title and "instructions" in head and "cycles" not in title + head
    assert f"{r['instructions']:,}" in ours and "149,869" in theirs
    assert r["instructions"] <= 149_869 / 2  # the aim at this density


@needs_unicorn
def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "new.json"
    argv = ["--cores", "cortex-m4", "--only", "ad", "pw256_3", "--densities", "0.1", "--variants", "all-ternary"]
    assert bench.main([*argv, "--jobs", "1", "-o", str(out)]) == 0
    shown = capsys.readouterr().out
    found = json.loads(out.read_text())
    assert [(r["network"], r["core"], r["density"], r["optimize"]) for r in found] == [
        ("pw256_3", "cortex-m4", 0.1, "speed"),
        ("ad", "cortex-m4", 0.1, "balanced"),
    ]
    assert "TFLM + CMSIS-NN" in shown and "ST X-CUBE-AI" in shown and "Bosch" not in shown
    assert f"{found[1]['cycles']:,}" in shown and f"{found[0]['cycles']}" in shown
    for r in found:
        assert {*bench.KEY, "macs", "logical_bound_bytes", "arena_bound_bytes", "predicted_cycles"} <= r.keys()
        assert r["cycles"] > 0

    def wrong(_: Any) -> None:
        raise MismatchError("E601", "output byte 3: got 1, want 2", where="ad")

    monkeypatch.setattr(bench, "run", wrong)
    assert bench.main(["--jobs", "1", "-o", str(tmp_path / "none.json")]) == 1
    assert "got 1, want 2" in capsys.readouterr().err and not (tmp_path / "none.json").exists()


def record(name: str, cycles: int, flash: int = 1000, arena: int | None = 10) -> dict[str, Any]:
    key = {"core": "cortex-m4", "density": 0.2, "variant": "all-ternary", "optimize": "balanced"}
    return {"network": name, **key, "cycles": cycles, "flash_bytes": flash, "arena_bytes": arena}


def test_compare_sorts_what_moved() -> None:
    old = [record("kws", 1000), record("ic", 2000), record("ad", 50), record("gone", 1)]
    new = [record("kws", 900), record("ic", 2500, flash=995), record("ad", 50), record("new", 1)]
    lines = bench.moved(old, new).splitlines()
    cells = [line.split() for line in lines[2:-1]]
    assert [(c[0], c[5], c[6], c[7], c[8]) for c in cells] == [
        ("ic", "cycles", "2,000", "2,500", "+25.0"),
        ("kws", "cycles", "1,000", "900", "-10.0"),
        ("ic", "flash_bytes", "1,000", "995", "-0.5"),
    ]
    assert lines[-1] == "1 records are the same, 1 gone, 1 new"


def test_jobs_are_every_network_at_every_density_on_every_core() -> None:
    cores = ("cortex-m4", "cortex-m0plus")
    found = list(bench.jobs(cores, networks.NETWORKS, networks.DENSITIES, networks.VARIANTS))
    assert len(found) == len(set(found)) == 2 * 4 * 2 * (4 + 2)
    balanced = {(j.network, j.core, j.density, j.variant) for j in found if j.optimize == "balanced"}
    assert len(balanced) == 2 * 4 * 2 * 4
    trained = list(bench.jobs(cores[:1], [*networks.zoo()], (), (networks.TRAINED,)))
    assert {j.network for j in trained} == {p.stem for p in ROOT.glob("examples/*/*.mcugen")} and trained


def test_constants_name_cores_and_networks() -> None:
    assert tuple(networks.NETWORKS) == others.NETWORKS
    for o in others.OTHERS:
        assert len(o.cycles) == 4 and len(o.flash) in (0, 4) and len(o.arena) in (0, 4) and o.source
        assert targets.get(o.core).core.name == o.core
    for core, board in networks.BOARDS.items():
        assert targets.get(board).core.name == core and targets.get(board).clock


def test_the_readmes_table(tmp_path: Path) -> None:
    boards = {core: networks.BOARDS[core] for core in bench.CORES[:2]}
    records = [
        dict(zip(bench.KEY, (name, core, 0.2, variant, "balanced"), strict=True))
        | {"target": board, "ms": 1234.5 if variant == "all-ternary" else 12.345, "flash_bytes": 65536}
        for name in networks.NETWORKS
        for core, board in boards.items()
        for variant in networks.VARIANTS
    ]
    readme = tmp_path / "README.md"
    before = bench.README.read_text()
    readme.write_text(before)
    bench.write_readme(records, readme)
    after = readme.read_text()
    changed = [line for line in after.splitlines() if line not in before.splitlines()]
    first = "keywords, DS-CNN | int8 first and depthwise | 12.3 ms | 77.6 ms | 12.3 ms | 625 ms | 65,536 B | 108,198 B"
    assert changed[0] == f"| {first} |"
    assert changed[1] == "| | all-ternary | 1,234 ms | | 1,234 ms | | 65,536 B | |"
    assert len(after.splitlines()) == len(before.splitlines())
    with pytest.raises(KeyError):
        bench.write_readme(records[1:], readme)
