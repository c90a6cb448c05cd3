/* direct1x2.S - rows of 1 tap, over every second word of x. */
#if defined(__ARM_ARCH_ISA_THUMB)
#include "direct_cores.h"

        STRIPS  mcugen1_direct1x2, 1, 2, 2
#endif
