/* window3mixed.S - windows of 3 x 3, for images without the last rows of the highest lane. */
#if defined(__ARM_ARCH_ISA_THUMB)
#include "window_cores.h"

#if __ARM_ARCH_ISA_THUMB == 2
        WINDOW  mcugen1_window3mixed, 1, 43
#else
        WINDOW  mcugen1_window3mixed, 1, 4
#endif
#endif
