/* window3low.S - windows of 3 x 3, for images without rows in the highest lane. */
#if defined(__ARM_ARCH_ISA_THUMB)
#include "window_cores.h"

        WINDOW  mcugen1_window3low, 1, 3
#endif
