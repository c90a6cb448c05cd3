/* direct3.S - rows of 3 taps. */
#if defined(__ARM_ARCH_ISA_THUMB)
#include "direct_cores.h"

        STRIPS  mcugen1_direct3, 3, 1, 2
#endif
