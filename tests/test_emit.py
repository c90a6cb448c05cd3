from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import graphs
import numpy as np
import pytest

from mcugen import driver, emit, interp, ir, layout, project, report, toolchain
from mcugen.archive import Archive
from mcugen.driver import Artifact, write_directory
from mcugen.errors import McugenError, OutputError, TargetError
from mcugen.ir import Array, DType, Graph, Out, Quant, Value
from mcugen.kernels.base import Field
from mcugen.ops import OPS
from mcugen.sim import host, qemu
from mcugen.toolchain import WARNINGS, Compiler

GOLDEN = Path(__file__).parent / "golden"
GOALS = {
    "mlp": ("cortex-m4", "balanced"),
    "strides": ("cortex-m4", "speed"),
    "residual": ("cortex-m4", "speed"),
    "separable": ("cortex-m0", "balanced"),
    "pooling": ("cortex-m4", "speed"),
    "requantize": ("cortex-m0", "size"),
    "int8": ("cortex-m0", "speed"),
    "series": ("cortex-m4", "speed"),
    "passes": ("cortex-m4", "size"),
    "names": ("cortex-m4", "balanced"),
    "ports": ("cortex-m4", "balanced"),
}
COMPARED = (".h", ".c", "_weights.c", "_kat.h", "_report.json")
CORES = {"cortex-m0": ("-mcpu=cortex-m0", "-mthumb"), "cortex-m4": ("-mcpu=cortex-m4", "-mthumb")}

ARM = bool(shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm"))
needs_arm = pytest.mark.skipif(not ARM, reason="no arm-none-eabi-gcc or no qemu-system-arm")


def source(name: str) -> Graph:
    return ir.parse((GOLDEN / f"{name}.txt").read_text(), OPS)


def build(
    graph: Graph, target: str = "cortex-m4", optimize: str = "balanced", samples: Array | None = None
) -> Artifact:
    none = tuple(np.zeros((0, *v.type.shape), v.type.dtype.numpy) for v in graph.inputs)
    given = none if samples is None else (samples,)
    return driver.compile(Archive(graph, given), target=target, optimize=optimize)


@cache
def golden(name: str) -> Artifact:
    target, goal = GOALS[name]
    return build(source(name), target, goal)


def compared(artifact: Artifact) -> dict[str, str]:
    """The files that goldens hold; the archive's hash depends on the zlib in use."""
    files = {f"{artifact.name}{s}": artifact.files[f"{artifact.name}{s}"].decode() for s in COMPARED}
    key = f"{artifact.name}_report.json"
    document = json.loads(files[key])
    assert re.fullmatch(r"[0-9a-f]{64}", document.pop("archive_sha256"))
    return files | {key: json.dumps(document, indent=2) + "\n"}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All goldens in one directory: files of one name have one content."""
    directory = tmp_path_factory.mktemp("generated")
    for name in GOALS:
        for file, content in golden(name).files.items():
            if file in emit.LIBRARY_FILES:
                continue
            assert not (directory / file).exists() or (directory / file).read_bytes() == content, file
            (directory / file).write_bytes(content)
    return directory


def c_files(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.c"))


def files(directory: Path) -> dict[str, bytes]:
    """Every file below a directory, by its path there."""
    return {p.relative_to(directory).as_posix(): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


# ---- goldens ----


def test_every_golden_is_tested() -> None:
    assert {p.stem for p in GOLDEN.glob("*.txt")} == set(GOALS)
    assert {p.name for p in GOLDEN.iterdir() if p.is_dir()} <= set(GOALS)


@pytest.mark.parametrize("name", GOALS)
def test_golden(name: str, update_golden: bool) -> None:
    found = compared(golden(name))
    directory = GOLDEN / name
    if update_golden:
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        for file, text in found.items():
            (directory / file).write_text(text)
    assert {p.name for p in directory.iterdir()} == set(found), "run pytest --update-golden and read the diff"
    for file, text in found.items():
        assert text == (directory / file).read_text(), f"{file}: run pytest --update-golden and read the diff"


def test_goldens_show_what_matters() -> None:
    steps = [s for name in GOALS for s in golden(name).program.steps]
    assert {s.kernel.stem for s in steps} >= {
        "conv2d_lanes",
        "depthwise_flat",
        "linear_lists",
        "requantize_flat",
        "relayout",
        "add_lanes",
        "maxpool_lanes",
    }
    assert {golden(n).program.graph.outputs[0].type.dtype for n in GOALS} >= {DType.I16, DType.U8, DType.I32}
    assert golden("passes").report["constant_channels_removed"] == {"v2": [6, 3], "v4": [3, 2]}
    assert len({type(n.op).__name__ for n in golden("passes").program.graph.nodes} & {"Requantize", "Flatten"}) == 0
    assert {golden(n).target.name for n in GOALS} == set(CORES)


@pytest.mark.parametrize("name", GOALS)
def test_goldens_run(name: str, tmp_path: Path) -> None:
    artifact = golden(name)
    artifact.save(tmp_path / "out")
    model = host.HostModel(tmp_path / "out", name)
    graph = source(name)
    x = graphs.random_inputs(graph, 5, 64)
    want = layout.vectors([v.type for v in graph.outputs], interp.run(graph, *x))
    np.testing.assert_array_equal(model.run(layout.vectors([v.type for v in graph.inputs], x)), want)


# ---- compilers ----


@pytest.mark.parametrize("cc", ["gcc", "clang"])
@pytest.mark.parametrize("level", ["-O0", "-Os", "-O2", "-O3"])
def test_hosts_compile_without_a_warning(cc: str, level: str, sources: Path, tmp_path: Path) -> None:
    if not shutil.which(cc):
        pytest.skip(f"no {cc}")
    compiler = Compiler(toolchain.find_tool(cc), "clang" if cc == "clang" else "gcc", "")
    toolchain.compile(compiler, c_files(sources), tmp_path, flags=[level], include=[sources])


def kat_sources(work: Path) -> list[Path]:
    """A file for each golden that includes its known-answer vectors."""
    found = []
    for name in GOALS:
        path = work / f"use_{name}.c"
        path.write_text(
            f'#include "{name}_kat.h"\nvoid use_{name}(kat_model *m, uint8_t *y);\n'
            f"void use_{name}(kat_model *m, uint8_t *y)\n"
            "{\n    kat_run(m, kat_x[0], y);\n    kat_step(m, 0, kat_x[0], y);\n    y[0] = kat_y[0][0];\n}\n"
        )
        found.append(path)
    return found


@needs_arm
@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("level", ["-Os", "-O2"])
def test_arm_compiles_without_a_warning_or_writable_data(core: str, level: str, sources: Path, tmp_path: Path) -> None:
    files = [*c_files(sources), *sorted(sources.glob("*.S")), *kat_sources(tmp_path)]
    objects = toolchain.compile(toolchain.arm_gcc(), files, tmp_path, flags=[*CORES[core], level], include=[sources])
    for file, made in zip(files, objects, strict=True):
        sizes = toolchain.object_sizes(made)
        assert (sizes["data"], sizes["bss"]) == (0, 0), (file.name, sizes)
        if file.name.endswith("_weights.c"):
            name = file.name.removesuffix("_weights.c")
            assert sizes["rodata"] >= golden(name).program.table_bytes and sizes["text"] == 0


def test_everything_is_cpp_too(sources: Path, tmp_path: Path) -> None:
    if not shutil.which("g++"):
        pytest.skip("no g++")
    cpp = Compiler(toolchain.find_tool("g++"), "gcc", "")
    flags = ("-x", "c++", "-std=c++11", "-Wall", "-Wextra", "-Wpedantic", "-Werror")
    files = [*c_files(sources), *kat_sources(tmp_path)]
    toolchain.compile(cpp, files, tmp_path, include=[sources], warnings=flags)


@needs_arm
def test_symbols(sources: Path, tmp_path: Path) -> None:
    """Kernels are weak and carry their version; everything else carries the model's name."""
    files = c_files(sources)
    objects = toolchain.compile(toolchain.arm_gcc(), files, tmp_path, flags=CORES["cortex-m4"], include=[sources])
    kernels = {p.stem for p in driver.emit.resources.KERNELS.glob("*.c")}
    seen = set()
    for file, made in zip(files, objects, strict=True):
        status, text = toolchain.call(
            [str(toolchain.find_tool("arm-none-eabi-nm")), "-g", "--defined-only", str(made)], code="E502"
        )
        assert status == 0
        for _, kind, symbol in (line.split() for line in text.splitlines()):
            if file.stem in kernels:
                assert kind == "W" and symbol.startswith(f"mcugen{emit.KERNELS_VERSION}_"), (file.name, kind, symbol)
            else:
                model = file.stem.removesuffix("_weights")
                assert symbol.startswith(f"{model}_"), (file.name, symbol)
            seen.add(symbol)
    assert {"mlp_run", "mlp_step", "mcugen1_lanes_seal"} <= seen


def test_kernels_of_another_version_are_refused(sources: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(sources, other)
    header = other / "mcugen.h"
    header.write_text(header.read_text().replace("MCUGEN_KERNELS_VERSION 1", "MCUGEN_KERNELS_VERSION 2"))
    with pytest.raises(toolchain.ToolError, match=r"E502(.|\n)*different mcugen versions"):
        toolchain.compile(toolchain.host_cc(), [other / "mlp.c"], tmp_path, include=[other])


# ---- two models in one program ----

TWO = """
#include "port.h"
#include "%(a)s.h"
#include "%(b)s.h"

static const uint8_t x_a[] = {%(x_a)s}, y_a[] = {%(y_a)s}, x_b[] = {%(x_b)s}, y_b[] = {%(y_b)s};
static struct %(a)s a;
static struct %(b)s b;
static %(type_a)s got_a[%(len_a)d];
static %(type_b)s got_b[%(len_b)d];

static int same(const void *got, const uint8_t *want, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (((const uint8_t *)got)[i] != want[i]) {
            return 0;
        }
    }
    return 1;
}

int main(void)
{
    const unsigned most = %(steps_a)d > %(steps_b)d ? %(steps_a)d : %(steps_b)d;

    %(a)s_run(&a, x_a, got_a);
    %(b)s_run(&b, x_b, got_b);
    if (!same(got_a, y_a, sizeof y_a) || !same(got_b, y_b, sizeof y_b)) {
        return 1;
    }
    got_a[0] = 0;
    got_b[0] = 0;
    for (unsigned step = 0; step < most; step++) { /* in turns; a step beyond the last does nothing */
        %(a)s_step(&a, step, x_a, got_a);
        %(b)s_step(&b, step, x_b, got_b);
    }
    return same(got_a, y_a, sizeof y_a) && same(got_b, y_b, sizeof y_b) ? 42 : 2;
}
"""


def two_models(work: Path, a: Artifact, b: Artifact) -> tuple[list[Path], list[Path]]:
    """Sources and include directories of a program with two models from two directories."""
    values: dict[str, object] = {}
    directories = []
    for letter, artifact in (("a", a), ("b", b)):
        graph, name = artifact.archive.graph, artifact.name
        x = graphs.random_input(graph, 3, 3)[2:]
        (y,) = interp.run(graph, x)
        t = graph.outputs[0].type
        values |= {letter: name, f"type_{letter}": f"{t.dtype.numpy.name}_t", f"len_{letter}": t.size}
        values[f"steps_{letter}"] = len(artifact.program.steps)
        for what, data in (("x", x), ("y", y)):
            values[f"{what}_{letter}"] = ", ".join(map(str, np.ascontiguousarray(data).ravel().view(np.uint8)))
        directories.append(work / name)
        artifact.save(directories[-1])
    (work / "two.c").write_text(TWO % values)
    sources = (p for d in directories for p in (*c_files(d), *sorted(d.glob("*.S"))))
    return [work / "two.c", *sources], directories


@pytest.mark.parametrize("machine", ["host", *(pytest.param(m, marks=needs_arm) for m in qemu.MACHINES)])
def test_two_models_in_one_program(machine: str, tmp_path: Path) -> None:
    files, include = two_models(tmp_path, golden("strides"), golden("residual"))
    assert len({p.name for p in files}) < len(files)  # kernels that both bring
    if machine == "host":
        assert host.run_exe(host.build_exe(files, include, {}, tmp_path / "exe"), tmp_path) == (42, "")
    else:
        elf = qemu.build_elf(files, include, {}, machine, tmp_path / "elf")
        assert qemu.run_elf(elf, machine, tmp_path) == (42, "")


def renamed(graph: Graph, name: str, layers: dict[str, str]) -> Graph:
    """The graph with another name and other names of its layers."""
    text = re.sub(r"(?m)^graph .*$", f"graph {name}", ir.text(graph))
    for old, new in layers.items():
        text = re.sub(rf"%{re.escape(old)}(?=[.,:)\s]|$)", f"%{new}", text)
    return ir.parse(text, OPS)


def table_names(artifact: Artifact) -> list[str]:
    return re.findall(r"^const \w+ (\w+)\[", artifact.files[f"{artifact.name}_weights.c"].decode(), re.M)


def test_models_whose_names_begin_alike_link(tmp_path: Path) -> None:
    """Joined by plain underscores, layer a_b of `net` and layer b of `net_a` have tables of one name."""
    mlp = source("mlp")
    first, *_ = (n.output.name for n in mlp.nodes)
    a, b = build(renamed(mlp, "net", {first: "a_b"})), build(renamed(mlp, "net_a", {first: "b"}))
    assert "a_b_k" in a.files["net.c"].decode() and "b_k" in b.files["net_a.c"].decode()
    files, include = two_models(tmp_path, a, b)
    assert host.run_exe(host.build_exe(files, include, {}, tmp_path / "exe"), tmp_path) == (42, "")


@pytest.mark.parametrize("name", GOALS)
def test_the_name_of_a_table_says_whose_it_is(name: str) -> None:
    """Model, step and field are cut at the last two underscores; no function of a model is called as a field is."""
    artifact = golden(name)
    names = table_names(artifact)
    assert len(set(names)) == len(names) > 0
    steps = set()
    for table in names:
        model, step, field = table.rsplit("_", 2)
        assert model == name and step and field
        assert field not in ("run", "step", "quantize", "dequantize")
        steps.add(step)
    assert len(steps) == len([s for s in artifact.program.steps if any(tables_of(f) for f in s.bound.fields)])


def tables_of(field: Field) -> int:
    if isinstance(field.value, tuple):
        return sum(map(tables_of, field.value))
    return isinstance(field.value, np.ndarray)


def test_layers_that_differ_in_their_underscores_have_tables_of_their_own() -> None:
    mlp = source("mlp")
    first, second, *_ = (n.output.name for n in mlp.nodes)
    names = table_names(build(renamed(mlp, "net", {first: "a_b", second: "ab"})))
    assert len(set(names)) == len(names) and {n.split("_")[1] for n in names} >= {"ab", "abn2"}


# ---- determinism ----

GENERATE = """
import sys
from pathlib import Path
import numpy as np
from mcugen import driver, ir
from mcugen.archive import Archive
from mcugen.ops import OPS
for name, target, goal in zip(*[iter(sys.argv[2:])] * 3):
    graph = ir.parse(Path(sys.argv[1], f"{name}.txt").read_text(), OPS)
    t = graph.inputs[0].type
    archive = Archive(graph, (np.zeros((0, *t.shape), t.dtype.numpy),))
    driver.compile(archive, target=target, optimize=goal).save(name)
"""


def test_equal_bytes_in_any_process_and_directory(tmp_path: Path) -> None:
    names = ("strides", "residual", "passes")
    arguments = [a for n in names for a in (n, *GOALS[n])]
    for seed in ("1", "77"):
        cwd = tmp_path / seed
        cwd.mkdir()
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(driver.__file__).parents[1])}
        subprocess.run([sys.executable, "-c", GENERATE, str(GOLDEN), *arguments], cwd=cwd, env=env, check=True)
    for name in names:
        want = golden(name).files
        for seed in ("1", "77"):
            found = files(tmp_path / seed / name)
            assert found == want
        assert not any(str(tmp_path).encode() in content for content in want.values())


# ---- report ----


@pytest.mark.parametrize("name", GOALS)
def test_report(name: str) -> None:
    artifact = golden(name)
    document = json.loads(artifact.files[f"{name}_report.json"])
    assert {k: v for k, v in document.items() if k != "archive_sha256"} == json.loads(json.dumps(artifact.report))
    totals, steps, graph = document["totals"], document["steps"], source(name)
    assert (document["model"], document["core"]) == (name, artifact.target.core.name)
    assert [p["name"] for p in document["inputs"]] == [v.name for v in graph.inputs]
    assert len(steps) == len(artifact.program.steps)
    for key in ("macs", "additions", "weight_bytes", "table_bytes"):
        assert totals[key] == sum(s[key] for s in steps), key
    assert totals["cycles_estimated"] == pytest.approx(sum(s["cycles_estimated"] for s in steps), abs=len(steps))
    assert totals["logical_bound_bytes"] <= totals["arena_bound_bytes"] <= totals["arena_bytes"]
    assert totals["flash_bytes_estimated"] > totals["table_bytes"] >= totals["weight_bytes"] > 0
    assert 0 <= totals["additions"] <= totals["macs"]
    assert all(s["density"] is None or 0 <= s["density"] <= 1 for s in steps)
    used = max((s["offset"] + s["bytes"] for s in steps if s["place"] == "arena"), default=0)
    assert used <= totals["arena_bytes"] <= document["target_ram"]
    text = report.text(artifact.report)
    assert all(s["name"] in text for s in steps) and "fits" in text
    header = artifact.files[f"{name}.h"].decode()
    assert f"#define {name.upper()}_ARENA_BYTES {max(4, totals['arena_bytes'])}\n" in header
    assert f"{totals['macs']} MAC, {totals['cycles_estimated']} cycles" in header
    assert len(artifact.files[f"{name}_kat.h"]) < 8 * driver.MAX_KAT_BYTES


def test_report_names_removed_channels() -> None:
    assert "v2: 3 of 6 channels were constant and are gone" in report.text(golden("passes").report)


# ---- what cannot be generated ----

RESERVED = (
    *("int", "main", "x", "y", "m", "step", "arena", "template", "struct", "true", "and", "linux", "static_assert"),
    *("kat", "port", "stdint", "String", "uint8_t", "_net", "__net"),
    *("net_weights", "Net_KAT"),
    *("mcugen", "mcugen_linear", "linear", "Linear", "dot", "lanes", "conv2d_flat_ref", "unpack"),
)


@pytest.mark.parametrize("name", RESERVED)
def test_reserved_names(name: str) -> None:
    with pytest.raises(TargetError, match=r"E403.*reserved in C"):
        build(replace(source("mlp"), name=name))


@pytest.mark.parametrize("name", ["model", "net1", "kws_10", "run", "a", "strings2"])
def test_other_names_compile(name: str, tmp_path: Path) -> None:
    artifact = build(replace(source("mlp"), name=name))
    artifact.save(tmp_path / "out")
    assert host.HostModel(tmp_path / "out", name).in_bytes == 23


@pytest.mark.parametrize("name", ["Net", "NET", "kWS"])
def test_names_that_differ_in_case_alone_would_share_macros(name: str) -> None:
    with pytest.raises(TargetError, match=rf"E403.*upper case[^$]*--name {name.lower()}"):
        build(replace(source("mlp"), name=name))


# ---- several inputs and outputs ----

# Words of C and of the generated code, types, macros in another case, names that are the same in C.
HARD = (
    "x",
    "y",
    "arena",
    "m",
    "step",
    "in",
    "model",
    "int",
    "uint8_t",
    "net_run",
    "net",
    "NULL",
    "a/b",
    "a.b",
    "A_b",
    "1",
)


def copies(names: tuple[str, ...]) -> Graph:
    """A network that gives out its inputs, each of another length."""
    inputs = tuple(Value(n, ir.Tensor(DType.U8, (i + 1,), Quant(0.5))) for i, n in enumerate(names))
    return Graph("net", inputs, (), inputs)


@pytest.mark.parametrize("names", [HARD, ("x", "y"), ("y", "x")], ids=["hard", "xy", "yx"])
def test_arguments_are_called_as_their_values(names: tuple[str, ...], tmp_path: Path) -> None:
    artifact = build(copies(names))
    inputs, outputs = emit.interface(artifact.program.graph)
    called = [p.arg for p in (*inputs, *outputs)]
    assert len({a.upper() for a in called}) == 2 * len(names)
    assert not set(called) & {"arena", "m", "step", "in", "int", "uint8_t", "net_run", "net"}
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", a) for a in called)
    if names[0] == "x":
        assert called[:2] == ["x", "y"]
    artifact.save(tmp_path / "out")
    x = tuple(np.arange(3 * (i + 1), dtype=np.uint8).reshape(3, -1) for i in range(len(names)))
    flat = np.concatenate(x, axis=1)
    np.testing.assert_array_equal(host.HostModel(tmp_path / "out", "net").run(flat), flat)


def test_the_header_of_several_ports() -> None:
    header = golden("ports").files["ports.h"].decode()
    prototype = """void ports_run(struct ports *m,
    const uint8_t image[PORTS_IMAGE_LEN],
    const uint8_t imu_raw[PORTS_IMU_RAW_LEN],
    uint8_t label[PORTS_LABEL_LEN],
    int16_t logits[PORTS_LOGITS_LEN]);"""
    assert prototype in header
    for line in (
        "#define PORTS_IMU_RAW_LEN 6 /* 6, bytes 0 .. 15 */",
        "#define PORTS_LOGITS_LEN 3 /* 3, signed 16-bit */",
        "#define PORTS_IMU_RAW_ZERO_POINT 8",
        "static inline uint8_t ports_imu_raw_quantize(float v)",
        "static inline float ports_logits_dequantize(int16_t q)",
    ):
        assert line in header
    assert "PORTS_IN_LEN" not in header and "ports_quantize" not in header


def test_conversions_of_several_ports(tmp_path: Path) -> None:
    golden("ports").save(tmp_path / "out")
    (tmp_path / "t.c").write_text("""#include "ports.h"
int main(void)
{
    return !(ports_imu_raw_quantize(-100.0f) == 0 && ports_imu_raw_quantize(100.0f) == 15
        && ports_imu_raw_quantize(0.2f) == 10 && ports_image_quantize(1.0f) == 20
        && ports_logits_dequantize(-100) == -1.0f && ports_label_dequantize(2) == 2.0f
        && PORTS_IMU_RAW_SCALE == 0.1f && PORTS_LOGITS_ZERO_POINT == 0);
}
""")
    exe = host.build_exe([tmp_path / "t.c"], [tmp_path / "out"], {}, tmp_path / "exe")
    assert host.run_exe(exe, tmp_path) == (0, "")


def test_the_example_program_of_several_ports(tmp_path: Path) -> None:
    for name in ("ports", "mlp"):
        files = project.files(golden(name))
        golden(name).save(tmp_path / name)
        (tmp_path / f"{name}.c").write_bytes(files["src/main.c"])
        sources = [tmp_path / f"{name}.c", *c_files(tmp_path / name)]
        exe = host.build_exe(sources, [tmp_path / name], {}, tmp_path / "exe", flags=host.SANITIZE)
        status, text = host.run_exe(exe, tmp_path)
        assert status == 0 and f"PASS {name}: " in text


def test_results_of_several_outputs() -> None:
    """The index of the largest in place of each."""
    artifact = driver.compile(golden("ports").archive, result="argmax")
    x = driver.vectors(artifact.archive, 30)
    values, found = golden("ports").run(x), artifact.run(x)
    assert isinstance(found, tuple) and len(found) == 2
    for v, index in zip(values, found, strict=True):
        np.testing.assert_array_equal(index[:, 0], v.argmax(1))


def test_inputs_by_name_and_in_order() -> None:
    artifact = golden("ports")
    x = driver.vectors(artifact.archive, 9)
    want = artifact.run(x)
    assert isinstance(want, tuple) and [w.shape for w in want] == [(9, 1), (9, 3)]
    for given in (list(x), {"imu.raw": x[1], "image": x[0]}):
        for a, b in zip(artifact.run(given), want, strict=True):
            np.testing.assert_array_equal(a, b)
    single = golden("mlp")
    y = single.run(driver.vectors(single.archive, 9)[0])
    assert isinstance(y, np.ndarray)
    np.testing.assert_array_equal(single.run({"x": driver.vectors(single.archive, 9)[0]}), y)
    bad: list[tuple[interp.Inputs, str]] = [
        (x[0], "1 inputs given, the model has 2"),
        ((x[0], x[1], x[1]), "3 inputs given"),
        ({"image": x[0]}, "inputs image given"),
        ({"image": x[0], "imu": x[1]}, "inputs image, imu given"),
        ((x[1], x[0]), "image: data"),
        ((x[0], x[1][:3]), "imu.raw: 3 samples, the input image has 9"),
    ]
    for given, message in bad:
        with pytest.raises(McugenError, match=rf"E704.*{message}"):
            artifact.run(given)


def test_inputs_wider_than_bytes() -> None:
    x = Value("x", ir.Tensor(DType.I16, (4,), Quant(1.0)))
    b = graphs.Builder(np.random.default_rng(0), (4,))
    b.x, b.ranges = x, {x: graphs.input_range(x)}
    with pytest.raises(TargetError, match=r"E403.*x: the generated code takes bytes, not i16\[4\]"):
        build(b.graph(b.requantize(x)))


@pytest.mark.parametrize("scale", [1e-39, 1e39, 1e300])
def test_scales_that_are_no_float(scale: float) -> None:
    graph = source("mlp")
    x = replace(graph.inputs[0], type=replace(graph.inputs[0].type, quant=Quant(scale)))
    first = replace(graph.nodes[0], inputs=(x, *graph.nodes[0].inputs[1:]))
    with pytest.raises(TargetError, match=r"E403.*x: the scale .* is not a normal 32-bit float"):
        _ = build(replace(graph, inputs=(x,), nodes=(first, *graph.nodes[1:]))).files


# ---- the disk ----


def test_the_directory_is_what_was_made(tmp_path: Path) -> None:
    artifact = golden("mlp")
    artifact.save(tmp_path / "deep" / "out")
    assert files(tmp_path / "deep" / "out") == artifact.files
    assert os.stat(tmp_path / "deep" / "out").st_mode & 0o777 == 0o755
    assert list((tmp_path / "deep").iterdir()) == [tmp_path / "deep" / "out"]


def test_an_earlier_output_is_replaced_whole(tmp_path: Path) -> None:
    out = tmp_path / "out"
    golden("strides").save(out)
    golden("mlp").save(out)
    assert files(out) == golden("mlp").files
    assert list(tmp_path.iterdir()) == [out]
    (tmp_path / "empty").mkdir()
    golden("mlp").save(tmp_path / "empty")
    assert files(tmp_path / "empty") == golden("mlp").files


@pytest.mark.parametrize("file", ["notes.txt", "mine_report.json", "mlp.h"])
def test_what_mcugen_did_not_make_stays(tmp_path: Path, file: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / file).write_text("mine")
    with pytest.raises(OutputError, match=r"E702.*not made by mcugen"):
        golden("mlp").save(out)
    assert [p.read_text() for p in out.iterdir()] == ["mine"]
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("place", ["src", "zephyr/mine", "library.json/mine"])
def test_an_output_with_directories_of_others_stays(tmp_path: Path, place: str) -> None:
    golden("mlp").save(tmp_path / "out")
    if place.startswith("library"):
        (tmp_path / "out" / "library.json").unlink()
    foreign = tmp_path / "out" / place
    foreign.parent.mkdir(exist_ok=True)
    foreign.mkdir()
    with pytest.raises(OutputError, match=r"E702.*not made by mcugen"):
        golden("mlp").save(tmp_path / "out")
    assert foreign.is_dir()


def test_an_output_with_links_stays(tmp_path: Path) -> None:
    golden("mlp").save(tmp_path / "out")
    (tmp_path / "out" / "zephyr").rename(tmp_path / "mine")
    (tmp_path / "out" / "zephyr").symlink_to(tmp_path / "mine")
    with pytest.raises(OutputError, match=r"E702.*not made by mcugen"):
        golden("mlp").save(tmp_path / "out")
    assert len(list((tmp_path / "mine").iterdir())) == 3


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / ("n" * 300)):
        with pytest.raises(OutputError, match="E702"):
            golden("mlp").save(out)
    assert (tmp_path / "file").read_text() == "mine"
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no directory in which nobody may write")
def test_a_parent_that_cannot_be_written() -> None:
    for out in (Path("/proc/out"), Path("/proc/deep/out")):
        with pytest.raises(OutputError, match=f"E702.*{out}: cannot write"):
            golden("mlp").save(out)


def test_a_directory_that_cannot_be_made_or_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(driver.tempfile, "mkdtemp", refuse)
        with pytest.raises(OutputError, match=r"E702.*Permission denied"):
            golden("mlp").save(tmp_path / "out")
    golden("mlp").save(tmp_path / "out")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "iterdir", refuse)
        with pytest.raises(OutputError, match=r"E702.*Permission denied"):
            golden("mlp").save(tmp_path / "out")
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]


class Refusing:
    """Path methods that fail from the nth call on, or only then."""

    def __init__(self, method: str, nth: int) -> None:
        self.real, self.nth, self.calls, self.name = getattr(Path, method), nth, 0, method

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(path: Path, *args: object) -> object:
            self.calls += 1
            if self.calls == self.nth:
                raise OSError(28, "No space left on device")
            return self.real(path, *args)

        monkeypatch.setattr(Path, self.name, refuse)


@pytest.mark.parametrize(
    "method, nth, earlier",
    [
        ("write_bytes", 1, False),
        ("write_bytes", 4, False),
        ("write_bytes", 4, True),
        ("replace", 1, False),
        ("replace", 1, True),
        ("replace", 2, True),
    ],
)
def test_a_disk_that_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, nth: int, earlier: bool
) -> None:
    out = tmp_path / "out"
    if earlier:
        golden("strides").save(out)
    wanted = golden("mlp").files
    with monkeypatch.context() as patch:
        Refusing(method, nth).install(patch)
        with pytest.raises(OutputError, match=r"E702.*No space left"):
            write_directory(out, wanted)
    if earlier:
        assert files(out) == golden("strides").files
    assert list(tmp_path.iterdir()) == ([out] if earlier else [])


# ---- the header's helpers ----

HELPERS = """
#include <string.h>
#include "port.h"
#include "helpers.h"

int main(void)
{
    uint8_t bytes[4];
    float v;
    const int in = port_open_read("in"), out = port_open_write("result");

    while (port_read(in, bytes, 4) == 4) {
        memcpy(&v, bytes, 4);
        bytes[0] = helpers_quantize(v);
        port_write(out, bytes, 1);
    }
    for (int32_t q = -32768; q < 32768; q += 7) {
        v = helpers_dequantize((int16_t)q);
        memcpy(bytes, &v, 4);
        port_write(out, bytes, 4);
    }
    port_close(out);
    return 0;
}
"""


def helper_inputs(scale: float, zero: int) -> Array:
    """Steps, halves, just above and below, both ends, far beyond, and no number at all."""
    steps = ((np.arange(-300, 300, dtype=np.float32) - zero) * np.float32(scale)).astype(np.float32)
    halves = ((np.arange(-300, 300, dtype=np.float32) + np.float32(0.5) - zero) * np.float32(scale)).astype(np.float32)
    near = np.concatenate([np.nextafter(halves, np.float32(s)) for s in (-np.inf, np.inf)]).astype(np.float32)
    odd = np.array([np.inf, -np.inf, np.nan, 1e30, -1e30, 0.0, -0.0], np.float32)
    return np.concatenate([steps, halves, near, odd])


@pytest.mark.parametrize(
    "dtype, scale, zero, out_zero",
    [(DType.U8, 0.05, 0, 0), (DType.U8, 1 / 3, 128, -5), (DType.U4, 2.0, 7, 0), (DType.U8, 1e-7, 255, 100)],
)
def test_helpers_of_the_header(dtype: DType, scale: float, zero: int, out_zero: int, tmp_path: Path) -> None:
    b = graphs.Builder(np.random.default_rng(0), (4,), zero, dtype)
    b.x = Value("x", ir.Tensor(dtype, (4,), Quant(scale, zero)))
    b.ranges[b.x] = graphs.input_range(b.x)
    to = Out(DType.I16, Quant(scale * 0.7, out_zero), -32768, 32767)
    graph = b.graph(b.sum(graphs.Linear(), b.x, b.weights((3, 4)), to))
    build(replace(graph, name="helpers")).save(tmp_path / "out")
    (tmp_path / "main.c").write_text(HELPERS)
    v = helper_inputs(scale, zero)
    (tmp_path / "in").write_bytes(v.astype("<f4").tobytes())
    for flags in (host.SANITIZE, ("-O2",)):
        exe = host.build_exe([tmp_path / "main.c"], [tmp_path / "out"], {}, tmp_path / "exe", flags=flags)
        assert host.run_exe(exe, tmp_path) == (0, "")
        data = (tmp_path / "result").read_bytes()
        with np.errstate(over="ignore", invalid="ignore"):
            q = v / np.float32(scale) + np.float32(zero + 0.5)
        want = np.clip(np.nan_to_num(np.floor(q), nan=0.0), 0, dtype.hi).astype(np.uint8)
        np.testing.assert_array_equal(np.frombuffer(data[: v.size], np.uint8), want)
        numbers = np.arange(-32768, 32768, 7)
        real = np.float32(scale * 0.7) * (numbers - out_zero).astype(np.float32)
        np.testing.assert_array_equal(np.frombuffer(data[v.size :], "<f4"), real)


def test_no_helper_without_a_single_scale() -> None:
    graph = source("mlp")
    last = graph.nodes[-1]
    scales = tuple(0.1 * (i + 1) for i in range(5))
    op = replace(last.op, to=replace(last.op.to, quant=Quant(scales)))  # type: ignore[attr-defined, type-var]
    end = ir.Node(op, last.inputs, replace(last.output, type=replace(last.output.type, quant=Quant(scales))))
    header = build(replace(graph, nodes=(*graph.nodes[:-1], end), outputs=(end.output,))).files["mlp.h"].decode()
    assert "mlp_quantize" in header and "dequantize" not in header


def test_warnings_are_the_strict_ones() -> None:
    assert {"-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"} == set(WARNINGS)
