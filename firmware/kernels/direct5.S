/* direct5.S - rows of 5 taps. */
#if defined(__ARM_ARCH_ISA_THUMB)
#include "direct_cores.h"

        STRIPS  mcugen1_direct5, 5, 1, 2
#endif
