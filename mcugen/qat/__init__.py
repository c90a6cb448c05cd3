"""Training of ternary networks: prepare, train with any loop, save.

net = qat.prepare(model, weights=qat.TWN(), activations=qat.LSQ(bits=8))
qat.fit(net, (x_train, y_train), (x_test, y_test))            # or the loop that is there already
qat.save(net, x_test[:32], "model.mcugen")
"""

from __future__ import annotations

from ..frontends.torch import fake_codes as fake_codes
from ..image import Image as Image
from . import augment as augment
from .activations import LSQ as LSQ
from .activations import ActQuantizer as ActQuantizer
from .activations import ChannelError as ChannelError
from .activations import OutputQuantizer as OutputQuantizer
from .activations import ProbabilityQuantizer as ProbabilityQuantizer
from .allocate import Sensitivity as Sensitivity
from .allocate import allocate as allocate
from .allocate import sensitivity as sensitivity
from .calibrate import calibrate as calibrate
from .calibrate import fix_input as fix_input
from .calibrate import recalibrate_bn as recalibrate_bn
from .checkpoint import load_checkpoint as load_checkpoint
from .checkpoint import save_checkpoint as save_checkpoint
from .distill import distillation as distillation
from .fit import Epoch as Epoch
from .fit import evaluate as evaluate
from .fit import fit as fit
from .fit import parameter_groups as parameter_groups
from .gpfq import gpfq as gpfq
from .history import write_history as write_history
from .prepare import default_keep as default_keep
from .prepare import prepare as prepare
from .quantizers.absmean import AbsMean as AbsMean
from .quantizers.direct import DirectQuantization as DirectQuantization
from .quantizers.entropy import EntropyTernary as EntropyTernary
from .quantizers.learnedstep import LearnedStep as LearnedStep
from .quantizers.noise import QuantNoise as QuantNoise
from .quantizers.pruning import PruningTernary as PruningTernary
from .quantizers.slb import SLB as SLB
from .quantizers.ttq import TTQ as TTQ
from .reinit import reinitialize as reinitialize
from .save import save as save
from .summary import Scores as Scores
from .summary import Summary as Summary
from .summary import scores as scores
from .summary import summary as summary
from .weights import TWN as TWN
from .weights import Int8 as Int8
from .weights import WeightQuantizer as WeightQuantizer
from .weights import WeightSpec as WeightSpec
from .weights import density as density
from .weights import discrepancy as discrepancy
from .weights import step as step
