/* window3x2mixed.S - windows of 3 x 3, over every second word of x, for images without the last rows of the highest lane. */
#if defined(__ARM_ARCH_ISA_THUMB)
#include "window_cores.h"

#if __ARM_ARCH_ISA_THUMB == 2
        WINDOW  mcugen1_window3x2mixed, 2, 43
#else
        WINDOW  mcugen1_window3x2mixed, 2, 4
#endif
#endif
