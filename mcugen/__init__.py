"""mcugen: a compiler from trained ternary neural networks to bit-packed C firmware for Arm Cortex-M."""

from __future__ import annotations

__version__ = "0.1.0"
