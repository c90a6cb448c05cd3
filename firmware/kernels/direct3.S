/* direct3.S - rows of 3 taps. */
#if defined(__ARM_ARCH_ISA_THUMB)
#if defined(__ARM_FEATURE_DSP)
#include "direct_dsp.h"
#elif __ARM_ARCH_ISA_THUMB == 2
#include "direct_m3.h"
#else
#include "direct_m0.h"
#endif

        STRIPS  mcugen1_direct3, 3, 1, 2
#endif
