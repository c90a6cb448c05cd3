/* kronecker4g18.S - blocks of four words of 18 groups, with a step of 1. */
#if defined(__ARM_FEATURE_DSP)
#include "kronecker_dsp.h"

        BLOCK   mcugen1_kronecker4g18, 4, 1, 18, 1
#endif
