"""The benchmarks' own code, and that the documentation has what they found."""

from __future__ import annotations

import importlib.util
import json
import math
import sys
from pathlib import Path
from types import ModuleType

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
    assert found["weight_bytes"] == 2230  # with `--optimize size`
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


# ---- bench/pruning.py, bench/activations.py ----


def other(name: str) -> ModuleType:
    """Another benchmark as a module; it imports density as those in bench/ do."""
    spec = importlib.util.spec_from_file_location(f"{name}_bench", ROOT / "bench" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "density", bench)
        spec.loader.exec_module(module)
    return module


pruning, activations = other("pruning"), other("activations")


def test_the_variants_of_pruning_are_what_they_are_called() -> None:
    torch.manual_seed(0)
    w = torch.randn(6, 50) * torch.logspace(-1, 1, 6)[:, None]
    size = w.abs()

    def variant(**options: bool) -> tuple[torch.Tensor, torch.Tensor]:
        codes, scale = pruning.Variant(0.2, **options).quantizer(w).quantize(w)
        assert int(codes.count_nonzero()) == 60
        return codes != 0, scale.flatten()

    kept, scale = variant()
    codes, known = qat.PruningTernary(0.2).quantizer(w).quantize(w)
    assert torch.equal(kept, codes != 0) and torch.equal(scale, known.flatten())
    plain, _ = variant(plain=True)
    assert size[plain].min() >= size[~plain].max() and not torch.equal(plain, kept)
    same, means = variant(means=True)
    assert torch.equal(same, kept)
    torch.testing.assert_close(means, (size * kept).sum(1) / kept.sum(1))


@pytest.mark.parametrize("sign", [activations.Sign.POSITIVE, activations.Sign.SIGNED])
def test_lsqs_own_start(sign: activations.Sign) -> None:
    q = activations.PaperStep(3).quantizer(sign, "here")
    x = torch.randn(2, 8, 30)
    x = x.abs() if sign is activations.Sign.POSITIVE else x
    for part in x:
        q.observe(part)
    largest = 7 if sign is activations.Sign.POSITIVE else 3
    assert q.export()[1] == pytest.approx(float(x.abs().mean()) * 2 / largest**0.5)


def test_which_steps_are_trained() -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(8, 6), torch.nn.ReLU(), torch.nn.Linear(6, 3))
    batches = [torch.rand(32, 8)]
    for method in activations.TRAINED:
        net, loss = activations.ready(model, method, 2, batches)
        learned = {n: q.gain.requires_grad for n, q in net.named_modules() if isinstance(q, qat.ActQuantizer)}
        assert learned == {"input_q": False, "0_q": method != "fixed"}
        assert (loss is not None) == (method in activations.CHANNELS)
        assert net.input_q.bits == 8 and net.get_submodule("0_q").bits == 2


def test_the_documentation_has_the_activations() -> None:
    held = json.loads((ROOT / "bench" / "activations_fashion_mnist.json").read_text())
    text = (ROOT / "docs" / "TRAINING.md").read_text()
    found = {(r["kind"], r["method"], r.get("bits")): r for r in held["rows"]}
    assert len(found) == len(held["rows"]) == len(list(activations.keys(1)))
    for method, label in activations.STEPS.items():
        rows = [found["calibrated", method, b] for b in activations.BITS]
        assert row(label, *(f"{r['accuracy']:.2f}%, {r['accuracy_bn']:.2f}%" for r in rows)) in text
    for method, label in activations.TRAINED.items():
        rows = [found["trained", method, b] for b in activations.TRAINED_BITS]
        assert row(label, *(f"{r['accuracy']:.2f}%" for r in rows)) in text
    for method in activations.WEIGHTS:
        r = found["weights", method, None]
        assert row(method, f"{r['density']:.3f}", f"{r['accuracy']:.2f}%") in text
    for accuracy in (held["start"], found["trained", "float", 32]["accuracy"]):
        assert f"{accuracy:.2f}%" in text


def test_the_documentation_has_what_of_pruning_helps() -> None:
    held = json.loads((ROOT / "bench" / "pruning_fashion_mnist.json").read_text())
    text = (ROOT / "docs" / "TRAINING.md").read_text()
    assert {r["variant"] for r in held["rows"]} == set(pruning.VARIANTS)
    for variant in pruning.VARIANTS:
        rows = [r for r in held["rows"] if r["variant"] == variant]
        apart = sum(sum(r["discrepancy"].values()) / len(r["discrepancy"]) for r in rows) / len(rows)
        loss = sum(r["train_loss"] for r in rows) / len(rows)
        runs = ", ".join(f"{r['accuracy']:.2f}%" for r in rows)
        assert row(variant, runs, f"{loss:.3f}", f"{apart:.2f}") in text


def row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
