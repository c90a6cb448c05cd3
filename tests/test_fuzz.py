"""A slice of `make fuzz`, always the same one; and that it finds faults and can repeat them."""

from __future__ import annotations

import shutil
from pathlib import Path

import fuzz
import harness
import pytest
from test_kernels import needs_arm

from mcugen import resources
from mcugen.kernels import KERNELS

Factory = pytest.TempPathFactory


@pytest.mark.parametrize(
    "machine, layers",
    [("host", 400), *(pytest.param(m, 60, marks=needs_arm) for m in fuzz.EMULATED), *fuzz.harness.linux_params(60)],
)
def test_a_slice(machine: str, layers: int, tmp_path_factory: Factory) -> None:
    names = [n for n in (machine, machine + fuzz.LARGE) if n in harness.TARGETS]
    tally = fuzz.fuzz(machine, range(layers), {n: harness.on(n, tmp_path_factory) for n in names})
    print(tally)
    assert not tally.failures, "\n".join(tally.failures)
    assert tally.layers + tally.left_out == layers and tally.left_out < 0.02 * layers
    assert tally.calls > 2 * layers


def test_layers_reach_every_kernel_and_all_that_makes_layers_different() -> None:
    made = [p for n in range(500) for p in fuzz.programs(n)]
    assert {p.label for p in made} == {k.name for k in KERNELS if k.stem}
    assert any("lanes" in p.name for p in made) and any(">flat" in p.name for p in made)
    nodes = [fuzz.layer(n) for n in range(400)]
    assert sum(limits is not None for _, limits in nodes) > 15
    for of, most in (("stride", 3), ("dilation", 3)):
        found = {getattr(node.op, of, (1, 1))[0] for node, _ in nodes}
        assert found >= set(range(1, most + 1)), of
    empty = [w for node, _ in nodes for w in node.inputs[1:2] if w.data is not None and len(w.type.shape) > 1]
    assert sum(not w.const.any() for w in empty) > 3  # a layer without weights
    assert sum(bool((~w.const.reshape(len(w.const), -1).any(axis=1)).any()) for w in empty) > 20  # an empty channel


def test_a_number_is_a_layer() -> None:
    for n in range(40):
        one, other = list(fuzz.programs(n)), list(fuzz.programs(n))
        assert [harness.encode(p, 4) for p in one] == [harness.encode(p, 4) for p in other]
        assert [p.name for p in one] == [p.name for p in other] and all(p.name.startswith(f"{n}: ") for p in one)


def test_faults_are_found_and_repeated(tmp_path: Path) -> None:
    kernels = tmp_path / "kernels"
    shutil.copytree(resources.KERNELS, kernels)
    source = kernels / "mcugen_fixed.h"  # wrong for one shift only
    old = "(acc * t->mult[c] + t->add[c]) >> t->shift[c];"
    text = source.read_text()
    assert old in text
    source.write_text(text.replace(old, f"{old[:-1]} ^ (t->shift[c] == 7);"))
    (tmp_path / "work").mkdir()
    made = {"host": harness.Harness("host", tmp_path / "work", kernels)}
    tally = fuzz.fuzz("host", range(300), made)
    numbers = sorted({int(f.split(": ")[1]) for f in tally.failures})
    assert 0 < len(numbers) < 100
    again = fuzz.fuzz("host", numbers[:1], made)
    assert again.failures == [f for f in tally.failures if f.startswith(f"host: {numbers[0]}: ")]


def test_the_command(
    tmp_path_factory: Factory, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fuzz, "build", lambda *_: {"host": harness.on("host", tmp_path_factory)})
    assert fuzz.main(["--machines", "host", "--minutes", "0.02", "--jobs", "1"]) == 0
    said = capsys.readouterr().out
    assert "host" in said and " 0 fail" in said and " 0 layers" not in said
    assert fuzz.main(["--machines", "host", "--replay", "12"]) == 0
    assert "1 layers" in capsys.readouterr().out

    def wrong(*_: object) -> list[fuzz.Tally]:
        return [fuzz.Tally("host", 3, failures=["host: 77: call 1: byte 2: got 1, want 0"])]

    monkeypatch.setattr(fuzz, "run", wrong)
    assert fuzz.main(["--machines", "host"]) == 1
    assert "77: call 1" in capsys.readouterr().out
