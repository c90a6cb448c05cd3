/* sparse3x2_dsp.S - strips of 3 words, of every second word of x. */
#if defined(__ARM_FEATURE_DSP)
#include "sparse_dsp.h"

        STRIPS  mcugen1_sparse3x2_dsp, 3, 2
#endif
