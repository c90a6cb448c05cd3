/* tables4_m0.S - sums by tables, for Armv6-M. */
#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 1 && !defined(__ARM_ARCH_ISA_ARM)
#include "tables4_thumb.h"

        TABLES4 mcugen1_tables4_m0
#endif
