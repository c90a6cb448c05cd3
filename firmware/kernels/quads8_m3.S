/* quads8_m3.S - weights of 8 bits, four outputs at a time, for Armv7-M without the DSP extension. */
#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2 && !defined(__ARM_FEATURE_DSP)
#include "quads8_thumb2.h"

        QUADS8  mcugen1_quads8_m3
#endif
