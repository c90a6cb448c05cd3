/* sparse1_dsp.S - strips of 1 word. */
#if defined(__ARM_FEATURE_DSP)
#include "sparse_dsp.h"

        STRIPS  mcugen1_sparse1_dsp, 1, 1
#endif
