/* sparse3_dsp.S - strips of 3 words. */
#if defined(__ARM_FEATURE_DSP)
#include "sparse_dsp.h"

        STRIPS  mcugen1_sparse3_dsp, 3, 1
#endif
