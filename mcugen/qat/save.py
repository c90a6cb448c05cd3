"""qat.save: a trained model -> an archive, from which mcugen compiles without torch."""

from __future__ import annotations

import os

from torch import fx

from .. import archive
from ..frontends.torch import Sample, to_archive
from ..image import Image, from_pixels
from ..ir import Graph


def save(
    model: fx.GraphModule, sample: Sample, path: str | os.PathLike[str], name: str = "model", image: Image | None = None
) -> Graph:
    """Lower a prepared, trained model and write the archive; returns the graph.

    sample: inputs (N, ...), of a model with several a tuple of them; quantised, they become the known-answer vectors
    of the firmware. image: the firmware's input is raw pixels, H, W, C bytes, which training (and the sample)
    normalised so. ModelError E101..E107, OutputError E702, McugenError E703 where the input is no image.
    """
    made = to_archive(model, sample, name)
    if image is not None:
        made = from_pixels(made, image)
    archive.save(made, path)
    return made.graph
