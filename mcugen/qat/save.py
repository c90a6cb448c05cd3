"""qat.save: a trained model -> an archive, from which mcugen compiles without torch."""

from __future__ import annotations

import os

from torch import Tensor, fx

from .. import archive
from ..frontends.torch import fake_codes, lower
from ..ir import Graph


def save(model: fx.GraphModule, sample: Tensor, path: str | os.PathLike[str], name: str = "model") -> Graph:
    """Lower a prepared, trained model and write the archive; returns the graph.

    sample: inputs (N, ...); quantised, they become the known-answer vectors of the firmware. ModelError E101..E107,
    OutputError E702.
    """
    graph = lower(model, sample, name)
    (value,) = graph.inputs
    codes = fake_codes(model, sample)[value.name].reshape(-1, *value.type.shape).astype(value.type.dtype.numpy)
    archive.save(archive.Archive(graph, (codes,)), path)
    return graph
