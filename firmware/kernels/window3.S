/* window3.S - windows of 3 x 3. */
#if defined(__ARM_ARCH_ISA_THUMB)
#include "window_cores.h"

        WINDOW  mcugen1_window3, 1, 4
#endif
