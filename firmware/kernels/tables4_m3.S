/* tables4_m3.S - sums by tables, for Armv7-M without the DSP extension. */
#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2 && !defined(__ARM_FEATURE_DSP)
#include "tables4_thumb.h"

        TABLES4 mcugen1_tables4_m3
#endif
