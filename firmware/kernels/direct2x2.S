/* direct2x2.S - rows of 2 taps, over every second word of x. */
#if defined(__ARM_ARCH_ISA_THUMB)
#include "direct_cores.h"

        STRIPS  mcugen1_direct2x2, 2, 2, 2
#endif
