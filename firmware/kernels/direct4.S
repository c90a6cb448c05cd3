/* direct4.S - rows of 4 taps. */
#if defined(__ARM_ARCH_ISA_THUMB)
#include "direct_cores.h"

        STRIPS  mcugen1_direct4, 4, 1, 2
#endif
