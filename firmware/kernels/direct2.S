/* direct2.S - rows of 2 taps. */
#if defined(__ARM_ARCH_ISA_THUMB)
#include "direct_cores.h"

        STRIPS  mcugen1_direct2, 2, 1, 2
#endif
