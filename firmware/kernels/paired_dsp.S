/* paired_dsp.S - units of one channel or two, and runs of strips, for cores with the DSP extension. */
#if defined(__ARM_FEATURE_DSP) && !defined(__ARM_FEATURE_MVE)
#include "sparse_dsp.h"
#include "paired_layer.h"

        UNITS   mcugen1_paired_dsp
#endif
