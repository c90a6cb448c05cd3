"""Cores and targets, as data: cores.toml, and one section per target in targets.toml."""

from __future__ import annotations

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
    machine: str  # of qemu-system-arm; empty if none
    source: str  # where the figures come from


@cache
def _tables() -> tuple[dict[str, Any], dict[str, Any]]:
    return tuple(tomllib.loads((_HERE / f).read_text()) for f in ("cores.toml", "targets.toml"))  # type: ignore[return-value]


def names() -> tuple[str, ...]:
    """All targets, in the order of the table."""
    return tuple(_tables()[1])


def get(name: str) -> Target:
    """A target by name. TargetError E401 lists what there is."""
    cores, targets = _tables()
    if name not in targets:
        raise TargetError("E401", f"unknown target {name[:60]!r}", hint=f"one of: {', '.join(targets)}")
    t = targets[name]
    c = cores[t["core"]]
    core = Core(t["core"], tuple(c["isa"]), c["load"], c["branch"], c["multiply"], c["pressure"], c["long_multiply"])
    return Target(
        name,
        t["about"],
        core,
        tuple(c["flags"].split()),
        t["flash"],
        t["ram"],
        t.get("clock", 0),
        t.get("machine", c["machine"]),
        t["source"],
    )
