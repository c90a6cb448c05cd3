/* direct4one.S - rows of 4 taps, for single words of y. */
#if defined(__ARM_ARCH_ISA_THUMB)
#include "direct_cores.h"

        STRIPS  mcugen1_direct4one, 4, 1, 1
#endif
