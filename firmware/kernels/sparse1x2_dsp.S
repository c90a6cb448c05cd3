/* sparse1x2_dsp.S - strips of 1 word, of every second word of x. */
#if defined(__ARM_FEATURE_DSP)
#include "sparse_dsp.h"

        STRIPS  mcugen1_sparse1x2_dsp, 1, 2
#endif
