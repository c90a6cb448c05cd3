"""Generated code and kernels under other compilers, static analysis and sanitisers."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from test_emit import GOALS, c_files, golden, kat_sources, sources

from mcugen import archive, driver, resources, toolchain
from mcugen.driver import Artifact
from mcugen.sim import host, qemu
from mcugen.toolchain import WARNINGS, Compiler

__all__ = ["sources"]  # a fixture

ROOT = Path(__file__).parent.parent
# Beyond what generated code promises everywhere; free of false alarms in GCC 12, clang 14 and zig's clang.
STRICT = (
    *WARNINGS,
    "-Wcast-align",
    "-Wshadow",
    "-Wstrict-prototypes",
    "-Wmissing-prototypes",
    "-Wundef",
    "-Wdouble-promotion",
)
NEWLIB = next((p for p in (Path("/usr/include/newlib"), Path("/usr/arm-none-eabi/include")) if p.is_dir()), None)
CORE_FLAGS = {"cortex-m0": ("-mcpu=cortex-m0", "-mthumb"), "cortex-m4": ("-mcpu=cortex-m4", "-mthumb")}


def found(name: str, *args: str) -> Compiler:
    if not shutil.which(name):
        pytest.skip(f"no {name}")
    return Compiler(toolchain.find_tool(name), "gcc" if "gcc" in name else "clang", "", args)


@cache
def zig() -> Compiler:
    command = toolchain._zig()
    if not command:
        pytest.skip("no zig: pip install ziglang")
    return Compiler(Path(command[0]), "zig", "", (*command[1:], "cc"))


def compile_all(cc: Compiler, flags: list[str], sources: Path, work: Path) -> None:
    files = [*c_files(sources), *sorted(sources.glob("*.S")), *kat_sources(work)]
    toolchain.compile(cc, files, work, flags=flags, include=[sources], warnings=STRICT)


# ---- compilers; GCC and clang for the host, and GCC for Arm at -Os and -O2, are in test_emit.py ----


@pytest.mark.parametrize("cc", ["gcc", "clang"])
def test_hosts_have_nothing_to_say_either(cc: str, sources: Path, tmp_path: Path) -> None:
    compile_all(found(cc), ["-O2"], sources, tmp_path)


@pytest.mark.parametrize("core, level", [("cortex-m0", "-O3"), ("cortex-m4", "-O0")])
def test_gcc_for_arm(core: str, level: str, sources: Path, tmp_path: Path) -> None:
    compile_all(found("arm-none-eabi-gcc"), [*CORE_FLAGS[core], level, "-Wcast-align=strict"], sources, tmp_path)


@pytest.mark.parametrize(
    "triple, core, level",
    [
        ("thumbv6m-none-eabi", "cortex-m0", "-O0"),
        ("thumbv6m-none-eabi", "cortex-m0", "-O2"),
        ("thumbv7em-none-eabi", "cortex-m4", "-Os"),
        ("thumbv7em-none-eabi", "cortex-m4", "-O3"),
    ],
)
def test_clang_for_arm(triple: str, core: str, level: str, sources: Path, tmp_path: Path) -> None:
    if NEWLIB is None:
        pytest.skip("no headers of newlib")
    cc = found("clang", f"--target={triple}", "-isystem", str(NEWLIB))
    compile_all(cc, [*CORE_FLAGS[core], level], sources, tmp_path)


@pytest.mark.parametrize("triple, core", [("thumbv6m-none-eabi", "cortex-m0"), ("thumbv7em-none-eabi", "cortex-m4")])
def test_clang_takes_all_assembler(triple: str, core: str, tmp_path: Path) -> None:
    """Also of kernels that no golden has."""
    files = sorted(resources.KERNELS.glob("*.S"))
    toolchain.compile(found("clang", f"--target={triple}"), files, tmp_path, flags=CORE_FLAGS[core])


@pytest.mark.parametrize("core, level", [("", "-O0"), ("", "-O2"), ("cortex-m0", "-Os"), ("cortex-m4", "-O3")])
def test_zig(core: str, level: str, sources: Path, tmp_path: Path) -> None:
    cc = zig()
    flags = toolchain.core_flags(cc, CORE_FLAGS[core]) if core else []
    compile_all(cc, [*flags, level], sources, tmp_path)


@pytest.mark.parametrize("machine", qemu.MACHINES)
@pytest.mark.skipif(not shutil.which("qemu-system-arm"), reason="no qemu-system-arm")
def test_zig_links_and_runs_without_newlib(machine: str, tmp_path: Path) -> None:
    golden("names").save(tmp_path / "out")
    result = qemu.run_kat(tmp_path / "out", "names", machine, cc=zig())
    assert result.passed and result.stack_bytes


def test_analyzer(sources: Path, tmp_path: Path) -> None:
    cc = found("gcc")
    files = [p for p in c_files(sources) if not p.name.endswith("_weights.c")]
    toolchain.compile(cc, files, tmp_path, flags=["-O2", "-fanalyzer"], include=[sources])


def test_the_analyzer_is_on(tmp_path: Path) -> None:
    (tmp_path / "bad.c").write_text("int f(int n);\nint f(int n) { int *p = 0; return n ? *p : 0; }\n")
    with pytest.raises(toolchain.ToolError, match="analyzer-null-dereference"):
        toolchain.compile(found("gcc"), [tmp_path / "bad.c"], tmp_path, flags=["-O2", "-fanalyzer"])


def test_no_two_sources_make_one_object() -> None:
    """PlatformIO names objects by the stem alone."""
    stems = [p.stem for p in resources.KERNELS.iterdir() if p.suffix in (".c", ".S")]
    assert sorted(stems) == sorted(set(stems))


# ---- nothing newer than GCC 7 ----

# Every identifier of the compiler's own that C for devices may use, and the first GCC that knows it. PlatformIO's
# ststm32 installs GCC 7 unless told otherwise. Source: GCC's release notes and manuals 4.9, 5, 7, 10.
KNOWN = {
    "__ARM_ARCH_6M__": 4.3,
    "__ARM_ARCH_8M_BASE__": 6.0,  # macro of GCC for Armv8-M; undefined reads as absent
    "__ARM_ARCH_ISA_ARM": 5.0,
    "__ARM_ARCH_ISA_THUMB": 5.0,  # macro of ACLE; undefined reads as absent
    "__ARM_FEATURE_DSP": 5.0,  # likewise
    "__ARM_NEON": 4.9,
    "__ARM_FEATURE_MVE": 10.0,  # likewise: only asked for with #if defined
    "__ARM_FP": 4.9,
    "__ASSEMBLER__": 2.0,
    "__SANITIZE_ADDRESS__": 4.8,
    "__asm__": 2.0,
    "__attribute__": 2.0,
    "__cplusplus": 2.0,
    "__has_feature": 14.0,  # only behind #if defined: clang has it
    "__has_include": 5.0,
}
ONLY_ASKED_FOR = {"__ARM_FEATURE_MVE", "__has_feature"}
# Names of this project's own: the linker script's, and sanitisers' functions, which no device sees.
OWN = re.compile(r"__(data|bss|stack)_(start|end|load|limit|top)__|__[am]san_\w+")
ATTRIBUTES = {
    "always_inline",
    "weak",
    "noreturn",
    "used",
    "naked",
    "noinline",
    "section",
    "visibility",
}  # all of them older than GCC 5
HEADERS = {"stddef.h", "stdint.h", "string.h"}
FOR_LINUX = {"arm_neon.h"}
HOSTED = {"stdio.h", "stdlib.h", "sanitizer/asan_interface.h", "sanitizer/msan_interface.h"}


def device_code() -> Iterator[tuple[str, str]]:
    """(name, text without comments) of what is compiled for devices, and of the tests beside it."""
    for path in sorted(p for p in (*resources.FIRMWARE.rglob("*"), *resources.TEMPLATES.iterdir()) if p.is_file()):
        if re.search(r"\.([chS]|[chS]\.j2)$", path.name) and path.name != "harness.c":  # the tests' own
            yield path.name, re.sub(r"/\*.*?\*/|//[^\n]*", " ", path.read_text(), flags=re.S)


def test_no_builtin_is_newer_than_gcc_7() -> None:
    used: dict[str, set[str]] = {}
    for name, text in device_code():
        for word in re.findall(r"\b__\w+", text):
            used.setdefault(word, set()).add(name)
        for list_ in re.findall(r"__attribute__\(\((.*?)\)\)", text):
            assert set(re.findall(r"[a-z]\w*", re.sub(r'"[^"]*"', "", list_))) <= ATTRIBUTES, name
    strange = {w: sorted(f) for w, f in used.items() if w not in KNOWN and not OWN.fullmatch(w)}
    assert strange == {}, "allow it here with the GCC that it appeared in, or do without"
    assert set(KNOWN) <= set(used), "no longer used"
    assert {w for w, version in KNOWN.items() if version > 7} == ONLY_ASKED_FOR


def test_names_that_gcc_7_lacks_are_only_asked_for() -> None:
    for name, text in device_code():
        for line in text.splitlines():
            for word in ONLY_ASKED_FOR & set(re.findall(r"\b__\w+", line)):
                assert re.search(rf"defined\({word}\)|^#if {word}\(", line), (name, line)


def test_headers_that_device_code_needs() -> None:
    """arm_acle.h is not among them: its functions for SIMD32 are in GCC since 10."""
    for name, text in device_code():
        assert set(re.findall(r"#include <(.*?)>", text)) <= HEADERS | FOR_LINUX | HOSTED, name


# ---- sanitisers ----

ADDRESS = ("gcc", host.SANITIZE)
MEMORY = ("clang", ("-g", "-O1", "-fno-omit-frame-pointer", "-fsanitize=memory", "-fno-sanitize-recover=all"))


@cache
def digits() -> Artifact:
    return driver.compile(archive.load(ROOT / "examples" / "digits" / "digits.mcugen"), target="cortex-m4")


def runtime(cc: Compiler, flags: tuple[str, ...], work: Path) -> None:
    """Skips where a sanitiser's library is not installed."""
    (work / "empty.c").write_text("int main(void) { return 0; }\n")
    try:
        host.build_exe([work / "empty.c"], [], {}, work / "empty", flags=flags, cc=cc)
    except toolchain.ToolError as error:
        pytest.skip(f"no library for {flags[-2]}: {error.message.splitlines()[-1]}")


@pytest.mark.parametrize("cc, flags", [ADDRESS, MEMORY], ids=["address-undefined", "memory"])
def test_sanitizers_find_nothing(cc: str, flags: tuple[str, ...], tmp_path: Path) -> None:
    """All goldens and the digits example, on their embedded vectors; each kernel is compiled once."""
    compiler = found(cc)
    runtime(compiler, flags, tmp_path)
    port = resources.PORT
    artifacts = [*map(golden, GOALS), digits()]
    kernels: dict[str, Path] = {}
    for artifact in artifacts:
        artifact.save(tmp_path / artifact.name)
        for path in c_files(tmp_path / artifact.name):
            if path.stem not in (artifact.name, f"{artifact.name}_weights"):
                kernels[path.name] = path
    shared = toolchain.compile(
        compiler, [*kernels.values(), port / "host" / "port.c"], tmp_path, flags=flags, include=[port]
    )
    for artifact in artifacts:
        name, work = artifact.name, tmp_path / artifact.name
        own = toolchain.compile(
            compiler,
            [work / f"{name}.c", work / f"{name}_weights.c", resources.TEST / "kat.c"],
            work,
            flags=flags,
            include=[work, port],
            defines=host.kat_defines(work, name),
        )
        exe = toolchain.link(compiler, [*own, *shared], work / "kat", flags=flags)
        result = host.read_result(work, *host.run_exe(exe, work))
        assert result.passed, (name, result.failures)


def test_memory_sanitizer_sees_scratch_that_nobody_wrote(tmp_path: Path) -> None:
    cc, flags = found(MEMORY[0]), MEMORY[1]
    runtime(cc, flags, tmp_path)
    golden("separable").save(tmp_path / "out")
    kernel = tmp_path / "out" / "depthwise_flat_ref.c"
    text = kernel.read_text()
    faulty = re.sub(r"k->unpack\(k->weights, .*\);", "(void)n;", text)
    assert faulty != text
    kernel.write_text(faulty)
    result = host.run_kat(tmp_path / "out", "separable", flags=flags, cc=cc)
    assert not result.passed
    assert any("MemorySanitizer: use-of-uninitialized-value" in f.text for f in result.failures)
