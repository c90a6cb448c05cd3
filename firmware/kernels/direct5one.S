/* direct5one.S - rows of 5 taps, for single words of y. */
#if defined(__ARM_ARCH_ISA_THUMB)
#include "direct_cores.h"

        STRIPS  mcugen1_direct5one, 5, 1, 1
#endif
