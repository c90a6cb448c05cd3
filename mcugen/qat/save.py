"""qat.save: a trained model -> an archive, from which mcugen compiles without torch."""

from __future__ import annotations

import os

from torch import fx

from .. import archive
from ..frontends.torch import Sample, to_archive
from ..ir import Graph


def save(model: fx.GraphModule, sample: Sample, path: str | os.PathLike[str], name: str = "model") -> Graph:
    """Lower a prepared, trained model and write the archive; returns the graph.

    sample: inputs (N, ...), of a model with several a tuple of them; quantised, they become the known-answer vectors
    of the firmware. ModelError E101..E107, OutputError E702.
    """
    made = to_archive(model, sample, name)
    archive.save(made, path)
    return made.graph
