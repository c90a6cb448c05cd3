"""The kernels: one file each; KERNELS lists every instance, one per weight encoding where a kernel takes several."""

from __future__ import annotations

from ..pack import ENCODINGS
from .add_flat import AddFlat
from .add_lanes import AddLanes
from .argmax_flat import ArgMaxFlat
from .avgpool_flat import AvgPoolFlat
from .avgpool_global_lanes import AvgPoolGlobalLanes
from .avgpool_global_nibbles import AvgPoolGlobalNibbles
from .avgpool_lanes import AvgPoolLanes
from .avgpool_nibbles import AvgPoolNibbles
from .base import Core as Core
from .base import Kernel as Kernel
from .binary_nibbles import AddNibbles, MulNibbles
from .chunks import Chunks
from .concat_flat import ConcatFlat
from .concat_lanes import ConcatLanes
from .concat_nibbles import ConcatNibbles
from .conv2d_flat import Conv2dFlat
from .conv2d_lanes import Conv2dLanes
from .depthwise_flat import DepthwiseFlat
from .depthwise_lanes import DepthwiseLanes
from .depthwise_nibbles import DepthwiseNibbles
from .direct import Direct, DirectDepthwise
from .flatten import Flatten
from .im2col import FlatPairs, FlatQuads, Im2colGroups, Im2colPairs, Im2colQuads, NibblePairs, NibbleQuads
from .kronecker import Kronecker
from .linear import Linear
from .linear_codes import LinearCodes
from .linear_dots import LinearDots
from .linear_lists import LinearLists
from .linear_pairs import LinearPairs
from .linear_rice import LinearRice
from .linear_tables import LinearTables
from .lookup_flat import LookupFlat
from .lookup_lanes import LookupLanes
from .maxpool_flat import MaxPoolFlat
from .maxpool_lanes import MaxPoolLanes
from .maxpool_nibbles import MaxPoolNibbles
from .mul_flat import MulFlat
from .mul_lanes import MulLanes
from .nibbles import Nibbles, NibblesDepthwise
from .pad_flat import PadFlat
from .pad_lanes import PadLanes
from .pad_nibbles import PadNibbles
from .paired import Paired
from .pixels_flat import PixelsFlat
from .pixels_lanes import PixelsLanes
from .relayout import Relayout as Relayout
from .requantize_flat import RequantizeFlat
from .requantize_lanes import RequantizeLanes
from .reshape import Reshape
from .scale_nibbles import ScaleNibbles
from .softmax_flat import SoftmaxFlat
from .sparse import Sparse, SparseDepthwise
from .unary_nibbles import LookupNibbles, RequantizeNibbles
from .upsample_flat import UpsampleFlat
from .upsample_lanes import UpsampleLanes
from .upsample_nibbles import UpsampleNibbles
from .window import Window, WindowNibbles

KERNELS: tuple[Kernel, ...] = (
    *(Conv2dFlat(e) for e in ENCODINGS),
    *(Conv2dLanes(e) for e in ENCODINGS),
    *(Direct(e) for e in ENCODINGS),
    Im2colPairs(),
    Im2colQuads(),
    Im2colGroups(),
    Im2colGroups("codes"),
    FlatPairs(),
    FlatQuads(),
    NibblePairs(),
    NibbleQuads(),
    Kronecker(),
    Sparse(),
    Sparse("bytes"),
    Sparse("rice"),
    Sparse("blocks"),
    Sparse("base3"),
    Chunks(),
    Chunks("rice"),
    Paired(),
    Paired("rice"),
    Nibbles(),
    Nibbles("rice"),
    *(DepthwiseFlat(e) for e in ENCODINGS),
    *(DepthwiseLanes(e) for e in ENCODINGS),
    SparseDepthwise(),
    NibblesDepthwise(),
    *(Window(e, mixed) for e in ENCODINGS for mixed in (False, True)),
    *(DirectDepthwise(e) for e in ENCODINGS),
    WindowNibbles(),
    DepthwiseNibbles(),
    *(Linear(e) for e in ENCODINGS),
    LinearLists(),
    LinearRice(),
    LinearCodes(),
    LinearTables(),
    LinearPairs(),
    LinearDots(),
    LinearDots(few=True),
    AddFlat(),
    AddLanes(),
    AddNibbles(),
    MulFlat(),
    MulLanes(),
    MulNibbles(),
    ScaleNibbles(),
    ConcatFlat(),
    ConcatLanes(),
    ConcatNibbles(),
    MaxPoolFlat(),
    MaxPoolLanes(),
    MaxPoolNibbles(),
    AvgPoolFlat(),
    AvgPoolLanes(),
    AvgPoolNibbles(),
    AvgPoolGlobalLanes(),
    AvgPoolGlobalNibbles(),
    PadFlat(),
    PadLanes(),
    PadNibbles(),
    UpsampleFlat(),
    UpsampleLanes(),
    UpsampleNibbles(),
    RequantizeFlat(),
    RequantizeLanes(),
    RequantizeNibbles(),
    LookupFlat(),
    LookupLanes(),
    LookupNibbles(),
    SoftmaxFlat(),
    ArgMaxFlat(),
    PixelsFlat(),
    PixelsLanes(),
    Flatten(),
    Reshape(),
)
