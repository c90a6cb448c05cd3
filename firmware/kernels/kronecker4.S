/* kronecker4.S - blocks of four words, with a step of 1. */
#if defined(__ARM_FEATURE_DSP)
#include "kronecker_dsp.h"

        BLOCK   mcugen1_kronecker4, 4, 1
#endif
