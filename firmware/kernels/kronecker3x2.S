/* kronecker3x2.S - blocks of three words, with a step of 2. */
#if defined(__ARM_FEATURE_DSP)
#include "kronecker_dsp.h"

        BLOCK   mcugen1_kronecker3x2, 3, 2
#endif
