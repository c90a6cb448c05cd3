"""The generated directory in PlatformIO, Arduino, CMake and Zephyr, and the PlatformIO project round it."""

from __future__ import annotations

import configparser
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from mcugen import cli, driver, emit, project, resources, targets
from mcugen.driver import Artifact
from mcugen.errors import OutputError, TargetError, ToolError
from mcugen.sim import qemu
from mcugen.targets import Target

ARCHIVE = Path(__file__).parent.parent / "examples" / "digits" / "digits.mcugen"
ARM = bool(shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm"))
needs_arm = pytest.mark.skipif(not ARM, reason="no arm-none-eabi-gcc or no qemu-system-arm")
needs_cmake = pytest.mark.skipif(not shutil.which("cmake"), reason="no cmake")
Pio = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def artifact() -> Artifact:
    return driver.compile(ARCHIVE, target="cortex-m0", optimize="size")


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PlatformIO's directory, seeded; shared by all projects here, as users share theirs."""
    try:
        python = project.interpreter()
        subprocess.run([python, "-c", "import platformio, SCons"], check=True, capture_output=True)
    except (ToolError, subprocess.CalledProcessError):
        pytest.skip("no PlatformIO with SCons: pip install 'mcugen[pio]'")
    place = tmp_path_factory.mktemp("core")
    assert "from PyPI as tool-scons" in project.offline(str(place))
    return place


@pytest.fixture
def pio(core: Path, monkeypatch: pytest.MonkeyPatch) -> Pio:
    """Runs `pio` in a directory."""
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(core))
    monkeypatch.setenv("PLATFORMIO_SETTING_ENABLE_TELEMETRY", "No")
    monkeypatch.setenv("PLATFORMIO_DISABLE_UPGRADE_CHECK", "true")

    def run(directory: Path, *args: str) -> subprocess.CompletedProcess[str]:
        command = [project.interpreter(), "-m", "platformio", *args]
        return subprocess.run(
            command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300
        )

    return run


def tree(directory: Path) -> dict[str, bytes]:
    return {p.relative_to(directory).as_posix(): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


# ---- PlatformIO ----


@needs_arm
def test_pio_builds_runs_and_tests_every_machine(artifact: Artifact, pio: Pio, tmp_path: Path) -> None:
    assert project.save(tmp_path / "p", "digits", project.files(artifact, "nucleo_f446re")) == ()
    names = [m.replace("-", "_") for m in qemu.MACHINES]
    built = pio(tmp_path / "p", "run")
    assert built.returncode == 0, built.stdout
    assert re.findall(r"^(\w+) +SUCCESS ", built.stdout, re.M) == [*names, "native"]
    assert "warning" not in built.stdout
    for env in (*names, "native"):
        ran = pio(tmp_path / "p", "run", "-e", env, "-t", "run")
        assert ran.returncode == 0 and "PASS digits: 8 of 8 vectors equal in every byte" in ran.stdout, ran.stdout
    tested = pio(tmp_path / "p", "test")
    assert tested.returncode == 0, tested.stdout
    assert re.findall(r"^(\w+) +test_digits +PASSED ", tested.stdout, re.M) == [*names, "native"]


def test_pio_test_says_no(artifact: Artifact, pio: Pio, tmp_path: Path) -> None:
    """And a second project with the same core directory takes its own platform, not the first one's."""
    for place in ("first", "second"):
        project.save(tmp_path / place, "digits", project.files(artifact))
        builder = tmp_path / place / "pio" / "builder" / "main.py"
        builder.write_text(builder.read_text() + f"print('the builder of {place}')\n")
    kernel = tmp_path / "second" / "lib" / "digits" / "linear_ref.c"
    kernel.write_text(kernel.read_text().replace("&k->tail, o, acc)", "&k->tail, o, acc + 400)"))
    first, second = (pio(tmp_path / p, "run", "-e", "native", "-t", "run") for p in ("first", "second"))
    assert first.returncode == 0 and "the builder of first" in first.stdout
    assert second.returncode == 1 and "the builder of second" in second.stdout, second.stdout
    assert "FAIL digits: 0 of 8 vectors" in second.stdout
    tested = pio(tmp_path / "second", "test", "-e", "native")
    assert tested.returncode == 1 and "FAIL 8 of 8" in tested.stdout and "PASSED" not in tested.stdout


TWO = """
#include <string.h>
#include "digits.h"
#include "other.h"
#include "digits_kat.h"
#include "port.h"

static struct digits a;
static struct other b;
static int16_t y[DIGITS_OUT_LEN], z[OTHER_OUT_LEN];

int main(void)
{
    digits_run(&a, kat_x[0], y);
    other_run(&b, kat_x[0], z);
    port_print(memcmp(y, kat_y[0], sizeof y) || memcmp(y, z, sizeof y) ? "FAIL two" : "PASS two");
    return 0;
}
"""


@needs_arm
def test_two_models_in_one_project(artifact: Artifact, pio: Pio, tmp_path: Path) -> None:
    other = driver.compile(ARCHIVE, target="cortex-m4", optimize="speed", name="other")
    project.save(tmp_path, "digits", project.files(artifact))
    (tmp_path / "src" / "main.c").write_text(TWO)
    kept = project.save(tmp_path, "other", project.files(other))
    assert "src/main.c" in kept and (tmp_path / "src" / "main.c").read_text() == TWO
    assert {p.name for p in (tmp_path / "lib").iterdir()} == {"digits", "other"}
    for env in ("mps2_an386", "native"):
        ran = pio(tmp_path, "run", "-e", env, "-t", "run")
        assert ran.returncode == 0 and "PASS two" in ran.stdout, ran.stdout
    tested = pio(tmp_path, "test", "-e", "native")
    assert tested.returncode == 0 and len(re.findall(r"test_(digits|other) +PASSED", tested.stdout)) == 2


@needs_arm
def test_one_command(
    core: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PLATFORMIO_CORE_DIR", str(core))
    line = ["generate", str(ARCHIVE), "--target", "cortex-m4", "--project", "platformio", "--offline", "--run"]
    assert cli.main([*line, "-o", str(tmp_path / "p")]) == cli.OK
    said = capsys.readouterr().out
    assert "PASS digits: 8 of 8 vectors equal in every byte" in said
    (wrote,) = re.findall(r"^wrote \d+ files to ", said, re.M)
    assert wrote in (Path(__file__).parent.parent / "README.md").read_text()
    kernel = tmp_path / "p" / "lib" / "digits" / "README.md"
    kernel.write_text("mine")
    (tmp_path / "p" / "platformio.ini").write_text("[nonsense]\n")
    assert cli.main([*line, "-o", str(tmp_path / "p")]) == cli.ERROR
    captured = capsys.readouterr()
    assert "E502" in captured.err and "mps2_an386" in captured.err
    assert kernel.read_text() != "mine"  # lib/<model> is mcugen's


def test_offline_keeps_what_the_registry_gave(core: Path, tmp_path: Path) -> None:
    place = tmp_path / "packages" / "tool-scons"
    place.mkdir(parents=True)
    (place / "package.json").write_text("{}")
    assert "is there already" in project.offline(str(tmp_path))
    assert (place / "package.json").read_text() == "{}" and len(list(place.iterdir())) == 1
    assert "from PyPI" in project.offline(str(core))  # again is no error


def test_no_platformio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match=r"E501.*not installed"):
        project.interpreter()
    (tmp_path / "pio").write_text("#!/bin/false\n")
    (tmp_path / "pio").chmod(0o755)
    with pytest.raises(ToolError, match=r"E501.*cannot tell"):
        project.interpreter()
    (tmp_path / "pio").write_text(f"#!{sys.executable}\n")
    assert project.interpreter() == sys.executable


# ---- the files ----


def test_project_files(artifact: Artifact) -> None:
    files = project.files(artifact, "nucleo_f446re")
    assert files == project.files(artifact, "nucleo_f446re")
    assert {k.removeprefix("lib/digits/"): v for k, v in files.items() if k.startswith("lib/")} == artifact.files
    ini = files["platformio.ini"].decode()
    default = re.search(r"^default_envs = (.*)$", ini, re.M)
    assert default and default[1].split(", ") == [*(m.replace("-", "_") for m in qemu.MACHINES), "native"]
    assert "[env:nucleo_f446re]\nplatform = ststm32\n" in ini and "extra_scripts = pre:pio/flags.py" in ini
    assert "platform = teensy\nboard = x" in project.files(artifact, "teensy/x")["platformio.ini"].decode()
    assert "ststm32" not in project.files(artifact)["platformio.ini"].decode()
    for wrong in ("unheard_of", "a b", "x/", "a\nb"):
        with pytest.raises(TargetError, match="E401"):
            project.files(artifact, wrong)


ON_PLATFORMIO = [t for t in map(targets.get, targets.names()) if t.platformio]


@pytest.mark.parametrize("target", ON_PLATFORMIO, ids=lambda t: t.name)
def test_every_board_has_its_environment(target: Target) -> None:
    """With the platform, the framework, and the core's own flags for compiler and linker; it is not built here."""
    made = driver.compile(ARCHIVE, target=target.name)
    platform, board = target.platformio.split("/")
    inis = {project.files(made, b)["platformio.ini"] for b in (target.name, board, target.platformio)}
    (text,) = inis  # the target's name and the two forms of its id are the same board
    ini = configparser.ConfigParser(interpolation=None)
    ini.read_string(text.decode())
    env = ini[f"env:{board}"]
    assert env["platform"].rpartition("/platform-")[2] == platform and env["board"] == board
    assert env["framework"] in ("cmsis", "stm32cube", "arduino", "mbed", "zephyr")
    assert env["extra_scripts"] == "pre:pio/flags.py"  # build_flags alone miss the linker
    flags = env["custom_core_flags"].split()
    assert tuple(flags) == target.flags and f"-mcpu={target.core.name}" in flags
    assert ("-mfloat-abi=hard" in flags) == (target.core.name in ("cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55"))
    assert any(f.startswith("-mfpu=") for f in flags) == (target.core.name in ("cortex-m4", "cortex-m7", "cortex-m33"))
    assert ("toolchain-gccarmnoneeabi" in env.get("platform_packages", "")) == (platform == "ststm32")
    assert board not in ini["platformio"]["default_envs"]  # it wants the registry


@pytest.mark.parametrize(
    "board, framework",
    [
        ("nucleo_f446re", "cmsis"),
        ("nucleo_g0b1re", "stm32cube"),  # these three know no cmsis there
        ("nucleo_l4r5zi", "stm32cube"),
        ("nucleo_u575zi_q", "arduino"),
        ("lpc1768", "mbed"),
        ("lpcxpresso55s16", "zephyr"),
        ("teensy40", "arduino"),
        ("ststm32/nucleo_f303k8", "cmsis"),  # no target
        ("atmelavr/x", "arduino"),
    ],
)
def test_a_board_gets_a_framework_that_it_knows(artifact: Artifact, board: str, framework: str) -> None:
    ini = configparser.ConfigParser(interpolation=None)
    ini.read_string(project.files(artifact, board)["platformio.ini"].decode())
    assert ini[f"env:{board.rpartition('/')[2]}"]["framework"] == framework


def test_a_board_gets_its_own_flags(artifact: Artifact) -> None:
    """Cortex-M0 code runs on a Cortex-M4, compiled as the framework is; kernels beyond the board are refused."""
    ini = project.files(artifact, "nucleo_f446re")["platformio.ini"].decode()
    assert "custom_core_flags = -mcpu=cortex-m4 -mfpu=fpv4-sp-d16 -mfloat-abi=hard -mthumb\n" in ini
    assert (
        "custom_core_flags = -mcpu=cortex-m0 -mthumb\n"
        in project.files(artifact, "teensy/x")["platformio.ini"].decode()
    )
    dsp = driver.compile(ARCHIVE, target="cortex-m4")
    with pytest.raises(TargetError, match=r"E402.*use dsp, which nucleo-f072rb lacks(.|\n)*--target nucleo-f072rb"):
        project.files(dsp, "nucleo_f072rb")
    with pytest.raises(TargetError, match=r"E401(.|\n)*known: nucleo_f446re"):
        project.files(dsp, "nucleo_f446rd")


def test_machines_that_are_too_small_are_left_out(artifact: Artifact, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project, "OVERHEAD", 16 * 1024)
    files = project.files(artifact)
    assert "microbit is left out" in files["platformio.ini"].decode()
    assert not any("microbit" in f for f in files)


def test_the_boards_flags_reach_the_linker(monkeypatch: pytest.MonkeyPatch) -> None:
    added: dict[str, list[str]] = {}
    env = SimpleNamespace(GetProjectOption=lambda k: "-mcpu=cortex-m4 -mfloat-abi=hard", Append=added.update)
    runpy.run_path(str(resources.FIRMWARE / "pio" / "flags.py"), {"Import": lambda name: None, "env": env})
    assert added == {key: ["-mcpu=cortex-m4", "-mfloat-abi=hard"] for key in ("CCFLAGS", "ASFLAGS", "LINKFLAGS")}


def test_what_is_no_project_stays(artifact: Artifact, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"E702.*not made by mcugen"):
        project.save(tmp_path, "digits", project.files(artifact))
    (tmp_path / "platformio.ini").write_text("")
    (tmp_path / "lib" / "digits").mkdir(parents=True)
    (tmp_path / "lib" / "digits" / "mine.c").write_text("mine")
    with pytest.raises(OutputError, match=r"E702.*not made by mcugen"):
        project.save(tmp_path, "digits", project.files(artifact))
    assert tree(tmp_path).keys() == {"notes.txt", "platformio.ini", "lib/digits/mine.c"}


# ---- Arduino ----


def test_arduino_zip(artifact: Artifact, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for place in ("a.zip", "b.zip"):
        line = ["generate", str(ARCHIVE), "--target", "cortex-m0", "--optimize", "size"]
        assert cli.main([*line, "--zip", str(tmp_path / place)]) == cli.OK
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert not [p for p in tmp_path.iterdir() if p.suffix != ".zip"]
    with zipfile.ZipFile(tmp_path / "a.zip") as z:
        assert {n.removeprefix("digits/"): z.read(n) for n in z.namelist()} == artifact.files
    assert cli.main([*line, "--zip", str(tmp_path / "none" / "c.zip")]) == cli.ERROR
    assert "E702" in capsys.readouterr().err


def test_arduino_layout(artifact: Artifact) -> None:
    """The library specification 1.5: a flat folder, its name, the fields that the IDE wants, and their characters."""
    lines = artifact.files["library.properties"].decode().splitlines()
    fields = dict(line.split("=", 1) for line in lines)
    wanted = {"name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url", "architectures"}
    assert wanted <= fields.keys()
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,62}", fields["name"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", fields["version"]) and fields["category"] == "Data Processing"
    assert fields["includes"] in artifact.files
    folders = {k.split("/")[0] for k in artifact.files if "/" in k}
    assert folders == {"zephyr"}  # neither src nor utility, so the sources at the top are what is compiled
    assert not any(k.endswith((".c", ".S", ".cpp", ".ino")) for k in artifact.files if "/" in k)


def test_library_json(artifact: Artifact) -> None:
    document = json.loads(artifact.files["library.json"])
    assert document["name"] == "digits" and document["headers"] in artifact.files
    assert document["frameworks"] == document["platforms"] == "*"


# ---- CMake, Zephyr ----

USE = """
cmake_minimum_required(VERSION 3.13)
project(use C)
add_compile_options(-Wall -Wextra -Wpedantic -Werror)
add_subdirectory(digits)
add_subdirectory(other)
add_executable(use main.c port.c)
target_link_libraries(use PRIVATE digits other)
target_include_directories(use PRIVATE ${PORT})
"""
ZEPHYR = """
cmake_minimum_required(VERSION 3.13)
project(use C)
add_library(zephyr_interface INTERFACE)
macro(zephyr_library_named name)
  set(current ${name})
  add_library(${name} STATIC)
endmacro()
macro(zephyr_library_sources)
  target_sources(${current} PRIVATE ${ARGN})
endmacro()
macro(zephyr_include_directories)
  target_include_directories(zephyr_interface INTERFACE ${ARGN})
  target_include_directories(${current} PUBLIC ${ARGN})
endmacro()
set(CONFIG_MCUGEN_DIGITS y)
add_subdirectory(digits/zephyr)
add_executable(use main.c port.c)
target_link_libraries(use PRIVATE digits)
target_include_directories(use PRIVATE ${PORT})
"""


def build(directory: Path, lists: str) -> str:
    """Configure, build and run; what the program prints."""
    (directory / "CMakeLists.txt").write_text(lists)
    shutil.copy(resources.PORT / "host" / "port.c", directory)
    env = {k: v for k, v in os.environ.items() if k != "MAKEFLAGS"}
    for args in (["-S", ".", "-B", "out", f"-DPORT={resources.PORT}"], ["--build", "out"]):
        done = subprocess.run(["cmake", *args], cwd=directory, env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
    return subprocess.run([directory / "out" / "use"], capture_output=True, text=True, check=True).stdout


@needs_cmake
def test_cmake_with_two_models(artifact: Artifact, tmp_path: Path) -> None:
    artifact.save(tmp_path / "digits")
    driver.compile(ARCHIVE, target="cortex-m4", optimize="speed", name="other").save(tmp_path / "other")
    (tmp_path / "main.c").write_text(TWO)
    assert build(tmp_path, USE) == "PASS two"


@needs_cmake
def test_zephyr_module(artifact: Artifact, tmp_path: Path) -> None:
    """With stand-ins for Zephyr's functions; Zephyr itself is not here."""
    artifact.save(tmp_path / "digits")
    (tmp_path / "main.c").write_bytes(project.files(artifact)["src/main.c"])
    assert build(tmp_path, ZEPHYR) == "PASS digits: 8 of 8 vectors equal in every byte\n"
    module = artifact.files["zephyr/module.yml"].decode()
    assert "name: digits\nbuild:\n  cmake: zephyr\n  kconfig: zephyr/Kconfig\n" in module
    assert "config MCUGEN_DIGITS\n\tbool " in artifact.files["zephyr/Kconfig"].decode()
    assert {"zephyr/module.yml", "zephyr/CMakeLists.txt", "zephyr/Kconfig"} <= set(emit.LIBRARY_FILES)
