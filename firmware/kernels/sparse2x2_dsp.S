/* sparse2x2_dsp.S - strips of 2 words, of every second word of x. */
#if defined(__ARM_FEATURE_DSP)
#include "sparse_dsp.h"

        STRIPS  mcugen1_sparse2x2_dsp, 2, 2
#endif
