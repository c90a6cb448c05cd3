/* direct1one.S - rows of 1 tap, for single words of y. */
#if defined(__ARM_ARCH_ISA_THUMB)
#include "direct_cores.h"

        STRIPS  mcugen1_direct1one, 1, 1, 1
#endif
