/* direct3x2.S - rows of 3 taps, over every second word of x. */
#if defined(__ARM_ARCH_ISA_THUMB)
#include "direct_cores.h"

        STRIPS  mcugen1_direct3x2, 3, 2, 2
#endif
