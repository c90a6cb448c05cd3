/* sparse2_dsp.S - strips of 2 words. */
#if defined(__ARM_FEATURE_DSP)
#include "sparse_dsp.h"

        STRIPS  mcugen1_sparse2_dsp, 2, 1
#endif
