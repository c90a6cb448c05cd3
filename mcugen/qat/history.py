"""What fit returns, as a table, as JSON lines, or as a picture."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import math
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ModelError, OutputError

if TYPE_CHECKING:
    from .fit import Epoch

PICTURES = (".png", ".svg", ".pdf")


def write_history(history: Sequence[Epoch], path: str | os.PathLike[str]) -> None:
    """One row per epoch as .csv or .jsonl, or the learning curves as .png, .svg or .pdf (these need matplotlib).

    Numbers that do not exist are empty in CSV and null in JSON. ModelError E107: another ending, or no matplotlib.
    OutputError E702: the file cannot be written.
    """
    path = Path(path)
    check_history(path)
    rows = [
        {"epoch": i, **{k: None if math.isnan(v) else v for k, v in asdict(e).items()}}
        for i, e in enumerate(history, 1)
    ]
    if path.suffix in PICTURES:
        content = _picture(history, path.suffix[1:])
    elif path.suffix == ".csv":
        text = io.StringIO()
        table = csv.DictWriter(text, list(rows[0]) if rows else ["epoch"], lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
        content = text.getvalue().encode()
    else:
        content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    try:
        path.write_bytes(content)
    except OSError as e:
        raise OutputError("E702", f"cannot write: {e.strerror}", where=str(path)) from None


def check_history(path: str | os.PathLike[str]) -> None:
    """ModelError E107 if write_history could not write such a file."""
    suffix = Path(path).suffix
    if suffix not in (".csv", ".jsonl", *PICTURES):
        hint = f"use .csv, .jsonl, {', '.join(PICTURES)}"
        what = f"a history cannot be written as {suffix or 'a file without ending'!r}"
        raise ModelError("E107", what, where=str(path), hint=hint)
    if suffix in PICTURES and importlib.util.find_spec("matplotlib") is None:
        raise ModelError("E107", "learning curves need matplotlib", where=str(path), hint="pip install mcugen[report]")


def _picture(history: Sequence[Epoch], kind: str) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # no display, no global state
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    FigureCanvasAgg(figure)
    left = figure.add_subplot(xlabel="epoch", ylabel="loss")
    right = left.twinx()
    right.set_ylabel("accuracy, density")
    right.set_ylim(0, 1)
    axis = range(1, len(history) + 1)
    left.plot(axis, [e.loss for e in history], color="C0", label="loss")
    for i, name in enumerate(("accuracy", "test_accuracy", "density"), 1):
        values = [getattr(e, name) for e in history]
        if not all(math.isnan(v) for v in values):
            right.plot(axis, values, color=f"C{i}", label=name.replace("_", " "))
    left.grid(alpha=0.3)
    figure.legend(loc="outside upper center", ncols=4)
    out = io.BytesIO()
    figure.savefig(out, format=kind)
    return out.getvalue()
