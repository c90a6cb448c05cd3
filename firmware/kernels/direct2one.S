/* direct2one.S - rows of 2 taps, for single words of y. */
#if defined(__ARM_ARCH_ISA_THUMB)
#if defined(__ARM_FEATURE_DSP)
#include "direct_dsp.h"
#elif __ARM_ARCH_ISA_THUMB == 2
#include "direct_m3.h"
#else
#include "direct_m0.h"
#endif

        STRIPS  mcugen1_direct2one, 2, 1, 1
#endif
