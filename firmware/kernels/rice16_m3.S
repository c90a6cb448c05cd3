/* rice16_m3.S - sums by a Rice code, for Armv7-M without the DSP extension. */
#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2 && !defined(__ARM_FEATURE_DSP)
#include "rice16_thumb2.h"

        RICE16  mcugen1_rice16_m3
#endif
