/* window3nibbles.S - windows of 3 x 3, eight pixels in a word. */
#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 2
#define MCUGEN_WINDOW_NIBBLES
#include "window_cores.h"

        WINDOW  mcugen1_window3nibbles, 1, 4
#endif
