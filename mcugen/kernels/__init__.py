"""The kernels: one file each; KERNELS lists every instance, one per weight encoding where a kernel takes several."""

from __future__ import annotations

from ..pack import BASE3, ENCODINGS, I8, PLANES
from .base import Core as Core
from .base import Kernel as Kernel
from .conv2d_flat import Conv2dFlat
from .conv2d_lanes import Conv2dLanes

KERNELS: tuple[Kernel, ...] = (
    *(Conv2dFlat(e) for e in ENCODINGS),
    *(Conv2dLanes(e) for e in ENCODINGS),
)
