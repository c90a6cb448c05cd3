/* kronecker4x2.S - blocks of four words, with a step of 2. */
#if defined(__ARM_FEATURE_DSP)
#include "kronecker_dsp.h"

        BLOCK   mcugen1_kronecker4x2, 4, 2
#endif
