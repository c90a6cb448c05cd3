"""The command line: every command, what it prints and returns, and every kind of bad input."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from mcugen import archive, cli, driver, errors, fixed, interp, ir, results, targets
from mcugen.archive import Archive
from mcugen.check import check
from mcugen.ir import Graph, Range
from mcugen.ops import OPS, base
from mcugen.ops.linear import Linear
from mcugen.ops.maxpool import MaxPool
from mcugen.ops.softmax import node as softmax_node

ROOT = Path(__file__).parent.parent
ARCHIVE = ROOT / "examples" / "digits" / "digits.mcugen"
MODEL = str(ARCHIVE)
SCRIPT = Path(sys.executable).with_name("mcugen")
COMMANDS = ("targets", "ops", "analyze", "generate", "validate", "pio-offline", "profile")
ARM = bool(shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm"))
needs_arm = pytest.mark.skipif(not ARM, reason="no arm-none-eabi-gcc or no qemu-system-arm")
needs_script = pytest.mark.skipif(not SCRIPT.exists(), reason="mcugen is not installed beside this Python")


class Answer(NamedTuple):
    """What a command line gave."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON; there is nothing on standard error."""
        assert self.err == ""
        return json.loads(self.out)


Run = Callable[..., Answer]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command line in an empty directory of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def call(*argv: str) -> Answer:
        capsys.readouterr()
        try:
            status = cli.main(list(argv))
        except SystemExit as e:  # --help and --version
            status = int(e.code or 0)
        return Answer(status, *capsys.readouterr())

    return call


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated directory."""
    directory = tmp_path_factory.mktemp("cli") / "digits"
    driver.compile(MODEL, target="cortex-m4", optimize="speed").save(directory)
    return directory


def pooling(shape: tuple[int, int, int]) -> bytes:
    """An archive of one pooling of an image."""
    x = base.activation("image", shape, 0)
    node = base.make(MaxPool((2, 2), (2, 2)), x)
    graph = check(Graph("big", (x,), (node,), (node.output,)))
    return archive.to_bytes(archive.Archive(graph, (np.zeros((0, *shape), np.uint8),)))


def edited(change: Callable[[dict[str, Any]], object]) -> bytes:
    """The digits archive with another graph.json."""
    out = io.BytesIO()
    with zipfile.ZipFile(ARCHIVE) as z, zipfile.ZipFile(out, "w") as made:
        for name in z.namelist():
            data = z.read(name)
            if name == "graph.json":
                document = json.loads(data)
                change(document)
                data = json.dumps(document).encode()
            made.writestr(name, data)
    return out.getvalue()


def files(directory: Path) -> dict[str, bytes]:
    """Everything below a directory."""
    return {str(p.relative_to(directory)): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


def refused(answer: Answer, code: str, *words: str, status: int = cli.ERROR) -> None:
    """One message with a code, on standard error."""
    assert answer.status == status, answer
    assert re.match(rf"mcugen: \[{code}\] \S", answer.err), answer.err
    assert answer.out == "" and "Traceback" not in answer.err and answer.err.count("mcugen: [") == 1
    assert len(answer.err) < 2500 and all(w in answer.err for w in words), answer.err


# ---- what there is ----


def test_targets(run: Run) -> None:
    text = run("targets")
    assert text.status == 0 and text.err == ""
    found = run("targets", "--json").json
    assert [t["name"] for t in found] == list(targets.names())
    for t in found:
        assert t["name"] in text.out and f"{t['flash']:,}" in text.out and t["source"] and t["core"]


def test_ops(run: Run) -> None:
    text = run("ops")
    found = run("ops", "--json").json
    assert [o["name"] for o in found] == list(OPS)
    for o in found:
        assert o["name"] in text.out and o["about"] and o["kernels"], o


def test_version_and_no_command(run: Run) -> None:
    assert run("--version").out.startswith("mcugen 0.")
    refused(run(), "E703", "COMMAND")
    refused(run("compile", MODEL), "E703", "'compile'", "generate")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples_that_parse(command: str, run: Run) -> None:
    answer = run(command, "--help")
    assert answer.status == 0 and "Traceback" not in answer.out
    lines = re.findall(r"^  mcugen (.*)$", answer.out.split("examples:\n")[1], re.M)
    assert lines
    for line in (*lines, *re.findall(r"^  mcugen (.*)$", cli._EXAMPLES[""], re.M)):
        args = cli._parser().parse_args(shlex.split(line.split("|")[0]))
        assert args.run.__name__ == f"_{line.split()[0].replace('-', '_')}"
    assert all(line.split()[0] == command for line in lines)


# ---- analyze ----


def test_analyze(run: Run) -> None:
    text = run("analyze", MODEL, "--target", "cortex-m0")
    assert text.status == 0 and text.err == ""
    document = run("analyze", MODEL, "--target", "cortex-m0", "--json").json
    assert document["over"] == []
    for step in document["steps"]:
        assert step["name"] in text.out and step["kernel"] in text.out
    for key in ("flash_bytes", "ram_total_bytes", "arena_bytes", "macs", "cycles_estimated"):
        assert f"{document['totals'][key]:,}" in text.out, key
    ports = document["totals"]["ram_bytes"] - document["totals"]["arena_bytes"]
    assert ports == 64 + 20  # 8 x 8 bytes in, ten 16-bit numbers out


@pytest.mark.parametrize("optimize", driver.OPTIMIZE)
def test_analyze_goals(optimize: str, run: Run) -> None:
    document = run("analyze", MODEL, "--target", "cortex-m4", "--optimize", optimize, "--json").json
    assert document["optimize"] == optimize


@pytest.mark.parametrize(
    "what, key", [("flash", "flash_bytes"), ("ram", "ram_total_bytes"), ("cycles", "cycles_estimated")]
)
def test_limits(what: str, key: str, run: Run) -> None:
    base_line = ("analyze", MODEL, "--target", "cortex-m4")
    used = run(*base_line, "--json").json["totals"][key]
    assert run(*base_line, f"--max-{what}", str(used)).status == cli.OK
    assert run(*base_line, f"--max-{what}", "4000M").status == cli.OK
    answer = run(*base_line, f"--max-{what}", "1K", "--json")
    assert answer.status == cli.NO
    (over,) = answer.json["over"]
    least = over["used"]
    assert over == {"what": what, "used": least, "limit": 1024, "over": least - 1024}
    assert least == used if what == "cycles" else least < used  # about the least that there is
    told = run(*base_line, f"--max-{what}", "1K")
    assert told.status == cli.NO and told.err == ""
    assert f"over   {what}: {least:,} of 1,024, {least - 1024:,} too many" in told.out


@pytest.mark.parametrize("what, key", [("flash", "flash_bytes"), ("ram", "ram_total_bytes")])
@pytest.mark.parametrize("estimate", [(), ("--estimate",)])
def test_limits_choose_other_kernels(what: str, key: str, estimate: tuple[str, ...], run: Run) -> None:
    base_line = ("analyze", MODEL, "--target", "cortex-m4", "--optimize", "speed", "--json", *estimate)
    free = run(*base_line).json
    limit = free["totals"][key] - 200
    answer = run(*base_line, f"--max-{what}", str(limit))
    assert answer.status == cli.OK and answer.json["totals"][key] <= limit and answer.json["over"] == []
    assert [s["kernel"] for s in answer.json["steps"]] != [s["kernel"] for s in free["steps"]]
    assert answer.json["totals"]["cycles_estimated"] > free["totals"]["cycles_estimated"]
    assert what in answer.json["limits"] and "limits" not in free


def test_generate_within_limits(run: Run, tmp_path: Path) -> None:
    base_line = ("generate", MODEL, "--target", "cortex-m4", "--optimize", "speed", "-o", "fw")
    free = run(*base_line, "--json").json["report"]["totals"]["flash_bytes"]
    answer = run(*base_line, "--max-flash", str(free - 500))
    assert answer.status == 0 and "optimized for speed, flash at most" in answer.out
    assert run("validate", "fw", "--on", "host", "--json").json["changed_files"] == []  # the report knows the limits
    before = files(tmp_path / "fw")
    over = run(*base_line, "--max-ram", "100")
    assert over.status == cli.NO and "[E404] digits: the model exceeds its limits: ram by" in over.err
    assert files(tmp_path / "fw") == before


def test_several_limits_and_the_targets_own(run: Run, tmp_path: Path) -> None:
    limits = ("--max-flash", "1k", "--max-ram", "0", "--max-cycles", "0.5M")
    document = run("analyze", MODEL, "--target", "cortex-m0", *limits, "--json").json
    assert [(o["what"], o["limit"]) for o in document["over"]] == [("flash", 1024), ("ram", 0), ("cycles", 2**19)]
    (tmp_path / "big.mcugen").write_bytes(pooling((1, 400, 400)))
    answer = run("analyze", "big.mcugen", "--target", "cortex-m0", "--max-ram", "1M")
    assert answer.status == cli.NO and re.search(r"200,\d\d\d of 16,384", answer.out)


@pytest.mark.parametrize("size", ["x", "", "K", "4KB", "nan", "inf", "-1", "1e99"])
def test_bad_sizes(size: str, run: Run) -> None:
    refused(run("analyze", MODEL, "--target", "cortex-m0", f"--max-flash={size}"), "E703", "--max-flash", repr(size))


# ---- generate ----


def test_generate(run: Run, tmp_path: Path) -> None:
    answer = run("generate", MODEL, "--target", "cortex-m4", "-o", "deep/firmware")
    found = files(tmp_path / "deep" / "firmware")
    assert answer.status == 0 and answer.err == "" and f"wrote {len(found)} files to deep/firmware" in answer.out
    assert {"digits.h", "digits.c", "digits_weights.c", "digits_kat.h", "digits_report.json", "digits.mcugen"} <= set(
        found
    )
    assert found["digits.mcugen"] == ARCHIVE.read_bytes()
    assert os.listdir(tmp_path) == ["deep"] and os.listdir(tmp_path / "deep") == ["firmware"]
    document = run("generate", MODEL, "--target", "cortex-m4", "-o", "again", "--json").json
    assert document["directory"] == "again" and document["files"] == sorted(found)
    assert files(tmp_path / "again") == found


def test_generate_gives_the_class(run: Run, tmp_path: Path) -> None:
    answer = run("generate", MODEL, "--target", "cortex-m0", "--result", "argmax", "-o", "fw")
    assert answer.status == 0, answer.err
    assert "#define DIGITS_OUT_LEN 1 " in (tmp_path / "fw" / "digits.h").read_text()
    assert run("validate", "fw", "--on", "host").status == 0
    given, made = driver.load(MODEL), driver.load(tmp_path / "fw" / "digits.mcugen")
    x = given.samples[0]
    (logits,), (index,) = interp.run(given.graph, x), interp.run(made.graph, x)
    assert np.array_equal(index[:, 0], logits.reshape(len(x), -1).argmax(1))
    assert len(made.graph.nodes) == len(given.graph.nodes) + 1


@pytest.mark.parametrize("target, place", [("cortex-m4", "host"), ("cortex-m0", "sanitize"), ("cortex-m4", "qemu")])
@pytest.mark.parametrize("result", ["u8", "i32"])
def test_generate_gives_other_widths(result: str, target: str, place: str, run: Run, tmp_path: Path) -> None:
    if place == "qemu" and not ARM:
        pytest.skip("no arm-none-eabi-gcc or no qemu-system-arm")
    answer = run("generate", MODEL, "--target", target, "--result", result, "-o", "fw")
    assert answer.status == 0, answer.err
    ctype = {"u8": "uint8_t", "i32": "int32_t"}[result]
    assert f"{ctype} y[DIGITS_OUT_LEN]" in (tmp_path / "fw" / "digits.h").read_text()
    assert run("validate", "fw", "--on", place).status == 0
    given, made = driver.load(MODEL), driver.load(tmp_path / "fw" / "digits.mcugen")
    x = given.samples[0]
    (logits,), (other,) = interp.run(given.graph, x), interp.run(made.graph, x)
    quant, scale = made.graph.outputs[0].type.quant, given.graph.outputs[0].type.quant.scale  # type: ignore[union-attr]
    assert quant is not None
    if result == "u8":
        assert (quant.scale, quant.zero_point) == (scale * 128, 128)
        assert np.array_equal(other, np.clip((logits.astype(int) + 64 >> 7) + 128, 0, 255))
        assert other.min() < 128 < other.max()
    else:
        bits = round(np.log2(scale / quant.scale))  # type: ignore[operator]
        assert bits >= 8 and quant.zero_point == 0
        assert np.array_equal(other + (1 << bits >> 1) >> bits, logits)  # its rounding is the 16-bit result
        assert np.abs(other).max() > 32767


def u8_graph(op: ir.Op, shape: tuple[int, ...]) -> Graph:
    node = base.make(op, base.activation("x", shape))
    return Graph("net", (node.inputs[0],), (node,), (node.output,))


def test_results_of_what_is_bytes_already() -> None:
    graph = u8_graph(MaxPool((2, 2), (2, 2)), (2, 4, 4))
    source = archive.Archive(graph, (np.zeros((0, 2, 4, 4), np.uint8),))
    assert ir.text(driver.compile(source, result="u8").archive.graph) == ir.text(graph)
    with pytest.raises(errors.McugenError, match=r"E703.*no form of 32 bits"):
        driver.compile(source, result="i32")


def test_bytes_of_values_that_are_never_negative_have_their_zero_at_0() -> None:
    to = ir.Out(ir.DType.I16, ir.Quant(1 / 32768), 0, 32767)
    logits = ir.Value("x", ir.Tensor(ir.DType.U8, (5,), ir.Quant(0.1)))
    node = softmax_node("p", logits, to)
    graph = check(Graph("net", (logits,), (node,), (node.output,)))
    made = results.narrowed(graph)
    assert made.outputs[0].type.quant == ir.Quant(1 / 256, 0)
    x = np.random.default_rng(0).integers(0, 256, (50, 5)).astype(np.uint8)
    (p,), (q,) = interp.run(graph, x), interp.run(made, x)
    assert np.array_equal(q, np.minimum(p.astype(int) + 64 >> 7, 255))
    with pytest.raises(errors.McugenError, match=r"E703.*is no sum"):
        results.widened(graph)


def test_wide_results_of_constant_channels_and_limits() -> None:
    """A channel without weights, one that a ReLU ends, shifts that differ: the rounded result is the 16-bit one."""
    rng = np.random.default_rng(3)
    w = rng.integers(-127, 128, (3, 9)).astype(np.int8)
    w[1] = 0
    raw = base.make(Linear(), base.activation("x", (9,)), base.constant("w", ir.DType.I8, w))
    full = Range(np.zeros(9, np.int64), np.full(9, 255, np.int64))
    acc = raw.op.bounds(full, w)[0]
    to = ir.Out(ir.DType.I16, ir.Quant(0.01), 0, 32767)
    rule = fixed.lower(np.array([0.11, 0.0, 0.013]), np.array([5.3, 77.7, -9.1]), acc.lo, acc.hi, to.lo, to.hi)
    kinds = (("mult", ir.DType.I16), ("add", ir.DType.I32), ("shift", ir.DType.U8))
    consts = [base.constant(n, d, v) for (n, d), v in zip(kinds, rule, strict=True)]
    node = base.make(Linear(to), *raw.inputs, *consts)
    graph = check(Graph("net", (node.inputs[0],), (node,), (node.output,)))
    made = results.widened(graph)
    x = rng.integers(0, 256, (200, 9)).astype(np.uint8)
    (y,), (wide,) = interp.run(graph, x), interp.run(made, x)
    bits = round(np.log2(0.01 / made.outputs[0].type.quant.scale))  # type: ignore[union-attr, operator]
    assert bits > 4 and np.array_equal(wide.astype(np.int64) + (1 << bits >> 1) >> bits, y)
    assert wide.min() == 0 and set(wide[:, 1] >> bits) == {78}
    assert interp.run(driver.compile(archive.Archive(graph, (x,)), result="i32").archive.graph, x)[0].tobytes() == (
        wide.tobytes()
    )


@pytest.mark.parametrize("module", ["mcugen", "mcugen.cli"])
def test_python_runs_the_module(module: str, tmp_path: Path) -> None:
    def call(*words: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", module, *words]
        return subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)

    done = call("targets", "--json")
    assert done.returncode == 0 and done.stderr == "" and len(json.loads(done.stdout)) > 40
    done = call("nonsense")
    assert done.returncode == 2 and "E703" in done.stderr


def test_results_are_checked() -> None:
    with pytest.raises(errors.McugenError, match="unknown result"):
        driver.compile(MODEL, result="i7")


def test_generate_replaces_its_own_directory(run: Run, tmp_path: Path) -> None:
    line = ("generate", MODEL, "--target", "cortex-m4", "-o", "out")
    assert run(*line, "--name", "first").status == 0
    assert "first.h" in files(tmp_path / "out")
    assert run(*line).status == 0
    found = files(tmp_path / "out")
    assert "digits.h" in found and not any(n.startswith("first") for n in found)
    (tmp_path / "empty").mkdir()
    assert run(*line[:-1], "empty").status == 0 and files(tmp_path / "empty") == found


def test_generate_refuses_what_it_did_not_make(run: Run, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.tex").write_text("precious")
    (tmp_path / "file").write_text("precious")
    before = files(tmp_path)
    for place in ("foreign", "file"):
        refused(
            run("generate", MODEL, "--target", "cortex-m4", "-o", place), "E702", f"{place}: exists", "new directory"
        )
    assert files(tmp_path) == before


def test_generate_another_name(run: Run, tmp_path: Path) -> None:
    assert run("generate", MODEL, "--target", "cortex-m0", "--name", "net", "-o", "out").status == 0
    found = files(tmp_path / "out")
    assert {"net.h", "net.c", "net_report.json", "net.mcugen"} <= set(found)
    own = [content for file, content in found.items() if file.startswith("net") and not file.endswith(".mcugen")]
    assert len(own) == 6 and not any(b"digits" in content.lower() for content in own)
    assert archive.from_bytes(found["net.mcugen"], "").graph.name == "net"
    assert run("validate", "out").status == 0


@pytest.mark.parametrize(
    "name, code", [("int", "E403"), ("../x", "E403"), ("a b", "E403"), ("1st", "E403"), ("", "E403")]
)
def test_bad_names(name: str, code: str, run: Run, tmp_path: Path) -> None:
    refused(run("generate", MODEL, "--target", "cortex-m0", f"--name={name}", "-o", "out"), code)
    assert not files(tmp_path)


def test_emit_stages(run: Run, tmp_path: Path) -> None:
    line = ("generate", MODEL, "--target", "cortex-m4", "--emit")
    artifact = driver.compile(MODEL, target="cortex-m4")
    for stage in ("ir", "plan", "c"):
        answer = run(*line, stage)
        assert answer.status == 0 and answer.err == "" and answer.out == driver.stage(artifact, stage)
        assert run(*line, stage, "--json").json == {"stage": stage, "text": answer.out}
    assert run(*line, "c").out.encode() == artifact.files["digits.c"]
    for step in artifact.program.steps:
        assert step.kernel.name in run(*line, "plan").out
    full = run(*line, "ir", "--full").out
    assert len(full) > len(run(*line, "ir").out)
    assert ir.text(ir.parse(full, OPS), None) == full
    assert not files(tmp_path)


def test_a_model_that_does_not_fit_is_not_written(run: Run, tmp_path: Path) -> None:
    (tmp_path / "big.mcugen").write_bytes(pooling((1, 400, 400)))
    line = ("generate", "big.mcugen", "--target", "cortex-m0", "-o", "out")
    answer = run(*line)
    assert answer.status == cli.NO and answer.out == ""
    assert re.search(r"\[E404\] big: the model exceeds the target.s ram by [\d,]+ bytes", answer.err)
    assert "too many" in answer.err
    answer = run(*line, "--json")
    assert answer.status == cli.NO and answer.json["error"]["code"] == "E404"
    assert answer.json["report"]["totals"]["ram_bytes"] == 200_000
    assert sorted(os.listdir(tmp_path)) == ["big.mcugen"]
    assert run(*line[:3], "cortex-m4", "-o", "out").status == 0


def test_generate_wants_a_place(run: Run) -> None:
    refused(run("generate", MODEL, "--target", "cortex-m0"), "E703", "-o DIR")
    refused(run("generate", MODEL, "--target", "cortex-m0", "--emit=elf"), "E703", "elf")


# ---- validate ----


@pytest.mark.parametrize("place", ["host", "sanitize", pytest.param("qemu", marks=needs_arm)])
def test_validate(place: str, run: Run, digits: Path) -> None:
    machine = "mps2-an386" if place == "qemu" else place
    answer = run("validate", str(digits), "--on", place, "--count", "35")
    assert answer.status == 0 and answer.err == ""
    assert re.fullmatch(rf"{machine} +PASS  35 of 35 vectors equal in every byte(, stack \d+ B)?\n", answer.out)


@needs_arm
def test_validate_everywhere(run: Run, digits: Path) -> None:
    document = run("validate", str(digits), "--on", "all", "--count", "5", "--json").json
    assert document["passed"] is True and document["changed_files"] == [] and document["model"] == "digits"
    assert [(m["place"], m["vectors"], m["failed"]) for m in document["machines"]] == [
        ("host", 5, 0),
        ("sanitize", 5, 0),
        ("mps2-an386", 5, 0),
    ]
    assert document["skipped"] == []
    refused(run("validate", str(digits), "--on", "unicorn"), "E404", "Armv6-M code only")


@needs_arm
def test_validate_everywhere_on_armv6m(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("unicorn")
    assert run("generate", MODEL, "--target", "cortex-m0", "-o", "out").status == 0
    document = run("validate", "out", "--on", "all", "--count", "5", "--json").json
    assert document["passed"] is True and document["skipped"] == []
    assert [m["place"] for m in document["machines"]] == ["host", "sanitize", "microbit", "unicorn"]
    assert document["machines"][2]["stack_bytes"] == document["machines"][3]["stack_bytes"] > 0


def test_validate_everywhere_without_unicorn(run: Run, digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcugen.sim.armv6m.installed", lambda: False)
    assert run("generate", MODEL, "--target", "cortex-m0", "-o", "out").status == 0
    if ARM:
        refused(run("validate", "out", "--on", "unicorn"), "E501", "not installed", "mcugen[sim]")
        answer = run("validate", "out", "--on", "all", "--count", "2")
        assert answer.status == 0 and re.search(r"^unicorn +skipped: \[E501\]", answer.out, re.M)


def test_validate_on_own_inputs(run: Run, digits: Path, tmp_path: Path) -> None:
    x = np.random.default_rng(3).integers(0, 256, (7, 1, 8, 8)).astype(np.uint8)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "flat.npy", x.reshape(7, 64))
    np.savez(tmp_path / "x.npz", x, np.zeros(3))
    for name in ("x.npy", "flat.npy", "x.npz"):
        answer = run("validate", str(digits), "--data", name)
        assert answer.status == 0 and "7 of 7" in answer.out, name


def test_validate_on_several_inputs(run: Run, tmp_path: Path) -> None:
    graph = ir.parse((Path(__file__).parent / "golden" / "ports.txt").read_text(), OPS)
    archive.save(Archive(graph, tuple(np.zeros((0, *v.type.shape), np.uint8) for v in graph.inputs)), "ports.mcugen")
    assert run("generate", "ports.mcugen", "--target", "cortex-m4", "-o", "ports").status == 0
    assert run("analyze", "ports.mcugen", "--target", "cortex-m4").status == 0
    assert "19 of 19" in run("validate", "ports", "--count", "19").out
    image, imu = np.full((7, 36), 3, np.uint8), np.full((7, 6), 15, np.uint8)
    np.savez("right.npz", **{"imu.raw": imu, "image": image})
    answer = run("validate", "ports", "--data", "right.npz")
    assert answer.status == 0 and "7 of 7" in answer.out
    np.save("one.npy", image)
    refused(run("validate", "ports", "--data", "one.npy"), "E704", "one array", "give an .npz of image, imu.raw")
    np.savez("names.npz", image=image, imu=imu)
    refused(run("validate", "ports", "--data", "names.npz"), "E704", "holds image, imu", "image, imu.raw")
    np.savez("high.npz", **{"imu.raw": imu + 1, "image": image})
    refused(run("validate", "ports", "--data", "high.npz"), "E704", "u4[6]")
    np.savez("count.npz", **{"imu.raw": imu[1:], "image": image})
    refused(run("validate", "ports", "--data", "count.npz"), "E704", "6 samples")


def damaged(data: bytes) -> bytes:
    return data[:40] + bytes([data[40] ^ 0x55]) + data[41:-30]


@pytest.mark.parametrize(
    "content, code",
    [
        (None, "E701"),
        (b"", "E701"),
        (b"hello", "E701"),
        (b"PK\3\4 no zip at all", "E701"),
        (b"\x93NUMPY\1\0\x10\0{'descr': 'x'   \n", "E701"),
        (np.array([{}, {}], object), "E701"),
        ([np.zeros((1, 8, 8), np.uint8)], "E701"),  # a truncated npz
        (np.zeros((3, 1, 8, 8), np.int8), "E704"),
        (np.zeros((3, 1, 8, 8), np.float32), "E704"),
        (np.zeros((3, 1, 8, 7), np.uint8), "E704"),
        (np.zeros((0, 1, 8, 8), np.uint8), "E704"),
        (np.uint8(3), "E704"),
    ],
)
def test_validate_refuses_bad_inputs(content: Any, code: str, run: Run, digits: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, list):
        np.savez(tmp_path / "x.npz", *content)
        path.write_bytes(damaged((tmp_path / "x.npz").read_bytes()))
    elif content is not None:
        np.save(path, content, allow_pickle=True)
    refused(run("validate", str(digits), "--data", "x.npy"), code, "x.npy")


def test_validate_refuses_foreign_members_and_huge_shapes(run: Run, digits: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as z:
        z.writestr("readme.txt", "no array")
    refused(run("validate", str(digits), "--data", "x.npz"), "E704", "x.npz")
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000000, 64), }\n"
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header)
    refused(run("validate", str(digits), "--data", "x.npy"), "E701", "x.npy")


@pytest.mark.parametrize("count", ["0", "-3", "100000000000", "x", "1.5"])
def test_validate_counts(count: str, run: Run, digits: Path) -> None:
    refused(run("validate", str(digits), f"--count={count}"), "E703", "--count")


def test_validate_notes_changed_files(run: Run, digits: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(digits, copy)
    with (copy / "digits.h").open("a") as f:
        f.write("/* mine */\n")
    (copy / "README.md").unlink()
    (copy / "extra.c").write_text("typedef int extra;\n")
    answer = run("validate", "copy", "--count", "3")
    assert answer.status == 0
    assert answer.out.endswith("note: not as this mcugen generates them: README.md, digits.h, extra.c\n")
    assert run("validate", "copy", "--count", "3", "--json").json["changed_files"] == [
        "README.md",
        "digits.h",
        "extra.c",
    ]


def test_validate_says_no(run: Run, digits: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(digits, copy)
    source = (copy / "linear_sums.c").read_text()
    (copy / "linear_sums.c").write_text(source.replace("sums[i])", "sums[i] + 400)"))
    answer = run("validate", "copy", "--count", "3")
    assert answer.status == cli.NO and answer.err == "" and "layer fc, index [0]: got" in answer.out
    document = run("validate", "copy", "--count", "3", "--json")
    assert document.status == cli.NO and document.json["passed"] is False
    assert document.json["machines"][0]["differences"][0]["layer"] == "fc"
    (copy / "linear_sums.c").write_text("this is no C")
    refused(run("validate", "copy"), "E502", "linear_sums.c")


@pytest.mark.parametrize(
    "files, words",
    [
        ({}, "no generated model"),
        ({"a_report.json": b"{}", "b_report.json": b"{}"}, "no generated model"),
        ({"a_report.json": b""}, "cannot read"),
        ({"a_report.json": b"[1]"}, "cannot read"),
        ({"a_report.json": b"[" * 100_000}, "cannot read"),
        ({"a_report.json": b"\xff\xfe"}, "cannot read"),
        ({"a_report.json": b"{}"}, "cannot read"),
        ({"a_report.json": b'{"model": "../a", "target": "", "optimize": "", "archive_sha256": 1}'}, "cannot read"),
    ],
)
def test_validate_wants_a_generated_directory(files: dict[str, bytes], words: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "dir").mkdir()
    for name, content in files.items():
        (tmp_path / "dir" / name).write_bytes(content)
    refused(run("validate", "dir"), "E701", words)


def test_validate_wants_a_directory(run: Run) -> None:
    for place in ("missing", MODEL, "."):
        refused(run("validate", place), "E701", f"{place}: no generated model here")


# ---- bad input: always one message with a code, never a traceback, nothing half-written ----

BUILDS = ("analyze", "generate")


def build(run: Run, command: str, model: str, *more: str) -> Answer:
    """analyze or generate a model."""
    out = ("-o", "out") if command == "generate" else ()
    return run(command, model, "--target", "cortex-m0", *out, *more)


BAD_ARCHIVES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "E301"),
    "text": (b"hello", "E301"),
    "onnx": (b"\x08\x07\x12\x07pytorch", "E301"),
    "pickle": (b"\x80\x04\x95cos\nsystem\n(S'touch owned'\ntR.", "E301"),
    "cut": (ARCHIVE.read_bytes()[:-1000], "E301"),
    "half": (ARCHIVE.read_bytes()[:2000], "E301"),
    "damaged": (damaged(ARCHIVE.read_bytes()), "E30."),
    "newer": (edited(lambda d: d.update(mcugen=2)), "E302"),
    "hostile name": (edited(lambda d: d.update(name="../../etc/passwd")), "E303"),
    "unknown operator": (edited(lambda d: d["nodes"][0].update(op="__import__")), "E303"),
    "absurd attribute": (edited(lambda d: d["nodes"][0]["attributes"].update(padding=[10**12] * 4)), "E303"),
    "absurd shape": (edited(lambda d: d["values"]["input"].update(shape=[10**15, 8, 8])), "E303"),
    "negative shape": (edited(lambda d: d["values"]["input"].update(shape=[-1, 8, 8])), "E303"),
    "no node": (edited(lambda d: d["nodes"].clear()), "E303"),
    "cycle": (edited(lambda d: d["nodes"].reverse()), "E303"),
}


@pytest.mark.parametrize("command", BUILDS)
@pytest.mark.parametrize("name", BAD_ARCHIVES)
def test_bad_archives(name: str, command: str, run: Run, tmp_path: Path) -> None:
    content, code = BAD_ARCHIVES[name]
    (tmp_path / "model.mcugen").write_bytes(content)
    where = "input" if "shape" in name else "model.mcugen"
    refused(build(run, command, "model.mcugen"), code, where)
    assert os.listdir(tmp_path) == ["model.mcugen"]


@pytest.mark.parametrize("command", BUILDS)
def test_models_that_are_no_files(command: str, run: Run, tmp_path: Path) -> None:
    for model, words in (("missing.mcugen", "No such file"), (str(tmp_path), "Is a directory"), ("", "No such file")):
        refused(build(run, command, model), "E701", words)
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("command", BUILDS)
def test_unknown_target(command: str, run: Run, tmp_path: Path) -> None:
    out = ("-o", "out") if command == "generate" else ()
    refused(run(command, MODEL, "--target", "cortex-m9", *out), "E401", "'cortex-m9'", "cortex-m4")
    assert not os.listdir(tmp_path)


def test_absurd_sizes_end_in_a_message(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "big.mcugen").write_bytes(pooling((1, 40000, 40000)))
    assert build(run, "analyze", "big.mcugen").status == cli.NO
    assert build(run, "generate", "big.mcugen").status == cli.NO

    def exhausted(*_: object) -> None:
        raise MemoryError("Unable to allocate 1.49 GiB")

    monkeypatch.setattr(driver, "stage", exhausted)
    refused(build(run, "generate", "big.mcugen", "--emit=c"), "E403", "not enough memory", "1.49 GiB")
    assert os.listdir(tmp_path) == ["big.mcugen"]


def test_unwritable_places(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    places = ["file/out", "/proc/mcugen/out", "a" * 300]
    if os.geteuid() != 0:  # root may write everywhere
        (tmp_path / "locked").mkdir(mode=0o500)
        places.append("locked/out")
    for place in places:
        refused(run("generate", MODEL, "--target", "cortex-m0", "-o", place), "E702", "cannot write")
    assert list(files(tmp_path)) == ["file"]


def test_missing_compiler(run: Run, digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CC", "MCUGEN_ARM_GCC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(tmp_path))
    monkeypatch.setitem(sys.modules, "ziglang", None)
    for place in ("host", "sanitize", "all"):
        refused(run("validate", str(digits), "--on", place), "E501", "no C compiler", "apt-get install gcc")
    refused(run("validate", str(digits), "--on", "qemu"), "E501", "arm-none-eabi-gcc", "apt-get install")
    assert build(run, "generate", MODEL).status == 0  # needs none


@needs_arm
def test_missing_emulator(run: Run, digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCUGEN_ARM_GCC", str(shutil.which("arm-none-eabi-gcc")))
    monkeypatch.setenv("PATH", str(tmp_path))
    refused(run("validate", str(digits), "--on", "qemu"), "E501", "qemu-system-arm", "apt-get install")


# ---- module:function ----

MODULE = """
import torch
from torch import nn
from mcugen import qat

torch.manual_seed(0)

def net(*extra):
    layers = nn.Conv2d(1, 4, 3), nn.ReLU(), *extra, nn.Flatten(), nn.Linear(4 * 36, 3)
    x = torch.rand(8, 1, 8, 8)
    model = qat.prepare(nn.Sequential(*layers))
    qat.calibrate(model, [x])
    return model, x

def good():
    return net()

def unsupported():
    return net(nn.Softplus())

def unprepared():
    return nn.Linear(4, 4), torch.rand(2, 4)

def no_sample():
    return net()[0], None
"""


def test_models_from_modules(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    (tmp_path / "cli_models.py").write_text(MODULE)
    assert build(run, "generate", "cli_models:good", "--name", "net").status == 0
    assert run("validate", "out", "--count", "8").status == 0
    before = files(tmp_path)
    refused(build(run, "generate", "cli_models:unsupported"), "E101", "Softplus")
    refused(build(run, "generate", "cli_models:unprepared"), "E107", "prepare")
    refused(build(run, "generate", "cli_models:no_sample"), "E107", "sample")
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    "body, words",
    [
        ("raise RuntimeError('boom')", "RuntimeError: boom"),
        ("return 1 // 0", "ZeroDivisionError"),
        ("raise SystemExit(0)", "SystemExit"),
        ("return {}['x']", "KeyError"),
        ("assert False", "AssertionError"),
        ("return None", "TypeError"),
        ("return 1, 2, 3", "ValueError"),
    ],
)
def test_modules_that_raise(body: str, words: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "cli_raises.py").write_text(f"def model():\n    {body}\n")
    sys.modules.pop("cli_raises", None)
    refused(build(run, "analyze", "cli_raises:model"), "E701", "cli_raises:model", words, "must return")


def test_modules_that_are_not_there(run: Run, tmp_path: Path) -> None:
    (tmp_path / "cli_broken.py").write_text("def model(:\n")
    for model, words in (
        ("cli_nowhere:model", "No module named"),
        ("cli_broken:model", "SyntaxError"),
        ("os:nowhere", "has no attribute"),
        ("os:sep", "not callable"),
        (":", "Empty module name"),
        ("..x:f", "E701"),
    ):
        refused(build(run, "analyze", model), "E701", words)


# ---- JSON everywhere ----


@pytest.mark.parametrize(
    "line, code",
    [
        ("nothing --json", "E703"),
        ("analyze --json", "E703"),
        ("analyze {model} --target cortex-m0 --max-ram x --json", "E703"),
        ("analyze missing --target cortex-m0 --json", "E701"),
        ("analyze {model} --target what --json", "E401"),
        ("generate {model} --target cortex-m0 --json", "E703"),
        ("generate {model} --target cortex-m0 -o /proc/mcugen/x --json", "E702"),
        ("generate os:sep --target cortex-m0 -o x --json", "E701"),
        ("validate missing --json", "E701"),
        ("validate {digits} --data missing.npy --json", "E701"),
        ("validate {digits} --count 0 --json", "E703"),
    ],
)
def test_errors_as_json(line: str, code: str, run: Run, digits: Path) -> None:
    answer = run(*line.format(model=MODEL, digits=digits).split())
    assert answer.status == cli.ERROR
    error = answer.json["error"]
    assert set(error) == {"code", "where", "message", "hint"} and error["code"] == code and error["message"]
    assert code in errors.CODES


# ---- the installed program ----


def script(*argv: str, cwd: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs the console script."""
    return subprocess.run([SCRIPT, *argv], cwd=cwd, capture_output=True, text=True, timeout=120, **options)


@needs_script
def test_the_installed_program(tmp_path: Path) -> None:
    assert "cortex-m4" in script("targets", cwd=tmp_path).stdout
    done = script("generate", MODEL, "--target", "cortex-m4", "-o", "out", cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == ""
    done = script("validate", "out", "--on", "host", cwd=tmp_path)
    assert done.returncode == 0 and "PASS  100 of 100" in done.stdout
    done = script("analyze", MODEL, "--target", "cortex-m4", "--max-ram", "1K", cwd=tmp_path)
    assert done.returncode == cli.NO and done.stderr == ""
    (tmp_path / "cli_here.py").write_text("def model():\n    raise RuntimeError('found')\n")
    for argv, code in (
        (("analyze", "missing", "--target", "cortex-m4"), "E701"),
        (
            ("analyze", "cli_here:model", "--target", "cortex-m4"),
            "E701] cli_here:model: cannot load: RuntimeError: found",
        ),
        (("analyze",), "E703"),
        (("validate", "."), "E701"),
    ):
        done = script(*argv, cwd=tmp_path)
        assert done.returncode == cli.ERROR and done.stdout == "" and done.stderr.startswith(f"mcugen: [{code}"), done


@needs_script
def test_a_reader_that_goes_away_gets_no_traceback(tmp_path: Path) -> None:
    command = f"{shlex.quote(str(SCRIPT))} ops | true"
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
