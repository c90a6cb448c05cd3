/* sparse4x2_dsp.S - strips of 4 words, of every second word of x. */
#if defined(__ARM_FEATURE_DSP)
#include "sparse_dsp.h"

        STRIPS  mcugen1_sparse4x2_dsp, 4, 2
#endif
