/* sparse_dsp.S - channels and runs of strips, for cores with the DSP extension. */
#if defined(__ARM_FEATURE_DSP) && !defined(__ARM_FEATURE_MVE)
#include "sparse_dsp.h"
#include "sparse_strips.h"

        LAYER   mcugen1_sparse_dsp
#endif
