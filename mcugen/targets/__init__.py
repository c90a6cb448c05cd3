"""Cores and targets, as data: cores.toml, and one section per target in targets.toml."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import TargetError
from ..kernels.base import Core

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Target:
    """Something that runs firmware: a core with its memories."""

    name: str
    about: str
    core: Core
    flags: tuple[str, ...]  # of arm-none-eabi-gcc
    flash: int  # bytes
    ram: int  # bytes
    clock: int  # Hz; 0 where it means nothing (emulated boards)
    machine: str  # of qemu-system-arm, with the same core; empty if none
    source: str  # where the figures come from
    wait_states: int | None = None  # of flash at that clock; None: not known, or flash is external
    platformio: str = ""  # PLATFORM/BOARD there; empty if none
    framework: str = ""  # there; empty: the usual one of the platform


@cache
def _tables() -> tuple[dict[str, Any], dict[str, Any]]:
    return tuple(tomllib.loads((_HERE / f).read_text()) for f in ("cores.toml", "targets.toml"))  # type: ignore[return-value]


def names() -> tuple[str, ...]:
    """All targets, in the order of the table."""
    return tuple(_tables()[1])


def get(name: str) -> Target:
    """A target by name. TargetError E401 names some that there are."""
    cores, targets = _tables()
    if name not in targets:
        near = difflib.get_close_matches(name.lower(), targets, 4, 0.5)
        hint = f"see `mcugen targets`; cores are targets too: {', '.join(near or cores)}"
        raise TargetError("E401", f"unknown target {name[:60]!r}", hint=hint)
    t = targets[name]
    c = cores[t["core"]]
    core = Core(
        t["core"],
        tuple(t.get("isa", c["isa"])),
        c["load"],
        c["branch"],
        c["multiply"],
        c["pressure"],
        c["long_multiply"],
    )
    return Target(
        name,
        t["about"],
        core,
        tuple(t.get("flags", c["flags"]).split()),
        t["flash"],
        t["ram"],
        t.get("clock", 0),
        t.get("machine", c["machine"]),
        t["source"],
        t.get("wait_states"),
        t.get("platformio", ""),
        t.get("framework", ""),
    )


def on_platformio(board: str) -> Target | None:
    """The target that PlatformIO knows as BOARD or PLATFORM/BOARD, or that has this name and a board there."""
    for name in names():
        target = get(name)
        if target.platformio and board in (name, target.platformio, target.platformio.partition("/")[2]):
            return target
    return None
