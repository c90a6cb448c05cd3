/* direct2one.S - rows of 2 taps, for single words of y. */
#if defined(__ARM_ARCH_ISA_THUMB)
#include "direct_cores.h"

        STRIPS  mcugen1_direct2one, 2, 1, 1
#endif
