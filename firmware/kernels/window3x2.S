/* window3x2.S - windows of 3 x 3, over every second word of x. */
#if defined(__ARM_ARCH_ISA_THUMB)
#include "window_cores.h"

        WINDOW  mcugen1_window3x2, 2, 4
#endif
