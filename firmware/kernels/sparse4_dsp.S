/* sparse4_dsp.S - strips of 4 words. */
#if defined(__ARM_FEATURE_DSP)
#include "sparse_dsp.h"

        STRIPS  mcugen1_sparse4_dsp, 4, 1
#endif
