/* direct1.S - rows of 1 tap. */
#if defined(__ARM_ARCH_ISA_THUMB)
#include "direct_cores.h"

        STRIPS  mcugen1_direct1, 1, 1, 2
#endif
