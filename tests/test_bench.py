"""The benchmarks' own code, and that the documentation has what they found."""

from __future__ import annotations

import importlib.util
import json
import math
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from mcugen import archive, ir, pack, qat  # noqa: E402

ROOT = Path(__file__).parent.parent

spec = importlib.util.spec_from_file_location("density_bench", ROOT / "bench" / "density.py")
assert spec is not None and spec.loader is not None
bench = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # dataclasses look there
spec.loader.exec_module(bench)


def test_magnitude_keeps_exactly_the_density_and_twns_scale() -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(40, 30), torch.nn.ReLU(), torch.nn.Linear(30, 5))
    net = qat.prepare(model, weights=bench.MagnitudeTernary(0.2), keep=["2"])
    w = model[0].weight.detach()
    codes = net.get_submodule("0").parametrizations.weight[0].quantize(w)[0]
    assert int(codes.count_nonzero()) == 240 and w.abs()[codes != 0].min() >= w.abs()[codes == 0].max()
    made = net.get_submodule("0").weight.detach()
    kept = codes[0] != 0
    assert torch.allclose(made[0], w[0].sign() * kept * w[0].abs()[kept].mean())


def test_a_row_without_weights_has_a_scale() -> None:
    w = torch.cat([torch.full((1, 8), 0.01), torch.ones(1, 8)])
    codes, scale = bench.MagnitudeTernary(0.5).quantizer(w).quantize(w)
    assert codes.tolist() == [[0] * 8, [1] * 8] and scale.flatten().tolist() == [1, 1]


def test_bytes_of_weights_are_those_of_the_firmware_and_of_the_rice_code() -> None:
    path = ROOT / "examples" / "digits" / "digits.mcugen"
    source = archive.load(path)
    whole, ternary = ([v.const for v in source.graph.constants if v.type.dtype is t] for t in (ir.DType.I8, ir.DType.T))
    found = bench.sizes(path)
    assert found["weight_bytes"] == 2308  # README
    bits = sum(8 * w.size for w in whole) + sum(pack.rice_bits(w)[0] for w in ternary)
    assert found["rice_bytes"] == math.ceil(bits / 8)


@pytest.mark.parametrize("task", bench.TASKS)
def test_the_documentation_has_what_was_measured(task: str) -> None:
    path, what = ROOT / "bench" / f"density_{task}.json", bench.TASKS[task]
    if not path.is_file():
        pytest.skip(f"bench/density.py --task {task} has not been run")
    held = json.loads(path.read_text())
    rows = {(r["method"], r["density"]): r for r in held["rows"]}
    assert len(rows) == len(held["rows"]) == 1 + len(what.densities) * len(what.methods)
    assert held["epochs"] == what.epochs
    text = (ROOT / "docs" / "TRAINING.md").read_text()
    for density in what.densities:
        found = [rows[m, density] for m in what.methods]
        assert all(abs(r["density_made"] - density) < 0.001 for r in found)
        cells = [f"{r['accuracy']:.2f}%" for r in found]
        if "weight_bytes" in found[0]:  # equal numbers of weights that are not zero: as many bytes, but for a few
            cells += [f"{found[0][k]:,}" for k in ("weight_bytes", "rice_bytes")]
            assert all(abs(r["rice_bytes"] / found[0]["rice_bytes"] - 1) < 0.01 for r in found)
        assert " | ".join([f"| {density:g}", *cells]) in text
    assert f"{rows['float', 1.0]['accuracy']:.2f}%" in text
