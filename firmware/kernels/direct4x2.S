/* direct4x2.S - rows of 4 taps, over every second word of x. */
#if defined(__ARM_ARCH_ISA_THUMB)
#include "direct_cores.h"

        STRIPS  mcugen1_direct4x2, 4, 2, 2
#endif
