/* window3x2low.S - windows of 3 x 3, over every second word of x, for images without rows in the highest lane. */
#if defined(__ARM_ARCH_ISA_THUMB)
#include "window_cores.h"

        WINDOW  mcugen1_window3x2low, 2, 3
#endif
