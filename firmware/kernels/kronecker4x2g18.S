/* kronecker4x2g18.S - blocks of four words of 18 groups, with a step of 2. */
#if defined(__ARM_FEATURE_DSP)
#include "kronecker_dsp.h"

        BLOCK   mcugen1_kronecker4x2g18, 4, 2, 18, 1
#endif
