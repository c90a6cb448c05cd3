/* kronecker3x2g20.S - rows of five places of 20 groups, with a step of 2. */
#if defined(__ARM_FEATURE_DSP)
#include "kronecker_dsp.h"

        FIVE    mcugen1_kronecker3x2g20, 2, 20
#endif
