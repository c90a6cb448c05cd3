"""Validation finds faults and says where: each one here is put into a generated directory, or into a pass."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mcugen import archive, driver, interp, ir, layout, passes, validate
from mcugen.archive import Archive
from mcugen.driver import Artifact
from mcugen.errors import McugenError, MismatchError, TargetError
from mcugen.ir import Array, Graph, Node
from mcugen.ops import OPS
from mcugen.ops.base import tail_constants
from mcugen.program import Step
from mcugen.sim import armv6m
from mcugen.targets import get
from mcugen.validate import Difference, Verdict

ARCHIVE = Path(__file__).parent.parent / "examples" / "digits" / "digits.mcugen"
ARM = bool(shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm"))
PLACES = ("host", "sanitize", "qemu") if ARM else ("host", "sanitize")
N = 20


@pytest.fixture(scope="module")
def artifact() -> Artifact:
    """The digits example for the M4, in lanes."""
    return driver.compile(ARCHIVE, target="cortex-m4", optimize="speed")


@pytest.fixture
def directory(artifact: Artifact, tmp_path: Path) -> Path:
    """What was generated for it, ready to be damaged."""
    artifact.save(tmp_path / "digits")
    return tmp_path / "digits"


@pytest.fixture(scope="module")
def x(artifact: Artifact) -> Array:
    """Samples: real images."""
    return artifact.archive.samples[0][:N]


def patch(path: Path, change: Callable[[re.Match[str]], str] | str, pattern: str) -> None:
    """Replace the one place in a file that a pattern matches."""
    text = path.read_text()
    assert len(re.findall(pattern, text)) == 1, (path.name, pattern)
    path.write_text(re.sub(pattern, change, text))


def verdicts(directory: Path, artifact: Artifact, x: Array, most: int | None = None) -> list[Verdict]:
    """What each place says; they agree on what differs, or on the first `most` of it."""
    found = [validate.validate(directory, artifact, place, x) for place in PLACES]
    assert [v.place for v in found] == ["host", "sanitize", "mps2-an386"][: len(found)]
    assert len({(v.failed, v.differences[:most], v.passed) for v in found}) == 1, "\n".join(map(validate.text, found))
    return found


def step_of(artifact: Artifact, name: str) -> Step:
    return next(s for s in artifact.program.steps if s.name == name)


def trace_of(artifact: Artifact, name: str, x: Array) -> Array:
    """What the reference has after a layer."""
    values = interp.trace(artifact.archive.graph, x)
    return next(v for k, v in values.items() if k.name == name)


# ---- what is right passes ----


def test_what_was_generated_passes(artifact: Artifact, directory: Path, x: Array) -> None:
    for v in verdicts(directory, artifact, x):
        assert v.passed and (v.failed, v.vectors, v.differences, v.messages) == (0, N, (), ())
        assert bool(v.stack_bytes) == (v.place == "mps2-an386")
    again, changed = validate.open_directory(directory)
    assert changed == () and again.files == artifact.files


# ---- wrong bytes: layer, index, got, want ----


def test_a_wrong_weight_byte_computed_by_hand(tmp_path: Path, x: Array) -> None:
    """The last layer is int8, row by row: change weight [6][11] and compute its logits with Python's integers."""
    artifact, directory = driver.compile(ARCHIVE, target="cortex-m4", optimize="size"), tmp_path / "digits"
    artifact.save(directory)
    row, column = 6, 11
    (node,) = (n for n in artifact.archive.graph.nodes if n.output.name == "fc")
    weights = node.inputs[1].const.copy()
    inputs = trace_of(artifact, node.inputs[0].name, x).reshape(N, -1)
    at = row * weights.shape[1] + column

    def change(match: re.Match[str]) -> str:
        numbers = match[2].replace(",", " ").split()
        assert int(numbers[at], 0) == int(weights[row, column]) & 255
        numbers[at] = hex(int(numbers[at], 0) ^ 0x50)
        return f"{match[1]}{', '.join(numbers)}{match[3]}"

    patch(
        directory / "digits_weights.c",
        change,
        rf"(digits_fc\w*_weights\[{weights.size}\] MCUGEN_WEIGHTS = \{{)([^}}]*)(\}})",
    )
    wrong = np.array([int(weights[row, column]) & 255 ^ 0x50], np.uint8).view(np.int8)[0]
    constants = tail_constants(node)
    assert constants is not None
    mult, add, shift = (int(np.broadcast_to(c, (10,))[row]) for c in constants)

    def logit(image: Array, w: int) -> int:
        total = sum(int(a) * (w if i == column else int(weights[row, i])) for i, a in enumerate(image))
        return max(-32768, min(32767, (total * mult + add) >> shift))

    expected = []
    for vector, image in enumerate(inputs):
        got, want = logit(image, int(wrong)), logit(image, int(weights[row, column]))
        if got != want:
            differ = sum(
                a != b
                for a, b in zip(
                    got.to_bytes(2, "little", signed=True), want.to_bytes(2, "little", signed=True), strict=True
                )
            )
            expected.append(Difference(vector, "fc", f"[{row}]", got, want, differ))
    assert expected
    for v in verdicts(directory, artifact, x):
        assert not v.passed and v.failed == len(expected) and v.messages == ()
        assert v.differences == tuple(expected[: validate.TRACED])
        assert str(expected[0]).split(" (")[0] in validate.text(v) and "FAIL" in validate.text(v)


def test_a_wrong_offset_of_ternary_weights(artifact: Artifact, directory: Path, x: Array) -> None:
    pattern = r"(digits_blockconv2_weights\[\d+\] MCUGEN_WEIGHTS = \{\s*)(\d+)"
    patch(directory / "digits_weights.c", lambda m: f"{m[1]}{int(m[2]) ^ 1}", pattern)
    for v in verdicts(directory, artifact, x):
        assert not v.passed and v.differences[0].layer == "block.conv2"
        assert v.differences[0].index.startswith("[0, ")  # the first offset is the first channel's
        assert "block.conv1" not in validate.text(v)
    assert validate.open_directory(directory)[1] == ("digits_weights.c",)


def test_a_fault_in_a_kernel(artifact: Artifact, directory: Path, x: Array) -> None:
    """Pooling that forgets the last column of its window: the first pixel that differs is computed here again."""
    step = step_of(artifact, "pool")
    patch(directory / f"{step.kernel.stem}_ref.c", "j + 1u < k->kernel_w;", r"j < k->kernel_w;")
    source = trace_of(artifact, "add", x)
    right = trace_of(artifact, "pool", x)
    wrong = source[:, :, :, ::2].reshape(N, 16, 4, 2, 4).max(3)
    failing = []
    for v in verdicts(directory, artifact, x):
        assert not v.passed and v.differences[0].layer == "pool"
        for d in (d for d in v.differences if d.layer == "pool"):
            c, row, col = np.argwhere(wrong[d.vector] != right[d.vector])[0].tolist()
            assert (d.index, d.got, d.want) == (
                str([c, row, col]),
                int(wrong[d.vector, c, row, col]),
                int(right[d.vector, c, row, col]),
            )
        failing.append(v.failed)
    assert failing[0] > validate.TRACED
    assert len({d.vector for d in v.differences}) == validate.TRACED


def test_a_wrong_offset(artifact: Artifact, directory: Path, x: Array) -> None:
    """The average is put over the last bytes of its own input."""
    step = step_of(artifact, "average")
    (source,) = step.inputs
    at = artifact.plan.offsets[source] + source.bytes - step.output.bytes
    pattern = r"(\*const average\w* = arena \+ )\d+"
    patch(directory / "digits.c", lambda m: f"{m[1]}{at}", pattern)
    for v in verdicts(directory, artifact, x):
        assert not v.passed and v.differences[0].layer == "average"
    assert validate.open_directory(directory)[1] == ("digits.c",)


def test_steps_in_another_order(artifact: Artifact, directory: Path, x: Array) -> None:
    pattern = r"(?s)(case 7:)(.*?)(case 8:)"
    patch(directory / "digits.c", lambda m: f"{m[3]}{m[2]}{m[1]}", pattern)
    for v in verdicts(directory, artifact, x):
        assert not v.passed and v.failed == N
        assert v.differences[0].layer == artifact.program.steps[7].name


def test_a_halo_that_is_not_filled(artifact: Artifact, directory: Path, x: Array) -> None:
    """Every pixel is right after the first layer in lanes; the row above the image is not."""
    patch(directory / "lanes.c", "halo_top > 1)", r"halo_top > 0\)")
    first = next(s for s in artifact.program.steps if s.output.layout.halo_top)
    home = layout.home(first.output.layout, first.output.type.shape)
    for v in verdicts(directory, artifact, x, most=1):  # later halos are filled by each core's assembler
        assert not v.passed
        d = v.differences[0]
        place = re.fullmatch(r"byte (\d+), around the image", d.index)
        assert d.layer == first.name and place and int(place[1]) not in home
        values = interp.trace(artifact.program.graph, x)[first.value]
        stored = layout.store(first.output.layout, values[d.vector].reshape(first.output.type.shape))
        assert d.want == stored[int(place[1])] != d.got


# ---- writes out of bounds, crashes ----


def test_a_write_out_of_bounds(artifact: Artifact, directory: Path, x: Array) -> None:
    at = artifact.plan.arena - step_of(artifact, "average").output.bytes + 8
    patch(directory / "digits.c", lambda m: f"{m[1]}{at}", r"(\*const average\w* = arena \+ )\d+")
    for place in PLACES:
        v = validate.validate(directory, artifact, place, x)
        assert not v.passed and v.failed == N
        if place == "sanitize":
            assert "AddressSanitizer" in v.messages[0]
        else:
            assert v.messages[0] == "vector 0: layer average writes out of bounds"
            assert "vector 0: wrote outside of the model struct" in v.messages
            assert re.fullmatch(r"\.\.\. \d+ more", v.messages[-1]) and len(v.messages) < 10
        assert all(m in validate.text(v) for m in v.messages)


def test_a_write_beyond_the_output_and_into_the_input(artifact: Artifact, directory: Path, x: Array) -> None:
    source = directory / "linear_sums.c"
    original = source.read_text()
    patch(source, "i <= count;", r"i < count;")
    v = validate.validate(directory, artifact, "host", x)
    assert not v.passed and "wrote outside of y" in " ".join(v.messages)
    source.write_text(original)
    first = artifact.program.steps[0].kernel.stem  # it alone reads x
    text = (directory / "digits.c").read_text()
    (directory / "digits.c").write_text(
        text.replace(f"mcugen1_{first}(", "*(uint8_t *)(uintptr_t)x ^= 1u; mcugen1_" + first + "(", 1)
    )
    v = validate.validate(directory, artifact, "host", x)
    assert not v.passed and "changed its input" in " ".join(v.messages)


def test_a_crash(artifact: Artifact, directory: Path, x: Array) -> None:
    patch(directory / "digits.c", lambda m: f"{m[1]}0x7f000000", r"(\*const average\w* = arena \+ )\d+")
    words = {"host": "killed by signal", "sanitize": "AddressSanitizer", "qemu": "FAULT exception"}
    for place in PLACES:
        v = validate.validate(directory, artifact, place, x)
        assert not v.passed and v.failed == N and len(v.messages) == 1, validate.text(v)
        assert words[place] in v.messages[0] and "0 of 20 vectors equal" in validate.text(v)


def test_undefined_behaviour(artifact: Artifact, directory: Path, x: Array) -> None:
    """The host's answer is right all the same."""
    patch(
        directory / "linear_sums.c",
        r"\g<0>\n        volatile int32_t big = 2147483647;\n        big = big + 1;",
        r"i < count; i\+\+\) \{",
    )
    assert validate.validate(directory, artifact, "host", x).passed
    v = validate.validate(directory, artifact, "sanitize", x)
    assert not v.passed and "runtime error: signed integer overflow" in v.messages[0]


# ---- the compiler itself ----


def with_changed_addend(graph: Graph) -> Graph:
    """A pass with a bug: one constant of the last layer becomes another one."""
    *others, node = graph.nodes
    inputs = list(node.inputs)
    at = next(i for i, v in enumerate(inputs) if v.name.endswith("add"))
    data = inputs[at].const.copy()
    data[3] += 1 << 22
    inputs[at] = replace(inputs[at], data=data)
    return replace(graph, nodes=(*others, Node(node.op, tuple(inputs), node.output, node.acc)))


def test_a_wrong_pass(tmp_path: Path, x: Array, monkeypatch: pytest.MonkeyPatch) -> None:
    right = interp.run(archive.load(ARCHIVE).graph, x)[0]
    monkeypatch.setattr(passes, "PIPELINE", (*passes.PIPELINE[:-1], with_changed_addend, passes.PIPELINE[-1]))
    driver.compile(ARCHIVE, target="cortex-m4").save(tmp_path / "digits")
    artifact, changed = validate.open_directory(tmp_path / "digits")
    assert changed == ()
    wrong = interp.run(artifact.program.graph, x)[0]
    assert (right != wrong).any(1).all()
    for v in verdicts(tmp_path / "digits", artifact, x):
        assert not v.passed and v.failed == N
        assert [d.layer for d in v.differences] == ["the passes"] * validate.TRACED
        for d in v.differences:
            a, b = (np.frombuffer(y[d.vector].astype("<i2").tobytes(), np.uint8) for y in (wrong, right))
            k = int(np.flatnonzero(a != b)[0])
            assert k // 2 == 3
            assert (d.index, d.got, d.want) == (f"output byte {k}", a[k], b[k])


# ---- several inputs and outputs ----

GOLDEN = Path(__file__).parent / "golden"


def ports(target: str) -> Artifact:
    """Two inputs and two outputs of different types, compiled with samples."""
    graph = ir.parse((GOLDEN / "ports.txt").read_text(), OPS)
    samples = driver.vectors(Archive(graph, tuple(np.zeros((0, *v.type.shape), np.uint8) for v in graph.inputs)), 8)
    return driver.compile(Archive(graph, samples), target=target)


@pytest.mark.parametrize("target", ["cortex-m4", "cortex-m0"])
def test_several_inputs_and_outputs(target: str, tmp_path: Path) -> None:
    made = ports(target)
    made.save(tmp_path / "out")
    found, changed = validate.open_directory(tmp_path / "out")
    assert changed == ()
    places = [*PLACES, *(["unicorn"] if ARM and target == "cortex-m0" and armv6m.installed() else [])]
    for place in places:
        v = validate.validate(tmp_path / "out", found, place, driver.vectors(found.archive, 60))
        assert v.passed and v.vectors == 60, validate.text(v)


def test_faults_in_several_outputs_are_found(tmp_path: Path) -> None:
    """In the second output, in the first, in a layer before both; outputs that are given out in the wrong place."""
    made = ports("cortex-m4")
    x = driver.vectors(made.archive, N)
    faults = {
        "logits": (r"\g<0> logits[1]++;", r"mcugen1_linear\w*\(&logits_k, v3_at, logits[^;]*;"),
        "label": (r"label[0]++; \g<0>", r"break;\n    default"),
        "v2": (r"(void)imu_raw; \1(&v2_k, image,", r"(mcugen1_linear\w*)\(&v2_k, imu_raw,"),
    }
    for layer, (change, pattern) in faults.items():
        made.save(tmp_path / "out")
        patch(tmp_path / "out" / "ports.c", change, pattern)
        v = validate.validate(tmp_path / "out", made, "host", x)
        assert not v.passed and v.differences[0].layer == layer, validate.text(v)
        if layer == "logits":
            assert v.differences[0].index == "[1]" and v.differences[0].got == v.differences[0].want + 1
    made.save(tmp_path / "out")
    patch(
        tmp_path / "out" / "ports_kat.h", r"\g<1>x + 6,\n        x,", r"(ports_run\(m,\n        )x,\n        x \+ 36,"
    )
    assert not validate.validate(tmp_path / "out", made, "host", x).passed


# ---- directories that do not belong together ----


def test_another_archive(artifact: Artifact, directory: Path) -> None:
    graph = artifact.archive.graph
    other = replace(artifact.archive, graph=replace(graph, name="digits"), samples=(artifact.archive.samples[0][:1],))
    archive.save(other, directory / "digits.mcugen")
    with pytest.raises(MismatchError, match="not the one that the report names") as e:
        validate.open_directory(directory)
    assert e.value.code == "E602"


def test_an_archive_of_another_network_with_its_checksum(artifact: Artifact, directory: Path, x: Array) -> None:
    """Whoever fixes the checksum too learns that the code computes something else."""
    graph = with_changed_addend(artifact.archive.graph)
    archive.save(replace(artifact.archive, graph=graph), directory / "digits.mcugen")
    report = json.loads((directory / "digits_report.json").read_text())
    report["archive_sha256"] = hashlib.sha256((directory / "digits.mcugen").read_bytes()).hexdigest()
    (directory / "digits_report.json").write_text(json.dumps(report))
    other, changed = validate.open_directory(directory)
    assert "digits_weights.c" in changed
    v = validate.validate(directory, other, "host", x)
    assert not v.passed and v.differences[0].layer == "fc"


def test_a_target_without_room_or_emulator(artifact: Artifact, directory: Path, x: Array) -> None:
    m4, m0 = get("cortex-m4"), get("cortex-m0")
    large = replace(artifact.plan, arena=16384)
    for other, place, words in (
        (replace(artifact, target=replace(m4, machine="microbit"), plan=large), "qemu", "of RAM, microbit has 16384"),
        (replace(artifact, target=replace(m4, machine="")), "qemu", "no emulator"),
        (replace(artifact, target=m4), "unicorn", "Armv6-M code only"),
        (replace(artifact, target=m0, plan=large), "unicorn", "bytes of RAM, the target has 16384"),
    ):
        with pytest.raises(TargetError, match=words) as e:
            validate.validate(directory, other, place, x)
        assert e.value.code == "E404"


def test_a_program_that_never_ends(
    artifact: Artifact, directory: Path, x: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validate, "RUN_S", 1.0 - N)
    patch(directory / "digits.c", r"\g<0> for (;;) { }", r"case 7:")
    for place in PLACES:
        with pytest.raises(McugenError, match="did not finish") as e:
            validate.validate(directory, artifact, place, x)
        assert e.value.code == "E503"
