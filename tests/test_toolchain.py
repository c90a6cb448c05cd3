from __future__ import annotations

import os
import shutil
import sys
import time
import types
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from mcugen import toolchain
from mcugen.errors import OutputError, ToolError
from mcugen.toolchain import Compiler

needs_arm = pytest.mark.skipif(not shutil.which("arm-none-eabi-gcc"), reason="no arm-none-eabi-gcc")

SOURCE = """
extern int counter, table[4];
int counter, table[4] = {1, 2, 3, 4};
extern const int primes[2];
const int primes[2] = {2, 3};
int next(int v);
int next(int v) { return v + 1; }
"""


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine with nothing installed; what is put into the folder returned is on PATH."""
    for name in ("CC", "MCUGEN_ARM_GCC", "PLATFORMIO_CORE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setitem(sys.modules, "ziglang", None)
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def fake_program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!{shutil.which('sh', path=os.defpath)}\n{script}\n")
    path.chmod(0o755)
    return path


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_host_compiler() -> None:
    cc = toolchain.host_cc()
    assert cc.path.exists()
    assert cc.version[0].isdigit()


@needs_arm
def test_arm_compiler() -> None:
    cc = toolchain.arm_gcc()
    assert cc.kind == "gcc"
    assert int(cc.version.split(".")[0]) >= 10


@pytest.mark.parametrize(
    "said, kind, version",
    [
        ("gcc (Debian 12.2.0-14+deb12u1) 12.2.0", "gcc", "12.2.0"),
        ("arm-none-eabi-gcc (15:12.2.rel1-1) 12.2.1 20221205", "gcc", "12.2.1"),
        (
            "arm-none-eabi-gcc (Arm GNU Toolchain 14.2 (Build arm-14.52)) 14.2.1 20241119",
            "gcc",
            "14.2.1",
        ),
        ("Debian clang version 14.0.6", "clang", "14.0.6"),
        ("Apple clang version 15.0.0 (clang-1500.3.9.4)", "clang", "15.0.0"),
        ("something else", "gcc", "unknown"),
    ],
)
def test_version(bare: Path, said: str, kind: str, version: str) -> None:
    fake_program(bare / "cc", f"echo '{said}'")
    cc = toolchain.host_cc()
    assert (cc.kind, cc.version) == (kind, version)


def test_variable_with_arguments(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zig = fake_program(bare / "zig", 'test "$1" = cc && echo clang version 17.0.1')
    monkeypatch.setenv("CC", "zig cc")
    assert toolchain.host_cc().command == (str(zig), "cc")


def test_platformio_compiler(bare: Path, tmp_path: Path) -> None:
    folder = tmp_path / "home" / ".platformio" / "packages" / "toolchain-gccarmnoneeabi" / "bin"
    program = fake_program(folder / "arm-none-eabi-gcc", "echo 'arm-none-eabi-gcc (x) 12.3.1'")
    assert toolchain.arm_gcc().path == program


def test_pinned_platformio_compiler(bare: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(tmp_path / "core"))
    folder = tmp_path / "core" / "packages" / "toolchain-gccarmnoneeabi@1.70201.0" / "bin"
    program = fake_program(folder / "arm-none-eabi-gcc", "echo 'arm-none-eabi-gcc (x) 7.2.1'")
    assert toolchain.arm_gcc().path == toolchain.arm_cc().path == program


def test_zig_on_path_is_the_last_choice(bare: Path) -> None:
    zig = fake_program(bare / "zig", 'test "$1" = version && echo 0.17.0')
    cc = toolchain.arm_cc()
    assert (cc.kind, cc.version, cc.command) == ("zig", "0.17.0", (str(zig), "cc"))
    with pytest.raises(ToolError, match="E501"):
        toolchain.arm_gcc()
    gcc = fake_program(bare / "arm-none-eabi-gcc", "echo 'arm-none-eabi-gcc (x) 12.3.1'")
    assert toolchain.arm_cc().path == gcc


def test_zig_of_pypi(bare: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = types.ModuleType("ziglang")
    package.__spec__ = ModuleSpec("ziglang", None)
    monkeypatch.setitem(sys.modules, "ziglang", package)
    python = fake_program(tmp_path / "python", 'test "$*" = "-m ziglang version" && echo 0.16.1')
    monkeypatch.setattr(sys, "executable", str(python))
    assert toolchain.arm_cc().command == (str(python), "-m", "ziglang", "cc")


def test_zig_that_is_broken_and_zig_that_is_not_wanted(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_program(bare / "zig", "echo no cache; exit 1")
    with pytest.raises(ToolError, match=r"E501.*zig: is no working zig: no cache"):
        toolchain.arm_cc()
    monkeypatch.setenv("MCUGEN_ARM_GCC", "/no/such/gcc")
    with pytest.raises(ToolError, match=r"E501.*MCUGEN_ARM_GCC names"):
        toolchain.arm_cc()


def test_flags_of_a_core_in_words_of_zig() -> None:
    zig, gcc = Compiler(Path("zig"), "zig", "0", ("cc",)), Compiler(Path("gcc"), "gcc", "12")
    m4 = ["-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard", "-O2"]
    assert toolchain.core_flags(gcc, m4) == m4
    said = " ".join(toolchain.core_flags(zig, m4))
    assert said.startswith("-target thumb-freestanding-eabihf -isystem ")
    assert said.endswith(" -mcpu=cortex_m4 -O2") and "fpu" not in said and "thumb " not in said
    said = " ".join(toolchain.core_flags(zig, ["-mcpu=cortex-m33+nodsp", "-mthumb", "-DX=-mcpu"]))
    assert "thumb-freestanding-eabi " in said and said.endswith(" -mcpu=cortex_m33-dsp -DX=-mcpu")


def test_missing_compilers(bare: Path) -> None:
    with pytest.raises(ToolError, match=r"E501.*no C compiler") as host:
        toolchain.host_cc()
    assert "apt-get install gcc" in str(host.value)
    with pytest.raises(ToolError, match="E501") as arm:
        toolchain.arm_gcc()
    with pytest.raises(ToolError, match="E501") as cross:
        toolchain.arm_cc()
    assert str(cross.value) == str(arm.value)
    for choice in (
        "apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi",
        "pio pkg install --global --tool platformio/toolchain-gccarmnoneeabi",
        "-m pip install ziglang",
        "export MCUGEN_ARM_GCC=",
    ):
        assert choice in str(arm.value)
    with pytest.raises(ToolError, match="E501") as emulator:
        toolchain.find_tool("qemu-system-arm")
    assert "apt-get install qemu-system-arm" in str(emulator.value)


@pytest.mark.parametrize("variable, find", [("CC", "host_cc"), ("MCUGEN_ARM_GCC", "arm_gcc")])
def test_chosen_compiler_missing(bare: Path, monkeypatch: pytest.MonkeyPatch, variable: str, find: str) -> None:
    monkeypatch.setenv(variable, "/no/such/gcc")
    with pytest.raises(ToolError, match=f"E501.*{variable} names '/no/such/gcc'"):
        getattr(toolchain, find)()


def test_compiler_that_is_none(bare: Path) -> None:
    fake_program(bare / "cc", "echo license expired; exit 1")
    with pytest.raises(ToolError, match=r"E501.*\n?.*license expired"):
        toolchain.host_cc()


def test_compile_error(tmp_path: Path) -> None:
    good = write(tmp_path / "good.c", "int one(void);\nint one(void) { return 1; }\n")
    bad = write(tmp_path / "bad.c", "int two(void) { return nothing; }\n")
    with pytest.raises(ToolError, match="E502") as error:
        toolchain.compile(toolchain.host_cc(), [good, bad], tmp_path)
    assert error.value.where == "bad.c"
    assert "nothing" in error.value.message


def test_warning_is_an_error(tmp_path: Path) -> None:
    source = write(tmp_path / "narrow.c", "char cut(int v);\nchar cut(int v) { return v; }\n")
    with pytest.raises(ToolError, match="conversion"):
        toolchain.compile(toolchain.host_cc(), [source], tmp_path)


def test_long_complaints_are_cut(tmp_path: Path) -> None:
    source = write(tmp_path / "many.c", "".join(f"int f{i}(void) {{ return a{i}; }}\n" for i in range(50)))
    with pytest.raises(ToolError, match=r"\.\.\. \d+ more lines") as error:
        toolchain.compile(toolchain.host_cc(), [source], tmp_path)
    assert len(error.value.message.splitlines()) < 25


def test_link_error(tmp_path: Path) -> None:
    cc = toolchain.host_cc()
    source = write(tmp_path / "main.c", "int absent(void);\nint main(void) { return absent(); }\n")
    with pytest.raises(ToolError, match="absent") as error:
        toolchain.link(cc, toolchain.compile(cc, [source], tmp_path), tmp_path / "program")
    assert error.value.code == "E502"


def test_same_name_twice(tmp_path: Path) -> None:
    for folder in "ab":
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / "same.c", f"int {folder};\n")
    sources = [tmp_path / "a" / "same.c", tmp_path / "b" / "same.c"]
    first, second = toolchain.compile(toolchain.host_cc(), sources, tmp_path)
    assert first != second
    assert first.exists()
    assert second.exists()


def test_define_and_include(tmp_path: Path) -> None:
    (tmp_path / "inc").mkdir()
    write(tmp_path / "inc" / "it.h", "extern int answer;\n")
    source = write(tmp_path / "it.c", "#include HEADER\nint answer = ANSWER;\n")
    defines = {"HEADER": '"it.h"', "ANSWER": "42"}
    toolchain.compile(toolchain.host_cc(), [source], tmp_path, include=[tmp_path / "inc"], defines=defines)


@needs_arm
def test_arm_sizes(tmp_path: Path) -> None:
    (made,) = toolchain.compile(toolchain.arm_gcc(), [write(tmp_path / "s.c", SOURCE)], tmp_path)
    sizes = toolchain.object_sizes(made)
    assert (sizes["rodata"], sizes["data"], sizes["bss"]) == (8, 16, 4)
    assert 4 <= sizes["text"] <= 64


def test_host_sizes(tmp_path: Path) -> None:
    (made,) = toolchain.compile(toolchain.host_cc(), [write(tmp_path / "s.c", SOURCE)], tmp_path)
    sizes = toolchain.object_sizes(made)
    assert (sizes["data"], sizes["bss"]) == (16, 4)
    assert sizes["rodata"] >= 8  # and what the host needs to unwind its stack


@pytest.mark.parametrize("content", [None, b"", b"MZ not an ELF file", b"\x7fELF\x01\x01" + b"\xff" * 60])
def test_sizes_of_no_object(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.o"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(OutputError, match="E701"):
        toolchain.object_sizes(path)


def test_slow_program_and_its_children_are_killed(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    program = fake_program(tmp_path / "slow", f"echo working; (sleep 1.2; echo > {mark}) & wait")
    begin = time.monotonic()
    with pytest.raises(ToolError, match=r"E503.*slow: did not finish in 0.4 s; it said: working"):
        toolchain.call([str(program)], code="E503", timeout=0.4)
    assert time.monotonic() - begin < 1.1
    time.sleep(1)
    assert not mark.exists()
