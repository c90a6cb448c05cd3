/* kronecker3.S - blocks of three words, with a step of 1. */
#if defined(__ARM_FEATURE_DSP)
#include "kronecker_dsp.h"

        BLOCK   mcugen1_kronecker3, 3, 1
#endif
