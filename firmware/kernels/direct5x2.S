/* direct5x2.S - rows of 5 taps, over every second word of x. */
#if defined(__ARM_ARCH_ISA_THUMB)
#include "direct_cores.h"

        STRIPS  mcugen1_direct5x2, 5, 2, 2
#endif
