/* direct3one.S - rows of 3 taps, for single words of y. */
#if defined(__ARM_ARCH_ISA_THUMB)
#include "direct_cores.h"

        STRIPS  mcugen1_direct3one, 3, 1, 1
#endif
