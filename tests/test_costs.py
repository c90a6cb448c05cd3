"""Cost functions against the simulator (bench/costs.py), at a handful of layers of kernels that networks take."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parent.parent / "bench"
sys.path.insert(0, str(BENCH))

import costs  # noqa: E402

PACKAGES = all(importlib.util.find_spec(name) for name in ("unicorn", "capstone"))
pytestmark = pytest.mark.skipif(
    not (PACKAGES and shutil.which("arm-none-eabi-gcc")), reason="no unicorn, capstone or arm-none-eabi-gcc"
)

STEMS = ("conv2d_flat", "conv2d_lanes", "depthwise_flat", "depthwise_lanes", "add_flat", "avgpool_flat")
LAYERS = (
    *("bench kws conv i8", "bench kws pw t", "bench ic conv i8", "bench kws dw i8", "bench vww dw 6 t"),
    *("bench ic add 3", "bench ic pool", "bench vww pool", "conv groups t", "depthwise 5x5 i8"),
)


@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m33"])
def test_estimates_of_plain_c_keep_their_limits(core: str) -> None:
    found = list(costs.rows(core, STEMS, LAYERS))
    assert {r.kernel.split("/")[0] for r in found} == set(STEMS)
    assert {r.layer for r in found} == set(LAYERS)
    assert not [r for r in found if abs(r.off) > r.limit], costs.table(found)


NIBBLE_STEMS = ("window_nibbles", "depthwise_nibbles", "concat_nibbles", "pad_nibbles", "upsample_nibbles")
NIBBLE_LAYERS = (
    *("bench u4 dw (64, 25, 5) s1", "bench u4 dw (128, 6, 6) s1", "bench u4 dw (64, 12, 12) s2", "u4 depthwise limits"),
    *("u4 concat", "u4 concat scaled", "u4 pad", "u4 upsample"),
)


@pytest.mark.parametrize("core", ["cortex-m3", "cortex-m4", "cortex-m33"])
def test_estimates_of_nibbles(core: str) -> None:
    """Those of assembler to 2 percent."""
    found = list(costs.rows(core, NIBBLE_STEMS, NIBBLE_LAYERS))
    assert {r.kernel.split("/")[0] for r in found} == set(NIBBLE_STEMS)
    assert {r.layer for r in found} == set(NIBBLE_LAYERS)
    assert not [r for r in found if abs(r.off) > (2 if "window" in r.kernel else r.limit)], costs.table(found)
