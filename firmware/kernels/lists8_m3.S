/* lists8_m3.S - sums by lists of bytes, for Armv7-M without the DSP extension. */
#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2 && !defined(__ARM_FEATURE_DSP)
#include "lists8_thumb2.h"

        LISTS8  mcugen1_lists8_m3
#endif
