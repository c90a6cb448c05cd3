"""mcugen: a compiler from trained ternary neural networks to bit-packed C firmware for Arm Cortex-M."""

from __future__ import annotations

from .errors import McugenError as McugenError

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """`mcugen.compile`, `Artifact` and `Image`, imported when first used: they need the whole compiler."""
    if name in ("compile", "Artifact", "Image"):
        from . import driver

        return getattr(driver, name)
    raise AttributeError(f"module 'mcugen' has no attribute {name!r}")
