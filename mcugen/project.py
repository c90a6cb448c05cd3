"""A PlatformIO project round a generated directory: its files, adding to one, running it, and the offline mode."""

from __future__ import annotations

import difflib
import json
import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import __version__, driver, emit, resources, targets, toolchain
from .driver import Artifact
from .errors import OutputError, TargetError, ToolError
from .report import ports
from .sim import qemu
from .sim.qemu import OVERHEAD

PIO = resources.FIRMWARE / "pio"
NEW_GCC = "platformio/toolchain-gccarmnoneeabi@~1.120301.0"  # ststm32 takes GCC 7 otherwise
# The usual framework of PlatformIO's platforms; arduino for the others.
FRAMEWORKS = {"ststm32": "cmsis", "nxplpc": "mbed"}
# Platforms that are not in its registry.
ELSEWHERE = {"apollo3blue": "https://github.com/nigelb/platform-apollo3blue"}


@dataclass(frozen=True)
class Board:
    """An environment on PlatformIO's standard route."""

    id: str
    platform: str
    framework: str
    flags: str  # of compiler, assembler and linker
    packages: str


@dataclass(frozen=True)
class Machine:
    """An environment of the local platform: a machine of QEMU."""

    name: str
    env: str
    core: str
    flags: str
    flash: int
    ram: int
    need: int  # bytes of RAM for this model's test


def files(artifact: Artifact, board: str | None = None) -> dict[str, bytes]:
    """The project: path -> content. TargetError E401 for a board that is not known, E402 if the code is not for it."""
    name = artifact.name
    found = [machine(m, artifact) for m in qemu.MACHINES.values()]
    fit = [m for m in found if m.need <= m.ram]
    view: dict[str, Any] = {
        "name": name,
        "NAME": name.upper(),
        "version": __version__,
        "machines": fit,
        "too_small": [m for m in found if m not in fit],
        "envs": [*(m.env for m in fit), "native"],
        "board": _board(board, artifact) if board else None,
        **emit.interface_view(*emit.interface(artifact.program.graph)),
    }
    texts = {
        "platformio.ini": emit.render("platformio.ini", view),
        "README.md": emit.render("project_README.md", view),
        "src/main.c": emit.render("main.c", view),
        ".gitignore": ".pio/\n",
        # PlatformIO looks for libraries in the includes, and sees no name behind a macro.
        f"test/test_{name}/test_{name}.c": f'#include "{name}_kat.h"\n#define MCUGEN_KAT "{name}_kat.h"\n'
        + (resources.TEST / "kat.c").read_text(),
        f"test/test_{name}/guarded.h": (resources.TEST / "guarded.h").read_text(),
        "test/test_custom_runner.py": (PIO / "test_custom_runner.py").read_text(),
        "pio/boards/host.json": _json(_description("host", "this machine", {}, {})),
    }
    for file in ("platform.json", "builder/main.py", "offline.py", "flags.py"):
        texts[f"pio/{file}"] = (PIO / file).read_text()
    for file in ("port.h", "common.ld", "semihost/port.c", "semihost/startup.c", "host/port.c"):
        texts[f"pio/port/{file}"] = (resources.PORT / file).read_text()
    for m in fit:
        texts[f"pio/port/{m.name}/link.ld"] = (resources.PORT / m.name / "link.ld").read_text()
        build = {"cpu": m.core, "machine_flags": m.flags, "qemu_machine": m.name}
        upload = {"maximum_size": m.flash, "maximum_ram_size": m.ram}
        texts[f"pio/boards/{m.env}.json"] = _json(_description(m.env, f"{m.name} on QEMU", build, upload))
    library = {f"lib/{name}/{k}": v for k, v in artifact.files.items()}
    return dict(sorted({**{k: v.encode() for k, v in texts.items()}, **library}.items()))


def machine(m: qemu.Machine, artifact: Artifact) -> Machine:
    """A machine as an environment: its memories are those of its linker script."""
    script = (resources.PORT / m.name / "link.ld").read_text()
    sizes = re.findall(r"^\s*(FLASH|RAM)\b.*LENGTH\s*=\s*(\d+)([KM]?)", script, re.M)
    memory = {kind: int(n) * {"": 1, "K": 1024, "M": 1024**2}[unit] for kind, n, unit in sizes}
    need = artifact.plan.arena + ports(artifact.archive.graph) + OVERHEAD
    env = m.name.replace("-", "_")
    return Machine(m.name, env, m.core, " ".join(m.flags), memory["FLASH"], memory["RAM"], need)


def _description(name: str, about: str, build: dict[str, str], upload: dict[str, int]) -> dict[str, Any]:
    return {
        "name": about,
        "vendor": "mcugen",
        "url": "https://www.qemu.org/docs/master/system/target-arm.html" if build else "",
        "frameworks": [],
        "build": {"mcu": name, "f_cpu": "0L", **build},
        "upload": upload or {"maximum_size": 0, "maximum_ram_size": 0},
    }


def _json(document: Any) -> str:
    return json.dumps(document, indent=2) + "\n"


def _board(text: str, artifact: Artifact) -> Board:
    """--board: the name of a target or its id at PlatformIO, else PLATFORM/BOARD of a board that is no target.

    The flags are the board's own where it is a target: the framework is compiled with the same -mcpu and FPU.
    """
    platform, _, name = text.rpartition("/")
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", name) or not re.fullmatch(r"[A-Za-z0-9_.-]*", platform):
        raise TargetError("E401", f"{text[:60]!r} is no PlatformIO board", where="--board")
    target = targets.on_platformio(text)
    if target is None and not platform:
        known = [t.platformio.partition("/")[2] for t in map(targets.get, targets.names()) if t.platformio]
        near = ", ".join(difflib.get_close_matches(name, known, 3, 0.6))
        hint = f"give PLATFORM/{name}, as in https://docs.platformio.org/page/boards"
        hint += f"; known: {near}" if near else ""
        raise TargetError(
            "E401", f"PlatformIO's platform for the board {name!r} is not known", where="--board", hint=hint
        )
    flags, framework = artifact.target.flags, ""
    if target is not None:
        lacks = ", ".join(sorted(set(artifact.target.core.isa) - {"m0"} - set(target.core.isa)))
        if lacks:
            message = f"the kernels for {artifact.target.name} use {lacks}, which {target.name} lacks"
            raise TargetError("E402", message, where="--board", hint=f"generate with --target {target.name}")
        platform, _, name = target.platformio.partition("/")
        flags, framework = target.flags, target.framework
    packages = NEW_GCC if platform == "ststm32" else ""
    framework = framework or FRAMEWORKS.get(platform, "arduino")
    return Board(name, ELSEWHERE.get(platform, platform), framework, " ".join(flags), packages)


def save(directory: Path, name: str, content: dict[str, bytes]) -> tuple[str, ...]:
    """Write a project, or add to one: lib/<name> is replaced, other files that exist are kept, and named.

    OutputError E702 if it cannot be written, or if something else is there.
    """
    if not (directory / "platformio.ini").is_file():
        driver.write_directory(directory, content)
        return ()
    prefix = f"lib/{name}/"
    library = {k.removeprefix(prefix): v for k, v in content.items() if k.startswith(prefix)}
    driver.write_directory(directory / prefix, library)
    kept = []
    try:
        for file, data in content.items():
            path = directory / file
            if file.startswith(prefix):
                continue
            if os.path.lexists(path):
                if path.read_bytes() != data:
                    kept.append(file)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    except OSError as e:
        raise OutputError("E702", f"cannot write: {e.strerror}", where=str(e.filename or directory)) from None
    return tuple(kept)


def interpreter() -> str:
    """The Python that runs `pio`: this one if it has platformio, else the one that the program names. E501."""
    import importlib.util

    if importlib.util.find_spec("platformio"):
        return sys.executable
    hint = "pip install 'mcugen[pio]'"
    found = shutil.which("pio")
    if not found:
        raise ToolError("E501", "PlatformIO is not installed", where="pio", hint=hint)
    with open(found, "rb") as f:
        first = f.readline(300).decode(errors="replace")
    for python in (first[2:].strip(), str(Path(found).resolve().with_name("python"))):
        if os.path.isabs(python) and "python" in python and os.access(python, os.X_OK):
            return python
    raise ToolError("E501", f"cannot tell which Python runs {found}", where="pio", hint=hint)


def offline(core: str | None) -> str:
    """Seed PlatformIO's core directory so that it needs no registry; what was done. ToolError E501, E502."""
    command = [interpreter(), str(PIO / "offline.py"), *([core] if core else [])]
    status, text = toolchain.call(command, code="E502", timeout=60)
    if status:
        raise ToolError("E502", text.strip(), where="pio-offline")
    return text.strip()


def run(directory: Path, env: str, timeout: float = 600.0) -> tuple[bool, str]:
    """`pio run -e env -t run` in a project: True if the known answers were right, and all output.

    ToolError E501, E502 if it does not build or its program ends without a verdict, E503.
    """
    command = [interpreter(), "-m", "platformio", "run", "-d", str(directory), "-e", env, "-t", "run"]
    quiet = {"PLATFORMIO_SETTING_ENABLE_TELEMETRY": "No", "PLATFORMIO_DISABLE_UPGRADE_CHECK": "true"}
    status, text = toolchain.call(command, code="E503", timeout=timeout, env=quiet)
    verdict = re.search(r"^(PASS|FAIL) ", text, re.M)
    if verdict is None or (status != 0 and verdict[1] == "PASS"):
        hint = "without PlatformIO's registry: mcugen pio-offline" if "Tool Manager: Installing" in text else ""
        said = "\n".join(text.strip().splitlines()[-20:])
        raise ToolError("E502", f"pio run ended with status {status}\n{said}", where=env, hint=hint)
    return verdict[1] == "PASS", text


def environment(artifact: Artifact) -> str:
    """The environment that stands for the artifact's target: its emulated machine, else this machine."""
    return artifact.target.machine.replace("-", "_") or "native"
