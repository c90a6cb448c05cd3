"""Where templates/ and firmware/ are: beside this package in a wheel, one folder up in a checkout."""

from __future__ import annotations

from pathlib import Path


def _find(name: str) -> Path:
    here = Path(__file__).resolve().parent
    for place in (here.parent, here):  # the checkout first: an editable install may leave a stale copy inside
        if (place / name).is_dir() and (place != here.parent or (place / "pyproject.toml").is_file()):
            return place / name
    return here / name


TEMPLATES = _find("templates")
FIRMWARE = _find("firmware")
KERNELS = FIRMWARE / "kernels"
PORT = FIRMWARE / "port"
TEST = FIRMWARE / "test"
